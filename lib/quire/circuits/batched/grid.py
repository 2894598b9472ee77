"""The steps of a batched run: one grid for all variants, with every corner of a source on it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from quire import checks
from quire.circuits.analyses.transient import corner_times, source_table
from quire.circuits.formulations.mna import System
from quire.circuits.netlist.elements import Transient

_MOST = 2_000_000


@dataclass(frozen=True)
class Grid:
    """Times, and for each step its rule: backward Euler first and after corners, else trapezoidal.

    ``alphas`` holds the few distinct values of 1/h and 2/h; ``which`` says which a step uses.
    """

    times: Float[np.ndarray, " points"]
    euler: Bool[np.ndarray, " steps"]
    alphas: Float[np.ndarray, " kinds"]
    which: Int[np.ndarray, " steps"]
    inputs: Any  # sources summed into the equations, one row per point


def make_grid(system: System, asked: Transient, h: float) -> Grid:
    """Return a grid of steps h, cut where a source has a corner.

    Raises
    ------
    ValueError
        For a step that is not positive, longer than the run, or too short.
    """
    h = checks.positive("h", h)
    count = round(asked.stop / h)
    if not 1 <= count <= _MOST:
        raise ValueError(f"h = {h:g}: the run must take from 1 to {_MOST:,} steps")
    even = np.arange(1, count + 1) * h
    even[-1] = asked.stop
    corners = corner_times(system, asked)
    times = np.union1d(even, corners)
    # a grid point that rounding parts from a corner is the corner
    far = np.diff(times) > 1e-9 * h
    keep = np.append(far, True)
    times = np.concatenate([[0.0], times[keep]])
    steps = np.diff(times)
    euler = np.zeros(len(steps), bool)
    euler[0] = True
    for corner in corners[:-1]:
        euler[min(int(np.searchsorted(times, corner - 1e-9 * h)), len(steps) - 1)] = True
    alpha = np.where(euler, 1.0, 2.0) / steps
    rounded = np.array([float(f"{a:.9e}") for a in alpha])
    alphas, which = np.unique(rounded, return_inverse=True)
    inputs = source_table(system, asked, times) @ system.B.T
    return Grid(times, euler, alphas, which, inputs)
