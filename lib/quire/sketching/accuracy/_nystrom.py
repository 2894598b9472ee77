"""The Nystrom approximation of a positive semidefinite matrix, evaluated stably."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cholesky, solve_triangular
from jaxtyping import Array, Float

from quire.signatures import checked
from quire.sketching.problem import check_nystrom
from quire.sketching.programs.algorithms import as_matrix
from quire.sketching.random_matrix.blocks import Distribution, block


@dataclass(frozen=True)
class LowRank:
    """A ≈ U diag(λ) Uᵀ with orthonormal U and λ >= 0 in decreasing order."""

    vectors: Float[Array, "n r"]
    eigenvalues: Float[Array, " r"]

    def matrix(self) -> Float[Array, "n n"]:
        """Return the approximation as a dense matrix."""
        return (self.vectors * self.eigenvalues) @ self.vectors.T


@checked
def nystrom(
    a: Float[Array, "n n"], r: int, seed: int, *, distribution: Distribution = "gaussian"
) -> LowRank:
    """Return the rank-r Nystrom approximation of a symmetric positive semidefinite A.

    A is scaled by a power of two first, which changes no digit: a matrix of 1e-300 is approximated
    as well as one of ones.

    Raises
    ------
    ValueError
        When A is not square, not finite, not symmetric (to 1e-10 of its largest entry in double,
        1e-4 in single precision) or visibly not positive semidefinite, or when r > n.
    """
    a = as_matrix("A", a)
    if a.shape[0] != a.shape[1]:
        raise ValueError(f"A = of shape {tuple(a.shape)}: a square matrix is allowed")
    _, r, _ = check_nystrom(a.shape[0], r, 1)
    scaled, exponent = _scaled("A", a)
    asymmetry = float(jnp.max(jnp.abs(scaled - scaled.T)))
    if asymmetry > (1e-10 if a.dtype == jnp.float64 else 1e-4):
        raise ValueError(
            f"A = with |A - Aᵀ| up to {asymmetry:.3g} of its largest entry: a symmetric matrix is "
            "allowed, such as (A + Aᵀ)/2"
        )
    omega = block(seed, a.shape[0], r, distribution=distribution, dtype=a.dtype)
    found = from_products(scaled @ omega, omega)  # Ω is held whole anyway
    return LowRank(found.vectors, jnp.ldexp(found.eigenvalues, exponent))


def from_products(y: Float[Array, "n r"], omega: Float[Array, "n r"]) -> LowRank:
    """Return Nystrom from Y = A Ω and Ω, by a Cholesky factor of the shifted core, not pinv(Z).

    With ν = sqrt(n) eps ||Y||_2 (the spacing of numbers near ||Y||, so that it scales with A):
    Y_ν = Y + ν Ω, C = chol(Ωᵀ Y_ν), B = Y_ν C⁻¹, and the eigenvalues are max(s² - ν, 0) for the
    singular values s of B. Y = 0 gives eigenvalues 0. Source: Li, Linderman, Szlam, Stanton,
    Kluger, Tygert 2017; Tropp et al. 2017.

    Raises
    ------
    ValueError
        When shapes differ, an entry is not finite, or ΩᵀY is not positive semidefinite even after
        shifts up to 10^6 ν.
    """
    y, omega = as_matrix("y", y), as_matrix("omega", omega)
    if y.shape != omega.shape or y.dtype != omega.dtype:
        raise ValueError(
            f"omega = {omega.dtype} of shape {omega.shape}: {y.dtype} of shape {y.shape} is "
            "allowed, as y has"
        )
    scaled, exponent = _scaled("y", y)
    if not np.isfinite(np.asarray(omega)).all():
        raise ValueError("omega has non-finite entries: finite numbers are allowed")
    if not bool(jnp.any(scaled)):
        return LowRank(jnp.linalg.qr(omega)[0], jnp.zeros(y.shape[1], y.dtype))
    largest = float(jnp.linalg.eigvalsh(scaled.T @ scaled)[-1]) ** 0.5  # ||Y||_2
    shift = float(np.sqrt(y.shape[0]) * jnp.finfo(y.dtype).eps * largest)
    for growth in (1, 10, 100, 1000, 10**4, 10**5, 10**6):
        vectors, squares, certain = _factor(scaled, omega, jnp.asarray(growth * shift, y.dtype))
        if bool(certain):
            values = jnp.maximum(squares - growth * shift, 0)
            return LowRank(vectors, jnp.ldexp(values, exponent))
    raise ValueError("A = with Ωᵀ A Ω indefinite: a positive semidefinite matrix is allowed")


def _scaled(name: str, a: Float[Array, "n m"]) -> tuple[Float[Array, "n m"], int]:
    """Return A over 2^e, its largest entry from 1/2 to 1, and e; a matrix of zeros with e = 0.

    Raises
    ------
    ValueError
        When an entry is not finite.
    """
    largest = float(np.abs(np.asarray(a)).max())
    if not math.isfinite(largest):
        raise ValueError(f"{name} has non-finite entries: finite numbers are allowed")
    exponent = math.frexp(largest)[1]
    return jnp.asarray(np.ldexp(np.asarray(a), -exponent)), exponent


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
