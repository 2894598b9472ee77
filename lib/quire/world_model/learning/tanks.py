"""Two tanks, one above the other, which overflow: Torricelli's law with eight or more parameters.

``x1' = -k1 sqrt(x1) - k5 x1 + k4 u`` and ``x2' = k2 sqrt(x1) + k6 x1 - k3 sqrt(x2)``, both levels
capped at the brim; a share of what spills over the first brim reaches the second tank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy.optimize import least_squares

from quire.checks import integer, positive, real_array
from quire.world_model.errors import WorldModelError

NAMES = ("k1", "k2", "k3", "k4", "k5", "k6", "overflow share", "brim 1", "brim 2", "x1(0)", "x2(0)")
LOW = np.array([0, 0, 0, 0, 0, 0, 0, 5.0, 5.0, 0, 0])
HIGH = np.array([1, 1, 1, 1, 0.2, 0.2, 2.0, 30.0, 30.0, 15.0, 15.0])
START = np.array([0.05, 0.05, 0.05, 0.04, 0.005, 0.005, 0.3, 10.0, 10.0, 5.0, 5.0])
SUB_STEPS = 4
Column = Float[np.ndarray, " samples"]


@dataclass(frozen=True)
class TanksFit:
    """Parameters of two tanks, and the free-run error on the record they were fitted to."""

    parameters: Float[np.ndarray, "11"]
    rmse: float


def simulate_tanks(
    parameters: Float[np.ndarray, "11"], u: Column, step_s: float = 4.0
) -> Float[np.ndarray, "samples 2"]:
    """Return both levels at every sample.

    Raises
    ------
    WorldModelError
        When a parameter is missing or negative.
    """
    p = real_array("parameters", parameters, 1, least=0.0)
    if p.shape != (11,):
        raise WorldModelError(f"parameters of shape {p.shape}: must be {len(NAMES)}, {NAMES}")
    return np.asarray(_tanks(p, real_array("u", u, 1), positive("step_s", step_s), SUB_STEPS))


def fit_tanks(
    u: Column, y: Column, starts: int = 3, seed: int = 0, overflow: bool = True, step_s: float = 4.0
) -> TanksFit:
    """Return the parameters of least free-run error, from several starts within bounds.

    Parameters
    ----------
    u, y
        The record; y is the lower level.
    starts
        Number of starts, all drawn around `START`.
    seed
        Random seed of the starts.
    overflow
        Whether tanks may overflow; otherwise brims are out of reach.
    step_s
        Sampling time.
    """
    a, b = real_array("u", u, 1), real_array("y", y, 1)
    rng = np.random.default_rng(integer("seed", seed, 0))
    h = positive("step_s", step_s)
    free = np.ones(11, dtype=bool)
    fixed = START.copy()
    if not overflow:
        free[[6, 7, 8]] = False
        fixed[[6, 7, 8]] = 0.0, 1e9, 1e9

    def whole(some: Float[np.ndarray, " k"]) -> Float[np.ndarray, "11"]:
        p = fixed.copy()
        p[free] = some
        return p

    def miss(some: Float[np.ndarray, " k"]) -> Column:
        return np.asarray(_tanks(whole(some), a, h, SUB_STEPS)[:, 1] - b)

    best: TanksFit | None = None
    for _ in range(integer("starts", starts, 1)):
        begin = START * np.exp(0.3 * rng.standard_normal(11))
        begin[9], begin[10] = b[0], b[0]
        begin = np.clip(begin, LOW + 1e-6, HIGH - 1e-6)
        found = least_squares(
            miss, begin[free], bounds=(LOW[free], HIGH[free]), x_scale=START[free], max_nfev=40
        )
        rmse = float(np.sqrt(np.mean(found.fun**2)))
        if best is None or rmse < best.rmse:
            best = TanksFit(whole(found.x), rmse)
    assert best is not None
    return best


def tanks_rmse(
    fit: TanksFit, u: Column, y: Column, step_s: float = 4.0, warm_up: int = 50
) -> float:
    """Return the free-run error on another record; ``warm_up`` samples fit its first levels."""
    a, b = real_array("u", u, 1), real_array("y", y, 1)

    def miss(levels: Float[np.ndarray, "2"]) -> Column:
        p = fit.parameters.copy()
        p[9:] = levels
        return np.asarray(_tanks(p, a[:warm_up], step_s, SUB_STEPS)[:, 1] - b[:warm_up])

    found = least_squares(miss, [b[0], b[0]], bounds=(0, 15))
    p = fit.parameters.copy()
    p[9:] = found.x
    error = _tanks(p, a, step_s, SUB_STEPS)[warm_up:, 1] - b[warm_up:]
    return float(np.sqrt(np.mean(error**2)))


@njit(cache=True)
@no_type_check
def _tanks(p, u, step_s, sub):
    out = np.empty((len(u), 2))
    x1, x2 = min(p[9], p[7]), min(p[10], p[8])
    h = step_s / sub
    for k in range(len(u)):
        out[k, 0], out[k, 1] = x1, x2
        for _ in range(sub):
            r1, r2 = np.sqrt(max(x1, 0.0)), np.sqrt(max(x2, 0.0))
            flow = p[3] * max(u[k], 0.0)
            n1 = x1 + h * (flow - p[0] * r1 - p[4] * x1)
            over = max(n1 - p[7], 0.0)
            n2 = x2 + h * (p[1] * r1 + p[5] * x1 - p[2] * r2) + p[6] * over
            x1 = min(max(n1, 0.0), p[7])
            x2 = min(max(n2, 0.0), p[8])
    return out
