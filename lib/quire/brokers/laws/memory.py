"""Memory of a broker: a base, a price per connected pair, and a backlog beyond saturation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quire.checks import non_negative, real_array


@dataclass(frozen=True)
class Memory:
    """``base_mb + per_pair_kb * pairs / 1000``."""

    base_mb: float
    per_pair_kb: float

    def mb(self, pairs: float, *, backlog: float = 0.0, message_bytes: float = 0.0) -> float:
        """Return megabytes for some pairs, with a backlog of messages."""
        held = non_negative("backlog", backlog) * non_negative("message_bytes", message_bytes) / 1e6
        return self.base_mb + self.per_pair_kb * non_negative("pairs", pairs) / 1e3 + held


def fit_memory(pairs: ArrayLike, mb: ArrayLike) -> Memory:
    """Fit the line through some levels by least squares.

    Raises
    ------
    ValueError
        For fewer than two different levels or negative numbers.
    """
    counts = real_array("pairs", pairs, 1, least=0.0)
    held = real_array("mb", mb, 1, least=0.0)
    if counts.shape != held.shape or np.unique(counts).size < 2:
        raise ValueError("pairs, mb: must hold two levels or more, one memory for each")
    slope, base = np.polyfit(counts, held, 1)
    return Memory(float(base), float(slope) * 1e3)
