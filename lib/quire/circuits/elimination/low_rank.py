"""Woodbury's formula: the rival of partial reduction where few devices change many rows.

If q devices change a matrix whose inverse is known, ``A = A0 + U diag(g) V^T`` with n by q
incidences U and V, a solve costs a q by q system instead of an m by m one. A two-terminal device
changes two rows, so that q is about m / 2.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from quire import checks
from quire.circuits.elimination.gauss_jordan import gauss_jordan, inverse


class LowRank:
    """Solves ``(A0 + U diag(g) V^T) x = b`` for changing g and b.

    Parameters
    ----------
    a0
        The constant part; it must be regular by itself.
    u, v
        Incidences of the changing conductances, n by q.

    Raises
    ------
    ValueError
        For shapes that do not fit.
    SingularCircuit
        When a0 is singular.
    """

    def __init__(self, a0: Any, u: Any, v: Any) -> None:
        a = checks.real_array("a0", a0, 2)
        self.u, self.v = checks.real_array("u", u, 2), checks.real_array("v", v, 2)
        if self.u.shape != self.v.shape or len(self.u) != len(a):
            raise ValueError(f"u {self.u.shape} and v {self.v.shape}: must have {len(a)} rows each")
        self.inverse = inverse(a)
        self.left = self.inverse @ self.u
        self.core = self.v.T @ self.left

    def solve(self, g: Any, b: Any) -> Float[np.ndarray, " n"]:
        """Return x for conductances g and right side b.

        Raises
        ------
        ValueError
            For shapes that do not fit.
        SingularCircuit
            When the changed matrix is singular.
        """
        d, right = checks.real_array("g", g, 1), checks.real_array("b", b, 1)
        if d.shape != (self.u.shape[1],) or right.shape != (len(self.u),):
            raise ValueError(f"g {d.shape} and b {right.shape}: must fit {self.u.shape}")
        y = self.inverse @ right
        # multiplied through by g, so that a conductance may be zero
        small = np.eye(len(d)) + d[:, None] * self.core
        return y - self.left @ gauss_jordan(small, d * (self.v.T @ y)).x
