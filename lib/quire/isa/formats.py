"""The other float formats: half, bfloat16, both packed in pairs, and double on register pairs.

Half and bfloat16 results are computed in double precision and rounded once, so the fused forms are
exact. Doubles flush denormals where XLA's host does, which the specification allows.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from quire.isa.arithmetic import Words
from quire.isa.deviations import Deviation
from quire.isa.floating import Doubles, narrow, round_to_odd_sum, widen

# (exponent bits, stored significand bits)
HALF = (5, 10)
BFLOAT = (8, 7)
Format = tuple[int, int]


def decode(bits: Words, form: Format) -> Doubles:
    """The double that equals a 16-bit float held in the low half of a word."""
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
    """A double rounded to the nearest 16-bit float, ties to even, in the low half of a word."""
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
    """A double as bfloat16: rounded, or cut off from single precision as the reference does."""
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
    """The operation ``name`` on half-precision numbers in the low halves of words."""

    def apply(*sources: Words) -> Words:
        return encode(_PLAIN[name](*(decode(word, HALF) for word in sources)), HALF)

    return apply


def packed_half(name: str) -> Callable[..., Words]:
    """The operation ``name`` on both half-precision numbers of each word."""

    def apply(*sources: Words) -> Words:
        upper = half(name)(*(word >> 16 for word in sources))
        return half(name)(*sources) | (upper << 16)

    return apply


def bfloat(name: str) -> Callable[..., Words]:
    """The operation ``name`` on bfloat16 numbers in the low halves of words."""

    def apply(*sources: Words, deviation: jax.Array) -> Words:
        result = _PLAIN[name](*(decode(word, BFLOAT) for word in sources))
        return encode_bfloat(result, deviation)

    return apply


def packed_bfloat(name: str) -> Callable[..., Words]:
    """The operation ``name`` on both bfloat16 numbers of each word."""

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


def join(low: Words, high: Words) -> Doubles:
    """The double in a register pair, low word first."""
    bits = low.astype(jnp.uint64) | (high.astype(jnp.uint64) << 32)
    return jax.lax.bitcast_convert_type(bits, jnp.float64)


def split(value: Doubles) -> tuple[Words, Words]:
    """The low and the high word of a double."""
    bits = jax.lax.bitcast_convert_type(value, jnp.uint64)
    return bits.astype(jnp.uint32), (bits >> 32).astype(jnp.uint32)


def _halves(a: Doubles) -> tuple[Doubles, Doubles]:
    """``a`` as a sum of two doubles of 26 bits each, so that their products are exact."""
    bits = jax.lax.bitcast_convert_type(a, jnp.int64)
    high = jax.lax.bitcast_convert_type((bits + (1 << 26)) & ~((1 << 27) - 1), jnp.float64)
    return high, a - high


def fused_double(a: Doubles, b: Doubles, c: Doubles) -> Doubles:
    """``a * b + c`` in double precision, rounded once (Boldo and Melquiond 2008).

    Exact while the product's error term neither overflows nor underflows, that is for products
    between about 2^-900 and 2^990.
    """
    (ah, al), (bh, bl) = _halves(a), _halves(b)
    product = a * b
    error = ((ah * bh - product) + ah * bl + al * bh) + al * bl
    low = c + error
    back = low - c
    low_error = (c - (low - back)) + (error - back)
    high = product + low
    back = high - product
    high_error = (product - (high - back)) + (low - back)
    exact = high + round_to_odd_sum(low_error, high_error)
    plain = product + c
    usable = jnp.isfinite(ah) & jnp.isfinite(bh) & jnp.isfinite(plain)
    return jnp.where(usable, exact, plain)


def double(name: str) -> Callable[..., tuple[Words, Words]]:
    """The operation ``name`` on register pairs; takes and returns low and high words."""
    plain: dict[str, Callable[..., Doubles]] = {
        **_PLAIN,
        "fused": fused_double,
        "divide": lambda a, b: a / b,
        "root": jnp.sqrt,
    }

    def apply(*words: Words) -> tuple[Words, Words]:
        pairs = [join(low, high) for low, high in zip(words[::2], words[1::2], strict=True)]
        return split(plain[name](*pairs))

    return apply


def double_to_single(low: Words, high: Words) -> Words:
    """Double to single, rounded."""
    value = join(low, high)
    return jnp.where(jnp.isnan(value), jnp.uint32(0x7FC00000), narrow(value))


def single_to_double(a: Words) -> tuple[Words, Words]:
    """Single to double, exact."""
    return split(widen(a))
