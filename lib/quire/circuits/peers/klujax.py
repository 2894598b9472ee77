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


class Refactored:
    """KLU as a simulator uses it: one analysis, then the same pattern and pivots again and again.

    A solution whose residual is too large for a pivot order of old values is factored anew.

    Parameters
    ----------
    pattern_of
        A matrix whose entries are not zero wherever any later one's are not.
    """

    def __init__(self, pattern_of: Any) -> None:
        import klujax

        self.klu = klujax
        self.rows, self.columns, _ = pattern(np.asarray(pattern_of) != 0)
        self.symbolic = klujax.analyze(self.rows, self.columns, len(pattern_of))
        self.numeric: Any = None
        self.factored = 0

    def __call__(self, a: Any, b: Any) -> Any:
        """Solve ``a x = b``; NaN where the matrix is singular."""
        entries, right = a[self.rows, self.columns], np.asarray(b)
        if self.numeric is not None:
            x = self._refactored(entries, right)
            terms = entries * x[self.columns]
            left = np.bincount(self.rows, terms, len(right)) - right
            if np.isfinite(x).all() and np.abs(left).max() <= 1e-9 * max(
                float(np.abs(terms).max()), float(np.abs(right).max())
            ):
                return x
        try:
            self.numeric = self.klu.factor(self.rows, self.columns, entries, self.symbolic)
            self.factored += 1
            return np.asarray(self.klu.solve_with_numeric(self.numeric, right, self.symbolic))
        except (RuntimeError, ValueError):
            self.numeric = None
            return np.full_like(right, np.nan)

    def _refactored(self, entries: Any, right: Any) -> Any:
        """Return the solution by the pivots of the last factors, NaN where they do not serve."""
        try:
            x, self.numeric = self.klu.refactor_and_solve(
                self.rows, self.columns, entries, right, self.numeric, self.symbolic
            )
        except (RuntimeError, ValueError):
            return np.full_like(right, np.nan)
        return np.asarray(x)


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
