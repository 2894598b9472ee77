"""How good a sketch is: expectation bounds and measured errors."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def _oversampled(rank: int, columns: int, least: int) -> None:
    if rank < 1 or columns - rank < least:
        raise ValueError(
            f"rank={rank} needs 1 <= rank <= r - {least} with r={columns}; use more columns"
        )


def range_finder_bound(singular_values: Float[np.ndarray, " n"], columns: int, rank: int) -> float:
    """Bound on E ||A - Q Qᵀ A||_F for a Gaussian sketch of r ``columns``, rank k, p = r - k >= 2.

    sqrt(1 + k/(p - 1)) (sum_{j>k} s_j^2)^(1/2). Source: Halko, Martinsson, Tropp 2011, theorem
    10.5.
    """
    _oversampled(rank, columns, 2)
    tail = np.sort(np.abs(singular_values))[::-1][rank:]
    return float(np.sqrt((1 + rank / (columns - rank - 1)) * np.sum(tail**2)))


def nystrom_bound(eigenvalues: Float[np.ndarray, " n"], columns: int, rank: int) -> float:
    """Bound on E ||A - A_nys||_* (nuclear norm), (1 + k/(r - k - 1)) sum_{j>k} λ_j.

    For a Gaussian sketch of r ``columns`` of a positive semidefinite A, k <= r - 2.
    Source: Tropp, Yurtsever, Udell, Cevher 2017, theorem 4.1.
    """
    _oversampled(rank, columns, 2)
    tail = np.sort(eigenvalues)[::-1][rank:]
    return float((1 + rank / (columns - rank - 1)) * np.sum(tail))


def best_nystrom_bound(eigenvalues: Float[np.ndarray, " n"], columns: int) -> float:
    """The least of :func:`nystrom_bound` over the rank k, which is free to choose."""
    _oversampled(1, columns, 2)
    return min(nystrom_bound(eigenvalues, columns, rank) for rank in range(1, columns - 1))


def range_error(a: Float[Array, "n1 n2"], b: Float[Array, "n1 r"]) -> float:
    """||A - Q Qᵀ A||_F for an orthonormal basis Q of the sketch B."""
    q, _ = jnp.linalg.qr(b)
    return float(jnp.linalg.norm(a - q @ (q.T @ a)))


def truncation_error(singular_values: Float[np.ndarray, " n"], rank: int) -> float:
    """||A - A_k||_F of the best rank-k approximation (Eckart-Young)."""
    tail = np.sort(np.abs(singular_values))[::-1][rank:]
    return float(np.sqrt(np.sum(tail**2)))
