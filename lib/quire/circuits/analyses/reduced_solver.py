"""A solver for steps in time that eliminates the constant rows once for every matrix it meets."""

from typing import Any

import numpy as np
from jaxtyping import Float

from quire.circuits.analyses.linear_solvers import gje
from quire.circuits.elimination.gauss_jordan import inverse
from quire.circuits.elimination.reduction import Reduction, reduce_constant_rows, solve_reduced
from quire.circuits.errors import SingularCircuit
from quire.circuits.formulations.assembly import Ports

Vector = Float[np.ndarray, " n"]
Matrix = Float[np.ndarray, "n n"]


class ReducedSolver:
    """Solves ``(matrix + change) x = right`` with change confined to the devices' rows.

    Reductions are kept for each constant matrix, which Newton's method passes as one object as long
    as the step stays the same. A circuit without devices keeps the inverse. Where the constant rows
    depend on each other the whole system is solved instead, and counted.

    Parameters
    ----------
    ports
        The devices: their branches say which rows vary, their steering voltages in which columns.
    """

    def __init__(self, ports: Ports) -> None:
        n = ports.system.n
        self.rows, self.columns = (np.zeros(n + 1, dtype=bool) for _ in range(2))
        self.rows[np.concatenate([ports.start, ports.end])] = True
        self.columns[np.concatenate([ports.plus, ports.minus])] = True
        self.rows, self.columns = self.rows[:n], self.columns[:n]
        self.kept: dict[int, tuple[Any, Reduction | Matrix | None]] = {}
        self.whole = 0  # solves without a reduction

    @property
    def m(self) -> int:
        """Rows that vary."""
        return int(np.count_nonzero(self.rows))

    @property
    def reductions(self) -> int:
        """How often the constant rows were eliminated."""
        return sum(found is not None for _, found in self.kept.values())

    def __call__(self, a: Any, b: Any) -> Vector:
        """Solve a whole system by Gauss-Jordan elimination."""
        return gje(a, b)

    def split(self, matrix: Any, change: Any, right: Any) -> Vector:
        """Solve with the reduction of ``matrix``, made where there is none yet."""
        if id(matrix) not in self.kept:
            # the matrix is kept as well, so that no other one can have its place in memory
            self.kept[id(matrix)] = (matrix, self._reduced(matrix))
        found = self.kept[id(matrix)][1]
        if found is None:
            self.whole += 1
            return gje(matrix + change, right)
        if not isinstance(found, Reduction):
            return found @ right
        try:
            return solve_reduced(found, matrix[self.rows] + change[self.rows], right)
        except SingularCircuit:
            return np.full_like(right, np.nan)

    def _reduced(self, matrix: Any) -> Reduction | Matrix | None:
        try:
            if not self.rows.any():
                return inverse(matrix)
            return reduce_constant_rows(matrix, self.rows, self.columns)
        except SingularCircuit:
            return None
