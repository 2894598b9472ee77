"""Quotes of a venue as step functions of time, and the best of several in one place.

Times are whole nanoseconds and prices whole ticks, so that equal is equal. A quote holds from its
time on, until the next one; before the first there is none. Having no bid is `NO_BID`, below every
price, and no ask `NO_ASK`, above every price.
"""

import warnings
from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Bool, Int
from numba import njit

from quire.checks import integer, positive
from quire.spacetime.geometry.sites import LATEST

NO_BID = -(2**62)
NO_ASK = 2**62
_MOST_TICKS = 2**60


class CrossedQuote(UserWarning):
    """A venue's own bid stands above its own ask."""


@dataclass(frozen=True, eq=False)
class Stream:
    """The best bid and ask of one place as step functions.

    Attributes
    ----------
    times
        Nanoseconds, strictly increasing: the quote of entry k holds in [times[k], times[k + 1]).
    bids, asks
        Ticks, or `NO_BID`, `NO_ASK`.
    """

    times: Int[np.ndarray, " quotes"]
    bids: Int[np.ndarray, " quotes"]
    asks: Int[np.ndarray, " quotes"]

    def __len__(self) -> int:
        return len(self.times)

    def at(self, time: Any) -> tuple[int, int]:
        """Return (bid, ask) that hold at ``time``, whole ns.

        Raises
        ------
        ValueError
            For a time that is no integer.
        """
        time = integer("time", time, -LATEST, LATEST)
        k = int(np.searchsorted(self.times, time, side="right")) - 1
        return (NO_BID, NO_ASK) if k < 0 else (int(self.bids[k]), int(self.asks[k]))

    def later(self, delay: Any) -> "Stream":
        """Return the stream as it is heard ``delay`` ns later."""
        return Stream(self.times + _whole("delay", [delay], 0)[0], self.bids, self.asks)


def stream(times: Any, bids: Any, asks: Any) -> Stream:
    """Return the quotes of one venue as a `Stream`.

    Of quotes with one time the last in the given order holds; a quote that repeats the one before
    is left out.

    Parameters
    ----------
    times
        Whole nanoseconds, zero or more, not decreasing.
    bids, asks
        Whole ticks, one per time (`ticks` makes them of prices), or `NO_BID`, `NO_ASK`.

    Raises
    ------
    ValueError
        For fractions, no quote at all, negative or unsorted times, or lengths that differ.

    Warns
    -----
    CrossedQuote
        When a bid stands above its own ask.
    """
    when = _whole("times", times, 0, LATEST)
    bid, ask = _prices("bids", bids), _prices("asks", asks)
    for name, values in (("bids", bid), ("asks", ask)):
        if len(values) != len(when):
            raise ValueError(f"{name} = {len(values)} prices: must be one per time ({len(when)})")
    back = np.flatnonzero(np.diff(when) < 0)
    if len(back):
        raise ValueError(f"times = {when[back[0] + 1]} after {when[back[0]]}: must not decrease")
    crossed = int((bid > ask).sum())
    if crossed:
        warnings.warn(
            f"bids: {crossed} of {len(bid)} quotes bid more than they ask", CrossedQuote, 2
        )
    last = np.append(np.diff(when) > 0, True)
    return _without_repeats(when[last], bid[last], ask[last])


def ticks(prices: Any, side: Any, tick: Any = 0.01) -> Int[np.ndarray, " quotes"]:
    """Return prices as whole ticks; what feeds write for no quote, zero or NaN, as none.

    Parameters
    ----------
    prices
        Prices in currency, zero or more.
    side
        ``"bid"`` or ``"ask"``.
    tick
        The smallest step of a price.

    Raises
    ------
    ValueError
        For another side, negative or infinite prices, or one that is no whole number of ticks.
    """
    if side not in ("bid", "ask"):
        raise ValueError(f"side = {side!r}: must be 'bid' or 'ask'")
    step = positive("tick", tick)
    given = np.asarray(prices)
    if given.dtype.kind not in "iuf" or given.ndim != 1:
        raise ValueError(f"prices = {given.ndim} axes of {given.dtype}: must be a list of numbers")
    values = given.astype(np.float64) / step
    absent = np.isnan(values) | (values == 0)
    here = values[~absent]
    if not (np.isfinite(here) & (here > 0) & (here < _MOST_TICKS)).all():
        raise ValueError("prices: must be zero or more, and finite")
    whole = np.round(np.where(absent, 0.0, values))
    # A double keeps fifteen digits: what is further from a whole number is a finer price.
    finer = np.abs(whole - np.where(absent, 0.0, values)) > 1e-6 * np.maximum(1, whole * 1e-6)
    if finer.any():
        raise ValueError(
            f"prices = {given[finer][0]!r}: must be whole multiples of tick = {tick!r}"
        )
    return np.where(absent, NO_BID if side == "bid" else NO_ASK, whole.astype(np.int64))


def best_of(streams: Any) -> Stream:
    """Return the best bid and ask of several venues that are read at the same moment.

    Of venues in one place this is that place's quote; of venues in different places it is the
    NBBO of the frame in which all stand still, at one coordinate time.

    Raises
    ------
    ValueError
        Without a stream.
    """
    check_streams(streams)
    times, bids, asks = _best_merge(
        np.concatenate([[0], np.cumsum([len(each) for each in streams])]),
        np.concatenate([each.times for each in streams]),
        np.concatenate([each.bids for each in streams]),
        np.concatenate([each.asks for each in streams]),
    )
    return Stream(times.copy(), bids.copy(), asks.copy())


def merged(streams: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the quotes of all streams in the order of time: times, stream numbers, bids, asks.

    Raises
    ------
    ValueError
        Without a stream, or for something that is none.
    """
    check_streams(streams)
    when = np.concatenate([each.times for each in streams])
    order = np.argsort(when, kind="stable")
    number = np.repeat(np.arange(len(streams)), [len(each) for each in streams])
    return (
        when[order],
        number[order],
        np.concatenate([each.bids for each in streams])[order],
        np.concatenate([each.asks for each in streams])[order],
    )


def check_streams(streams: Any, sites: int | None = None) -> None:
    """Refuse what is no list of streams, one per site when ``sites`` is given.

    Raises
    ------
    ValueError
        For anything else, or times that do not increase, as `stream` sees to.
    """
    listed = isinstance(streams, list | tuple) and len(streams) > 0
    if not listed or not all(isinstance(each, Stream) for each in streams):
        raise ValueError("streams: must be a list of at least one Stream")
    if sites is not None and len(streams) != sites:
        raise ValueError(f"streams = {len(streams)} of them: must be one per site ({sites})")
    for number, each in enumerate(streams):
        times = each.times
        lengths = {len(times), len(each.bids), len(each.asks)}
        if len(lengths) > 1 or not len(times):
            raise ValueError(f"streams[{number}]: must hold one bid and ask per time")
        if times[0] < 0 or times[-1] >= 2 * LATEST or (np.diff(times) <= 0).any():
            raise ValueError(f"streams[{number}].times: must increase strictly, from 0 on")


def _without_repeats(
    when: Int[np.ndarray, " quotes"],
    bid: Int[np.ndarray, " quotes"],
    ask: Int[np.ndarray, " quotes"],
) -> Stream:
    changed: Bool[np.ndarray, " quotes"] = np.ones(len(when), dtype=bool)
    changed[1:] = (np.diff(bid) != 0) | (np.diff(ask) != 0)
    return Stream(when[changed], bid[changed], ask[changed])


def _whole(name: str, values: Any, least: int, most: int = LATEST) -> Int[np.ndarray, " quotes"]:
    """Return whole numbers as int64, not empty, from ``least`` to below ``most``.

    Raises
    ------
    ValueError
        For anything else.
    """
    given = np.asarray(values)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"{name} = an array of shape {given.shape}: must be a list, not empty")
    if given.dtype.kind == "f":
        if not np.isfinite(given).all():
            raise ValueError(f"{name} has non-finite entries: must hold whole numbers")
        if (given != np.round(given)).any() or (np.abs(given) > 2**53).any():
            raise ValueError(f"{name}: must hold whole numbers (as floats only up to 2**53)")
    elif given.dtype.kind not in "iu":
        raise ValueError(f"{name} = an array of {given.dtype}: must hold whole numbers")
    if given.min() < least or given.max() >= most:
        wrong = given.min() if given.min() < least else given.max()
        raise ValueError(f"{name} = {wrong}: must lie from {least} to below {most}")
    return given.astype(np.int64)


def _prices(name: str, values: Any) -> Int[np.ndarray, " quotes"]:
    whole = _whole(name, values, NO_BID, NO_ASK + 1)
    far = (np.abs(whole) >= _MOST_TICKS) & (whole != (NO_BID if name == "bids" else NO_ASK))
    if far.any():
        raise ValueError(f"{name} = {whole[far][0]}: must be below 2**60 ticks in size")
    return whole


@njit(cache=True)
@no_type_check
def _best_pass(venue, bid, ask, venues):
    """Return the best bid and ask after each quote: the plain pass over a consolidated feed."""
    last_bid = np.full(venues, NO_BID, np.int64)
    last_ask = np.full(venues, NO_ASK, np.int64)
    bids = np.empty(len(venue), np.int64)
    asks = np.empty(len(venue), np.int64)
    for k in range(len(venue)):
        last_bid[venue[k]] = bid[k]
        last_ask[venue[k]] = ask[k]
        best_bid, best_ask = last_bid[0], last_ask[0]
        for v in range(1, venues):
            best_bid = max(best_bid, last_bid[v])
            best_ask = min(best_ask, last_ask[v])
        bids[k] = best_bid
        asks[k] = best_ask
    return bids, asks


@njit(cache=True)
@no_type_check
def _best_merge(first, times, bids, asks):
    """Merge streams that lie one after another, and keep the times at which their best changes."""
    venues = len(first) - 1
    total = len(times)
    at = first[:-1].copy()
    following = np.empty(venues, np.int64)  # when each venue quotes next
    last_bid = np.full(venues, NO_BID, np.int64)
    last_ask = np.full(venues, NO_ASK, np.int64)
    when = np.empty(total, np.int64)
    best_bids = np.empty(total, np.int64)
    best_asks = np.empty(total, np.int64)
    for v in range(venues):
        following[v] = times[at[v]]
    count, done = 0, 0
    while done < total:
        now = following[0]
        for v in range(1, venues):
            now = min(now, following[v])
        best_bid, best_ask = NO_BID, NO_ASK
        for v in range(venues):
            if following[v] == now:
                k = at[v]
                last_bid[v], last_ask[v] = bids[k], asks[k]
                at[v] = k + 1
                following[v] = times[k + 1] if k + 1 < first[v + 1] else NO_ASK
                done += 1
            best_bid = max(best_bid, last_bid[v])
            best_ask = min(best_ask, last_ask[v])
        if count == 0 or best_bids[count - 1] != best_bid or best_asks[count - 1] != best_ask:
            when[count], best_bids[count], best_asks[count] = now, best_bid, best_ask
            count += 1
    return when[:count], best_bids[:count], best_asks[:count]
