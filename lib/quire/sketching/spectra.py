"""Test matrices: symmetric, positive semidefinite, with a spectrum that is known."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from quire.sketching.problem import positive_integer

Spectrum = Literal["exp8", "poly1", "poly2", "flat-noise"]


def eigenvalues(spectrum: Spectrum, n: int) -> Float[np.ndarray, " n"]:
    """Eigenvalues in decreasing order: exp(-j/8), 1/j, 1/j², or 20 ones on a floor of 1e-3."""
    positive_integer("n", n)
    j = np.arange(n, dtype=float)
    if spectrum == "exp8":
        return np.exp(-j / 8)
    if spectrum == "poly1":
        return 1 / (j + 1)
    if spectrum == "poly2":
        return 1 / (j + 1) ** 2
    if spectrum == "flat-noise":
        return np.where(j < 20, 1.0, 1e-3)
    raise ValueError(f"spectrum must be one of {get_args(Spectrum)}, got {spectrum!r}")


def matrix_of(values: Float[np.ndarray, " n"], seed: int) -> Float[Array, "n n"]:
    """Q diag(values) Qᵀ for a Haar-distributed orthogonal Q drawn from ``seed``."""
    n = values.shape[0]
    gaussian = jax.random.normal(jax.random.key(seed), (n, n), jnp.float64)
    q, upper = jnp.linalg.qr(gaussian)
    q = q * jnp.sign(jnp.diag(upper))
    a = (q * values) @ q.T
    return (a + a.T) / 2


def rbf_gram(
    points: Float[np.ndarray, "n features"], gamma: float | None = None
) -> Float[Array, "n n"]:
    """Kernel matrix exp(-gamma ||x - y||²); gamma is 1/(features · variance) by default.

    On scikit-learn's bundled digits (``load_digits().data``) it is a real matrix of order 1797.
    """
    if not np.isfinite(points).all():
        raise ValueError("points has non-finite entries; replace the NaN and infinite ones")
    width = gamma if gamma is not None else 1 / (points.shape[1] * float(points.var()))
    x = jnp.asarray(points)
    norms = jnp.sum(x * x, axis=1)
    squared = jnp.maximum(norms[:, None] + norms[None, :] - 2 * x @ x.T, 0)
    gram = jnp.exp(-width * squared)
    return (gram + gram.T) / 2
