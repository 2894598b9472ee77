"""Tests of a published table against itself: what columns hold, and what was counted.

Each function returns counts or shares; none knows what is to come out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from quire.brokers.laws.fanout import which_percentiles
from quire.brokers.tables.rows import MQTT, ResetRow, Row, batches, of
from quire.checks import non_negative, positive


def share_like_quartiles(rows: Sequence[Row]) -> float:
    """Return the share of rows whose three latency columns look like p25, p50 and p75 (E1).

    Raises
    ------
    ValueError
        For no rows with latencies.
    """
    told = [
        which_percentiles(row.p50_ms, row.p95_ms, row.p99_ms) == "p25, p50, p75"
        for row in rows
        if row.p50_ms > 0
    ]
    if not told:
        raise ValueError("rows: none has latencies")
    return sum(told) / len(told)


def more_samples_than_messages(rows: Sequence[Row]) -> int:
    """Return how many rows judge more latencies than messages came (E6)."""
    return sum(row.samples > row.received for row in rows)


def never_sent(rows: Sequence[Row]) -> int:
    """Return how many rows received messages of which none was sent (E6)."""
    return sum(row.sent == 0 and row.received > 0 for row in rows)


def above_offered(rows: Sequence[Row], *, slack: float = 0.005) -> list[Row]:
    """Return the rows that report more deliveries a second than were due (E8)."""
    allowed = 1 + non_negative("slack", slack)
    return [row for row in rows if row.delivered > allowed]


def loss_by_counting(row: Row, seconds: float) -> float:
    """Return ``1 - received / due`` over a window, at least zero (E9)."""
    due = row.offered_per_s * positive("seconds", seconds)
    return max(0.0, 1 - row.received / due)


def window_s(rows: Sequence[Row]) -> float:
    """Return the length of the counted window: the median of received over received a second.

    Raises
    ------
    ValueError
        When nothing was received.
    """
    lengths = [row.received / row.received_per_s for row in rows if row.received_per_s > 0]
    if not lengths:
        raise ValueError("rows: nothing was received")
    return median(lengths)


def delayed_acknowledgement(
    rows: Sequence[Row], *, low_ms: float = 39.0, high_ms: float = 50.0
) -> list[Row]:
    """Return the rows whose largest latency fits Linux' delayed acknowledgement (E5)."""
    return [row for row in rows if low_ms <= row.max_ms <= high_ms]


def split_by_protocol(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of MQTT brokers, and those of the others."""
    return (
        [row for row in rows if row.broker in MQTT],
        [row for row in rows if row.broker not in MQTT],
    )


@dataclass(frozen=True)
class Repeated:
    """One level that two batches of runs measured: both rates over what was offered."""

    broker: str
    size: int
    first: float
    second: float


def repeated_levels(rows: Sequence[Row], *, largest: int = 1000) -> list[Repeated]:
    """Return the levels up to ``largest`` that were measured in two batches, earlier first (E7)."""
    found = []
    groups = batches(rows)
    for broker in dict.fromkeys(row.broker for row in rows):
        seen: dict[int, float] = {}
        for group in groups:
            for row in of(group, broker):
                if row.size > largest:
                    continue
                if row.size in seen:
                    found.append(Repeated(broker, row.size, seen[row.size], row.delivered))
                seen[row.size] = row.delivered
    return found


def greatest_below_median(rows: Sequence[ResetRow]) -> int:
    """Return how many rows name a largest latency below the median: columns in another order."""
    return sum(row.max_ms < row.p50_ms for row in rows)
