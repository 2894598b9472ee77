"""The equations that are left at the ports of the nonlinear devices.

With the constant part inverted once, ``x = M (b - S j)``, and only the unknowns that steer devices
have to be found by Newton's method: at most as many as those voltages have independent directions.
This is partial reduction with the devices' conductances as what varies (Woodbury's form of it).
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

_RANK = 1e-9


def independent_directions(reach: Any) -> Float[np.ndarray, "c r"]:
    """Return an orthonormal basis of all ways in which device currents move steering voltages.

    A node that a source holds adds no direction, nor does a voltage that follows from another one.

    Parameters
    ----------
    reach
        P^T M S for several variants and kinds of steps, side by side: ``[c, columns]``.
    """
    sizes = np.linalg.norm(reach, axis=0)
    kept = reach[:, sizes > 1e-12 * sizes.max(initial=0.0)]
    if kept.size == 0:
        return np.zeros((len(reach), 0))
    # each column as a direction, then the large and the small ones kept apart by the SVD
    left, values, _ = np.linalg.svd(kept / np.linalg.norm(kept, axis=0), full_matrices=False)
    return left[:, values > _RANK * values[0]]


def times(matrix: Any, vector: Any) -> Any:
    """Return matrix @ vector for ``[i, j, lanes]`` and ``[j, lanes]``; one matrix may serve all."""
    if matrix.ndim == 2:
        return matrix @ vector
    if matrix.shape[-1] == 1:
        return matrix[..., 0] @ vector
    if matrix.shape[1] <= 8:
        total = matrix[:, 0] * vector[0]
        for k in range(1, matrix.shape[1]):
            total = total + matrix[:, k] * vector[k]
        return total
    return jnp.sum(matrix * vector[None], axis=1)


def gauss_jordan_lanes(matrix: Any, right: Any) -> Any:
    """Solve small systems side by side, lanes last, by elimination with partial pivoting.

    Every lane swaps its own rows: the pivot row is picked by a mask, so that no lane waits for an
    index. A singular lane gives NaN or infinities, and shows as one that does not converge.
    """
    n = matrix.shape[0]
    if n == 1:
        return right / matrix[0]
    m = jnp.concatenate([matrix, right[:, None]], axis=1)
    place = jnp.arange(n)[:, None]
    for k in range(n):
        sizes = jnp.where(place >= k, jnp.abs(m[:, k]), -1.0)
        chosen = place == jnp.argmax(sizes, axis=0)[None]
        row = jnp.sum(jnp.where(chosen[:, None], m, 0.0), axis=0)
        m = jnp.where(chosen[:, None], m[k][None], m)  # the displaced row takes the winner's place
        row = row / row[k]
        cleared = m - m[:, k][:, None] * row[None]
        m = cleared.at[k].set(row)
    return m[:, n]
