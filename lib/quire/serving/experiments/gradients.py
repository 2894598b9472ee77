"""Constants fitted to a real run by slopes along a replay, and judged on runs kept aside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import lsq_linear, minimize

from quire.checks import integer
from quire.serving.engine.slopes import means_and_slopes
from quire.serving.experiments.replays import Run, off, simulate
from quire.serving.workload.metrics import METRICS

START = np.array([1.0, 1.0, 0.0])
SPREAD = np.array([0.1, 0.1, 1000.0])
"""How far the constants may plausibly lie from the start: the factors of the dense layers and of
attention, and the microseconds between steps."""
WEIGHT = 1e-4
"""Of the squared distance from the start, in spreads, beside the squared errors of three means."""
PER_SLOPE = 4
"""Simulations that one evaluation with slopes counts for: itself, and one for each constant."""


@dataclass(frozen=True)
class FitRow:
    """A way to choose the constants, and the mean absolute error of three means, per cent.

    Attributes
    ----------
    method
        How they were chosen.
    simulations
        How many the choice took.
    dense, attention, host_us
        The constants.
    objective
        What was minimised, on the run that was fitted.
    fitted
        The error there.
    aside
        The error over the runs kept aside.
    """

    method: str
    simulations: int
    dense: float | int
    attention: float | int
    host_us: float | int
    objective: float | int
    fitted: float | int
    aside: float | int


def mean_errors(run: Run, constants: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """Return the errors of the mean TTFT, TPOT and latency under three constants, per cent."""
    dense, attention, host_us = (float(c) for c in constants)
    profile = run.profile.scaled(dense, attention)
    served = simulate(run, profile=profile, host_ns=1e3 * max(host_us, 0.0)).served()
    return np.array([off(served.cell(m, "mean"), run.real.cell(m, "mean")) for m in METRICS])


def objective(errors: Float[np.ndarray, " 3"], constants: Float[np.ndarray, " 3"]) -> float:
    """Return the sum of squared relative errors and of the weighted distance from the start."""
    away = (np.asarray(constants) - START) / SPREAD
    return float(((errors / 100) ** 2).sum() + WEIGHT * (away**2).sum())


def by_slopes(run: Run, steps: int = 8) -> tuple[np.ndarray, int]:
    """Return constants after some steps of Gauss and Newton along the path's slopes.

    A step that does not lower the objective is halved and counted as well.

    Returns
    -------
    tuple
        The best constants that were met, and the simulations spent.
    """
    real = np.array([run.real.cell(m, "mean") for m in METRICS])
    at, best, found, size, spent = START.copy(), np.inf, START.copy(), 1.0, 0
    move = np.zeros(3)
    for _ in range(integer("steps", steps)):
        means, slopes = means_and_slopes(run.trace, run.profile, run.config, at, prefixes=True)
        spent += PER_SLOPE
        value = objective(100 * (means / real - 1), at)
        if value < best:
            best, found, size = value, at.copy(), 1.0
            jacobian = slopes / real[:, None] * SPREAD
            away = (at - START) / SPREAD
            rows = np.vstack([jacobian, np.sqrt(WEIGHT) * np.eye(3)])
            wanted = np.append(jacobian @ away - (means / real - 1), np.zeros(3))
            least = np.array([-5.0, -5.0, 0.0])
            move = START + SPREAD * lsq_linear(rows, wanted, (least, 5.0)).x - at
        else:
            size /= 2
        at = found + size * move
    return found, spent


def by_grid(run: Run, simulations: int) -> tuple[np.ndarray, int]:
    """Return the best point of a grid over two spreads of the factors and two of the time."""
    most = max(2, int(np.ceil(simulations ** (1 / 3))))
    factors, hosts = np.linspace(-1, 1, most), np.linspace(0, 2, most)
    points = [START + SPREAD * np.array([d, a, h]) for d in factors for a in factors for h in hosts]
    values = [objective(mean_errors(run, point), point) for point in points]
    return points[int(np.argmin(values))], len(points)


def by_simplex(run: Run, simulations: int) -> tuple[np.ndarray, int]:
    """Return what the method of Nelder and Mead finds from the same start."""

    def value(z: np.ndarray) -> float:
        point = START + SPREAD * z
        point[2] = max(point[2], 0.0)
        return objective(mean_errors(run, point), point)

    corners = np.vstack([np.zeros(3), 0.5 * np.eye(3)])
    found = minimize(
        value,
        np.zeros(3),
        method="Nelder-Mead",
        options={"maxfev": simulations, "initial_simplex": corners},
    )
    point = START + SPREAD * found.x
    point[2] = max(point[2], 0.0)
    return point, int(found.nfev)


def fit_rows(run: Run, aside: Sequence[Run], steps: int = 8) -> list[FitRow]:
    """Return no fit, the fit by slopes, and its rivals with at least as many simulations.

    Parameters
    ----------
    run
        To fit; of one instance without preemptions, as the batch in JAX finds prefixes for ever.
    aside
        Runs that no method sees.
    steps
        Of the fit by slopes.
    """
    by_slope, spent = by_slopes(run, steps)
    chosen = [
        ("none", START, 0),
        ("slopes along the path", by_slope, spent),
        ("grid", *by_grid(run, spent)),
        ("simplex", *by_simplex(run, spent)),
    ]
    rows = []
    for method, point, count in chosen:
        here = mean_errors(run, point)
        there = [mean_errors(other, point) for other in aside]
        rows.append(
            FitRow(
                method, count, float(point[0]), float(point[1]), float(point[2]),
                objective(here, point), float(np.abs(here).mean()), float(np.abs(there).mean()),
            )
        )  # fmt: skip
    return rows


def slope_over_change(run: Run, host_us: float | int = 400.0) -> tuple[float, float]:
    """Return the slope of the mean TTFT in the time between steps, and what the time does, ms/us.

    The second is the change over ``host_us``, by two replays.
    """
    _, slopes = means_and_slopes(run.trace, run.profile, run.config, START, prefixes=True)
    pair = [simulate(run, host_ns=1e3 * h).served().cell("TTFT", "mean") for h in (0.0, host_us)]
    return float(slopes[0, 2]), (pair[1] - pair[0]) / host_us
