"""Lane functions against NumPy, ml_dtypes and exact fractions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from quire.isa.deviations import Deviation
from quire.isa.numbers.double import fused_multiply_add
from quire.isa.numbers.half import BFLOAT, HALF, decode, encode
from quire.isa.numbers.integers import extract_field, insert_field, reverse_bits
from quire.isa.table import TABLE

EDGES = np.array(
    [
        *(0, 1, 2, 31, 32, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3F800000, 0xBF800000, 0x7F800000),
        *(0xFF800000, 0x7FC00000, 0x807FFFFF, 0x00800000, 0x3F000000, 0x40200000, 0xC0200000),
        *(0x7F7FFFFF, 0x4F000000, 0xCF000000, 0x33800000, 0x00000003, 0xFFC00001),
    ],
    dtype=np.uint32,
)


def pairs():
    generator = np.random.default_rng(11)
    a, b = (x.ravel() for x in np.meshgrid(EDGES, EDGES))
    noise = generator.integers(0, 2**32, (2, 4000), dtype=np.uint32)
    near = generator.integers(0x3F000000, 0x41000000, (2, 4000), dtype=np.uint32)
    return np.concatenate([a, noise[0], near[0]]), np.concatenate([b, noise[1], near[1]])


A, B = pairs()


def apply(name, *words, deviation=0):
    row = TABLE[name]
    options = {"deviation": jnp.int32(deviation)} if row.deviates else {}
    return np.asarray(jax.jit(lambda *w: row.apply(*w, **options))(*words))


def same_floats(got, wanted):
    got, wanted = got.view(np.float32), wanted.astype(np.float32)
    both_nan = np.isnan(got) & np.isnan(wanted)
    assert (both_nan | (got.view(np.uint32) == wanted.view(np.uint32))).all()


INTEGER = {
    "iadd": lambda a, b: a + b,
    "isub": lambda a, b: a - b,
    "imul": lambda a, b: a * b,
    "imul_hi": lambda a, b: (
        (a.view(np.int32).astype(np.int64) * b.view(np.int32).astype(np.int64)) >> 32
    ).astype(np.uint32),
    "imin": lambda a, b: np.minimum(a.view(np.int32), b.view(np.int32)).view(np.uint32),
    "imax": lambda a, b: np.maximum(a.view(np.int32), b.view(np.int32)).view(np.uint32),
    "shl": lambda a, b: a << (b & 31),
    "shr": lambda a, b: a >> (b & 31),
    "sar": lambda a, b: (a.view(np.int32) >> (b & 31).view(np.int32)).view(np.uint32),
}


@pytest.mark.parametrize("name", INTEGER)
def test_integer_operations_equal_numpy(name):
    assert np.array_equal(apply(name, A, B), INTEGER[name](A, B))


def test_division_truncates_and_gives_zero_for_zero():
    for name, wanted in (("idiv", lambda q, r: q), ("imod", lambda q, r: r)):
        got = apply(name, A, B).view(np.int32)
        for a, b, value in zip(A.view(np.int32), B.view(np.int32), got, strict=True):
            quotient = abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1) if b else 0
            rest = int(a) - quotient * int(b) if b else 0
            assert np.uint32(wanted(quotient, rest) & 0xFFFFFFFF) == np.uint32(value)


def test_bit_fields():
    assert list(np.asarray(reverse_bits(jnp.uint32([1, 0x80000000, 6])))) == [2**31, 1, 3 << 29]
    word, value = jnp.uint32(0xABCD1234), jnp.uint32(0xFFFF)
    eight, twelve, none = jnp.uint32(8), jnp.uint32(12), jnp.uint32(0)
    assert int(extract_field(word, eight, twelve)) == 0xD12
    assert int(extract_field(word, eight, none)) == 0
    assert int(insert_field(word, value, eight, twelve)) == 0xABCFFF34
    assert int(insert_field(word, value, eight, none)) == 0xABCD1234


@pytest.mark.parametrize("name", ["fadd", "fsub", "fmul", "fdiv"])
def test_single_precision_equals_ieee_with_denormals(name):
    operation = {"fadd": np.add, "fsub": np.subtract, "fmul": np.multiply, "fdiv": np.divide}[name]
    with np.errstate(all="ignore"):
        same_floats(apply(name, A, B), operation(A.view(np.float32), B.view(np.float32)))


def test_the_fused_product_sum_rounds_once():
    generator = np.random.default_rng(3)
    a, b = generator.integers(0x3F000000, 0x41000000, (2, 3000), dtype=np.uint32)
    c = (-(a.view(np.float32) * b.view(np.float32))).view(np.uint32)
    c[::2] ^= generator.integers(0, 2**24, 1500, dtype=np.uint32)
    got = apply("fma", a, b, c).view(np.float32)
    for x, y, z, value in zip(*(w.view(np.float32) for w in (a, b, c)), got, strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        error = abs(Fraction(float(value)) - exact)
        for other in (np.nextafter(value, np.float32(9e9)), np.nextafter(value, np.float32(-9e9))):
            assert error <= abs(Fraction(float(other)) - exact)


def test_a_sum_that_double_rounding_would_get_wrong():
    # (1 + 2^-12)^2 lies on a tie of single precision, and 2^-80 is lost beside it in a double
    factor, tiny = np.float32(1 + 2.0**-12), np.float32(2.0**-80)
    got = apply("fma", *(x.view(np.uint32) for x in (factor, factor, tiny))).view(np.float32)
    assert got == np.float32(1 + 2.0**-11 + 2.0**-23)
    got = apply("fma", *(x.view(np.uint32) for x in (factor, factor, -tiny))).view(np.float32)
    assert got == np.float32(1 + 2.0**-11)


@pytest.mark.parametrize("name", ["fadd", "fsub", "fmul", "fma"])
def test_the_fast_way_is_exact_wherever_it_does_not_doubt(name):
    generator = np.random.default_rng(12)
    near = generator.integers(0x3E000000, 0x42000000, (3, 20000), dtype=np.uint32)
    # a product on a tie with something small beside it: the hard case of two roundings
    factor, tiny = np.float32(1 + 2.0**-12), np.float32(2.0**-80)
    a = np.concatenate([A, near[0], [factor.view(np.uint32)] * 2])
    b = np.concatenate([B, near[1], [factor.view(np.uint32)] * 2])
    c = np.concatenate([B[::-1], near[2], np.array([tiny, -tiny]).view(np.uint32)])
    words = (a, b, c)[: len(TABLE[name].operands) - 1]
    got, doubt = (np.asarray(x) for x in jax.jit(TABLE[name].fast)(*words))
    wanted = apply(name, *words)
    assert np.array_equal(got[~doubt], wanted[~doubt])
    assert not doubt[A.size : A.size + 20000].any()  # ordinary numbers are never in doubt


def double_bits(*words):
    return np.array(words, np.uint64).view(np.float64)


def test_a_product_of_the_smallest_and_the_largest_doubles_is_rounded_once():
    words = (0x001F3BD467C6B462, 0xFFE0000000000000, 0x3968B93900000000)
    a, b, c = (double_bits(word) for word in words)
    got = np.asarray(jax.jit(fused_multiply_add)(a, b, c)).view(np.uint64)
    assert got[0] == 0xC00F3BD467C6B462


@pytest.mark.parametrize("fields", [(0, 3), (1, 2047), (1000, 1060), (2030, 2047)])
def test_doubles_of_every_size_are_fused_exactly(fields):
    generator = np.random.default_rng(sum(fields))
    words = generator.integers(0, 2**64, (3, 600), dtype=np.uint64)
    exponents = generator.integers(*fields, (3, 600)).astype(np.uint64)
    a, b, c = ((words & np.uint64(0x800FFFFFFFFFFFFF)) | (exponents << np.uint64(52))).view(float)
    with np.errstate(all="ignore"):
        c[::3] = -(a * b)[::3]  # the sum cancels
    got = np.asarray(jax.jit(fused_multiply_add)(a, b, c))
    for x, y, z, value in zip(*(v.tolist() for v in (a, b, c)), got.tolist(), strict=True):
        if not np.isfinite(z):
            continue
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        try:
            wanted = abs(exact.numerator) / exact.denominator  # Python rounds this once
        except OverflowError:
            wanted = float("inf")
        assert value == (wanted if exact >= 0 else -wanted)


def test_a_fused_sum_of_doubles_keeps_ieee_zeros_and_infinities():
    a = np.array([0.0, -0.0, 0.0, 1.0, np.inf, np.inf, np.nan, 1e308])
    b = np.array([1.0, 1.0, -1.0, 1.0, 0.0, 1.0, 1.0, 10.0])
    c = np.array([-0.0, -0.0, -0.0, -1.0, 1.0, -np.inf, 1.0, 0.0])
    got = np.asarray(jax.jit(fused_multiply_add)(a, b, c))
    wanted = np.array([0.0, -0.0, -0.0, 0.0, np.nan, np.nan, np.nan, np.inf])
    assert np.array_equal(got, wanted, equal_nan=True)
    assert list(np.signbit(got[:4])) == [False, True, True, False]


def test_doubles_are_fused_exactly():
    generator = np.random.default_rng(4)
    a, b = generator.standard_normal((2, 400))
    c = -(a * b) * (1 + generator.standard_normal(400) * 2.0**-50)
    got = np.asarray(jax.jit(fused_multiply_add)(a, b, c))
    for x, y, z, value in zip(a, b, c, got, strict=True):
        assert float(Fraction(x) * Fraction(y) + Fraction(z)) == value


@pytest.mark.parametrize(
    ("form", "kind"), [(HALF, np.float16), (BFLOAT, ml_dtypes.bfloat16)], ids=["half", "bfloat"]
)
def test_sixteen_bit_formats_decode_and_encode_every_value(form, kind):
    bits = np.arange(65536, dtype=np.uint32)
    with np.errstate(all="ignore"):
        wanted = bits.astype(np.uint16).view(kind).astype(np.float64)
    decoded = np.asarray(decode(jnp.asarray(bits), form))
    assert np.array_equal(decoded, wanted, equal_nan=True)
    number = ~np.isnan(wanted)
    assert np.array_equal(np.asarray(encode(jnp.asarray(decoded), form))[number], bits[number])
    values = np.random.default_rng(5).standard_normal(5000) * 2.0 ** np.arange(-30, 20).repeat(100)
    values = values.astype(np.float32).astype(np.float64)
    with np.errstate(over="ignore"):
        rounded = (
            values.astype(kind) if kind is np.float16 else values.astype(np.float32).astype(kind)
        )
    assert np.array_equal(
        np.asarray(encode(jnp.asarray(values), form)), rounded.view(np.uint16).astype(np.uint32)
    )


def test_packed_halves_are_two_halves():
    with np.errstate(all="ignore"):
        low = (A.astype(np.uint16).view(np.float16) + B.astype(np.uint16).view(np.float16)).view(
            np.uint16
        )
        a, b = (x >> 16 for x in (A, B))
        high = (a.astype(np.uint16).view(np.float16) + b.astype(np.uint16).view(np.float16)).view(
            np.uint16
        )
    got = apply("hadd2", A, B)
    for part, wanted in ((got & 0xFFFF, low), (got >> 16, high)):
        nan = (wanted & 0x7FFF) > 0x7C00
        assert np.array_equal(part[~nan], wanted[~nan].astype(np.uint32))


def test_rounding_minimum_and_conversion_at_the_edges():
    ties = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997], np.float32).view(np.uint32)
    assert list(apply("fround", ties).view(np.float32)) == [0, 2, 2, 0, -2, -2, 0]
    away = apply("fround", ties, deviation=int(Deviation.ROUND_TIES_AWAY)).view(np.float32)
    assert list(away) == [1, 2, 3, -1, -2, -3, 0]
    zero, minus = np.uint32(0), np.uint32(0x80000000)
    assert apply("fmin", zero, minus) == minus == apply("fmin", minus, zero)
    assert apply("fmax", zero, minus) == zero == apply("fmax", minus, zero)
    nan, one = np.uint32(0x7FC00000), np.uint32(0x3F800000)
    assert apply("fmin", nan, one) == one == apply("fmax", one, nan)
    big = np.array([3e9, -3e9, np.nan, 2.9, -2.9, 5e9], np.float32).view(np.uint32)
    assert list(apply("cvt_i32_f32", big).view(np.int32)) == [
        2**31 - 1,
        -(2**31),
        0,
        2,
        -2,
        2**31 - 1,
    ]
    assert list(apply("cvt_u32_f32", big)) == [3000000000, 0, 0, 2, 0, 2**32 - 1]


def test_transcendentals_are_within_two_units_in_the_last_place():
    x = np.linspace(0.01, 20, 4001).astype(np.float32)
    for name, function in (
        ("fsin", np.sin),
        ("fcos", np.cos),
        ("fexp2", np.exp2),
        ("flog2", np.log2),
    ):
        got = apply(name, x.view(np.uint32)).view(np.float32)
        wanted = function(x.astype(np.float64))
        assert (np.abs(got - wanted) <= 2 * np.spacing(np.abs(wanted).astype(np.float32))).all(), (
            name
        )
