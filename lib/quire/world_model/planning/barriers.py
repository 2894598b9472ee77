"""Control barrier functions: the input nearest to the wanted one that keeps the state safe.

A state is safe while h(x) >= 0. In discrete time ``h(x+) >= (1 - gamma) h(x)`` must hold;
where x+ is affine in the input this is a linear inequality, and the nearest input a small QP.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from quire.checks import real_array
from quire.world_model.errors import InfeasibleSafeSet, WorldModelError

Vector = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Filtered:
    """An input that is safe.

    Attributes
    ----------
    input
        The input; bit for bit the wanted one where that was safe.
    changed
        Whether it had to be changed.
    """

    input: Vector
    changed: bool


def nearest_safe(
    wanted: Vector, rows: Float[np.ndarray, "m n"], at_least: Float[np.ndarray, " m"]
) -> Filtered:
    """Return the input nearest to the wanted one with ``rows @ u >= at_least``.

    A least distance problem, solved through non-negative least squares (Lawson and Hanson,
    chapter 23), and checked against the constraints.

    Raises
    ------
    InfeasibleSafeSet
        When no input satisfies them all: the caller must use its backup.
    WorldModelError
        When shapes do not fit.
    """
    u = real_array("wanted", wanted, 1)
    a, b = real_array("rows", rows, 2), real_array("at_least", at_least, 1)
    if a.shape != (len(b), len(u)):
        raise WorldModelError(f"rows of shape {a.shape}: must be {len(b)} by {len(u)}")
    missing = b - a @ u
    if (missing <= 0.0).all():
        return Filtered(np.array(wanted, dtype=np.float64), False)
    scale = np.maximum(np.linalg.norm(a, axis=1), np.abs(missing))
    scale[scale == 0.0] = 1.0
    left, right = a / scale[:, None], missing / scale
    stacked = np.vstack([left.T, right[None]])
    target = np.zeros(len(u) + 1)
    target[-1] = 1.0
    weights, _ = nnls(stacked, target)
    residual = stacked @ weights - target
    if -residual[-1] <= 1e-12:
        raise InfeasibleSafeSet("no input satisfies every barrier: use the backup action")
    found = u + residual[:-1] / -residual[-1]
    if (a @ found < b - 1e-9 * scale).any():
        raise InfeasibleSafeSet("no input satisfies every barrier to 1e-9: use the backup action")
    return Filtered(found, True)


def closed_form(wanted: Vector, row: Vector, at_least: float) -> Filtered:
    """Return the same for one constraint: ``u + max(0, b - a'u) / |a|^2 a``.

    Raises
    ------
    InfeasibleSafeSet
        When the row is zero and the bound is positive.
    """
    u, a = real_array("wanted", wanted, 1), real_array("row", row, 1)
    missing = at_least - float(a @ u)
    if missing <= 0.0:
        return Filtered(np.array(wanted, dtype=np.float64), False)
    size = float(a @ a)
    if size == 0.0:
        raise InfeasibleSafeSet("the input does not act on the barrier: use the backup action")
    return Filtered(u + missing / size * a, True)
