"""The Nystrom approximation of a positive semidefinite matrix, evaluated stably."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cholesky, solve_triangular
from jaxtyping import Array, Float

from quire.sketching.algorithms import sketch
from quire.sketching.problem import nystrom_size
from quire.sketching.random_matrix import Distribution, block


@dataclass(frozen=True)
class LowRank:
    """A ≈ U diag(λ) Uᵀ with orthonormal U and λ >= 0 in decreasing order."""

    vectors: Float[Array, "n r"]
    eigenvalues: Float[Array, " r"]

    def matrix(self) -> Float[Array, "n n"]:
        """The approximation as a dense matrix."""
        return (self.vectors * self.eigenvalues) @ self.vectors.T


def nystrom(
    a: Float[Array, "n n"], r: int, seed: int, *, distribution: Distribution = "gaussian"
) -> LowRank:
    """The rank-r Nystrom approximation of a symmetric positive semidefinite A.

    Raises ``ValueError`` when A is not square, not finite, not symmetric (to 1e-10 of its largest
    entry in double, 1e-4 in single precision) or visibly not positive semidefinite, or when r >
    n.
    """
    if a.shape[0] != a.shape[1]:
        raise ValueError(f"A must be square, got shape {a.shape}")
    nystrom_size(a.shape[0], r, 1)
    y = sketch(a, r, seed, distribution=distribution)
    largest = float(jnp.max(jnp.abs(a)))
    asymmetry = float(jnp.max(jnp.abs(a - a.T)))
    if asymmetry > (1e-10 if a.dtype == jnp.float64 else 1e-4) * largest:
        raise ValueError(f"A is not symmetric: |A - Aᵀ| reaches {asymmetry:.3g}; pass (A + Aᵀ)/2")
    omega = block(seed, a.shape[0], r, distribution=distribution, dtype=a.dtype)
    return from_products(y, omega)


def from_products(y: Float[Array, "n r"], omega: Float[Array, "n r"]) -> LowRank:
    """Nystrom from Y = A Ω and Ω, by a Cholesky factor of the shifted core instead of pinv(Z).

    With ν = sqrt(n) eps ||Y||_2 (the spacing of numbers near ||Y||, so that it scales with A):
    Y_ν = Y + ν Ω, C = chol(Ωᵀ Y_ν), B = Y_ν C⁻¹, and the eigenvalues are max(s² - ν, 0) for the
    singular values s of B. Source: Li, Linderman, Szlam, Stanton, Kluger, Tygert 2017; Tropp et
    al. 2017. Raises ``ValueError`` when ΩᵀY is not positive semidefinite even after shifts up to
    10^6 ν.
    """
    shift = float(jnp.sqrt(y.shape[0]) * jnp.finfo(y.dtype).eps * jnp.linalg.norm(y, 2))
    for growth in (1, 10, 100, 1000, 10**4, 10**5, 10**6):
        vectors, squares, certain = _factor(y, omega, jnp.asarray(growth * shift, y.dtype))
        if bool(certain):
            values = jnp.maximum(squares - growth * shift, 0)
            return LowRank(vectors, values)
    raise ValueError("Ωᵀ A Ω is not positive semidefinite; Nystrom needs a positive semidefinite A")


@jax.jit
def _factor(
    y: Float[Array, "n r"], omega: Float[Array, "n r"], shift: Float[Array, ""]
) -> tuple[Float[Array, "n r"], Float[Array, " r"], Array]:
    shifted = y + shift * omega
    core = omega.T @ shifted
    upper = cholesky((core + core.T) / 2)
    b = solve_triangular(upper, shifted.T, trans="T").T
    u, s, _ = jnp.linalg.svd(jnp.nan_to_num(b), full_matrices=False)
    return u, s**2, jnp.isfinite(upper).all()
