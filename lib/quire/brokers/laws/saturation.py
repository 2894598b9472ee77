"""Beyond its capacity a broker is ever later: one number gives the whole branch.

At time u of an overload, ``X u`` messages have come out, the newest sent at ``u X / lambda``:
it is late by ``u (1 - X / lambda)``. Over a run the latencies are uniform from zero to that.
"""

from quire.brokers.measuring.histograms import share_of
from quire.checks import positive


def backlog_percentile_s(
    q: float, offered_per_s: float, capacity_per_s: float, seconds: float
) -> float:
    """Return a percentile of the latency of all that came out in an overload of some seconds.

    Raises
    ------
    ValueError
        For rates or seconds that are not positive, or ``q`` outside of [0, 1].
    """
    return share_of(q) * _latest(offered_per_s, capacity_per_s, seconds)


def snapshot_percentile_s(
    q: float, offered_per_s: float, capacity_per_s: float, seconds: float
) -> float:
    """Return the mean over time of that percentile in a histogram that is never reset.

    At u the percentile is ``q u (1 - X/lambda)``; its mean over a run is half of the last.

    Raises
    ------
    ValueError
        As `backlog_percentile_s`.
    """
    return backlog_percentile_s(q, offered_per_s, capacity_per_s, seconds) / 2


def _latest(offered_per_s: float, capacity_per_s: float, seconds: float) -> float:
    offered = positive("offered_per_s", offered_per_s)
    capacity = positive("capacity_per_s", capacity_per_s)
    return positive("seconds", seconds) * max(0.0, 1 - capacity / offered)
