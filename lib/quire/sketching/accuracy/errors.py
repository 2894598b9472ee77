"""How good a sketch is: expectation bounds and measured errors."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from quire.checks import integer, real_array


def _oversampled(rank: int, columns: int, least: int) -> tuple[int, int]:
    """Return both as Python's integers.

    Raises
    ------
    ValueError
        When there are not ``least`` columns more than the rank.
    """
    rank, columns = integer("rank", rank, 0), integer("columns", columns)
    if rank < 1 or columns - rank < least:
        raise ValueError(
            f"rank = {rank}: 1 to {columns - least} is allowed with r = {columns} columns"
        )
    return rank, columns


def _decreasing(name: str, values: Num[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the values of a positive semidefinite spectrum, largest first, rounding below 0 as 0.

    Raises
    ------
    ValueError
        When a value is below 0 by more than rounding.
    """
    found = real_array(name, values, 1)
    if found.min() < -1e-10 * np.abs(found).max():
        raise ValueError(f"{name} = down to {found.min():.3g}: values >= 0 are allowed")
    return np.sort(np.maximum(found, 0))[::-1]


def range_finder_bound(singular_values: Num[np.ndarray, " n"], columns: int, rank: int) -> float:
    """Return a bound on E ||A - Q Qᵀ A||_F for a Gaussian sketch of r ``columns``.

    For any rank k with p = r - k >= 2: sqrt(1 + k/(p - 1)) (sum_{j>k} s_j^2)^(1/2).
    Source: Halko, Martinsson, Tropp 2011, theorem 10.5.
    """
    rank, columns = _oversampled(rank, columns, 2)
    tail = _decreasing("singular_values", singular_values)[rank:]
    return float(np.sqrt((1 + rank / (columns - rank - 1)) * np.sum(tail**2)))


def nystrom_bound(eigenvalues: Num[np.ndarray, " n"], columns: int, rank: int) -> float:
    """Return a bound on E ||A - A_nys||_* (nuclear norm), (1 + k/(r - k - 1)) sum_{j>k} λ_j.

    For a Gaussian sketch of r ``columns`` of a positive semidefinite A, k <= r - 2.
    Source: Tropp, Yurtsever, Udell, Cevher 2017, theorem 4.1.
    """
    rank, columns = _oversampled(rank, columns, 2)
    tail = _decreasing("eigenvalues", eigenvalues)[rank:]
    return float((1 + rank / (columns - rank - 1)) * np.sum(tail))


def best_nystrom_bound(eigenvalues: Num[np.ndarray, " n"], columns: int) -> float:
    """Return the least of :func:`nystrom_bound` over the rank k, which is free to choose."""
    _, columns = _oversampled(1, columns, 2)
    values = _decreasing("eigenvalues", eigenvalues)
    # beyond the last eigenvalue nothing is left to lose
    most = min(columns - 2, len(values))
    return min(nystrom_bound(values, columns, rank) for rank in range(1, most + 1))


def range_error(a: Float[Array, "n1 n2"], b: Float[Array, "n1 r"]) -> float:
    """Return ||A - Q Qᵀ A||_F for an orthonormal basis Q of the sketch B.

    Raises
    ------
    ValueError
        When a matrix is empty or not finite, or B has not as many rows as A.
    """
    a, b = jnp.asarray(real_array("a", a, 2)), jnp.asarray(real_array("b", b, 2))
    if a.shape[0] != b.shape[0]:
        raise ValueError(f"b = an array of shape {b.shape}: must have {a.shape[0]} rows, as a has")
    q, _ = jnp.linalg.qr(b)
    return float(jnp.linalg.norm(a - q @ (q.T @ a)))


def truncation_error(singular_values: Num[np.ndarray, " n"], rank: int) -> float:
    """Return ||A - A_k||_F of the best rank-k approximation (Eckart-Young).

    Raises
    ------
    ValueError
        When the rank is negative.
    """
    rank = integer("rank", rank, 0)
    tail = _decreasing("singular_values", singular_values)[rank:]
    return float(np.sqrt(np.sum(tail**2)))
