"""All scalar-linear schemes with r source symbols, enumerated and counted.

Exhaustive over all q**(K·r) key matrices M of Z = M·N with the encoder X_k = W_k + z_k·N. The
search counts the matrices that are correct for every user and leak nothing up to T colluders; with
r = K-1 their number is |GL_{K-1}(F_q)|.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Bool, Int

from quire.checks import integer
from quire.secure_sums.linear._leakage import check_collusion, coalitions
from quire.secure_sums.linear.fields import FiniteField, prime
from quire.secure_sums.linear.ranks import prefix_ranks

BATCH = 65_536
LARGEST = 20_000_000  # matrices tried, about a minute


@dataclass(frozen=True)
class SchemeCount:
    """Outcome of one exhaustive search."""

    users: int
    q: int
    sources: int
    searched: int
    optimal: int


def general_linear_order(dimension: int, q: int) -> int:
    """Return |GL_d(F_q)| = Π_{i<d} (q^d - q^i).

    Raises
    ------
    ValueError
        When d is negative, or q is no prime power.
    """
    dimension, q = integer("dimension", dimension, 0, 10_000), FiniteField(q).q
    return prod(q**dimension - q**i for i in range(dimension))


def count_schemes(users: int, q: int, sources: int, colluders: int = 0) -> SchemeCount:
    """Count the correct key matrices with no leak, among all of K x r over a prime field.

    Parameters
    ----------
    users, colluders
        K >= 3 and 0 <= T <= K-3.
    q
        A prime.
    sources
        r, the number of independent source symbols.

    Raises
    ------
    ValueError
        When q is not prime, T is outside its range, r < 0, or there are too many matrices.
    """
    check_collusion(users, colluders)
    users, sources, q = int(users), integer("sources", sources, 0), prime(q)
    total = q ** (users * sources)
    if total > LARGEST:
        raise ValueError(f"{q}**{users * sources} matrices exceed {LARGEST}; take fewer users")
    found = 0
    for start in range(0, total, BATCH):
        numbers = np.arange(start, min(start + BATCH, total))
        digits = numbers[:, None] // q ** np.arange(users * sources) % q
        matrices = digits.reshape(len(numbers), users, sources)
        matrices = matrices[_sums_vanish(matrices, q)]
        found += int(_no_leak(matrices, q, colluders).sum()) if len(matrices) else 0
    return SchemeCount(users, q, sources, total, found)


def _sums_vanish(matrices: Int[np.ndarray, "b K r"], q: int) -> Bool[np.ndarray, " b"]:
    """Correctness for every user, when r of the messages' masks must cancel against its own key.

    User u can form only combinations Σ_{j≠u} a_j X_j + b W_u + c Z_u; for ΣW all a_j and b are 1,
    so Σ_{j≠u} Z_j + c_u Z_u = 0 for some c_u, for each u. Either Z_u = 0 or c_u is unique.
    """
    total = matrices.sum(axis=1) % q
    good = np.ones(len(matrices), dtype=bool)
    for u in range(matrices.shape[1]):
        rest = (total - matrices[:, u]) % q
        candidates = (rest[:, None] + np.arange(q)[:, None] * matrices[:, u, None]) % q
        good &= ~candidates.any(axis=2).all(axis=1)
    return good


def _no_leak(matrices: Int[np.ndarray, "b K r"], q: int, colluders: int) -> Bool[np.ndarray, " b"]:
    """Security in closed form: the unseen masks, given the seen keys, have all ranks but one.

    The coalition sees X_j = W_j + Z_j of the m = K-1-|𝒯| others. Modulo its own keys, the mask-free
    combinations of those messages are the left kernel of the other keys; only the all-ones
    combination is due. So the leak is m - rank - [all-ones is in the kernel].
    """
    good = np.ones(len(matrices), dtype=bool)
    users = matrices.shape[1]
    if matrices.shape[2] == 0:
        return np.zeros(len(matrices), dtype=bool)
    seen = set()
    for u, row in zip(*coalitions(users, range(colluders + 1)), strict=True):
        inside = row.copy()
        inside[u] = True
        if inside.tobytes() in seen:
            continue
        seen.add(inside.tobytes())
        alive = np.flatnonzero(good)
        stack = np.concatenate([matrices[alive][:, inside], matrices[alive][:, ~inside]], axis=1)
        ranks = prefix_ranks(stack, q)
        held, m = int(inside.sum()), int((~inside).sum())
        summed = matrices[alive][:, ~inside].sum(axis=1, keepdims=True) % q
        due = prefix_ranks(np.concatenate([matrices[alive][:, inside], summed], axis=1), q)
        free = (due[:, -1] == due[:, held - 1]).astype(np.int64)
        good[alive] = m - (ranks[:, -1] - ranks[:, held - 1]) - free == 0
    return good
