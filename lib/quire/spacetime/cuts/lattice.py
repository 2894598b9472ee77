"""The same questions answered by enumeration, with nothing in common but the definitions.

Every combination of one segment per site is tried. Whether a cut passes it is asked of the system
of difference constraints itself: start_a <= t_a < end_a, |t_a - t_b| < L_ab. It has a solution
exactly if no cycle of constraints sums to less than zero, or to zero with a strict one among them
(Floyd and Warshall). Exponential in the number of sites: for checks on small cases.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from quire.checks import integer
from quire.spacetime.cuts.segments import EVER, Segments, segments_of
from quire.spacetime.geometry.sites import delay_matrix
from quire.spacetime.quotes.streams import check_streams

_MOST = 2_000_000
Bound = tuple[int, int]  # (value, -1 when strict): "difference < value" sorts below "<= value"


def passes(boxes: Sequence[tuple[int, int, bool]], delays: Sequence[Sequence[int]]) -> bool:
    """Return whether some cut lies in the boxes (start, end, whether the end belongs to it)."""
    sites = len(boxes)
    far: Bound = (4 * EVER, 0)
    # bound[i][j] limits t_j - t_i; number `sites` is the origin of time
    bound = [[far] * (sites + 1) for _ in range(sites + 1)]
    for a, (start, end, closed) in enumerate(boxes):
        bound[sites][a] = (end, 0 if closed else -1)
        bound[a][sites] = (-start, 0)
        for b in range(sites):
            if a != b:
                bound[a][b] = (int(delays[a][b]), -1)
    for i in range(sites + 1):
        bound[i][i] = (0, 0)
    for k in range(sites + 1):
        for i in range(sites + 1):
            for j in range(sites + 1):
                through = _sum(bound[i][k], bound[k][j])
                bound[i][j] = min(bound[i][j], through)
    return all(bound[i][i] >= (0, 0) for i in range(sites + 1))


def _sum(one: Bound, other: Bound) -> Bound:
    return one[0] + other[0], min(one[1], other[1])


def combinations(streams: Any, delays: Any, anchor: Any, time: Any) -> Iterator[tuple[int, ...]]:
    """Yield every combination of segments (numbers from 0 per site) that some cut shows.

    Parameters
    ----------
    streams, delays
        As for `light_cone_nbbo`.
    anchor, time
        The cut passes the anchor at this time, ns.

    Raises
    ------
    ValueError
        For arguments that do not fit, or more than two million combinations.
    """
    metric = delay_matrix(delays)
    check_streams(streams, len(metric))
    place, now = integer("anchor", anchor, 0, len(metric) - 1), integer("time", time, -EVER, EVER)
    counts = [len(each) + 1 for each in streams]
    if np.prod([float(count) for count in counts]) > _MOST:
        raise ValueError(f"streams: {counts} segments are more than {_MOST:,} combinations")
    table = segments_of(streams)
    plain = metric.tolist()
    for chosen in product(*map(range, counts)):
        boxes = _boxes(table, chosen)
        start, end, _ = boxes[place]
        if not start <= now < end:
            continue
        boxes[place] = (now, now, True)
        if passes(boxes, plain):
            yield chosen


def achievable_by_enumeration(
    streams: Any, delays: Any, anchor: Any, time: Any
) -> set[tuple[int, int]]:
    """Return every (best bid, best ask) that some cut through (anchor, time) shows.

    The arguments and faults are those of `combinations`.
    """
    found = list(combinations(streams, delays, anchor, time))
    table = segments_of(streams)
    return {quote_of(table, chosen) for chosen in found}


def quote_of(table: Segments, chosen: Sequence[int]) -> tuple[int, int]:
    """Return the best bid and ask of one segment per site, numbered from 0 at each site."""
    places = table.first[:-1] + np.asarray(chosen)
    return int(table.bids[places].max()), int(table.asks[places].min())


def _boxes(table: Segments, chosen: Sequence[int]) -> list[tuple[int, int, bool]]:
    places = table.first[:-1] + np.asarray(chosen)
    return [(int(table.starts[place]), int(table.ends[place]), False) for place in places]
