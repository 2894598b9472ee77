"""Attention tables: a grid over mixed batches, or one table for each phase."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import real_array
from quire.serving.profiles.csvfiles import time_column, times_ns
from quire.serving.profiles.curves import increasing, interpolated
from quire.signatures import checked


@dataclass(frozen=True)
class AttentionGrid:
    """Nanoseconds of one layer's attention on a grid of four axes, linear between its points.

    Attributes
    ----------
    chunks, decodes, prefill_kv, decode_kv
        The axes: tokens of prefill in the batch; sequences that decode; tokens before the chunks;
        mean length of what is decoded.
    values
        Nanoseconds, one for each combination.
    """

    chunks: Float[np.ndarray, " c"]
    decodes: Float[np.ndarray, " n"]
    prefill_kv: Float[np.ndarray, " p"]
    decode_kv: Float[np.ndarray, " d"]
    values: Float[np.ndarray, "c n p d"]

    def __post_init__(self) -> None:
        shape = []
        for name in ("chunks", "decodes", "prefill_kv", "decode_kv"):
            axis = increasing(name, getattr(self, name))
            object.__setattr__(self, name, axis)
            shape.append(axis.size)
        values = real_array("values", self.values, 4, least=0.0)
        if values.shape != tuple(shape):
            raise ValueError(f"values = an array of shape {values.shape}: must be {tuple(shape)}")
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class PhaseTables:
    """Nanoseconds of one layer's attention, prefill and decode apart, looked up without blending.

    The form of the authors' first profiler: lengths are rounded up to the next step. The chunk of a
    batch is the root of the sum of the squared chunks. Beyond the last row or column a time grows
    in proportion to the count or length.

    Attributes
    ----------
    prefill
        ``prefill[a, b]`` for at most ``64 a`` tokens before a chunk of at most ``32 b``.
    decode
        ``decode[n, a]`` for n sequences with at most ``64 a`` tokens each.
    """

    prefill: Float[np.ndarray, "a b"]
    decode: Float[np.ndarray, "n k"]

    def __post_init__(self) -> None:
        for name in ("prefill", "decode"):
            object.__setattr__(self, name, real_array(name, getattr(self, name), 2, least=0.0))


KV_STEP, CHUNK_STEP = 64, 32
"""Tokens between the rows of `PhaseTables`."""

MOST_POINTS = 50_000_000
"""Of a table in memory: points that stand on no grid would fill far more."""


@checked
def grid_from_rows(rows: Mapping[str, Any]) -> AttentionGrid:
    """Return the grid that measured rows span; points that were not measured are filled.

    Within a pair (chunk, sequences) a missing point lies on the line of its two neighbours, or of
    the last two points beyond the end; a pair without any point takes the nearest pair's values.

    Parameters
    ----------
    rows
        Columns ``prefill_chunk``, ``kv_prefill``, ``n_decode``, ``kv_decode`` and ``time_us``.

    Raises
    ------
    ValueError
        When a column is missing, the columns differ in length, or the points stand on no grid.
    """
    names = ("prefill_chunk", "n_decode", "kv_prefill", "kv_decode")
    time = time_column(rows, "time_us")
    for name in (*names, time):
        if name not in rows:
            raise ValueError(f"rows has no column {name!r}: needed are {', '.join(names)}, time_us")
    columns = [real_array(name, rows[name], 1, least=0.0) for name in names]
    columns.append(times_ns("rows", rows, time))
    if len({column.size for column in columns}) != 1:
        raise ValueError("rows = columns of different lengths: must be one table")
    *where, spent = columns
    axes = [np.unique(column) for column in where]
    if np.prod([float(axis.size) for axis in axes]) > MOST_POINTS:
        raise ValueError(
            f"rows = {' x '.join(str(axis.size) for axis in axes)} different values: the points "
            "must stand on a grid"
        )
    values = np.full([axis.size for axis in axes], np.nan)
    index = tuple(np.searchsorted(axis, column) for axis, column in zip(axes, where, strict=True))
    # the first of two rows for one point counts
    order = np.arange(spent.size)[::-1]
    values[tuple(part[order] for part in index)] = np.maximum(np.rint(spent), 1)[order]
    measured = ~np.isnan(values)
    pairs = [(c, n) for c, n in np.ndindex(values.shape[:2]) if measured[c, n].any()]
    for c, n in pairs:
        values[c, n] = _filled(values[c, n], axes[2], axes[3])
    for c, n in np.ndindex(values.shape[:2]):
        if not measured[c, n].any():
            far = [
                (axes[0][p] - axes[0][c]) ** 2 + (axes[1][q] - axes[1][n]) ** 2 for p, q in pairs
            ]
            values[c, n] = values[pairs[int(np.argmin(far))]]
    return AttentionGrid(axes[0], axes[1], axes[2], axes[3], np.maximum(values, 0.0))


def _filled(
    part: Float[np.ndarray, "p d"], prefill_kv: Float[np.ndarray, " p"], decode_kv: np.ndarray
) -> Float[np.ndarray, "p d"]:
    known = ~np.isnan(part)
    rows = np.flatnonzero(known.any(axis=1))
    full = np.array(
        [interpolated(decode_kv[known[row]], part[row, known[row]], decode_kv) for row in rows]
    )
    return np.array(
        [interpolated(prefill_kv[rows], full[:, k], prefill_kv) for k in range(decode_kv.size)]
    ).T


@checked
def leave_one_out(grid: AttentionGrid, axis: int) -> Float[np.ndarray, " points"]:
    """Return the relative errors of points predicted from their two neighbours along an axis.

    Parameters
    ----------
    grid
        A table of measured points.
    axis
        0 to 3: chunk, sequences, tokens before the chunk, decoded length.

    Raises
    ------
    ValueError
        For another axis, or one of fewer than three points.
    """
    names = ("chunks", "decodes", "prefill_kv", "decode_kv")
    if axis not in range(4):
        raise ValueError(f"axis = {axis!r}: must be 0, 1, 2 or 3")
    keys = getattr(grid, names[axis])
    if keys.size < 3:
        raise ValueError(f"axis = {axis}: {names[axis]} has {keys.size} points, three are needed")
    values = np.moveaxis(grid.values, axis, 0)
    share = ((keys[1:-1] - keys[:-2]) / (keys[2:] - keys[:-2])).reshape(-1, 1, 1, 1)
    guess = values[:-2] + share * (values[2:] - values[:-2])
    inside = values[1:-1] > 0
    return (guess[inside] / values[1:-1][inside] - 1).ravel()
