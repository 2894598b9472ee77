"""From stamps of messages to what a reader wants to know: latencies, lag, loss, gaps, duplicates.

``L_int = received - due`` is what a user feels, ``L_snd = received - sent`` what most tools report,
and ``L_gen = sent - due`` the generator's own lag. Messages are chosen by when they were *due*, so
that no message of the warm-up enters and a late one is not lost from sight.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike

from quire.brokers.measuring.histograms import share_of
from quire.brokers.measuring.schedules import Schedule
from quire.checks import integer
from quire.signatures import checked

LAG_ALLOWED = 0.1
"""A row is the generator's own where its lag's p99 reaches this share of the latency's."""


@dataclass(frozen=True)
class Arrivals:
    """Every message that came, one entry each: whose, which, when due, sent and received (ns)."""

    subscriber: Int[np.ndarray, " arrivals"]
    number: Int[np.ndarray, " arrivals"]
    due_ns: Int[np.ndarray, " arrivals"]
    sent_ns: Int[np.ndarray, " arrivals"]
    received_ns: Int[np.ndarray, " arrivals"]

    def first_only(self) -> "Arrivals":
        """Return each message at its first arrival at each subscriber."""
        order = np.lexsort((self.received_ns, self.number, self.subscriber))
        subscriber, number = self.subscriber[order], self.number[order]
        new = np.ones(order.size, dtype=bool)
        new[1:] = (subscriber[1:] != subscriber[:-1]) | (number[1:] != number[:-1])
        return self.only(np.sort(order[new]))

    def only(self, which: Bool[np.ndarray, " n"] | Int[np.ndarray, " n"]) -> "Arrivals":
        """Return some of the arrivals."""
        return Arrivals(
            self.subscriber[which],
            self.number[which],
            self.due_ns[which],
            self.sent_ns[which],
            self.received_ns[which],
        )


@dataclass(frozen=True)
class Summary:
    """One row of a benchmark.

    Attributes
    ----------
    due, delivered, duplicates
        Deliveries that were due in the window, distinct ones that came, and repeated ones.
    gaps
        Runs of missing numbers between messages that came.
    loss
        ``1 - delivered / due``.
    per_s
        Deliveries a second, by their times of arrival inside the window.
    p50_ms, p95_ms, p99_ms, max_ms
        Of ``L_int``. NaN where nothing came.
    sent_p50_ms, sent_p99_ms
        Of ``L_snd``.
    lag_p99_ms
        Of ``L_gen``.
    """

    due: int
    delivered: int
    duplicates: int
    gaps: int
    loss: float
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    sent_p50_ms: float
    sent_p99_ms: float
    lag_p99_ms: float

    @property
    def generator_limited(self) -> bool:
        """Whether the generator's own lag is a tenth of the latency or more."""
        return not self.lag_p99_ms < LAG_ALLOWED * self.p99_ms


def percentile_ms(ns: Int[np.ndarray, " n"], q: float) -> float:
    """Return an exact percentile (the order statistic ``ceil(q n)``) in milliseconds; NaN of none.

    Raises
    ------
    ValueError
        For ``q`` outside of [0, 1].
    """
    share = share_of(q)
    if not ns.size:
        return float("nan")
    rank = max(1, int(np.ceil(share * ns.size - 1e-9)))
    return float(np.partition(ns, rank - 1)[rank - 1]) / 1e6


def loss_of(due: int, delivered: int) -> float:
    """Return the share of due deliveries that never came, in [0, 1].

    Raises
    ------
    ValueError
        When more came than were due, or a count is negative; duplicates are counted apart.
    """
    due = integer("due", due, 0)
    delivered = integer("delivered", delivered, 0)
    if delivered > due:
        raise ValueError(f"delivered = {delivered}: must be at most the {due} that were due")
    return 1 - delivered / due if due else 0.0


@checked
def summary(
    planned: Schedule,
    arrivals: Arrivals,
    *,
    start_ns: int,
    window_ns: tuple[int, int],
    subscribers: int | None = None,
) -> Summary:
    """Return the row of one run.

    Parameters
    ----------
    planned
        What was due; its times count from ``start_ns``.
    arrivals
        What came.
    start_ns
        The start, on the clock of the arrivals.
    window_ns
        From and to, since the start: messages due there are judged.
    subscribers
        For a fan-out, to how many each message is due; None for pairs.

    Raises
    ------
    ValueError
        For an empty window.
    """
    low, high = window_ns
    if high <= low:
        raise ValueError(f"window_ns = {window_ns}: must end after it starts")
    inside = (planned.due_ns >= low) & (planned.due_ns < high)
    due = int(inside.sum()) * (1 if subscribers is None else subscribers)
    since = arrivals.due_ns - start_ns
    judged = arrivals.only((since >= low) & (since < high))
    distinct = judged.first_only()
    total = distinct.received_ns - distinct.due_ns
    after_sending = distinct.received_ns - distinct.sent_ns
    lag = distinct.sent_ns - distinct.due_ns
    arrived = arrivals.received_ns - start_ns
    return Summary(
        due=due,
        delivered=distinct.number.size,
        duplicates=judged.number.size - distinct.number.size,
        gaps=_gaps(distinct),
        loss=loss_of(due, distinct.number.size),
        per_s=float(((arrived >= low) & (arrived < high)).sum()) / ((high - low) / 1e9),
        p50_ms=percentile_ms(total, 0.5),
        p95_ms=percentile_ms(total, 0.95),
        p99_ms=percentile_ms(total, 0.99),
        max_ms=percentile_ms(total, 1.0),
        sent_p50_ms=percentile_ms(after_sending, 0.5),
        sent_p99_ms=percentile_ms(after_sending, 0.99),
        lag_p99_ms=percentile_ms(lag, 0.99),
    )


def _gaps(distinct: Arrivals) -> int:
    order = np.lexsort((distinct.number, distinct.subscriber))
    subscriber, number = distinct.subscriber[order], distinct.number[order]
    same = subscriber[1:] == subscriber[:-1]
    return int((same & (np.diff(number) > 1)).sum())


def spread(values: ArrayLike) -> tuple[float, float, float]:
    """Return the median of some rounds, with the least and the greatest of them.

    Raises
    ------
    ValueError
        For no rounds.
    """
    held = np.asarray(values, dtype=np.float64)
    if not held.size:
        raise ValueError("values: must hold at least one round")
    return float(np.median(held)), float(held.min()), float(held.max())
