"""Test matrices: symmetric, positive semidefinite, with a given spectrum."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from quire.checks import integer, non_negative, real_array
from quire.signatures import checked

Spectrum = Literal["exp8", "poly1", "poly2", "flat-noise"]


@checked
def eigenvalues(spectrum: Spectrum, n: int) -> Float[np.ndarray, " n"]:
    """Return decreasing eigenvalues: exp(-j/8), 1/j, 1/j², or 20 ones on a floor of 1e-3.

    Raises
    ------
    ValueError
        For another name.
    """
    n = integer("n", n)
    j = np.arange(n, dtype=float)
    if spectrum == "exp8":
        return np.exp(-j / 8)
    if spectrum == "poly1":
        return 1 / (j + 1)
    if spectrum == "poly2":
        return 1 / (j + 1) ** 2
    if spectrum == "flat-noise":
        return np.where(j < 20, 1.0, 1e-3)
    raise ValueError(f"spectrum = {spectrum!r}: one of {get_args(Spectrum)} is allowed")


def matrix_of(values: Float[np.ndarray, " n"], seed: int) -> Float[Array, "n n"]:
    """Return Q diag(values) Qᵀ for a Haar-distributed orthogonal Q drawn from ``seed``.

    Raises
    ------
    ValueError
        When a value is not finite, or the seed is no integer in [0, 2^63).
    """
    values = real_array("values", values, 1)
    seed = integer("seed", seed, 0, 2**63 - 1)
    n = values.shape[0]
    gaussian = jax.random.normal(jax.random.key(seed), (n, n), jnp.float64)
    q, upper = jnp.linalg.qr(gaussian)
    q = q * jnp.sign(jnp.diag(upper))
    a = (q * values) @ q.T
    return (a + a.T) / 2


def rbf_gram(
    points: Num[np.ndarray, "n features"], gamma: float | None = None
) -> Float[Array, "n n"]:
    """Return the kernel matrix exp(-gamma ||x - y||²) of points, in double precision.

    ``gamma`` is 1/(features · variance) by default, and 1 for points that are all the same, as
    scikit-learn's ``gamma="scale"``. On its digits (``load_digits().data``) the result is a real
    matrix of order 1797.

    Raises ``ValueError`` when points is not a finite, non-empty matrix of real numbers, or gamma is
    negative.
    """
    x = real_array("points", points, 2)
    # squares of the largest numbers would not be finite
    scale = float(np.abs(x).max()) or 1.0
    x = x / scale
    if gamma is None:
        variance = float(x.var())
        width = 1 / (x.shape[1] * variance) if variance > 0 else 1.0
    else:
        width = non_negative("gamma", gamma) * scale * scale
    # distances do not feel a shift, and lose their digits far from the origin
    x = x - x.mean(axis=0)
    on_device = jnp.asarray(x)
    norms = jnp.sum(on_device * on_device, axis=1)
    squared = jnp.maximum(norms[:, None] + norms[None, :] - 2 * on_device @ on_device.T, 0)
    gram = jnp.where(squared > 0, jnp.exp(-width * squared), 1.0)
    return (gram + gram.T) / 2
