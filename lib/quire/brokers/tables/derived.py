"""What a table of rows says: highest rate, knee, memory, and what its lower rows predict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.brokers.laws.capacity import (
    InsufficientLevels,
    fit_batching,
    fit_utilisation,
)
from quire.brokers.laws.memory import fit_memory
from quire.brokers.tables.rows import ONE_THREAD, Row, of
from quire.checks import between, positive


def highest_per_s(rows: Sequence[Row]) -> float:
    """Return the highest reported rate.

    Raises
    ------
    ValueError
        For no rows.
    """
    if not rows:
        raise ValueError("rows: must hold at least one")
    return max(row.received_per_s for row in rows)


def passes(row: Row, *, delivered: float = 0.99, p95_ms: float = 100.0) -> bool:
    """Return whether a row delivers enough of what was due, soon enough."""
    return row.delivered >= delivered and row.p95_ms < p95_ms


def knee(rows: Sequence[Row], *, delivered: float = 0.99, p95_ms: float = 100.0) -> int | None:
    """Return the largest size that passes; None when none does."""
    return max(
        (row.size for row in rows if passes(row, delivered=delivered, p95_ms=p95_ms)), default=None
    )


def memory_mb(rows: Sequence[Row], size: int) -> float:
    """Return the mean memory at a size.

    Raises
    ------
    ValueError
        When there is no such row.
    """
    for row in rows:
        if row.size == size:
            return row.memory_mb
    raise ValueError(f"size = {size}: is not among the rows")


def kb_per_pair(rows: Sequence[Row], *, below: int = 4000) -> float:
    """Return the slope of memory over pairs, from the sizes below ``below``, in kB."""
    chosen = [row for row in rows if row.size < below]
    return fit_memory(
        np.array([row.size for row in chosen], dtype=np.float64),
        np.array([row.memory_mb for row in chosen]),
    ).per_pair_kb


def usable_cores(broker: str, cores: int) -> float:
    """Return how many cores a broker's forwarding can use: one thread, one core."""
    return 1.0 if broker in ONE_THREAD else float(cores)


def unsaturated(rows: Sequence[Row], *, delivered: float = 0.98) -> list[Row]:
    """Return the rows that deliver what is due, neither less nor (a draining backlog) more."""
    share = between("delivered", delivered, 0, 1)
    return [row for row in rows if share <= row.delivered <= 2 - share]


@dataclass(frozen=True)
class Prediction:
    """A capacity out of the lower rows, beside the highest rate that was reported.

    ``levels`` rows entered; ``saturated`` tells whether the table goes beyond the capacity at all,
    since else the highest rate is only what was asked.
    """

    broker: str
    cores: int
    law: str
    levels: int
    predicted_per_s: float
    highest_per_s: float
    saturated: bool

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return self.predicted_per_s / self.highest_per_s


def predict(
    rows: Sequence[Row],
    broker: str,
    cores: int,
    *,
    law: str = "utilisation",
    below: float | None = None,
) -> Prediction | None:
    """Predict a broker's capacity from its unsaturated rows; None when there are too few.

    Parameters
    ----------
    rows
        A table, of all brokers.
    broker, cores
        Whose, and of how many cores the machine is.
    law
        ``"utilisation"``, or ``"batching"`` (one server).
    below
        Use only rows whose processor time is at most this share of the usable cores.

    Raises
    ------
    ValueError
        For another law.
    """
    own = of(rows, broker)
    usable = usable_cores(broker, cores)
    chosen = unsaturated(own)
    if below is not None:
        limit = positive("below", below) * usable
        chosen = [row for row in chosen if row.cpu_cores <= limit]
    rates = np.array([row.received_per_s for row in chosen])
    used = np.array([row.cpu_cores for row in chosen])
    if law not in ("utilisation", "batching"):
        raise ValueError(f"law = {law!r}: must be 'utilisation' or 'batching'")
    try:
        if law == "utilisation":
            found = fit_utilisation(rates, used).capacity_per_s(usable)
        else:
            found = fit_batching(rates, np.minimum(used / usable, 1.0)).capacity_per_s() * usable
    except (InsufficientLevels, ValueError):
        return None
    return Prediction(
        broker=broker,
        cores=cores,
        law=law,
        levels=len(chosen),
        predicted_per_s=found,
        highest_per_s=highest_per_s(own),
        saturated=any(row.delivered < 0.98 for row in own),
    )
