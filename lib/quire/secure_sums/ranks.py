"""Ranks over F_q of many matrices at once: the kernel under every leakage in this package.

One elimination gives the rank of every *prefix of rows*: row i is a pivot row exactly when it is
not in the span of the rows above it. So the four ranks of a conditional mutual information need two
eliminations (`prefix_ranks` of C, A, B and of C, B). Never floating point, never
``numpy.linalg.matrix_rank``.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Int, UInt64
from numba import njit

from quire.secure_sums.fields import FiniteField


def rank(matrix: Int[np.ndarray, "r c"], q: int) -> int:
    """Return the rank of one matrix over F_q (ours; exact)."""
    if matrix.size == 0:
        return 0
    return int(prefix_ranks(np.asarray(matrix)[None], q)[0, -1])


def prefix_ranks(matrices: Int[np.ndarray, "b r c"], q: int) -> Int[np.ndarray, "b r"]:
    """Return the rank of the first 1, 2, …, r rows of each matrix over F_q.

    Elements are the integers 0 … q-1 of `FiniteField`. For q = 2 and at most 64 columns the rows
    are packed into words and eliminated by exclusive-or.

    Raises
    ------
    ValueError
        When q is not a prime power or an entry is not an element.
    """
    field = FiniteField(q)
    batch, rows, columns = matrices.shape
    if q == 2 and columns <= 64:
        return packed_prefix_ranks(pack_rows(matrices))
    expanded = np.ascontiguousarray(field.over_prime(matrices))
    if expanded.base is not None or expanded is matrices:
        expanded = expanded.copy()  # eliminated in place
    steps = np.zeros((batch, rows * field.m), dtype=np.int64)
    _eliminate(expanded, field.p, steps)
    return np.cumsum(steps, axis=1)[:, field.m - 1 :: field.m] // field.m


def pack_rows(matrices: Int[np.ndarray, "*b c"]) -> UInt64[np.ndarray, "*b"]:
    """Pack 0/1 rows of at most 64 columns into one word each, column 0 in the lowest bit."""
    matrices = np.asarray(matrices)
    if matrices.shape[-1] > 64:
        raise ValueError(f"{matrices.shape[-1]} columns do not fit one 64-bit word; use q = 2 rows")
    if matrices.size and (matrices.min() < 0 or matrices.max() > 1):
        raise ValueError("matrix entries must be elements 0 … 1 of F_2")
    weights = np.left_shift(np.uint64(1), np.arange(matrices.shape[-1], dtype=np.uint64))
    return (matrices.astype(np.uint64) * weights).sum(axis=-1, dtype=np.uint64)


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
def _eliminate(matrices, p, steps):  # type: ignore[no-untyped-def]
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
