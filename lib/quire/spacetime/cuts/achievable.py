"""All states that consistent cuts show: combinations of one segment per site.

Compatibility pair by pair decides (see `segments`), so combinations are found by choosing site
after site among the segments that are compatible with those chosen before.
"""

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Int
from numba import njit

from quire.checks import integer
from quire.spacetime.cuts.detection import windows
from quire.spacetime.cuts.segments import EVER, Segments, compatible, segments_of
from quire.spacetime.geometry.sites import delay_matrix
from quire.spacetime.quotes.streams import check_streams

MOST_STATES = 20_000_000


def achievable(streams: Any, delays: Any, anchor: Any, time: Any) -> set[tuple[int, int]]:
    """Return every (best bid, best ask) that some consistent cut through (anchor, time) shows.

    Parameters
    ----------
    streams
        One per site.
    delays
        Light delays between sites, whole ns, a metric.
    anchor, time
        Where and when (ns) the observer reads his own site.

    Raises
    ------
    ValueError
        For arguments that do not fit.
    """
    table, states = states_at(streams, delays, anchor, time)
    return set(map(tuple, quotes_of(table, states).tolist()))


def states_at(
    streams: Any, delays: Any, anchor: Any, time: Any
) -> tuple[Segments, Int[np.ndarray, "states sites"]]:
    """Return the segments, and the combinations of them that cuts through (anchor, time) show.

    Raises
    ------
    ValueError
        For arguments that do not fit, or more than twenty million states.
    """
    metric = delay_matrix(delays)
    check_streams(streams, len(metric))
    place, now = integer("anchor", anchor, 0, len(metric) - 1), integer("time", time, -EVER, EVER)
    table = segments_of(streams)
    low, high = windows(table.first, table.starts, table.ends, place, now, metric)
    return table, _listed(table, metric, low, high)


def all_states(streams: Any, delays: Any) -> tuple[Segments, Int[np.ndarray, "states sites"]]:
    """Return the segments, and every combination of them that some cut shows at some time.

    Raises
    ------
    ValueError
        For arguments that do not fit, or more than twenty million states.
    """
    metric = delay_matrix(delays)
    check_streams(streams, len(metric))
    table = segments_of(streams)
    return table, _listed(table, metric, table.first[:-1].copy(), table.first[1:] - 1)


def quotes_of(
    table: Segments, states: Int[np.ndarray, "states sites"]
) -> Int[np.ndarray, "states 2"]:
    """Return the best bid and the best ask of each state."""
    return np.stack([table.bids[states].max(axis=1), table.asks[states].min(axis=1)], axis=1)


def _listed(
    table: Segments,
    metric: Int[np.ndarray, "sites sites"],
    low: Int[np.ndarray, " sites"],
    high: Int[np.ndarray, " sites"],
) -> Int[np.ndarray, "states sites"]:
    room = 4 * len(table.starts) + 64
    while True:
        if room > MOST_STATES:
            raise ValueError(f"streams: more than {MOST_STATES:,} states; take a shorter stretch")
        out = np.empty((room, len(low)), np.int64)
        count = _search(table.starts, table.ends, metric, low, high, out)
        if count <= room:
            return out[:count].copy()
        room *= 4


@njit(cache=True)
@no_type_check
def _search(starts, ends, delays, low, high, out):
    """Write compatible combinations to ``out``; return their number, or one more than fit."""
    sites = len(low)
    chosen = np.empty(sites, np.int64)
    last = np.empty(sites, np.int64)
    count, level = 0, 0
    chosen[0], last[0] = low[0], high[0]
    while level >= 0:
        if chosen[level] > last[level]:
            level -= 1
            if level >= 0:
                chosen[level] += 1
            continue
        fits = True
        for a in range(level):
            if not compatible(starts, ends, chosen[a], chosen[level], delays[a, level]):
                fits = False
                break
        if not fits:
            chosen[level] += 1
            continue
        if level == sites - 1:
            if count == len(out):
                return count + 1
            out[count] = chosen
            count += 1
            chosen[level] += 1
            continue
        level += 1
        # only what is compatible with the first site's segment: a stretch of neighbours
        begin, end = low[level], high[level]
        lag = delays[0, level]
        a = chosen[0]
        chosen[level] = begin + np.searchsorted(
            ends[begin : end + 1], starts[a] - lag, side="right"
        )
        last[level] = (
            begin + np.searchsorted(starts[begin : end + 1], ends[a] + lag, side="left") - 1
        )
    return count
