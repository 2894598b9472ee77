"""What the trace compiler knows before anything runs: addresses, and the order they lie in.

A launch is fixed when a kernel is compiled, so whatever depends on thread and workgroup alone is a
number by then. An address known in this way needs no check at run time, and if the addresses of all
lanes follow each other, a load is a slice and a store the update of one.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int64, UInt32

Constant = np.ndarray
LARGEST = 2**22  # entries of an array that is worth knowing


def evaluate(function: Callable[..., Any], *arguments: Any) -> Constant:
    """Return the function's value now, while a surrounding function is being traced."""
    with jax.ensure_compile_time_eval():
        return np.asarray(function(*(jnp.asarray(a) for a in arguments)))


def run_start(words: Int64[np.ndarray, " lanes"]) -> int | None:
    """Return the first of words that follow each other without a gap, or None."""
    first = int(words[0])
    return first if np.array_equal(words, first + np.arange(words.size)) else None


def arrangement(words: Int64[np.ndarray, " lanes"]) -> tuple[int, np.ndarray] | None:
    """If words fill a range, each once: its start, and for each word of it the lane that has it."""
    first = int(words.min())
    if int(words.max()) - first + 1 != words.size:
        return None
    lane = np.full(words.size, -1)
    lane[words - first] = np.arange(words.size)
    return None if (lane < 0).any() else (first, lane)


def take_rows(
    table: UInt32[Array, "rows columns"], rows: Int64[np.ndarray, " wanted"]
) -> jax.Array:
    """Rows of a table: as a slice if they follow each other, repeated if they repeat.

    Tiles are read in one of two ways: each row for several lanes in turn, or a few rows over and
    over.
    """
    count, columns = rows.size, table.shape[1]
    if (start := run_start(rows)) is not None:
        return table[start : start + count]
    same = int(np.argmax(np.append(rows != rows[0], True)))  # lanes that share the first row
    heads = rows[::same]
    if count % same == 0 and np.array_equal(np.repeat(heads, same), rows) and same > 1:
        part = take_rows(table, heads)
        wide = jnp.broadcast_to(part[:, None], (heads.size, same, columns))
        return wide.reshape(count, columns)
    again = np.flatnonzero(rows[1:] == rows[0])
    period = int(again[0]) + 1 if again.size else count
    repeats = period < count and count % period == 0
    if repeats and np.array_equal(np.tile(rows[:period], count // period), rows):
        part = take_rows(table, rows[:period])
        wide = jnp.broadcast_to(part[None], (count // period, period, columns))
        return wide.reshape(count, columns)
    step = int(rows[1] - rows[0])
    if step > 1 and np.array_equal(rows, rows[0] + step * np.arange(count)):
        return table[int(rows[0]) : int(rows[-1]) + 1 : step]
    return table[rows]
