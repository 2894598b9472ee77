"""The light-cone NBBO: at every instant, the interval of best bids and asks over all cuts.

An observer at the anchor, at time T, may read every other site at any moment that light links to
neither side of (anchor, T). As T runs, a segment enters a window at start - L, and leaves it at
end + L: between these times nothing changes, so three pointers per site and a few monotone queues
make one pass over all quotes.

- Greatest best bid: the greatest bid of any window, since one reading extends to a whole cut.
- Least best bid: every site must bid little at once. The greatest of the windows' least bids is a
  lower bound; it is attained when at most one window holds several segments, and else found by
  `detection`.
- Asks: the same with signs turned.
"""

from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Bool, Int
from numba import njit

from quire.checks import integer
from quire.spacetime.cuts.detection import least_of_worst, some_crossed
from quire.spacetime.cuts.segments import EVER, segments_of
from quire.spacetime.geometry.sites import LATEST, delay_matrix
from quire.spacetime.quotes.streams import NO_ASK, NO_BID, check_streams

_MOST_SITES = 62  # of which a mask of 64 bits can tell


@dataclass(frozen=True, eq=False)
class LightConeNbbo:
    """The NBBO of an observer as intervals, piece by piece in time.

    Piece k holds at the whole nanoseconds from times[k] to before times[k + 1], the last one for
    ever; before the first piece nobody has quoted anything.

    Attributes
    ----------
    times
        When each piece begins, ns. It may be negative: a quote at time 0 is in a window before.
    bid_low, bid_high, ask_low, ask_high
        The least and greatest best bid and best ask over all cuts through the anchor, ticks.
    rest_bid, rest_ask
        What the common rest frame reads: all sites at the same time.
    crossed
        Whether some cut shows a bid above an ask.
    open_sites
        Bit b is set when more than one quote of site b may be read.
    """

    times: Int[np.ndarray, " pieces"]
    bid_low: Int[np.ndarray, " pieces"]
    bid_high: Int[np.ndarray, " pieces"]
    ask_low: Int[np.ndarray, " pieces"]
    ask_high: Int[np.ndarray, " pieces"]
    rest_bid: Int[np.ndarray, " pieces"]
    rest_ask: Int[np.ndarray, " pieces"]
    crossed: Bool[np.ndarray, " pieces"]
    open_sites: Int[np.ndarray, " pieces"]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def ambiguous(self) -> Bool[np.ndarray, " pieces"]:
        """Whether more than one NBBO may be read."""
        return (self.bid_low != self.bid_high) | (self.ask_low != self.ask_high)

    @property
    def newly_crossed(self) -> Bool[np.ndarray, " pieces"]:
        """Whether some cut is crossed and the rest frame is not."""
        return self.crossed & (self.rest_bid <= self.rest_ask)

    def at(self, time: int) -> int:
        """Return the piece that holds at ``time``, whole ns, or -1 before the first.

        Raises
        ------
        ValueError
            For a time that is no integer.
        """
        time = integer("time", time, -LATEST, LATEST)
        return int(np.searchsorted(self.times, time, side="right")) - 1

    def share(self, marked: Any, start: Any, stop: Any) -> float:
        """Return the share of the time from ``start`` to before ``stop`` of the marked pieces.

        Parameters
        ----------
        marked
            A truth value per piece, such as `ambiguous`.
        start, stop
            Whole nanoseconds.

        Raises
        ------
        ValueError
            When ``stop`` is not after ``start``, or there is not one mark per piece.
        """
        marks = np.asarray(marked)
        if marks.shape != self.times.shape or marks.dtype != bool:
            raise ValueError("marked: must hold one truth value per piece")
        begin, end = integer("start", start, -EVER), integer("stop", stop, -EVER)
        if end <= begin:
            raise ValueError(f"stop = {stop}: must come after start = {start}")
        edges = np.clip(np.append(self.times, EVER), begin, end)
        return int(np.diff(edges)[marks].sum()) / (end - begin)


def light_cone_nbbo(streams: Any, delays: Any, anchor: Any) -> LightConeNbbo:
    """Return the exact interval of the NBBO over all consistent cuts, at every instant.

    Parameters
    ----------
    streams
        One per site: what is best there, see `best_of`.
    delays
        Light delays between sites in whole ns, a metric (`Sites.delays_ns`).
    anchor
        The site of the observer.

    Raises
    ------
    ValueError
        For streams, delays or an anchor that do not fit.
    """
    metric = delay_matrix(delays)
    check_streams(streams, len(metric))
    place = integer("anchor", anchor, 0, len(metric) - 1)
    if len(metric) > _MOST_SITES:
        raise ValueError(f"streams = {len(metric)} of them: must be at most {_MOST_SITES}")
    table = segments_of(streams)
    found = _sweep(table.first, table.starts, table.ends, table.bids, table.asks, metric, place)
    return LightConeNbbo(*found)


@njit(cache=True, inline="always")
@no_type_check
def _push(queue, heads, tails, site, key, j):
    """Append segment j to a queue whose keys decrease from head to tail."""
    while tails[site] > heads[site] and key[queue[tails[site] - 1]] <= key[j]:
        tails[site] -= 1
    queue[tails[site]] = j
    tails[site] += 1


@njit(cache=True)
@no_type_check
def _sweep(first, starts, ends, bids, asks, delays, anchor):
    sites = len(first) - 1
    total = len(starts)
    room = 3 * total + 1
    when = np.empty(room, np.int64)
    bid_low = np.empty(room, np.int64)
    bid_high = np.empty(room, np.int64)
    ask_low = np.empty(room, np.int64)
    ask_high = np.empty(room, np.int64)
    rest_bid = np.empty(room, np.int64)
    rest_ask = np.empty(room, np.int64)
    crossed = np.empty(room, np.bool_)
    open_sites = np.empty(room, np.int64)
    sold = -asks
    bought = -bids
    # monotone queues of segments, per site: greatest bid, least ask, least bid, greatest ask
    queue0, queue1 = np.empty(total, np.int64), np.empty(total, np.int64)
    queue2, queue3 = np.empty(total, np.int64), np.empty(total, np.int64)
    head0, head1, head2, head3 = (
        first[:-1].copy(),
        first[:-1].copy(),
        first[:-1].copy(),
        first[:-1].copy(),
    )
    tail0, tail1, tail2, tail3 = (first[:-1] + 1, first[:-1] + 1, first[:-1] + 1, first[:-1] + 1)
    low, high, rest = first[:-1].copy(), first[:-1].copy(), first[:-1].copy()
    at = np.empty(sites, np.int64)
    enters = np.empty(sites, np.int64)  # when the next segment enters, leaves, and is read at rest
    leaves = np.empty(sites, np.int64)
    reads = np.empty(sites, np.int64)
    lag = np.empty(sites, np.int64)
    for b in range(sites):
        lag[b] = 0 if b == anchor else delays[anchor, b]
        queue0[first[b]] = queue1[first[b]] = queue2[first[b]] = queue3[first[b]] = first[b]
        # The anchor's own quotes enter and leave when they are made; others enter one ns after
        # start - lag, since the cone's edge is ordered.
        reads[b] = ends[rest[b]]
        enters[b] = reads[b] if b == anchor or reads[b] == EVER else reads[b] - lag[b] + 1
        leaves[b] = reads[b] if reads[b] == EVER else reads[b] + lag[b]
    count, several, mask = 0, 0, 0
    top, bottom, floor, ceiling = NO_BID, NO_ASK, NO_BID, NO_ASK
    while True:
        now = EVER
        for b in range(sites):
            now = min(now, enters[b], leaves[b], reads[b])
        if now == EVER:
            break
        moved = False
        for b in range(sites):
            end_of_site = first[b + 1]
            while enters[b] <= now:
                moved = True
                high[b] += 1
                j = high[b]
                _push(queue0, head0, tail0, b, bids, j)
                _push(queue1, head1, tail1, b, sold, j)
                _push(queue2, head2, tail2, b, bought, j)
                _push(queue3, head3, tail3, b, asks, j)
                if j + 1 < end_of_site:
                    enters[b] = starts[j + 1] if b == anchor else starts[j + 1] - lag[b] + 1
                else:
                    enters[b] = EVER
            while leaves[b] <= now:
                moved = True
                low[b] += 1
                if queue0[head0[b]] < low[b]:
                    head0[b] += 1
                if queue1[head1[b]] < low[b]:
                    head1[b] += 1
                if queue2[head2[b]] < low[b]:
                    head2[b] += 1
                if queue3[head3[b]] < low[b]:
                    head3[b] += 1
                leaves[b] = ends[low[b]]
                if leaves[b] != EVER:
                    leaves[b] += lag[b]
            while reads[b] <= now:
                rest[b] += 1
                reads[b] = ends[rest[b]]
        if moved:  # else only what the rest frame reads has changed
            several, mask = 0, 0
            top, bottom = NO_BID, NO_ASK  # greatest bid and least ask of any window
            floor, ceiling = NO_BID, NO_ASK  # what the windows' least bids and greatest asks allow
            for b in range(sites):
                top = max(top, bids[queue0[head0[b]]])
                bottom = min(bottom, asks[queue1[head1[b]]])
                floor = max(floor, bids[queue2[head2[b]]])
                ceiling = min(ceiling, asks[queue3[head3[b]]])
                if high[b] > low[b]:
                    several += 1
                    mask |= 1 << b
            if several > 1 and floor != top:
                for b in range(sites):
                    at[b] = queue2[head2[b]]
                floor = least_of_worst(starts, ends, bids, low, high, delays, floor, at)
            if several > 1 and ceiling != bottom:
                for b in range(sites):
                    at[b] = queue3[head3[b]]
                ceiling = -least_of_worst(starts, ends, sold, low, high, delays, -ceiling, at)
        still_bid, still_ask = NO_BID, NO_ASK
        for b in range(sites):
            still_bid = max(still_bid, bids[rest[b]])
            still_ask = min(still_ask, asks[rest[b]])
        over = still_bid > still_ask
        if not over and several > 0 and top > bottom:
            over = some_crossed(starts, ends, bids, asks, low, high, delays)
        if count and (
            bid_low[count - 1] == floor
            and bid_high[count - 1] == top
            and ask_low[count - 1] == bottom
            and ask_high[count - 1] == ceiling
            and rest_bid[count - 1] == still_bid
            and rest_ask[count - 1] == still_ask
            and crossed[count - 1] == over
            and open_sites[count - 1] == mask
        ):
            continue
        when[count] = now
        bid_low[count], bid_high[count] = floor, top
        ask_low[count], ask_high[count] = bottom, ceiling
        rest_bid[count], rest_ask[count] = still_bid, still_ask
        crossed[count], open_sites[count] = over, mask
        count += 1
    return (
        when[:count],
        bid_low[:count],
        bid_high[:count],
        ask_low[:count],
        ask_high[:count],
        rest_bid[:count],
        rest_ask[:count],
        crossed[:count],
        open_sites[:count],
    )
