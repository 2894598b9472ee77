"""Gauss-Jordan elimination with its rows shared by threads, one barrier a step (Numba).

Rows belong to threads cyclically. In step k the pivot row is found and divided by one thread; then
every thread clears column k in its own rows. Each row sees the same operations in the same order
whatever the number of threads, so that results are equal to the last bit.
"""

import time
from typing import Any, no_type_check

import numba
import numpy as np
from jaxtyping import Float
from numba import njit, prange

from quire import checks
from quire.circuits.elimination.gauss_jordan import augmented, solution
from quire.circuits.errors import SingularCircuit

MOST_THREADS = int(vars(numba.config)["NUMBA_NUM_THREADS"])
"""How many threads there can be: one for each processor that this process may use."""


@njit(cache=True)
@no_type_check
def _prepare(m, k):
    """Find the pivot of column k, swap its row into place and divide it; return its size."""
    n = m.shape[0]
    p = k
    for i in range(k + 1, n):
        if abs(m[i, k]) > abs(m[p, k]):
            p = i
    pivot = m[p, k]
    if pivot == 0.0:
        return 0.0
    for j in range(k, m.shape[1]):
        value = m[p, j]
        m[p, j] = m[k, j]
        m[k, j] = value / pivot
    return abs(pivot)


@njit(cache=True)
@no_type_check
def _clear(m, i, k):
    """Take row k off row i, so that column k of it is zero."""
    factor = m[i, k]
    if factor != 0.0:
        for j in range(k, m.shape[1]):
            m[i, j] -= factor * m[k, j]


@njit(cache=True)
@no_type_check
def _alone(m):
    n = m.shape[0]
    for k in range(n):
        if _prepare(m, k) == 0.0:
            return k
        for i in range(n):
            if i != k:
                _clear(m, i, k)
    return -1


@njit(cache=True, parallel=True)
@no_type_check
def _together(m, workers):
    n = m.shape[0]
    for k in range(n):
        if _prepare(m, k) == 0.0:
            return k
        for worker in prange(workers):
            for i in range(worker, n, workers):
                if i != k:
                    _clear(m, i, k)
    return -1


@njit(cache=True, parallel=True)
@no_type_check
def _empty(regions, workers, out):
    for k in range(regions):
        for worker in prange(workers):
            out[worker] += k


def gauss_jordan_threads(a: Any, b: Any, threads: int = 2) -> Float[np.ndarray, "n ..."]:
    """Solve ``A X = B`` with rows shared by threads.

    Parameters
    ----------
    a, b
        A real square matrix; a right side, or several as columns.
    threads
        How many; 1 runs without parallel regions.

    Raises
    ------
    ValueError
        For other arguments, or more threads than Numba was started with.
    SingularCircuit
        When the matrix is singular, or numbers beyond the doubles arise.
    """
    count = checks.integer("threads", threads, 1, MOST_THREADS)
    m = augmented(a, b)
    if m.dtype != np.float64:
        raise ValueError("a or b is complex: threads take real matrices")
    m = np.ascontiguousarray(m)
    failed = eliminate(m, count)
    if failed >= 0:
        raise SingularCircuit(f"no pivot is left in column {failed}: the matrix is singular")
    return solution(m, b, float(np.abs(m).max()))


def eliminate(m: Float[np.ndarray, "n cols"], threads: int) -> int:
    """Eliminate an augmented matrix in place; return the column that failed, or -1."""
    if threads == 1:
        return int(_alone(m))
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        return int(_together(m, threads))
    finally:
        numba.set_num_threads(before)


def barrier_seconds(threads: int = 2, regions: int = 500) -> float:
    """Return the seconds of an empty parallel region: the model's barrier, best of five."""
    count = checks.integer("threads", threads, 2, MOST_THREADS)
    out = np.zeros(count)
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        _empty(2, count, out)
        best = np.inf
        for _ in range(5):
            start = time.perf_counter()
            _empty(regions, count, out)
            best = min(best, (time.perf_counter() - start) / regions)
    finally:
        numba.set_num_threads(before)
    return float(best)
