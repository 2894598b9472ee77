"""Two habits of load generators, rebuilt to see what they do to a number.

A *token bucket* drops what it owes when it is late; *snapshots* of one histogram that is never
reset are averaged over time and called a percentile.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from quire.brokers.measuring.histograms import share_of
from quire.checks import integer, positive, real_array


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
        For times or rates that are not positive.
    """
    rate, span = positive("rate_per_s", rate_per_s), positive("seconds", seconds)
    tick = positive("tick_s", tick_s)
    most = rate * tick * integer("ticks_kept", ticks_kept)
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
        For nothing received, arrays of different lengths, ``q`` outside of [0, 1].
    """
    at = real_array("received_s", received_s, 1, least=0.0)
    late = real_array("latencies_s", latencies_s, 1)
    if at.shape != late.shape:
        raise ValueError(f"latencies_s = {late.size} entries: must be {at.size}")
    share = share_of(q)
    order = np.argsort(at, kind="stable")
    at, late = at[order], late[order]
    seen = []
    for second in range(1, int(np.ceil(at[-1])) + 1):
        until = late[: int(np.searchsorted(at, second, side="right"))]
        if until.size:
            seen.append(float(np.quantile(until, share, method="inverted_cdf")))
    return float(np.mean(seen))
