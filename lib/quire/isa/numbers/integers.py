"""Integer and bit semantics on lanes of 32-bit words.

Every function takes and returns arrays of unsigned 32-bit words, one per lane, and wraps on
overflow. Signed instructions reinterpret the same bits.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt32

from quire.isa.deviations import Deviation

Words = UInt32[Array, "..."]
Flags = Bool[Array, "..."]


def signed(word: Words) -> jax.Array:
    """Return the same 32 bits read as a two's-complement integer."""
    return jax.lax.bitcast_convert_type(word, jnp.int32)


def unsigned(number: jax.Array) -> Words:
    """Return the same 32 bits read as an unsigned integer."""
    return jax.lax.bitcast_convert_type(number, jnp.uint32)


def add(a: Words, b: Words) -> Words:
    """Return ``a + b`` modulo 2^32."""
    return a + b


def subtract(a: Words, b: Words) -> Words:
    """Return ``a - b`` modulo 2^32."""
    return a - b


def multiply(a: Words, b: Words) -> Words:
    """Return the low 32 bits of ``a * b``."""
    return a * b


def multiply_high(a: Words, b: Words, deviation: jax.Array) -> Words:
    """Return the high 32 bits of the signed product (the emitted PTX says ``mul.hi.s32``)."""
    product = signed(a).astype(jnp.int64) * signed(b).astype(jnp.int64)
    plain = (a.astype(jnp.uint64) * b.astype(jnp.uint64)) >> 32
    high = (product >> 32).astype(jnp.uint32)
    return jnp.where(deviation & Deviation.UNSIGNED_MULTIPLY_HIGH, plain.astype(jnp.uint32), high)


def multiply_add(a: Words, b: Words, c: Words) -> Words:
    """Return ``a * b + c`` modulo 2^32."""
    return a * b + c


def divide(a: Words, b: Words) -> Words:
    """Signed quotient, truncated; 0 where the divisor is 0 (undefined by the specification).

    A quotient of 32-bit numbers is farther from the next integer than double precision errs.
    """
    quotient = signed(a).astype(jnp.float64) / signed(jnp.where(b == 0, 1, b)).astype(jnp.float64)
    whole = jnp.trunc(quotient).astype(jnp.int64).astype(jnp.uint32)
    return jnp.where(b == 0, jnp.uint32(0), whole)


def remainder(a: Words, b: Words) -> Words:
    """Signed remainder with the dividend's sign; 0 where the divisor is 0."""
    return jnp.where(b == 0, jnp.uint32(0), a - divide(a, b) * b)


def negate(a: Words) -> Words:
    """Return ``-a`` modulo 2^32."""
    return jnp.uint32(0) - a


def absolute(a: Words) -> Words:
    """Return ``|a|`` of a signed word; the most negative one is its own absolute value."""
    return jnp.where(signed(a) < 0, negate(a), a)


def minimum(a: Words, b: Words) -> Words:
    """Return the smaller of two signed words."""
    return jnp.where(signed(a) < signed(b), a, b)


def maximum(a: Words, b: Words) -> Words:
    """Return the larger of two signed words."""
    return jnp.where(signed(a) > signed(b), a, b)


def clamp(a: Words, low: Words, high: Words) -> Words:
    """``min(max(a, low), high)``, signed."""
    return minimum(maximum(a, low), high)


def bit_and(a: Words, b: Words) -> Words:
    """Bitwise and."""
    return a & b


def bit_or(a: Words, b: Words) -> Words:
    """Bitwise or."""
    return a | b


def bit_xor(a: Words, b: Words) -> Words:
    """Bitwise exclusive or."""
    return a ^ b


def bit_not(a: Words) -> Words:
    """Bitwise complement."""
    return ~a


def shift_left(a: Words, b: Words) -> Words:
    """Shift left by the low five bits of ``b``."""
    return a << (b & 31)


def shift_right(a: Words, b: Words) -> Words:
    """Logical shift right by the low five bits of ``b``."""
    return a >> (b & 31)


def shift_right_signed(a: Words, b: Words) -> Words:
    """Arithmetic shift right by the low five bits of ``b``."""
    return unsigned(jax.lax.shift_right_arithmetic(signed(a), signed(b & 31)))


def count_ones(a: Words) -> Words:
    """Count the set bits."""
    return jax.lax.population_count(a)


def leading_zeros(a: Words) -> Words:
    """Count the zero bits above the highest set one; all ones for a word of zero."""
    return jnp.where(a == 0, jnp.uint32(0xFFFFFFFF), jax.lax.clz(a))


def reverse_bits(a: Words) -> Words:
    """Return the 32 bits in the opposite order."""
    for step, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        a = ((a >> step) & jnp.uint32(mask)) | ((a & jnp.uint32(mask)) << step)
    return (a >> 16) | (a << 16)


def extract_field(a: Words, offset: Words, width: Words) -> Words:
    """``width`` bits of ``a`` from ``offset`` on; a width of 0 gives 0."""
    return (a >> (offset & 31)) & ((jnp.uint32(1) << (width & 31)) - 1)


def insert_field(a: Words, b: Words, offset: Words, width: Words) -> Words:
    """Return ``a`` with ``width`` bits from ``offset`` on replaced by the low bits of ``b``."""
    mask = ((jnp.uint32(1) << (width & 31)) - 1) << (offset & 31)
    return (a & ~mask) | ((b << (offset & 31)) & mask)


def equal(a: Words, b: Words) -> Flags:
    """Return ``a == b``."""
    return a == b


def not_equal(a: Words, b: Words) -> Flags:
    """Return ``a != b``."""
    return a != b


def less(a: Words, b: Words) -> Flags:
    """Signed ``a < b``."""
    return signed(a) < signed(b)


def less_equal(a: Words, b: Words) -> Flags:
    """Signed ``a <= b``."""
    return signed(a) <= signed(b)


def greater(a: Words, b: Words) -> Flags:
    """Signed ``a > b``."""
    return signed(a) > signed(b)


def greater_equal(a: Words, b: Words) -> Flags:
    """Signed ``a >= b``."""
    return signed(a) >= signed(b)


def below(a: Words, b: Words) -> Flags:
    """Unsigned ``a < b``."""
    return a < b


def below_equal(a: Words, b: Words) -> Flags:
    """Unsigned ``a <= b``."""
    return a <= b


def choose(flag: Flags, a: Words, b: Words) -> Words:
    """Return ``a`` where the predicate is set, else ``b``."""
    return jnp.where(flag, a, b)


def copy(a: Words) -> Words:
    """Return the word itself."""
    return a
