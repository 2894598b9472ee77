"""Two habits of load generators, rebuilt to see what they do to a number.

A *token bucket* drops what it owes when it is late; *snapshots* of one histogram that is never
reset are averaged over time and called a percentile.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from quire.brokers.measuring.histograms import share_of
from quire.checks import integer, non_negative, positive, real_array

_MOST_TICKS = 10_000_000
_MOST_SNAPSHOTS = 1_000_000


@dataclass(frozen=True)
class Tokens:
    """What a token bucket sends: which due messages, and when."""

    due_s: Float[np.ndarray, " messages"]
    sent: Bool[np.ndarray, " messages"]
    sent_s: Float[np.ndarray, " messages"]


def token_bucket(
    rate_per_s: float,
    seconds: float,
    *,
    blocked_from_s: float = 0.0,
    blocked_s: float = 0.0,
    tick_s: float = 0.01,
    ticks_kept: int = 10,
) -> Tokens:
    """Run a bucket that is filled every tick, holds a few ticks' worth, and is blocked once.

    The k-th message due counts as sent when its token survives; those that overflow are never sent,
    and nothing tells.

    Raises
    ------
    ValueError
        For times or rates that are not positive, a stall that is negative or no number, or more
        than ten million ticks.
    """
    rate, span = positive("rate_per_s", rate_per_s), positive("seconds", seconds)
    tick = positive("tick_s", tick_s)
    blocked_from_s = non_negative("blocked_from_s", blocked_from_s)
    blocked_s = non_negative("blocked_s", blocked_s)
    if (span + blocked_from_s + blocked_s) / tick > _MOST_TICKS:
        raise ValueError(f"tick_s = {tick:g}: must leave at most {_MOST_TICKS:,} ticks")
    most = max(1.0, rate * tick * integer("ticks_kept", ticks_kept))  # less could never send
    due = np.arange(integer("messages", int(rate * span), 1, 20_000_000)) / rate
    sent, sent_s = np.zeros(due.size, dtype=bool), np.full(due.size, np.nan)
    position, at = 0, tick
    while position < due.size:
        blocked = blocked_from_s <= at < blocked_from_s + blocked_s
        if not blocked:
            owed = int(np.searchsorted(due, at)) - position
            lost = max(0, owed - int(most))
            chosen = slice(position + lost, position + owed)
            sent[chosen], sent_s[chosen] = True, at
            position += owed
        at += tick
    return Tokens(due, sent, sent_s)


def averaged_snapshots(received_s: ArrayLike, latencies_s: ArrayLike, q: float) -> float:
    """Return the mean, over whole seconds, of a percentile of all that came until then.

    Raises
    ------
    ValueError
        For nothing received, arrays of different lengths, ``q`` outside of [0, 1], or more than a
        million seconds from the first to the last.
    """
    at = real_array("received_s", received_s, 1, least=0.0)
    late = real_array("latencies_s", latencies_s, 1)
    if at.shape != late.shape:
        raise ValueError(f"latencies_s = {late.size} entries: must be {at.size}")
    share = share_of(q)
    order = np.argsort(at, kind="stable")
    at, late = at[order], late[order]
    seen = []
    # before the first second in which something came there is nothing to average
    first, last = max(1, int(np.ceil(at[0]))), max(1, int(np.ceil(at[-1])))
    if last - first >= _MOST_SNAPSHOTS:
        raise ValueError(f"received_s: must span at most {_MOST_SNAPSHOTS:,} seconds")
    for second in range(first, last + 1):
        until = late[: int(np.searchsorted(at, second, side="right"))]
        seen.append(float(np.quantile(until, share, method="inverted_cdf")))
    return float(np.mean(seen))
