"""klujax: SuiteSparse's KLU, the sparse solver made for circuit matrices, behind JAX."""

from typing import Any

import numpy as np


def solve(a: Any, b: Any) -> Any:
    """Solve ``a x = b`` for a dense or sparse matrix, its pattern analysed anew.

    Parameters
    ----------
    a
        A square matrix with few entries.
    b
        A right side.
    """
    rows, columns, entries = pattern(a)
    return solve_pattern(rows, columns, entries, b)


def pattern(a: Any) -> tuple[Any, Any, Any]:
    """Return rows, columns and values of the entries that are not zero, as KLU takes them."""
    from scipy import sparse

    entries = sparse.coo_array(a)
    return (
        np.asarray(entries.row, dtype=np.int32),
        np.asarray(entries.col, dtype=np.int32),
        np.asarray(entries.data, dtype=float),
    )


def solve_pattern(rows: Any, columns: Any, entries: Any, b: Any) -> Any:
    """Solve with entries whose pattern is at hand."""
    import klujax

    return np.asarray(klujax.solve(rows, columns, entries, np.asarray(b)))
