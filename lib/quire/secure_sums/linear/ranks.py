"""Ranks over F_q of many matrices at once: what every leakage in this package is computed from.

One elimination gives the rank of every *prefix of rows*: row i is a pivot row exactly when it is
not in the span of the rows above it. So the four ranks of a conditional mutual information need two
eliminations (`prefix_ranks` of C, A, B and of C, B). Never floating point, never
``numpy.linalg.matrix_rank``.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Int, Integer, UInt64
from numba import njit

from quire.secure_sums.checks import whole_numbers
from quire.secure_sums.linear.fields import FiniteField, prime


def rank(matrix: Integer[np.ndarray, "r c"], q: int) -> int:
    """Return the rank of one matrix over F_q, exactly.

    Raises
    ------
    ValueError
        When q is not a prime power, an entry is not an element 0 … q-1, or there are not two axes.
    """
    if np.ndim(matrix) != 2:
        raise ValueError(f"matrix has {np.ndim(matrix)} axes: two are needed (r, c)")
    if np.asarray(matrix).size == 0:
        FiniteField(q)
        return 0
    return int(prefix_ranks(np.asarray(matrix)[None], q)[0, -1])


def prefix_ranks(matrices: Integer[np.ndarray, "b r c"], q: int) -> Int[np.ndarray, "b r"]:
    """Return the rank of the first 1, 2, …, r rows of each matrix over F_q.

    Elements are the integers 0 … q-1 of `FiniteField`. For q = 2 and at most 64 columns the rows
    are packed into machine words and eliminated by exclusive-or.

    Raises
    ------
    ValueError
        When q is not a prime power, an entry is not an element, or there are not three axes.
    """
    field = FiniteField(q)
    q = field.q
    if np.ndim(matrices) != 3:
        raise ValueError(f"matrices has {np.ndim(matrices)} axes: three are needed (b, r, c)")
    batch, rows, columns = np.shape(matrices)
    if q == 2 and columns <= 64:
        return packed_prefix_ranks(pack_rows(matrices))
    # always a copy of ours, since it is eliminated in place
    expanded = np.ascontiguousarray(field.over_prime(matrices))
    steps = np.zeros((batch, rows * field.m), dtype=np.int64)
    _eliminate(expanded, field.p, steps)
    return np.cumsum(steps, axis=1)[:, field.m - 1 :: field.m] // field.m


def null_space(matrix: Integer[np.ndarray, "r c"], q: int) -> Int[np.ndarray, "c d"]:
    """Return a basis of {z : matrix·z = 0} over a prime field, as columns.

    Raises
    ------
    ValueError
        When q is not prime, an entry is no whole number, or there are not two axes.
    """
    q = prime(q)
    if np.ndim(matrix) != 2:
        raise ValueError(f"matrix has {np.ndim(matrix)} axes: two are needed (r, c)")
    work = whole_numbers("matrix", matrix) % q
    columns = work.shape[1]
    pivots: list[int] = []
    for column in range(columns):
        row = len(pivots)
        below = np.flatnonzero(work[row:, column])
        if len(below) == 0:
            continue
        work[[row, row + below[0]]] = work[[row + below[0], row]]
        work[row] = work[row] * pow(int(work[row, column]), -1, q) % q
        others = np.flatnonzero(work[:, column])
        others = others[others != row]
        work[others] = (work[others] - work[others, column, None] * work[row]) % q
        pivots.append(column)
    free = [c for c in range(columns) if c not in pivots]
    basis = np.zeros((columns, len(free)), dtype=np.int64)
    for d, column in enumerate(free):
        basis[column, d] = 1
        basis[pivots, d] = -work[: len(pivots), column] % q
    return basis


def pack_rows(matrices: Integer[np.ndarray, "*b c"]) -> UInt64[np.ndarray, "*b"]:
    """Pack 0/1 rows of at most 64 columns into one machine word each, column 0 in the lowest bit.

    Raises
    ------
    ValueError
        When there are more columns, or an entry is neither 0 nor 1.
    """
    checked = FiniteField(2).elements("matrix", matrices)
    if checked.shape[-1] > 64:
        raise ValueError(f"{checked.shape[-1]} columns: at most 64 fit one machine word")
    weights = np.left_shift(np.uint64(1), np.arange(checked.shape[-1], dtype=np.uint64))
    return (checked.astype(np.uint64) * weights).sum(axis=-1, dtype=np.uint64)


def packed_prefix_ranks(rows: UInt64[np.ndarray, "b r"]) -> Int[np.ndarray, "b r"]:
    """Return the prefix ranks over F_2 of bit-packed rows.

    The pivot of a row is its lowest set bit: ``row & -row``, with no search over columns.
    """
    work = np.ascontiguousarray(rows.T)  # one contiguous vector over the batch for each row
    for i in range(len(work) - 1):
        pivot = work[i] & (~work[i] + np.uint64(1))
        below = work[i + 1 :]
        below ^= np.where((below & pivot) != 0, work[i], np.uint64(0))
    return np.cumsum(work != 0, axis=0, dtype=np.int64).T


@njit(cache=True)
@no_type_check
def _eliminate(matrices: Any, p: int, steps: Any) -> None:
    """Eliminate each matrix over F_p in place; ``steps`` marks its pivot rows.

    Numba, not JAX: every pivot column depends on the data, and the shapes change with every
    protocol, so a compiled program per shape would cost more than the ranks.
    """
    batch, rows, columns = matrices.shape
    for b in range(batch):
        for i in range(rows):
            pivot = 0
            while pivot < columns and matrices[b, i, pivot] == 0:
                pivot += 1
            if pivot == columns:
                continue
            steps[b, i] = 1
            inverse, base, exponent = 1, matrices[b, i, pivot], p - 2
            while exponent > 0:
                if exponent & 1:
                    inverse = inverse * base % p
                base = base * base % p
                exponent >>= 1
            for j in range(i + 1, rows):
                if matrices[b, j, pivot] != 0:
                    factor = p - matrices[b, j, pivot] * inverse % p
                    for c in range(pivot, columns):
                        matrices[b, j, c] = (matrices[b, j, c] + factor * matrices[b, i, c]) % p
