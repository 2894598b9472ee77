"""Partial reduction: eliminate once what never changes, then solve only what is left.

Let k rows of ``A x = b`` be constant and m = n - k vary. Eliminating in the constant rows gives
``x_p = c - W x_f`` for k pivot unknowns and m free ones. Put into the varying rows V this leaves

    (V_f - V_p W) x_f = b_V - V_p c,

the Schur complement S of the pivot block. Nothing is approximated: row operations are invertible,
so that both systems have the same solutions, and det A = ±det(pivot block) det S. As S^-1 is a
part of A^-1, ||S^-1|| <= ||A^-1||, and cond(S) <= cond(A) (1 + ||W||): the one danger is a large W,
which complete pivoting keeps small and which is reported. In structural mechanics this is static
condensation, in power systems Kron reduction.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from quire import checks
from quire.circuits.elimination.costs import full_flops, reduced_flops, reduction_flops
from quire.circuits.errors import SingularCircuit
from quire.signatures import checked

Matrix = Float[np.ndarray, "n n"]


@dataclass(frozen=True)
class Reduction:
    """What a reduction keeps: x_pivots = transform @ b_constant - W x_free."""

    constant: Int[np.ndarray, " k"]
    varying: Int[np.ndarray, " m"]
    pivots: Int[np.ndarray, " k"]
    free: Int[np.ndarray, " m"]
    W: Float[np.ndarray, "k m"]
    transform: Float[np.ndarray, "k k"]
    coupled: bool  # whether varying rows change in the pivot columns
    S0: Float[np.ndarray, "m m"]
    V0: Float[np.ndarray, "m n"]
    condition: float  # of the pivot block

    @property
    def n(self) -> int:
        """Number of unknowns."""
        return len(self.constant) + len(self.varying)

    @property
    def m(self) -> int:
        """Unknowns that are left."""
        return len(self.varying)

    @property
    def largest_weight(self) -> float:
        """Largest entry of W in size: what reduction can lose digits to."""
        return float(np.abs(self.W).max(initial=0.0))

    def report(self) -> dict[str, float]:
        """Return sizes, weights, operations and the steps after which reduction has paid."""
        n, m = self.n, self.m
        full, less = full_flops(n), reduced_flops(n, m, coupled=self.coupled)
        once = reduction_flops(n, m)
        return {
            "n": n, "k": n - m, "m": m, "largest weight": self.largest_weight,
            "full (flops)": full, "reduced (flops)": less, "once (flops)": once,
            "break-even (solves)": once / (full - less) if full > less else float("inf"),
        }  # fmt: skip


def reduce_constant_rows(
    a: Any, varying_rows: Any, varying_columns: Any | None = None
) -> Reduction:
    """Eliminate the constant rows of a matrix by Gauss-Jordan with complete pivoting.

    Parameters
    ----------
    a
        The matrix with the varying entries at any values, for instance zero.
    varying_rows
        A truth value per row: whether it changes between solves.
    varying_columns
        A truth value per column: whether the varying rows change in it. Other columns are taken as
        pivots where possible, so that the coupling to the free unknowns is computed once. All may
        change where None.

    Raises
    ------
    ValueError
        For shapes that do not fit, or entries that are not finite.
    SingularCircuit
        When the constant rows depend on each other.
    """
    full = checks.real_array("a", a, 2)
    n = len(full)
    if full.shape != (n, n):
        raise ValueError(f"a = an array of shape {full.shape}: must be square")
    rows = _flags("varying_rows", varying_rows, n)
    moving = (
        _flags("varying_columns", varying_columns, n)
        if varying_columns is not None
        else np.ones(n, bool)
    )
    constant, varying = np.flatnonzero(~rows), np.flatnonzero(rows)
    k = len(constant)
    K = full[constant].copy()
    T = np.eye(k)
    left, columns = np.ones(k, bool), np.ones(n, bool)
    placed = np.zeros(k, dtype=np.int64)
    scale = np.abs(K).max(initial=0.0)
    for _ in range(k):
        row, column = _pivot(K, left, columns, moving, scale)
        value = K[row, column]
        K[row] /= value
        T[row] /= value
        factors = K[:, column].copy()
        factors[row] = 0.0
        K -= factors[:, None] * K[row]
        T -= factors[:, None] * T[row]
        left[row] = columns[column] = False
        placed[row] = column
    free = np.flatnonzero(columns)
    V = full[varying]
    coupled = bool(np.any(moving[placed]))
    W = K[:, free]
    block = full[np.ix_(constant, placed)]
    return Reduction(
        constant, varying, placed, free, W, T, coupled, V[:, free] - V[:, placed] @ W, V,
        float(np.linalg.cond(block)) if k else 1.0,
    )  # fmt: skip


@checked
def solve_reduced(reduction: Reduction, varying: Any, right: Any) -> Float[np.ndarray, " n"]:
    """Solve with the varying rows as they are now.

    Parameters
    ----------
    reduction
        What `reduce_constant_rows` returned.
    varying
        The m varying rows, m by n.
    right
        The whole right side, n.

    Raises
    ------
    ValueError
        For other shapes.
    SingularCircuit
        When the reduced matrix is singular, and with it the whole one.
    """
    from quire.circuits.elimination.gauss_jordan import gauss_jordan

    V = checks.real_array("varying", varying, 2)
    b = checks.real_array("right", right, 1)
    if V.shape != (reduction.m, reduction.n) or b.shape != (reduction.n,):
        raise ValueError(
            f"varying {V.shape} and right {b.shape}: must have shapes "
            f"({reduction.m}, {reduction.n}) and ({reduction.n},)"
        )
    x = np.zeros(reduction.n)
    c = reduction.transform @ b[reduction.constant]
    V_f, V_p = V[:, reduction.free], V[:, reduction.pivots]
    if reduction.coupled:
        S = V_f - V_p @ reduction.W
    else:
        S = reduction.S0 + (V_f - reduction.V0[:, reduction.free])
    x[reduction.free] = gauss_jordan(S, b[reduction.varying] - V_p @ c).x
    x[reduction.pivots] = c - reduction.W @ x[reduction.free]
    return x


def _flags(name: str, values: Any, n: int) -> Bool[np.ndarray, " n"]:
    found = np.asarray(values)
    if found.shape != (n,) or found.dtype != bool:
        raise ValueError(
            f"{name} = an array of {found.dtype}, {found.shape}: must be {n} truth values"
        )
    if name == "varying_rows" and not found.any():
        raise ValueError("varying_rows holds no True: nothing would be left to solve")
    return found


def _pivot(K: Any, left: Any, columns: Any, moving: Any, scale: float) -> tuple[int, int]:
    """Return the place of the largest entry left, in a constant column where one is not tiny.

    Raises
    ------
    SingularCircuit
        When nothing is left.
    """
    size = np.abs(K) * left[:, None] * columns
    quiet = size * ~moving
    best = quiet if quiet.max(initial=0.0) > 1e-3 * size.max(initial=0.0) else size
    place = np.unravel_index(int(np.argmax(best)), best.shape)
    if best[place] <= 1e-14 * scale:
        raise SingularCircuit("the constant rows depend on each other")
    return int(place[0]), int(place[1])
