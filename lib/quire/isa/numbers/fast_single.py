"""Single precision the fast way: what the host's own float unit gives, and where not to trust it.

Each function returns the words and, per lane, whether they are in doubt: the host flushes denormals
and has its own NaNs. Doubt is judged by the operands' exponents alone, so that no result on the
way can have been denormal, infinite or NaN; that is stricter than it need be, and cheap. Whoever is
in doubt computes the exact function of `quire.isa.numbers.single`.
"""

import jax
import jax.numpy as jnp

from quire.isa.numbers.integers import Flags, Words

Answer = tuple[Words, Flags]

# Exponent fields between which nothing can happen: a sum that cancels keeps 2**-47 of its largest
# term, a product adds its factors' exponents.
_TERM = (60, 250)
_FACTOR = (96, 158)


def _single(bits: Words) -> jax.Array:
    return jax.lax.bitcast_convert_type(bits, jnp.float32)


def _bits(value: jax.Array) -> Words:
    return jax.lax.bitcast_convert_type(value, jnp.uint32)


def _beyond(bits: Words, between: tuple[int, int]) -> Flags:
    """Whether a word that is not zero has its exponent outside of two bounds."""
    low, high = (jnp.uint32(field << 24) for field in between)
    magnitude = bits << 1
    return (magnitude - low > high - low) & (magnitude != 0)


def add(a: Words, b: Words) -> Answer:
    """Return ``a + b``."""
    return _bits(_single(a) + _single(b)), _beyond(a, _TERM) | _beyond(b, _TERM)


def subtract(a: Words, b: Words) -> Answer:
    """Return ``a - b``."""
    return add(a, b ^ 0x80000000)


def multiply(a: Words, b: Words) -> Answer:
    """Round ``a * b`` from double precision, so that no compiler can fuse it with a sum."""
    product = _single(a).astype(jnp.float64) * _single(b).astype(jnp.float64)
    return _bits(product.astype(jnp.float32)), _beyond(a, _FACTOR) | _beyond(b, _FACTOR)


def fused_multiply_add(a: Words, b: Words, c: Words) -> Answer:
    """Return ``a * b + c`` rounded once.

    The product is exact in double precision and the sum is rounded there and again: wrong only if
    the first rounding lost something and ended on a tie of the second.
    """
    x, y, z = (_single(word).astype(jnp.float64) for word in (a, b, c))
    product = x * y
    total = product + z
    back = total - product
    lost = (product - (total - back)) + (z - back)
    low = jax.lax.bitcast_convert_type(total, jnp.uint64).astype(jnp.uint32) & 0x1FFFFFFF
    doubt = _beyond(a, _FACTOR) | _beyond(b, _FACTOR) | _beyond(c, _TERM)
    doubt |= (low == 0x10000000) & (lost != 0)
    return _bits(total.astype(jnp.float32)), doubt
