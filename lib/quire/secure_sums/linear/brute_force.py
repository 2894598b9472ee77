"""Mutual information by enumerating every value of every variable: an independent check of ranks.

Exponential, exact up to the logarithm, and blind to linearity: it tabulates the joint distribution
of a linear map's outputs and never looks at a rank.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from quire.secure_sums.linear.fields import FiniteField, prime

LARGEST = 2_000_000  # joint outcomes; beyond it the table would not fit a laptop


def brute_force_information(
    left: Int[np.ndarray, "a n"],
    right: Int[np.ndarray, "b n"],
    given: Int[np.ndarray, "c n"],
    q: int,
) -> float:
    """Return I(left; right | given) in bits, all variables images of a uniform vector over F_q.

    Raises
    ------
    ValueError
        When q is not prime, an entry is no element, or q**n exceeds `LARGEST` outcomes.
    """
    field = FiniteField(prime(q))
    n = np.shape(left)[1]
    if q**n > LARGEST:
        raise ValueError(f"{q}**{n} outcomes exceed {LARGEST}; use fewer variables or the ranks")
    outcomes = np.arange(q**n)[:, None] // q ** np.arange(n) % q
    a, b, c = (
        _labels(outcomes @ field.elements(name, rows).T % q)
        for name, rows in (("left", left), ("right", right), ("given", given))
    )
    joint = {
        "ac": np.stack([a, c]),
        "bc": np.stack([b, c]),
        "abc": np.stack([a, b, c]),
        "c": c[None],
    }
    h = {name: _entropy(labels) for name, labels in joint.items()}
    return h["ac"] + h["bc"] - h["abc"] - h["c"]


def _labels(values: Int[np.ndarray, "o k"]) -> Int[np.ndarray, " o"]:
    """One integer per distinct row of symbols."""
    if values.shape[1] == 0:
        return np.zeros(len(values), dtype=np.int64)
    return np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)


def _entropy(labels: Int[np.ndarray, "k o"]) -> float:
    """Entropy in bits of the empirical (here: exact) distribution of the columns."""
    counts = np.unique(labels, axis=1, return_counts=True)[1]
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum())
