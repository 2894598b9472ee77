"""Interchangeable solvers of ``A x = b``: every analysis takes one by name."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg

from quire.circuits.elimination.gauss_jordan import gauss_jordan, gauss_jordan_blocked
from quire.circuits.errors import SingularCircuit

Matrix = Float[np.ndarray, "n n"]
Vector = Float[np.ndarray, " n"]
Solve = Callable[[Matrix, Vector], Vector]
_SPARSE_FROM = 150  # unknowns
_ROWS = 64  # unknowns up to which elimination goes row by row


def lapack(a: Matrix, b: Vector) -> Vector:
    """Solve by LAPACK's LU with partial pivoting."""
    _, _, x, info = linalg.lapack.dgesv(a, b)
    return x if info == 0 else np.full_like(b, np.nan)


def sparse_lu(a: Matrix, b: Vector) -> Vector:
    """Solve by SuperLU, after dropping the zeros."""
    try:
        return sparse_linalg.splu(sparse.csc_array(a)).solve(b)
    except RuntimeError:
        return np.full_like(b, np.nan)


def automatic(a: Matrix, b: Vector) -> Vector:
    """Solve by LAPACK when small, by sparse LU when large."""
    return lapack(a, b) if len(b) < _SPARSE_FROM else sparse_lu(a, b)


def gje(a: Matrix, b: Vector) -> Vector:
    """Solve by Gauss-Jordan elimination with partial pivoting, in blocks where it is large."""
    try:
        return (gauss_jordan(a, b) if len(b) <= _ROWS else gauss_jordan_blocked(a, b, 32)).x
    except SingularCircuit:
        return np.full_like(b, np.nan)


SOLVERS: dict[str, Solve] = {
    "automatic": automatic, "lapack": lapack, "sparse": sparse_lu, "gje": gje,
}  # fmt: skip


def find_solver(name: str) -> Solve:
    """Return a solver by name.

    Raises
    ------
    ValueError
        For a name that there is not.
    """
    if name not in SOLVERS:
        raise ValueError(f"solver = {name!r}: must be one of {', '.join(SOLVERS)}")
    return SOLVERS[name]
