"""A random matrix whose entry (i, j) is a function of (seed, i, j) and of nothing else.

Threefry2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1,
2, 3", SC 2011) turns a 64-bit counter into 64 random bits. The counter is the pair (row, column),
so no layout, tile or number of processors enters, more columns leave the present ones as they
are, and nothing overflows at 2^32 entries. One draw serves two float32 entries (rows 2i and 2i +
1), one float64 entry, or 64 signs (rows 64 i to 64 i + 63).

The bits are the same everywhere, and so are signs and uniform numbers. A Gaussian entry is a
polynomial of its bits, and a compiler may fuse a multiplication with an addition in one program and
not in another: in double precision, entries made inside a loop differ from others by up to two
units in the last place.
"""

import math
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, DTypeLike, Float, Int, UInt32

from quire.checks import integer
from quire.signatures import checked
from quire.sketching.random_matrix.normal import normal_from_bits

Distribution = Literal["gaussian", "rademacher", "uniform", "uniform01"]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def threefry2x32(
    key: UInt32[Array, " 2"] | UInt32[np.ndarray, " 2"],
    high: UInt32[Array, "*shape"] | UInt32[np.ndarray, "*shape"],
    low: UInt32[Array, "*shape"] | UInt32[np.ndarray, "*shape"],
) -> tuple[Any, Any]:
    """Return two random words per counter (``high``, ``low``), by the 20-round Threefry-2x32.

    JAX and NumPy arrays both work (NumPy warns of overflow, which is meant).

    Raises
    ------
    ValueError
        When an argument is not an array of uint32: the sums must wrap around at 2^32.
    """
    for name, value in (("key", key), ("high", high), ("low", low)):
        kind = getattr(value, "dtype", type(value).__name__)
        if kind != np.uint32:
            raise ValueError(f"{name} = an array of {kind}: must hold uint32")
    if key.shape != (2,):
        raise ValueError(f"key = an array of shape {key.shape}: must hold two words")
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x, y = high + schedule[0], low + schedule[1]
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x = x + y
            y = ((y << np.uint32(distance)) | (y >> np.uint32(32 - distance))) ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def key_of(seed: int) -> UInt32[np.ndarray, " 2"]:
    """Return the generator's key of an integer seed, 0 <= seed < 2^64.

    Raises
    ------
    ValueError
        For anything else.
    """
    seed = integer("seed", seed, 0, 2**64 - 1)
    return np.array([seed >> 32, seed & 0xFFFFFFFF], dtype=np.uint32)


@checked
def block(
    seed: int,
    rows: int,
    columns: int,
    *,
    row_start: int | Int[Array, ""] = 0,
    column_start: int | Int[Array, ""] = 0,
    distribution: Distribution = "gaussian",
    dtype: DTypeLike = jnp.float64,
    row_multiple: int = 1,
) -> Float[Array, "rows columns"]:
    """Return rows ``row_start ...`` and columns ``column_start ...`` of the seed's infinite Ω.

    The starts may be traced integers; ``row_multiple`` then tells what divides ``row_start``,
    which saves work where it is even (float32) or a multiple of 64 (signs). Entries have mean 0
    and variance 1, except ``"uniform01"``, uniform on [0, 1): what the paper's authors draw.
    ``dtype`` is float32 or float64; the two are different matrices (signs excepted).

    Raises ``ValueError`` for a bad seed, distribution or dtype, or an index outside [0, 2^32).
    """
    return block_of_key(
        key_of(seed), rows, columns, row_start=row_start, column_start=column_start,
        distribution=distribution, dtype=dtype, row_multiple=row_multiple,
    )  # fmt: skip


def block_of_key(
    key: UInt32[Array, " 2"] | UInt32[np.ndarray, " 2"],
    rows: int,
    columns: int,
    *,
    row_start: int | Int[Array, ""] = 0,
    column_start: int | Int[Array, ""] = 0,
    distribution: Distribution = "gaussian",
    dtype: DTypeLike = jnp.float64,
    row_multiple: int = 1,
) -> Float[Array, "rows columns"]:
    """Return :func:`block` from a key that may be traced: one compilation serves every seed.

    Raises
    ------
    ValueError
        As :func:`block`.
    """
    rows = integer("rows", rows)
    columns = integer("columns", columns)
    row_multiple = integer("row_multiple", row_multiple)
    if distribution not in get_args(Distribution):
        raise ValueError(
            f"distribution = {distribution!r}: one of {get_args(Distribution)} is allowed"
        )
    real = np.dtype(dtype)
    if real not in (np.float32, np.float64):
        raise ValueError(f"dtype = {real}: float32 or float64 is allowed")
    for name, start, count in (
        ("row_start", row_start, rows),
        ("column_start", column_start, columns),
    ):
        if isinstance(start, jax.Array):
            if start.ndim or not jnp.issubdtype(start.dtype, jnp.integer):
                raise ValueError(
                    f"{name} = {start.dtype} of shape {start.shape}: must be an integer"
                )
        elif not 0 <= integer(name, start, 0) <= 2**32 - count:
            raise ValueError(
                f"{name} = {start}: with {count} entries, 0 to {2**32 - count} is allowed"
            )
    per_draw = 64 if distribution == "rademacher" else 8 // real.itemsize
    if isinstance(row_start, int | np.integer):
        row_multiple = math.gcd(int(row_start), per_draw)
    # converted here: 2^31 and more do not fit the int32 that JAX would take for a Python integer
    first = jnp.asarray(row_start, jnp.uint32)
    return _block(
        key, first, jnp.asarray(column_start, jnp.uint32), rows, columns, distribution, real.name,
        row_multiple % per_draw == 0,
    )  # fmt: skip


@partial(jax.jit, static_argnums=(3, 4, 5, 6, 7))
def _block(
    key: UInt32[Array, " 2"],
    first_row: UInt32[Array, ""],
    first_column: UInt32[Array, ""],
    rows: int,
    columns: int,
    distribution: str,
    dtype: str,
    aligned: bool,
) -> Float[Array, "rows columns"]:
    per_draw = 64 if distribution == "rademacher" else 8 // np.dtype(dtype).itemsize
    # one draw more than fits, unless the block starts on a draw
    draws = -(-rows // per_draw) if aligned else (rows + per_draw - 2) // per_draw + 1
    row = first_row // np.uint32(per_draw) + lax.broadcasted_iota(jnp.uint32, (draws, columns), 0)
    column = first_column + lax.broadcasted_iota(jnp.uint32, (draws, columns), 1)
    words = threefry2x32(key, row, column)
    if distribution == "rademacher":
        entries = _signs(words, np.dtype(dtype))
    elif dtype == "float32":
        entries = _real(jnp.stack(words, axis=1).reshape(2 * draws, columns), distribution)
    else:
        wide = (words[0].astype(jnp.uint64) << np.uint64(32)) | words[1].astype(jnp.uint64)
        entries = _real(wide, distribution)
    if aligned:
        return entries[:rows]
    offset = (first_row % np.uint32(per_draw)).astype(jnp.int32)
    return lax.dynamic_slice(entries, (offset, jnp.int32(0)), (rows, columns))


def _real(bits: Array, distribution: str) -> Array:
    """Gaussian, or uniform of a float's own number of mantissa bits (so that 1 never occurs)."""
    if distribution == "gaussian":
        return normal_from_bits(bits)
    single = bits.dtype == jnp.uint32
    real, signed, mantissa, spare = (
        (jnp.float32, jnp.int32, 24, 8) if single else (jnp.float64, jnp.int64, 53, 11)
    )
    count = (bits >> bits.dtype.type(spare)).astype(signed).astype(real)
    if distribution == "uniform01":
        return count * real(2.0**-mantissa)
    centred = (count - real(2.0 ** (mantissa - 1))) + real(0.5)
    return centred * real(math.sqrt(3) * 2.0 ** (1 - mantissa))


def _signs(words: tuple[Array, Array], real: np.dtype) -> Array:
    """64 rows of ±1 per draw: each bit becomes the sign of 1.0.

    One row of words after the other: fused into one expression, XLA would draw the words anew for
    every entry, and signs would cost as much as normal numbers.
    """
    columns = words[0].shape[-1]
    shifts = lax.broadcasted_iota(jnp.uint32, (32, 1), 0)

    def expand(row: Array) -> Array:
        sign = (row >> shifts) << np.uint32(31)
        return lax.bitcast_convert_type(sign | np.uint32(0x3F800000), jnp.float32).astype(real)

    return lax.map(expand, jnp.stack(words, axis=1).reshape(-1, columns)).reshape(-1, columns)
