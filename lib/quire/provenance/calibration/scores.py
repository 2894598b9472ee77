"""Scores of stated confidence against outcomes: Brier with Murphy's parts, calibration error."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer, real_array
from quire.signatures import checked

MOST_BINS = 1_000_000  # each has a count, empty ones too


@dataclass(frozen=True)
class Murphy:
    """Brier score = reliability - resolution + uncertainty (+ what bins hide).

    Attributes
    ----------
    brier
        Mean squared difference of forecast and outcome.
    reliability, resolution, uncertainty
        Murphy (1973).
    within
        Variance inside bins less twice their covariance (Stephenson 2008); 0 on distinct forecasts.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability diagram: mean forecast, share that came true, how many."""

    forecast: float
    observed: float
    count: int


def brier_score(forecasts: Any, outcomes: Any) -> float:
    """Return the mean squared difference of forecasts and outcomes."""
    p, y = _pair(forecasts, outcomes)
    return float(((p - y) ** 2).mean())


def log_score(forecasts: Any, outcomes: Any) -> float:
    """Return the mean negative log likelihood, nats; infinite where a sure forecast is wrong."""
    p, y = _pair(forecasts, outcomes)
    with np.errstate(divide="ignore"):
        return float(-np.log(np.where(y == 1, p, 1 - p)).mean() + 0.0)


def murphy(forecasts: Any, outcomes: Any, bins: int | None = None) -> Murphy:
    """Return the Brier score's parts, on distinct forecasts or on bins of equal width.

    ``brier = reliability - resolution + uncertainty + within`` holds exactly.
    """
    p, y = _pair(forecasts, outcomes)
    if bins is None:
        _, where = np.unique(p, return_inverse=True)
    else:
        where = _equal_width(p, integer("bins", bins, 1, MOST_BINS))
    count = np.bincount(where)
    used = count > 0
    mean_p = np.bincount(where, p)[used] / count[used]
    mean_y = np.bincount(where, y)[used] / count[used]
    weight = count[used] / len(p)
    base = y.mean()
    place = np.cumsum(used)[where] - 1
    off_p, off_y = p - mean_p[place], y - mean_y[place]
    return Murphy(
        float(((p - y) ** 2).mean()),
        float((weight * (mean_p - mean_y) ** 2).sum()),
        float((weight * (mean_y - base) ** 2).sum()),
        float(base * (1 - base)),
        float((off_p**2).mean() - 2 * (off_p * off_y).mean()),
    )


@checked
def reliability(forecasts: Any, outcomes: Any, bins: int = 10, by: str = "width") -> list[Bin]:
    """Return the bins of a reliability diagram; empty ones are left out.

    Parameters
    ----------
    forecasts, outcomes
        Confidence from 0 to 1, and 0 or 1.
    bins
        How many.
    by
        ``width``: of equal width; ``mass``: of equal number, in the order of the forecasts.

    Raises
    ------
    ValueError
        For another way to bin.
    """
    p, y = _pair(forecasts, outcomes)
    bins = integer("bins", bins, 1, MOST_BINS)
    if by == "width":
        where = _equal_width(p, bins)
    elif by == "mass":
        where = np.empty(len(p), int)
        where[np.argsort(p, kind="stable")] = np.arange(len(p)) * bins // len(p)
    else:
        raise ValueError(f"by = {by!r}: must be 'width' or 'mass'")
    count = np.bincount(where, minlength=bins)
    sum_p, sum_y = np.bincount(where, p, bins), np.bincount(where, y, bins)
    return [
        Bin(float(sum_p[k] / count[k]), float(sum_y[k] / count[k]), int(count[k]))
        for k in np.flatnonzero(count)
    ]


@checked
def expected_calibration_error(
    forecasts: Any, outcomes: Any, bins: int = 10, by: str = "width"
) -> float:
    """Return the mean distance of forecast and observed share over bins (ECE).

    It is biased upwards: see `expected_if_calibrated`.
    """
    found = reliability(forecasts, outcomes, bins, by)
    total = sum(b.count for b in found)
    return sum(b.count * abs(b.forecast - b.observed) for b in found) / total


def expected_if_calibrated(
    forecasts: Any, bins: int = 10, draws: int = 200, seed: int = 0
) -> float:
    """Return the ECE to expect of perfectly calibrated forecasts of this size, by simulation."""
    p = _forecasts(forecasts)
    draws = integer("draws", draws)
    random = np.random.default_rng(integer("seed", seed, 0))
    return float(
        np.mean(
            [
                expected_calibration_error(p, (random.random(len(p)) < p).astype(int), bins)
                for _ in range(draws)
            ]
        )
    )


def _pair(forecasts: Any, outcomes: Any) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    p = _forecasts(forecasts)
    found = np.asarray(outcomes)
    y = real_array("outcomes", found.astype(int) if found.dtype.kind == "b" else found, 1)
    if y.shape != p.shape:
        raise ValueError(f"outcomes = {len(y)} values: must be as many as forecasts, {len(p)}")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("outcomes: must be 0 or 1")
    return p, y


def _forecasts(forecasts: Any) -> Float[np.ndarray, " n"]:
    p = real_array("forecasts", forecasts, 1, least=0.0)
    if p.max() > 1:
        raise ValueError(f"forecasts = {p.max():g}: every entry must be 1 or less")
    return p


def _equal_width(p: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin (k/bins, (k+1)/bins] of every forecast; zero is in the first."""
    return np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
