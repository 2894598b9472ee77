"""The consolidated feed (SIP), its view of the market beside that of direct feeds.

1. A venue's quote leaves its site at t and reaches the processor at t + delay.
2. The processor serves messages one after another, in the order in which they arrive.
3. It keeps the last quote of every venue *in that order* and publishes the best of them.
4. A trader hears it one delay later; on direct feeds he hears each venue after that venue's delay.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from quire.checks import integer, non_negative
from quire.signatures import checked
from quire.spacetime.geometry.sites import delay_matrix
from quire.spacetime.quotes.streams import (
    NO_ASK,
    NO_BID,
    Stream,
    best_of,
    check_streams,
    merged,
)

SIP_2018_US = {"Mahwah": 50.0, "Carteret": 20.0}
"""The longest processing time, microseconds, that each SIP's operator named in 2018: expected
below 50 (CTA, Mahwah), median below 20 (UTP, Carteret)."""


@dataclass(frozen=True)
class Processor:
    """How long the processor takes for a message.

    Attributes
    ----------
    median_ns
        Median processing time, ns.
    spread
        Standard deviation of its logarithm; zero makes all times equal.
    seed
        Of the processing times.
    """

    median_ns: int | float
    spread: int | float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "median_ns", non_negative("median_ns", self.median_ns))
        object.__setattr__(self, "spread", non_negative("spread", self.spread))
        object.__setattr__(self, "seed", integer("seed", self.seed, 0))
        _refuse_too_long(self.median_ns, self.spread)

    def times_ns(self, count: int) -> Int[np.ndarray, " messages"]:
        """Return processing times in whole ns, drawn from the log-normal law.

        Raises
        ------
        ValueError
            When ``count`` is negative or not whole.
        """
        count = integer("count", count, 0)
        draws = np.random.default_rng(self.seed).standard_normal(count)
        return np.round(self.median_ns * np.exp(self.spread * draws)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Dislocations:
    """Where two views of the market differ.

    Attributes
    ----------
    starts, stops
        Maximal stretches of time, ns, in which the views differ.
    bid_gaps, ask_gaps
        The largest difference of the bids and of the asks in each, ticks; zero where only one of
        the views has a quote.
    """

    starts: Int[np.ndarray, " segments"]
    stops: Int[np.ndarray, " segments"]
    bid_gaps: Int[np.ndarray, " segments"]
    ask_gaps: Int[np.ndarray, " segments"]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Int[np.ndarray, " segments"]:
        """How long each lasts, ns."""
        return self.stops - self.starts

    def covers(self, times: Any) -> np.ndarray:
        """Return whether each time lies in a dislocation.

        Raises
        ------
        ValueError
            For times that are no whole numbers.
        """
        when = np.asarray(times)
        if when.dtype.kind not in "iu":
            raise ValueError("times: must be whole numbers of ns")
        at = np.searchsorted(self.starts, when, side="right") - 1
        return (at >= 0) & (when < np.append(self.stops, 0)[at]) if len(self) else at >= 0


def _refuse_too_long(median_ns: Any, spread: Any) -> None:
    """Refuse times that whole nanoseconds can not hold.

    Raises
    ------
    ValueError
        For a median of 2**50 ns (13 days) or more, or a spread above 3.
    """
    if spread > 3 or median_ns >= 2**50:
        raise ValueError("median_ns, spread: must be below 2**50 ns, and at most 3")


def served(
    arrivals: Int[np.ndarray, " messages"], work: Int[np.ndarray, " messages"]
) -> Int[np.ndarray, " messages"]:
    """Return when a single server is done with messages that it serves in the order given.

    done_k = max(arrival_k, done_(k-1)) + work_k (Lindley), for arrivals that do not decrease.
    """
    worked = np.cumsum(work)
    return np.maximum.accumulate(arrivals - (worked - work)) + worked


def consolidated_view(
    streams: Any,
    places: Any,
    delays: Any,
    processor_site: Any,
    processor: Any,
    trader_site: Any,
) -> Stream:
    """Return the NBBO of the consolidated feed as a trader hears it.

    Parameters
    ----------
    streams
        One per venue.
    places
        The site of each venue.
    delays
        Of signals between sites, whole ns.
    processor_site, trader_site
        Where the processor and the trader stand.
    processor
        How long it takes for a message.

    Raises
    ------
    ValueError
        For arguments that do not fit.
    """
    if not isinstance(processor, Processor):
        raise ValueError(f"processor = {processor!r}: must be a Processor")
    metric, where = _placed(streams, places, delays)
    here = integer("processor_site", processor_site, 0, len(metric) - 1)
    there = integer("trader_site", trader_site, 0, len(metric) - 1)
    arriving = [
        each.later(int(metric[place, here])) for each, place in zip(streams, where, strict=True)
    ]
    when, venue, bid, ask = merged(arriving)
    done = served(when, processor.times_ns(len(when)))
    heard = done + metric[here, there]
    views = []
    for number in range(len(streams)):
        mine = venue == number
        last = np.append(np.diff(heard[mine]) > 0, True)
        views.append(Stream(heard[mine][last], bid[mine][last], ask[mine][last]))
    return best_of(views)


def direct_view(streams: Any, places: Any, delays: Any, trader_site: Any) -> Stream:
    """Return the NBBO that a trader makes of direct feeds.

    The arguments and faults are those of `consolidated_view`.
    """
    metric, where = _placed(streams, places, delays)
    there = integer("trader_site", trader_site, 0, len(metric) - 1)
    return best_of(
        [each.later(int(metric[p, there])) for each, p in zip(streams, where, strict=True)]
    )


@checked
def dislocations(one: Stream, other: Stream, start: Any, stop: Any) -> Dislocations:
    """Return where two views differ between two times.

    Parameters
    ----------
    one, other
        The views.
    start, stop
        ns; ``stop`` is not included.

    Raises
    ------
    ValueError
        When ``stop`` is not after ``start``.
    """
    check_streams([one, other])
    begin, end = integer("start", start, 0), integer("stop", stop, 0)
    if end <= begin:
        raise ValueError(f"stop = {stop}: must come after start = {start}")
    times = np.unique(np.concatenate([[begin], one.times, other.times]))
    times = times[(times >= begin) & (times < end)]
    values = []
    for view in (one, other):
        at = np.searchsorted(view.times, times, side="right")
        values.append((np.append(NO_BID, view.bids)[at], np.append(NO_ASK, view.asks)[at]))
    (bid, ask), (other_bid, other_ask) = values
    differ = (bid != other_bid) | (ask != other_ask)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], differ.astype(np.int8), [0]])))
    first, last = edges[::2], edges[1::2]
    stops = np.append(times, end)[last]
    gap_bid = _gap(bid, other_bid, NO_BID)
    gap_ask = _gap(ask, other_ask, NO_ASK)
    if not len(first):
        empty = np.zeros(0, np.int64)
        return Dislocations(empty, empty, empty, empty)
    # the maximum over [first, last): what stands between two stretches is zero in both
    return Dislocations(
        times[first],
        stops,
        np.maximum.reduceat(gap_bid, first),
        np.maximum.reduceat(gap_ask, first),
    )


def race_profit(shares: Any, size: Any, ticks_to_currency: Any = 0.01) -> float:
    """Return what a faster trader earns who takes one race per dislocation: |gap| times size.

    Parameters
    ----------
    shares
        The dislocations; the larger of both gaps of each is earned.
    size
        Shares traded in each, one number for all.
    ticks_to_currency
        What a tick is worth.

    Raises
    ------
    ValueError
        For what is no `Dislocations`, or negative values.
    """
    if not isinstance(shares, Dislocations):
        raise ValueError(f"shares = {shares!r}: must be Dislocations")
    gaps = np.maximum(shares.bid_gaps, shares.ask_gaps)
    worth = non_negative("ticks_to_currency", ticks_to_currency)
    return float(gaps.sum()) * non_negative("size", size) * worth


def _gap(
    one: Int[np.ndarray, " times"], other: Int[np.ndarray, " times"], absent: int
) -> Int[np.ndarray, " times"]:
    both = (one != absent) & (other != absent)
    return np.where(both, np.abs(np.where(both, one, 0) - np.where(both, other, 0)), 0)


def _placed(
    streams: Any, places: Any, delays: Any
) -> tuple[Int[np.ndarray, "sites sites"], list[int]]:
    metric = delay_matrix(delays)
    check_streams(streams)
    if not isinstance(places, list | tuple | range | np.ndarray):
        raise ValueError(f"places = {places!r}: must be a list of one site per stream")
    where = [integer("places", place, 0, len(metric) - 1) for place in places]
    if len(where) != len(streams):
        raise ValueError(f"places = {len(where)} sites: must be one per stream ({len(streams)})")
    return metric, where
