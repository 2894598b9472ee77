"""Gauss-Jordan elimination on an augmented matrix, one row or one block of rows at a time.

Unlike LU it clears a column above the diagonal as well as below, so that no back substitution is
left. A step updates all n - 1 other rows, and every step has the same width: n^3 operations, where
LU takes 2 n^3 / 3, and one barrier a step where rows are shared by workers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Num
from scipy import linalg

from quire import checks
from quire.circuits.errors import SingularCircuit
from quire.signatures import checked

Matrix = Num[np.ndarray, "n n"]


@dataclass(frozen=True)
class Eliminated:
    """What an elimination leaves: the solutions, and how it went."""

    x: Num[np.ndarray, "n ..."]
    growth: float  # largest entry met over the largest entry given
    smallest_pivot: float


def augmented(a: Any, b: Any) -> Num[np.ndarray, "n cols"]:
    """Return ``[A | B]`` in double precision, checked.

    Raises
    ------
    ValueError
        Unless A is square, B has as many rows, and all entries are finite numbers.
    """
    left, right = np.asarray(a), np.asarray(b)
    for name, part in (("a", left), ("b", right)):
        if part.dtype.kind not in "iufc":
            raise ValueError(f"{name} = an array of {part.dtype}: must hold numbers")
        if not np.isfinite(part).all():
            raise ValueError(f"{name} has non-finite entries: must hold finite numbers")
    if left.ndim != 2 or left.shape[0] != left.shape[1] or left.size == 0:
        raise ValueError(f"a = an array of shape {left.shape}: must be square and not empty")
    if right.ndim not in (1, 2) or right.shape[0] != left.shape[0]:
        raise ValueError(f"b = an array of shape {right.shape}: must have {len(left)} rows")
    kind = complex if "c" in (left.dtype.kind, right.dtype.kind) else float
    return np.column_stack([left.astype(kind), right.astype(kind)])


_TOO_LARGE = "numbers beyond the doubles arise: the equations must be scaled"


@checked
@np.errstate(over="ignore", invalid="ignore")
def gauss_jordan(a: Any, b: Any, *, pivoting: str = "partial") -> Eliminated:
    """Solve ``A X = B`` by Gauss-Jordan elimination, one row at a time.

    Parameters
    ----------
    a, b
        A square matrix, real or complex; a right side, or several as columns.
    pivoting
        ``partial``: the largest entry left in the column. ``zero-only``: swap only where the pivot
        is 1e-15 or smaller in size, for the next row that exceeds it, the rule of the first
        author's earlier program.

    Raises
    ------
    ValueError
        For arguments of another kind.
    SingularCircuit
        When no pivot is left in a column, or numbers beyond the doubles arise.
    """
    if pivoting not in ("partial", "zero-only"):
        raise ValueError(f"pivoting = {pivoting!r}: must be partial or zero-only")
    m = augmented(a, b)
    n = m.shape[0]
    largest = first = float(np.abs(m[:, :n]).max())
    smallest = np.inf
    for k in range(n):
        column = np.abs(m[k:, k])
        if pivoting == "partial":
            p = k + int(np.argmax(column))
        else:
            found = np.flatnonzero(column > 1e-15)
            p = k + (int(found[0]) if len(found) else 0)
        pivot = m[p, k]
        if pivot == 0 or (pivoting == "zero-only" and abs(pivot) <= 1e-15):
            raise SingularCircuit(f"no pivot is left in column {k}: the matrix is singular")
        smallest = min(smallest, float(abs(pivot)))
        if p != k:
            m[[k, p]] = m[[p, k]]
        m[k, k:] /= pivot
        factors = m[:, k].copy()
        factors[k] = 0.0
        m[:, k:] -= factors[:, None] * m[k, k:]
        largest = max(largest, float(np.abs(m[:, k + 1 : n]).max(initial=0.0)))
    return Eliminated(solution(m, b, largest), largest / first, smallest)


def solution(
    m: Num[np.ndarray, "n cols"], b: Any, largest: float = 1.0
) -> Num[np.ndarray, "n ..."]:
    """Return what elimination leaves of the right side, checked.

    Raises
    ------
    SingularCircuit
        When numbers beyond the doubles arose, of which ``largest`` tells as well.
    """
    x = m[:, len(m) :]
    if not (largest < np.inf and np.isfinite(x).all()):
        raise SingularCircuit(_TOO_LARGE)
    return x[:, 0] if np.ndim(b) == 1 else x


def solve(a: Any, b: Any) -> Any:
    """Return the solution of ``A x = b`` alone, by `gauss_jordan`.

    Raises
    ------
    SingularCircuit
        When the matrix is singular.
    """
    return gauss_jordan(a, b).x


def inverse(a: Any) -> Matrix:
    """Return the inverse: elimination of ``[A | I]``.

    Raises
    ------
    SingularCircuit
        When the matrix is singular.
    """
    return gauss_jordan(a, np.eye(len(np.atleast_1d(a)))).x


@np.errstate(over="ignore", invalid="ignore")
def gauss_jordan_blocked(a: Any, b: Any, block: int = 64) -> Eliminated:
    """Solve ``A X = B`` by Gauss-Jordan elimination, a panel of columns at a time.

    LAPACK factors the panel with row swaps among the rows that are left, so that pivots are those
    of `gauss_jordan`; all other rows are then cleared by one matrix product.

    Parameters
    ----------
    a, b
        As in `gauss_jordan`.
    block
        Columns of a panel.

    Raises
    ------
    ValueError
        For arguments of another kind.
    SingularCircuit
        When no pivot is left in a column.
    """
    width = checks.integer("block", block)
    m = augmented(a, b)
    n = len(m)
    largest = first = float(np.abs(m[:, :n]).max())
    smallest = np.inf
    factor = linalg.get_lapack_funcs("getrf", (m,))
    for start in range(0, n, width):
        stop = min(n, start + width)
        # LU of the panel finds the pivots that elimination by rows would take
        lu, swaps, _ = factor(m[start:, start:stop])
        if not np.isfinite(lu).all():
            raise SingularCircuit(_TOO_LARGE)
        pivots = np.abs(np.diagonal(lu))
        if not pivots.all():
            column = start + int(np.argmin(pivots))
            raise SingularCircuit(f"no pivot is left in column {column}: the matrix is singular")
        smallest = min(smallest, float(pivots.min()))
        for k, p in enumerate(swaps, start=start):
            if start + p != k:
                m[[k, start + p]] = m[[start + p, k]]
        size = stop - start
        rows = linalg.solve_triangular(
            lu[:size], m[start:stop, stop:], lower=True, unit_diagonal=True, check_finite=False
        )
        rows = linalg.solve_triangular(lu[:size], rows, check_finite=False)
        m[:start, stop:] -= m[:start, start:stop] @ rows
        m[stop:, stop:] -= m[stop:, start:stop] @ rows
        m[start:stop, stop:] = rows
        largest = max(largest, float(np.abs(m[:, stop:n]).max(initial=0.0)))
    return Eliminated(solution(m, b, largest), largest / first, smallest)
