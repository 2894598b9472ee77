"""Single precision, computed exactly and with every denormal, whatever the host does.

XLA on CPUs flushes denormals and fuses a product with a sum when it likes. So a 32-bit float is
widened to double precision by integer work, the operation is done there, and the result is rounded
back by integer work. Sums, products, quotients and roots of 24-bit significands round twice
without harm (53 >= 2*24 + 2); the fused product-sum is rounded to odd in between, which makes the
second rounding exact (Boldo and Melquiond 2008). A NaN among the operands is returned quieted: the
first in the order rs1, rs2, of a fused product-sum in the order rs2, rs1, rs3; an invalid operation
gives 0xFFC00000; both as the reference's host does. Minimum and maximum return the number if one
operand is NaN, and rs2 if both are.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64

from quire.isa.deviations import Deviation
from quire.isa.numbers.integers import Flags, Words, signed, unsigned

Doubles = Float64[Array, "..."]
DEFAULT_NAN = 0xFFC00000


def is_nan(bits: Words) -> Flags:
    """Whether a word is a NaN."""
    return (bits & 0x7FFFFFFF) > 0x7F800000


def widen(bits: Words) -> Doubles:
    """Return the double that equals a single, denormals included."""
    fraction = (bits & 0x7FFFFF).astype(jnp.float64) * 2.0**-149
    tiny = jnp.where(bits >> 31 == 1, -fraction, fraction)
    usual = jax.lax.bitcast_convert_type(bits, jnp.float32).astype(jnp.float64)
    return jnp.where(bits & 0x7F800000 == 0, tiny, usual)


def narrow(value: Doubles) -> Words:
    """Return a double rounded to the nearest single, ties to even, denormals included."""
    sign = jnp.where(jnp.signbit(value), jnp.uint32(0x80000000), jnp.uint32(0))
    magnitude = jnp.abs(value)
    is_tiny = magnitude < 2.0**-126
    tiny = jnp.rint(jnp.where(is_tiny, magnitude, 0.0) * 2.0**149).astype(jnp.uint32)
    usual = jax.lax.bitcast_convert_type(value.astype(jnp.float32), jnp.uint32)
    return jnp.where(is_tiny, sign | tiny, usual)


def _settle(value: Doubles, *sources: Words) -> Words:
    """Round a result, or hand on the first NaN among the sources."""
    bits = jnp.where(jnp.isnan(value), jnp.uint32(DEFAULT_NAN), narrow(value))
    for source in reversed(sources):
        bits = jnp.where(is_nan(source), source | 0x400000, bits)
    return bits


def round_to_odd_sum(x: Doubles, y: Doubles) -> Doubles:
    """``x + y`` rounded to odd: truncated, with the last bit set if anything was lost."""
    total = x + y
    back = total - x
    lost = (x - (total - back)) + (y - back)
    bits = jax.lax.bitcast_convert_type(total, jnp.int64)
    step = jnp.where((lost > 0) == (total > 0), 1, -1)
    adjust = jnp.isfinite(total) & (lost != 0) & (bits & 1 == 0)
    return jax.lax.bitcast_convert_type(bits + jnp.where(adjust, step, 0), jnp.float64)


def add(a: Words, b: Words) -> Words:
    """Return ``a + b``."""
    return _settle(widen(a) + widen(b), a, b)


def subtract(a: Words, b: Words) -> Words:
    """Return ``a - b``."""
    return _settle(widen(a) - widen(b), a, b)


def multiply(a: Words, b: Words) -> Words:
    """Return ``a * b``."""
    return _settle(widen(a) * widen(b), a, b)


def fused_multiply_add(a: Words, b: Words, c: Words) -> Words:
    """Return ``a * b + c`` rounded once."""
    return _settle(round_to_odd_sum(widen(a) * widen(b), widen(c)), b, a, c)


def divide(a: Words, b: Words, deviation: jax.Array) -> Words:
    """Divide; 0/0 is NaN and a finite number over zero is infinite with the right sign."""
    quotient = _settle(widen(a) / widen(b), a, b)
    strange = (deviation & Deviation.DIVISION_INFINITY != 0) & (b & 0x7FFFFFFF == 0)
    return jnp.where(strange, jnp.uint32(0x7F800000), quotient)


def negate(a: Words) -> Words:
    """Return the sign bit flipped."""
    return a ^ 0x80000000


def absolute(a: Words) -> Words:
    """Return the sign bit cleared."""
    return a & 0x7FFFFFFF


def _ordered(bits: Words) -> jax.Array:
    """Integers in the order of the floats, with -0 below +0."""
    number = signed(bits)
    return jnp.where(number < 0, number ^ 0x7FFFFFFF, number)


def minimum(a: Words, b: Words, deviation: jax.Array) -> Words:
    """Return the smaller number; a NaN loses against a number; -0 is below +0 (IEEE 754-2019)."""
    zeros = (a | b) & 0x7FFFFFFF == 0
    strange = (deviation & Deviation.ZERO_MINIMUM != 0) & zeros
    smaller = jnp.where(strange | (_ordered(a) < _ordered(b)), a, b)
    return _prefer_numbers(a, b, smaller)


def maximum(a: Words, b: Words) -> Words:
    """Return the larger number; a NaN loses against a number; +0 is above -0 (IEEE 754-2019)."""
    return _prefer_numbers(a, b, jnp.where(_ordered(a) > _ordered(b), a, b))


def _prefer_numbers(a: Words, b: Words, both: Words) -> Words:
    return jnp.where(
        is_nan(b), jnp.where(is_nan(a), b | 0x400000, a), jnp.where(is_nan(a), b, both)
    )


def clamp(a: Words, low: Words, high: Words) -> Words:
    """``min(max(a, low), high)``; NaN stays NaN."""
    none = jnp.uint32(0)
    bounded = minimum(maximum(a, low), high, none)
    return jnp.where(is_nan(a), a | 0x400000, bounded)


def saturate(a: Words) -> Words:
    """Return ``a`` clamped to [0, 1]; NaN stays NaN."""
    value = widen(a)
    inside = jnp.where(value > 1.0, jnp.uint32(0x3F800000), jnp.where(value < 0.0, 0, a))
    return jnp.where(is_nan(a), a | 0x400000, inside)


def of_double(function: Callable[[Doubles], Doubles]) -> Callable[[Words], Words]:
    """Lift a function of doubles to singles: exact for roots, within an ulp for the others."""

    def lifted(a: Words) -> Words:
        return _settle(function(widen(a)), a)

    lifted.__doc__ = f"`{getattr(function, '__name__', 'function')}` in double precision, rounded."
    return lifted


def round_half(a: Words, deviation: jax.Array) -> Words:
    """Return the nearest integer, ties to even."""
    value = widen(a)
    away = jnp.trunc(value)
    away = away + jnp.where(jnp.abs(value - away) >= 0.5, jnp.sign(value), 0.0)
    away = jnp.copysign(away, value)
    strange = deviation & Deviation.ROUND_TIES_AWAY != 0
    return _settle(jnp.where(strange, away, jnp.rint(value)), a)


def fraction(a: Words, deviation: jax.Array) -> Words:
    """Return ``a - floor(a)``, as all four backends emit it."""
    value = widen(a)
    whole = jnp.where(
        deviation & Deviation.FRACT_TRUNCATES != 0, jnp.trunc(value), jnp.floor(value)
    )
    return _settle(value - whole, a)


def _compare(a: Words, b: Words, test: Callable[[jax.Array, jax.Array], jax.Array]) -> Flags:
    """Return a comparison of ordered numbers by integer work, with -0 equal to +0."""
    zero = jnp.int32(0)
    x = jnp.where(absolute(a) == 0, zero, _ordered(a))
    y = jnp.where(absolute(b) == 0, zero, _ordered(b))
    return test(x, y) & ~are_unordered(a, b)


def equal(a: Words, b: Words) -> Flags:
    """Return ``a == b``, false for NaN."""
    return _compare(a, b, jax.lax.eq)


def not_equal(a: Words, b: Words) -> Flags:
    """Return ``a != b``, true for NaN."""
    return ~equal(a, b)


def less(a: Words, b: Words) -> Flags:
    """Return ``a < b``, false for NaN."""
    return _compare(a, b, jax.lax.lt)


def less_equal(a: Words, b: Words) -> Flags:
    """Return ``a <= b``, false for NaN."""
    return _compare(a, b, jax.lax.le)


def greater(a: Words, b: Words) -> Flags:
    """Return ``a > b``, false for NaN."""
    return less(b, a)


def greater_equal(a: Words, b: Words) -> Flags:
    """Return ``a >= b``, false for NaN."""
    return less_equal(b, a)


def are_ordered(a: Words, b: Words) -> Flags:
    """Neither operand is NaN."""
    return ~(is_nan(a) | is_nan(b))


def are_unordered(a: Words, b: Words) -> Flags:
    """One operand is NaN."""
    return is_nan(a) | is_nan(b)


def from_signed(a: Words) -> Words:
    """Return a signed integer as the nearest single."""
    return narrow(signed(a).astype(jnp.float64))


def from_unsigned(a: Words) -> Words:
    """Return an unsigned integer as the nearest single."""
    return narrow(a.astype(jnp.float64))


def to_signed(a: Words) -> Words:
    """Return truncation to a signed integer, saturating; NaN gives 0."""
    value = jnp.clip(jnp.trunc(jnp.nan_to_num(widen(a), nan=0.0)), -(2.0**31), 2.0**31 - 1)
    return unsigned(value.astype(jnp.int32))


def to_unsigned(a: Words) -> Words:
    """Return truncation to an unsigned integer, saturating; NaN gives 0."""
    value = jnp.clip(jnp.trunc(jnp.nan_to_num(widen(a), nan=0.0)), 0.0, 2.0**32 - 1)
    return value.astype(jnp.uint32)
