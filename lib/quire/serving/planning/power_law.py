"""Tokens a joule against the window: the 1/W law, its exponent, constants of a measured card."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from quire.checks import integer, integers, positive, real_array
from quire.serving.planning.gpus import GpuProfile

WINDOWS = (2048, 4096, 8192, 16384, 32768, 65536, 131072)


@dataclass(frozen=True)
class WindowRow:
    """A GPU whose pool promises one window, all slots taken.

    Attributes
    ----------
    window
        Tokens.
    sequences
        At once.
    step_ms
        Of a step, lengths being half of the window on average.
    watts
        Drawn.
    tokens_per_joule
        Of the answer ("tokens per watt" in the paper).
    """

    window: int
    sequences: int
    step_ms: float | int
    watts: float | int
    tokens_per_joule: float | int


def by_window(
    gpu: GpuProfile,
    windows: Any = WINDOWS,
    *,
    fill: Any = 0.5,
    power: Callable[[int, float], float] | None = None,
) -> list[WindowRow]:
    """Return tokens a joule for each window.

    Parameters
    ----------
    gpu
        Its profile.
    windows
        Tokens.
    fill
        Mean length of a running request over the window.
    power
        Watts of (sequences, mean length); the profile's if None.
    """
    rows = []
    for window in integers("windows", windows):
        n = gpu.slots(window)
        length = positive("fill", fill) * window
        step = gpu.step_s(n, length)
        watts = gpu.power_w(n) if power is None else float(power(n, length))
        rows.append(WindowRow(window, n, step * 1e3, watts, n / step / watts))
    return rows


def exponent(rows: list[WindowRow], low: Any = 4096, high: Any = 65536) -> float:
    """Return b of tokens per joule ~ window^-b, least squares in logarithms from low to high.

    Raises
    ------
    ValueError
        When fewer than two windows lie there.
    """
    kept = [r for r in rows if low <= r.window <= high]
    return power_of([r.window for r in kept], [r.tokens_per_joule for r in kept])


def power_of(x: Any, y: Any) -> float:
    """Return b of y ~ x^-b by least squares in logarithms.

    Raises
    ------
    ValueError
        For fewer than two points, or numbers that are not positive.
    """
    xs, ys = real_array("x", x, 1, above=0.0), real_array("y", y, 1, above=0.0)
    if xs.size != ys.size or np.unique(xs).size < 2:
        raise ValueError(f"x, y = {xs.size} and {ys.size} numbers: must be pairs, two at least")
    return float(-np.polyfit(np.log(xs), np.log(ys), 1)[0])


@dataclass(frozen=True)
class Logistic:
    """P(b) = low + (high - low) / (1 + exp(-k (log2 b - x0))), and how well it fits.

    Attributes
    ----------
    low, high
        Watts far below and far above the midpoint.
    steepness, midpoint
        k and x0.
    worst
        Largest relative residual.
    """

    low: float | int
    high: float | int
    steepness: float | int
    midpoint: float | int
    worst: float | int

    def watts(self, batch: Any) -> float:
        """Return the watts at a batch."""
        x = np.log2(positive("batch", batch)) - self.midpoint
        return float(self.low + (self.high - self.low) / (1 + np.exp(-self.steepness * x)))


def fit_logistic(batch: Any, watts: Any) -> Logistic:
    """Return the logistic of least squares through measured points.

    Raises
    ------
    ValueError
        For fewer than five points.
    """
    b, w = real_array("batch", batch, 1, above=0.0), real_array("watts", watts, 1, above=0.0)
    if b.size != w.size or b.size < 5:
        raise ValueError(
            f"batch, watts = {b.size} and {w.size} numbers: must be five pairs or more"
        )
    x = np.log2(b)

    def curve(p: np.ndarray) -> np.ndarray:
        return p[0] + p[1] / (1 + np.exp(-p[2] * (x - p[3])))

    best = None
    for middle in (x.min() + 1, x.mean(), x.max() - 1):
        start = [w.min(), np.ptp(w), 1.0, middle]
        bounds = ([0, 0, 0.05, x.min() - 5], [2 * w.max(), 4 * w.max(), 20, x.max() + 5])
        found = least_squares(lambda p: curve(p) / w - 1, start, bounds=bounds)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    low, rise, k, middle = (float(v) for v in best.x)
    return Logistic(low, low + rise, k, middle, float(np.abs(best.fun).max()))


def fit_steps(
    sequences: Any, length: Any, seconds: Any, context: Any = 8192
) -> tuple[float, float]:
    """Return W and H, seconds, of t = W + H n (length / context), least relative squares.

    Parameters
    ----------
    sequences, length, seconds
        Of measured steps of decodes.
    context
        Tokens that H is for.

    Raises
    ------
    ValueError
        For fewer than three steps.
    """
    n, k, t = (
        real_array(name, each, 1, above=0.0)
        for name, each in (("sequences", sequences), ("length", length), ("seconds", seconds))
    )
    if not n.size == k.size == t.size or n.size < 3:
        raise ValueError(f"sequences = {n.size} steps: three are needed, with all three numbers")
    rows = np.stack([1 / t, n * k / integer("context", context) / t], axis=1)
    (fixed, each), *_ = np.linalg.lstsq(rows, np.ones(t.size), rcond=None)
    return float(fixed), float(each)
