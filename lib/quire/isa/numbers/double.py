"""Double precision on register pairs, low word first.

Sums, products, quotients and roots are the host's, which may flush denormals (the specification
allows it). The fused product-sum is computed by integer work, so that it rounds once for every
triple, denormals and the largest numbers included.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt64

from quire.isa.numbers.integers import Words
from quire.isa.numbers.single import Doubles, narrow, widen


def join(low: Words, high: Words) -> Doubles:
    """Return the double in a register pair, low word first."""
    bits = low.astype(jnp.uint64) | (high.astype(jnp.uint64) << 32)
    return jax.lax.bitcast_convert_type(bits, jnp.float64)


def split(value: Doubles) -> tuple[Words, Words]:
    """Return the low and the high word of a double."""
    bits = jax.lax.bitcast_convert_type(value, jnp.uint64)
    return bits.astype(jnp.uint32), (bits >> 32).astype(jnp.uint32)


class _Wide(NamedTuple):
    """An unsigned integer of 128 bits."""

    high: UInt64[Array, "..."]
    low: UInt64[Array, "..."]


def _shift_left(x: _Wide, by: jax.Array) -> _Wide:
    """``x << by`` for ``by`` from 0 to 127."""
    by = by.astype(jnp.uint64)
    near = by & 63
    carried = jnp.where(near == 0, 0, x.low >> ((64 - near) & 63))
    high, low = (x.high << near) | carried, x.low << near
    far = by >= 64
    return _Wide(jnp.where(far, low, high), jnp.where(far, 0, low))


def _shift_right_sticky(x: _Wide, by: jax.Array) -> _Wide:
    """``x >> by``, with the last bit set if any bit was lost; ``by`` may be any number >= 0."""
    by = jnp.minimum(by, 127).astype(jnp.uint64)
    near = by & 63
    carried = jnp.where(near == 0, 0, x.high << ((64 - near) & 63))
    low, high = (x.low >> near) | carried, x.high >> near
    far = by >= 64
    result = _Wide(jnp.where(far, 0, high), jnp.where(far, high, low))
    back = _shift_left(result, by)
    lost = (back.high != x.high) | (back.low != x.low)
    return result._replace(low=result.low | lost.astype(jnp.uint64))


def _product(a: UInt64[Array, "..."], b: UInt64[Array, "..."]) -> _Wide:
    """Return the product of two integers below 2**53."""
    mask = jnp.uint64(0xFFFFFFFF)
    a_low, a_high, b_low, b_high = a & mask, a >> 32, b & mask, b >> 32
    middle = a_low * b_high + a_high * b_low
    low = a_low * b_low + (middle << 32)
    carry = (low < (middle << 32)).astype(jnp.uint64)
    return _Wide(a_high * b_high + (middle >> 32) + carry, low)


def _add(x: _Wide, y: _Wide) -> _Wide:
    low = x.low + y.low
    return _Wide(x.high + y.high + (low < x.low).astype(jnp.uint64), low)


def _subtract(x: _Wide, y: _Wide) -> _Wide:
    return _Wide(x.high - y.high - (x.low < y.low).astype(jnp.uint64), x.low - y.low)


def _parts(bits: UInt64[Array, "..."]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sign, exponent and significand: the number is significand * 2**exponent, 53 bits or 0."""
    field = ((bits >> 52) & 0x7FF).astype(jnp.int64)
    fraction = bits & ((1 << 52) - 1)
    significand = jnp.where(field == 0, fraction, fraction | (1 << 52))
    exponent = jnp.maximum(field, 1) - 1075
    missing = jnp.where(significand == 0, 0, jax.lax.clz(significand).astype(jnp.int64) - 11)
    return bits >> 63, exponent - missing, significand << missing.astype(jnp.uint64)


def fused_multiply_add(a: Doubles, b: Doubles, c: Doubles) -> Doubles:
    """Return ``a * b + c`` in double precision, rounded once to nearest, ties to even.

    Product and addend are aligned as integers of 128 bits, what falls off below is kept as one
    sticky bit, and the sum is rounded (the textbook way, Muller et al. 2018, chapter 8). NaN and
    infinity are left to the host.
    """
    (sa, ea, ma), (sb, eb, mb), (sc, ec, mc) = (
        _parts(jax.lax.bitcast_convert_type(x, jnp.uint64)) for x in (a, b, c)
    )
    sp, product = sa ^ sb, _shift_left(_product(ma, mb), jnp.uint64(20))
    addend = _shift_left(_Wide(jnp.zeros_like(mc), mc), jnp.uint64(73))
    no_product, no_addend = (ma == 0) | (mb == 0), mc == 0
    ep, ec = ea + eb - 20, ec - 73
    ep = jnp.where(no_product, ec, ep)
    ec = jnp.where(no_addend, ep, ec)
    exponent = jnp.maximum(ep, ec)
    product = _shift_right_sticky(product, exponent - ep)
    addend = _shift_right_sticky(addend, exponent - ec)
    same = sp == sc
    less = (product.high < addend.high) | (
        (product.high == addend.high) & (product.low < addend.low)
    )
    large = _Wide(*(jnp.where(less, y, x) for x, y in zip(product, addend, strict=True)))
    small = _Wide(*(jnp.where(less, x, y) for x, y in zip(product, addend, strict=True)))
    total = _Wide(
        *(
            jnp.where(same, x, y)
            for x, y in zip(_add(large, small), _subtract(large, small), strict=True)
        )
    )
    is_zero = (total.high == 0) & (total.low == 0)
    # a difference that vanishes is +0, a sum of two zeros keeps their common sign
    sign = jnp.where(is_zero & ~same, 0, jnp.where(less, sc, sp))
    packed = _round(total, exponent, is_zero) | (sign << 63)
    plain = a * b + c
    finite = jnp.isfinite(a) & jnp.isfinite(b) & jnp.isfinite(c)
    return jnp.where(finite, jax.lax.bitcast_convert_type(packed, jnp.float64), plain)


def _round(total: _Wide, exponent: jax.Array, is_zero: jax.Array) -> UInt64[Array, "..."]:
    """Return the bits of ``total * 2**exponent`` without its sign."""
    zeros_high = jax.lax.clz(total.high).astype(jnp.int64)
    zeros = jnp.where(total.high == 0, 64 + jax.lax.clz(total.low).astype(jnp.int64), zeros_high)
    zeros = jnp.where(is_zero, 0, zeros)
    total, exponent = _shift_left(total, zeros), exponent - zeros
    # the leading bit stands for 2**(exponent + 127); denormals share the last place of 2**-1022
    field = jnp.maximum(exponent + 127 + 1023, 1)
    total = _shift_right_sticky(total, field - (exponent + 127 + 1023))
    kept, rest = total.high >> 11, (total.high & 0x7FF, total.low)
    half = (rest[0] == 0x400) & (rest[1] == 0)
    up = (rest[0] > 0x400) | ((rest[0] == 0x400) & (rest[1] != 0)) | (half & (kept & 1 == 1))
    bits = ((field - 1).astype(jnp.uint64) << 52) + kept + up.astype(jnp.uint64)
    infinity = jnp.uint64(0x7FF << 52)
    return jnp.where(is_zero, 0, jnp.where((field >= 2047) | (bits > infinity), infinity, bits))


_FUNCTIONS: dict[str, Callable[..., Doubles]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "fused": fused_multiply_add,
    "divide": lambda a, b: a / b,
    "root": jnp.sqrt,
}


def double(name: str) -> Callable[..., tuple[Words, Words]]:
    """Return the operation ``name`` on register pairs; takes and returns low and high words."""

    def apply(*words: Words) -> tuple[Words, Words]:
        pairs = [join(low, high) for low, high in zip(words[::2], words[1::2], strict=True)]
        return split(_FUNCTIONS[name](*pairs))

    return apply


def double_to_single(low: Words, high: Words) -> Words:
    """Double to single, rounded."""
    value = join(low, high)
    return jnp.where(jnp.isnan(value), jnp.uint32(0x7FC00000), narrow(value))


def single_to_double(a: Words) -> tuple[Words, Words]:
    """Single to double, exact."""
    return split(widen(a))
