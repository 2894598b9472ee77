"""The checks of the chapter's exercises: each computes the right answer and compares.

Every check takes whatever a reader wrote and returns whether it is right. None, NaN, a wrong type
or a wrong value is False; nothing raises.
"""

import math
from numbers import Integral
from typing import Any

import numpy as np

from quire.answers import is_near
from quire.circuits.elimination.costs import full_flops, reduced_flops, reduction_flops
from quire.circuits.elimination.gauss_jordan import gauss_jordan
from quire.circuits.errors import CircuitError
from quire.circuits.experiments.project_tests import varying_share

_SWITCHED = """a ladder with two switches of two terminals
v1 n0 0 1
r1 n0 n1 1k
r2 n1 n2 1k
r3 n2 n3 1k
r4 n3 n4 1k
d1 n1 n3 dm
d2 n4 0 dm
.model dm d
"""


def rows_that_vary(answer: Any) -> bool:
    """Whether the answer is (m, n) for a ladder of four nodes with switches n1-n3 and n4-ground."""
    # a switch touches the rows of its two nodes, as a diode does
    varying, rows = varying_share(_SWITCHED)
    given = answer.tolist() if hasattr(answer, "tolist") else answer
    if not isinstance(given, list | tuple) or len(given) != 2:
        return False
    if any(isinstance(part, bool) or not isinstance(part, Integral) for part in given):
        return False
    return (int(given[0]), int(given[1])) == (varying, rows)


def solves_until_paid(answer: Any) -> bool:
    """Whether the answer is the least number of solves with which n = 100, m = 10 has paid."""
    whole, less, once = (
        full_flops(100),
        reduced_flops(100, 10, coupled=False),
        reduction_flops(100, 10),
    )
    right = next(k for k in range(1, 1000) if once + k * less < k * whole)
    return is_near(answer, right)


def low_rank_limit(answer: Any) -> bool:
    """Whether the answer is q/m of the first chain of q diodes that saves less than half.

    A chain touches m = q + 1 rows; operations are counted as cubes.
    """
    q = next(q for q in range(1, 100) if 2 * q**3 > (q + 1) ** 3)
    return is_near(answer, q / (q + 1), rel=1e-9)


def digits_lost(answer: Any) -> bool:
    """Whether the answer is a 2 by 2 system on which swapping at zero loses eight digits.

    A pair (a, b); both rules must solve it, partial pivoting to twelve digits.
    """
    try:
        a, b = answer
        a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
        if a.shape != (2, 2) or b.shape != (2,):
            return False
        careful, careless = (
            gauss_jordan(a, b, pivoting=rule).x for rule in ("partial", "zero-only")
        )
    except (TypeError, ValueError, CircuitError, OverflowError):
        return False
    size = float(np.abs(careful).max())
    if not (math.isfinite(size) and size > 0 and np.isfinite(careless).all()):
        return False
    exact = np.linalg.solve(a, b)
    near = float(np.abs(careful - exact).max()) <= 1e-12 * size
    return near and float(np.abs(careless - careful).max()) >= 1e-8 * size
