"""Recalibration: isotonic regression with the CORP parts of a score, and temperature scaling."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression, minimize_scalar
from scipy.special import expit, logit

from quire.checks import positive
from quire.provenance.calibration.scores import _forecasts, _pair


@dataclass(frozen=True)
class Corp:
    """Brier score = miscalibration - discrimination + uncertainty (Dimitriadis et al. 2021).

    No bins: the recalibrated forecast is the isotonic regression of outcomes on forecasts.
    """

    brier: float
    miscalibration: float
    discrimination: float
    uncertainty: float


def isotonic(forecasts: Any, outcomes: Any) -> Float[np.ndarray, " n"]:
    """Return the non-decreasing function of the forecasts that is nearest to the outcomes.

    Pool adjacent violators; equal forecasts get one value.
    """
    p, y = _pair(forecasts, outcomes)
    _, where, counts = np.unique(p, return_inverse=True, return_counts=True)
    means = np.bincount(where, y) / counts
    fitted = isotonic_regression(means, weights=counts.astype(float)).x
    return np.clip(fitted, 0, 1)[where]


def corp(forecasts: Any, outcomes: Any) -> Corp:
    """Return the Brier score's parts without bins."""
    p, y = _pair(forecasts, outcomes)
    fitted = isotonic(p, y)
    score = float(((p - y) ** 2).mean())
    best = float(((fitted - y) ** 2).mean())
    base = float(y.mean() * (1 - y.mean()))
    return Corp(score, score - best, base - best, base)


def apply_temperature(forecasts: Any, tau: float) -> Float[np.ndarray, " n"]:
    """Return forecasts whose log odds are divided by a temperature; 0 and 1 stay."""
    p, tau = _forecasts(forecasts), positive("tau", tau)
    return expit(logit(p) / tau)


def fit_temperature(forecasts: Any, outcomes: Any) -> float:
    """Return the temperature, 0.05 to 20, that makes the outcomes most likely.

    Forecasts of exactly 0 or 1 count as 1e-12 from it.
    """
    p, y = _pair(forecasts, outcomes)
    odds = logit(np.clip(p, 1e-12, 1 - 1e-12))

    def loss(log_tau: float) -> float:
        scaled = odds / np.exp(log_tau)
        return float(np.mean(np.logaddexp(0, scaled) - y * scaled))

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))
