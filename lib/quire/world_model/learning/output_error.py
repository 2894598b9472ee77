"""Levenberg-Marquardt on the free run of polynomial models, with sensitivities carried along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from quire.checks import integer, real_array
from quire.world_model.errors import WorldModelError

# Features of the Silverbox model: y, y-, u+, u, u-, y^2, y^3, y-^3, 1.
FEATURES = ("y", "y₋", "u₊", "u", "u₋", "y²", "y³", "y₋³", "1")
LINEAR = (0, 1, 2, 3, 4, 8)
WARM_UP = 50
Column = Float[np.ndarray, " samples"]


@dataclass(frozen=True)
class FreeRunFit:
    """A model of nine features fitted to its free run.

    Attributes
    ----------
    theta
        Coefficients; zero for features that were not allowed.
    rmse
        Of the free run over the training record, after each iteration.
    """

    theta: Float[np.ndarray, "9"]
    rmse: Float[np.ndarray, " iterations"]


def regression(
    u: Column, y: Column
) -> tuple[Float[np.ndarray, "rows 9"], Float[np.ndarray, " rows"]]:
    """Return the features and the targets of one-step prediction."""
    a, b = _records(u, y)
    now, before = b[1:-1], b[:-2]
    one = np.ones_like(now)
    table = [now, before, a[2:], a[1:-1], a[:-2], now**2, now**3, before**3, one]
    return np.column_stack(table), b[2:]


def free_run(theta: Float[np.ndarray, "9"], u: Column, y: Column) -> Column:
    """Return the simulated output: the first two samples are measured, the rest is the model's own.

    A run that diverges is infinite from there on.

    Raises
    ------
    WorldModelError
        When there are not nine coefficients.
    """
    a, b = _records(u, y)
    t = real_array("theta", theta, 1)
    if t.shape != (9,):
        raise WorldModelError(f"theta of shape {t.shape}: must hold nine coefficients")
    return np.asarray(_free_run(t, a, b[:2].copy()))


def free_run_rmse(
    theta: Float[np.ndarray, "9"], u: Column, y: Column, warm_up: int = WARM_UP
) -> float:
    """Return the RMS error of the free run after ``warm_up`` samples; inf if it diverges."""
    error = free_run(theta, u, y)[warm_up:] - np.asarray(y)[warm_up:]
    return float(np.sqrt(np.mean(error**2))) if np.isfinite(error).all() else float("inf")


def fit_free_run(
    theta: Float[np.ndarray, "9"],
    u: Column,
    y: Column,
    iterations: int = 25,
    features: tuple[int, ...] = tuple(range(9)),
    warm_up: int = WARM_UP,
) -> FreeRunFit:
    """Return the least free-run error that Levenberg-Marquardt finds from a start.

    Parameters
    ----------
    theta
        Start.
    u, y
        The training record.
    iterations
        Number of steps tried.
    features
        Which coefficients may change; the others are zero.
    warm_up
        Samples at the beginning that do not count.
    """
    a, b = _records(u, y)
    steps = integer("iterations", iterations, 0)
    chosen: Int[np.ndarray, " k"] = np.asarray(features, dtype=np.int64)
    now = np.zeros(9)
    now[chosen] = real_array("theta", theta, 1)[chosen]
    best, gram, slope = _normal_equations(now, a, b, warm_up)
    damping, history = 1e-3, []
    for _ in range(steps):
        part, right = gram[np.ix_(chosen, chosen)], slope[chosen]
        scaled = part + damping * np.diag(np.diag(part) + 1e-300)
        trial = now.copy()
        trial[chosen] += np.linalg.solve(scaled, right)
        value, new_gram, new_slope = _normal_equations(trial, a, b, warm_up)
        if np.isfinite(value) and value < best:
            now, best, gram, slope = trial, value, new_gram, new_slope
            damping = max(damping / 5, 1e-12)
        else:
            damping = min(damping * 4, 1e12)
        history.append(np.sqrt(best / (len(b) - warm_up)))
    return FreeRunFit(now, np.array(history))


def _records(u: Column, y: Column) -> tuple[Column, Column]:
    a, b = real_array("u", u, 1), real_array("y", y, 1)
    if len(a) != len(b) or len(a) < 3:
        raise WorldModelError(
            f"u of {len(a)}, y of {len(b)} samples: must be as many, three or more"
        )
    return a, b


@njit(cache=True)
@no_type_check
def _free_run(t, u, start):
    out = np.empty(len(u))
    out[0], out[1] = start[0], start[1]
    for k in range(1, len(u) - 1):
        y, before = out[k], out[k - 1]
        if not abs(y) < 1e6:
            out[k + 1] = np.inf
            continue
        out[k + 1] = (
            t[0] * y
            + t[1] * before
            + t[2] * u[k + 1]
            + t[3] * u[k]
            + t[4] * u[k - 1]
            + t[5] * y * y
            + t[6] * y * y * y
            + t[7] * before * before * before
            + t[8]
        )
    return out


@njit(cache=True)
@no_type_check
def _normal_equations(t, u, y, warm_up):
    """Return the sum of squares of the free run, S'S and S'e, with sensitivities S by recursion."""
    gram, slope, total = np.zeros((9, 9)), np.zeros(9), 0.0
    older, newer, fresh, phi = np.zeros(9), np.zeros(9), np.zeros(9), np.zeros(9)
    before, now = y[0], y[1]
    for k in range(1, len(u) - 1):
        phi[0], phi[1], phi[2], phi[3], phi[4] = now, before, u[k + 1], u[k], u[k - 1]
        phi[5], phi[6], phi[7], phi[8] = now * now, now * now * now, before * before * before, 1.0
        new = 0.0
        for i in range(9):
            new += t[i] * phi[i]
        if not abs(new) < 1e6:
            return np.inf, gram, slope
        by_now = t[0] + 2 * t[5] * now + 3 * t[6] * now * now
        by_before = t[1] + 3 * t[7] * before * before
        for i in range(9):
            fresh[i] = phi[i] + by_now * newer[i] + by_before * older[i]
        error = y[k + 1] - new
        if k + 1 >= warm_up:
            total += error * error
            for i in range(9):
                slope[i] += fresh[i] * error
                for j in range(i + 1):
                    gram[i, j] += fresh[i] * fresh[j]
        for i in range(9):
            older[i] = newer[i]
            newer[i] = fresh[i]
        before, now = now, new
    for i in range(9):
        for j in range(i):
            gram[j, i] = gram[i, j]
    return total, gram, slope
