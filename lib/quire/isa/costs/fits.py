"""Fitting the model's constants on one card, and holding them against another.

A constant that was fitted to a number is never used to claim that number: `fit` sees one card,
`errors` judges another.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import least_squares

from quire.isa.costs.cards import Card
from quire.isa.costs.model import FITTED_NAMES, Fitted, Work, predict
from quire.isa.costs.workloads import (
    REDUCTION_KINDS,
    grid_stride,
    histogram_work,
    product_work,
    reduction_work,
)

BEGIN = Fitted()
_SOFT = 0.05  # relative error beyond which a row pulls less: disturbed rounds exist


@dataclass(frozen=True)
class Measured:
    """One measured launch, and the time in microseconds."""

    kernel: str
    variant: str
    n: int
    us: float


@dataclass(frozen=True)
class Judged:
    """A measured launch beside its prediction; ``error`` is relative, ``bound`` what bounds it."""

    kernel: str
    variant: str
    n: int
    us: float
    predicted: float
    error: float
    bound: str


def read_measured(tables: Mapping[str, Sequence[Mapping[str, str]]]) -> tuple[Measured, ...]:
    """Return the launches in a card's tables ``reduction``, ``gemm`` and ``histogram``."""
    rows = [
        Measured("reduction", f"{size}_{how}", int(row["n"]), float(row[f"{size}_{how}_us"]))
        for row in tables["reduction"]
        for size in ("one", "many")
        for how in ("local", "shuffle", "read")
    ]
    rows += [
        Measured("product", row["variant"], int(row["n"]), float(row["us"]))
        for row in tables["gemm"]
    ]
    rows += [
        Measured("histogram", f"local_{row['input']}", int(row["n"]), float(row["local_us"]))
        for row in tables["histogram"]
    ]
    return tuple(rows)


def judge(rows: Sequence[Measured], card: Card, fitted: Fitted) -> tuple[Judged, ...]:
    """Predict every measured launch."""
    return tuple(_judge(row, work_of(row, card), card, fitted) for row in rows)


def work_of(row: Measured, card: Card) -> Work:
    """Return what a measured launch has a card do."""
    if row.kernel == "reduction":
        size, how = row.variant.split("_")
        elements = grid_stride(card, row.n) if size == "many" else 1.0
        return reduction_work(card, REDUCTION_KINDS[how], row.n, elements)
    if row.kernel == "product":
        return product_work(card, row.variant, row.n)
    return histogram_work(card, row.n)


def _judge(row: Measured, work: Work, card: Card, fitted: Fitted) -> Judged:
    time = predict(work, card, fitted)
    error = time.total / row.us - 1
    return Judged(row.kernel, row.variant, row.n, row.us, time.total, error, time.bound)


def fit(rows: Sequence[Measured], card: Card, begin: Fitted = BEGIN) -> Fitted:
    """Fit the constants to one card's measured launches (logarithmic errors, robust).

    Every kernel has the same weight, however many rows it has.
    """
    counts = {row.kernel: sum(other.kernel == row.kernel for other in rows) for row in rows}
    weights = np.array([1 / math.sqrt(counts[row.kernel]) for row in rows])
    first = np.array([getattr(begin, name) for name in FITTED_NAMES])

    works = [work_of(row, card) for row in rows]
    measured = np.array([row.us for row in rows])

    def residuals(scaled: Float64[np.ndarray, " constants"]) -> Float64[np.ndarray, " rows"]:
        values = np.abs(scaled * first).tolist()
        fitted = Fitted(**dict(zip(FITTED_NAMES, values, strict=True)))
        times = np.array([predict(work, card, fitted).total for work in works])
        return weights * np.log(times / measured)

    scale = _SOFT * float(weights.mean())
    found = least_squares(residuals, np.ones(first.size), loss="soft_l1", f_scale=scale)
    values = np.abs(found.x * first).tolist()
    return Fitted(**dict(zip(FITTED_NAMES, values, strict=True)))


def worst(judged: Sequence[Judged]) -> Judged:
    """Return the row with the largest relative error."""
    return max(judged, key=lambda row: abs(row.error))
