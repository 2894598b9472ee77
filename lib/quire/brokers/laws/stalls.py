"""A stall by hand: a server that stops for S seconds, and what each way of measuring sees of it.

In an open loop all messages due during the stall wait for its end, so of a window T a share
``(S - x) / T`` is late by more than x. A closed loop sends one message, waits, and never learns of
the others: coordinated omission.
"""

import numpy as np
from jaxtyping import Float

from quire.brokers.measuring.histograms import share_of
from quire.checks import integer, non_negative, positive


def stall_tail(late_s: float, stall_s: float, window_s: float) -> float:
    """Return the share of messages that are late by more than ``late_s``.

    Raises
    ------
    ValueError
        For a stall longer than the window, or negative times.
    """
    late = non_negative("late_s", late_s)
    stall, window = _stall(stall_s, window_s)
    return max(0.0, stall - late) / window


def stall_percentile_s(q: float, stall_s: float, window_s: float, usual_s: float = 0.0) -> float:
    """Return a percentile of the latency in an open loop with one stall.

    ``S - (1 - q) T`` when that is positive, on top of the usual latency.

    Raises
    ------
    ValueError
        For a stall longer than the window, negative times, ``q`` outside of [0, 1].
    """
    stall, window = _stall(stall_s, window_s)
    late = stall - (1 - share_of(q)) * window
    return max(0.0, late) + non_negative("usual_s", usual_s)


def open_loop_latencies(
    rate_per_s: float, window_s: float, stall_s: float, begin_s: float, usual_s: float
) -> Float[np.ndarray, " messages"]:
    """Return the latency of each message of an open loop with one stall.

    Raises
    ------
    ValueError
        For times that do not fit in the window.
    """
    due = _due(rate_per_s, window_s)
    stall, _ = _stall(stall_s, window_s)
    begin = _begin(begin_s, stall, window_s)
    ends = np.where((due >= begin) & (due < begin + stall), begin + stall, due)
    return ends - due + non_negative("usual_s", usual_s)


def closed_loop_latencies(
    rate_per_s: float, window_s: float, stall_s: float, begin_s: float, usual_s: float
) -> Float[np.ndarray, " messages"]:
    """Return the latencies that a closed loop notes: it sends late rather than twice at once.

    One message is under way at a time; after a stall it goes on at its rate from there.

    Raises
    ------
    ValueError
        For times that do not fit in the window.
    """
    gap = 1 / positive("rate_per_s", rate_per_s)
    stall, window = _stall(stall_s, window_s)
    begin, usual = _begin(begin_s, stall, window), non_negative("usual_s", usual_s)
    at, found = 0.0, []
    for _ in range(integer("messages", int(window / min(gap, 1.0)) + 1, 1, 20_000_000)):
        if at >= window:
            break
        done = at + usual
        if begin - usual <= at < begin + stall:
            done = begin + stall + usual
        found.append(done - at)
        at = max(at + gap, done)
    return np.array(found)


def _due(rate_per_s: float, window_s: float) -> Float[np.ndarray, " messages"]:
    rate, window = positive("rate_per_s", rate_per_s), positive("window_s", window_s)
    return np.arange(integer("messages", int(rate * window), 1, 20_000_000)) / rate


def _begin(begin_s: float, stall_s: float, window_s: float) -> float:
    begin = non_negative("begin_s", begin_s)
    if begin + stall_s > window_s * (1 + 1e-12):
        raise ValueError(f"begin_s = {begin_s!r}: the stall must end within {window_s:g} s")
    return begin


def _stall(stall_s: float, window_s: float) -> tuple[float, float]:
    stall, window = non_negative("stall_s", stall_s), positive("window_s", window_s)
    if stall > window:
        raise ValueError(f"stall_s = {stall_s!r}: must be at most the window of {window:g} s")
    return stall, window
