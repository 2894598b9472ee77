"""Ranks by galois, an independent library of finite fields."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Int


def galois_ranks(matrices: Int[np.ndarray, "b r c"], q: int) -> list[int]:
    """Return the rank of each matrix over F_q as galois computes it."""
    library: Any = import_module("galois")
    # its Python: compiling for so few small matrices would take seconds
    field = library.GF(q, compile="python-calculate")
    return [int(np.linalg.matrix_rank(field(matrix))) for matrix in matrices]
