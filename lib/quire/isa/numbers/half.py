"""Half precision and bfloat16, alone and packed in pairs.

Results are computed in double precision and rounded once, so that the fused forms are exact.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from quire.isa.deviations import Deviation
from quire.isa.numbers.integers import Words
from quire.isa.numbers.single import Doubles, narrow, round_to_odd_sum, widen

# (exponent bits, stored significand bits)
HALF = (5, 10)
BFLOAT = (8, 7)
Format = tuple[int, int]


def decode(bits: Words, form: Format) -> Doubles:
    """Return the double that equals a 16-bit float held in the low half of a word."""
    exponent_bits, stored = form
    bias = 2 ** (exponent_bits - 1) - 1
    bits = bits & 0xFFFF
    field = (bits >> stored) & (2**exponent_bits - 1)
    significand = (bits & (2**stored - 1)).astype(jnp.float64)
    lowest = jnp.maximum(field.astype(jnp.int64), 1)
    scale = jax.lax.bitcast_convert_type((lowest - bias - stored + 1023) << 52, jnp.float64)
    number = (significand + jnp.where(field > 0, 2.0**stored, 0.0)) * scale
    special = jnp.where(significand == 0, jnp.inf, jnp.nan)
    number = jnp.where(field == 2**exponent_bits - 1, special, number)
    return jnp.where(bits >> 15 == 1, -number, number)


def encode(value: Doubles, form: Format) -> Words:
    """Round a double to the nearest 16-bit float, ties to even, in the low half of a word."""
    return _pack(value, form, jnp.rint)


def _pack(value: Doubles, form: Format, rounding: Callable[[Doubles], Doubles]) -> Words:
    exponent_bits, stored = form
    bias = 2 ** (exponent_bits - 1) - 1
    top = (2**exponent_bits - 1) << stored
    sign = jnp.where(jnp.signbit(value), jnp.uint32(0x8000), jnp.uint32(0))
    magnitude = jnp.minimum(jnp.abs(value), 2.0**500)
    bits = jax.lax.bitcast_convert_type(magnitude, jnp.int64)
    exponent = jnp.maximum((bits >> 52) - 1023, 1 - bias)
    scale = jax.lax.bitcast_convert_type((1023 + stored - exponent) << 52, jnp.float64)
    steps = rounding(jnp.where(jnp.isnan(value), 0.0, magnitude) * scale).astype(jnp.int64)
    packed = jnp.minimum(((exponent + bias - 1) << stored) + steps, top).astype(jnp.uint32)
    quiet = jnp.uint32(top | (1 << (stored - 1)))
    return jnp.where(jnp.isnan(value), quiet | sign, packed | sign)


def encode_bfloat(value: Doubles, deviation: jax.Array) -> Words:
    """Convert a double to bfloat16: rounded, or cut off from single as the reference does."""
    cut = narrow(value) >> 16
    strange = deviation & Deviation.BFLOAT_TRUNCATES != 0
    return jnp.where(strange, cut, encode(value, BFLOAT))


def _fused(a: Doubles, b: Doubles, c: Doubles) -> Doubles:
    return round_to_odd_sum(a * b, c)


_PLAIN: dict[str, Callable[..., Doubles]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "fused": _fused,
}


def half(name: str) -> Callable[..., Words]:
    """Return the operation ``name`` on half-precision numbers in the low halves of words."""

    def apply(*sources: Words) -> Words:
        return encode(_PLAIN[name](*(decode(word, HALF) for word in sources)), HALF)

    return apply


def packed_half(name: str) -> Callable[..., Words]:
    """Return the operation ``name`` on both half-precision numbers of each word."""

    def apply(*sources: Words) -> Words:
        upper = half(name)(*(word >> 16 for word in sources))
        return half(name)(*sources) | (upper << 16)

    return apply


def bfloat(name: str) -> Callable[..., Words]:
    """Return the operation ``name`` on bfloat16 numbers in the low halves of words."""

    def apply(*sources: Words, deviation: jax.Array) -> Words:
        result = _PLAIN[name](*(decode(word, BFLOAT) for word in sources))
        return encode_bfloat(result, deviation)

    return apply


def packed_bfloat(name: str) -> Callable[..., Words]:
    """Return the operation ``name`` on both bfloat16 numbers of each word."""

    def apply(*sources: Words, deviation: jax.Array) -> Words:
        upper = bfloat(name)(*(word >> 16 for word in sources), deviation=deviation)
        return bfloat(name)(*sources, deviation=deviation) | (upper << 16)

    return apply


def half_to_single(a: Words) -> Words:
    """Half to single, exact."""
    return narrow(decode(a, HALF))


def single_to_half(a: Words) -> Words:
    """Single to half, rounded."""
    return encode(widen(a), HALF)


def bfloat_to_single(a: Words) -> Words:
    """Bfloat16 to single, exact: the same bits, shifted."""
    return a << 16


def single_to_bfloat(a: Words, deviation: jax.Array) -> Words:
    """Single to bfloat16, rounded."""
    return encode_bfloat(widen(a), deviation)
