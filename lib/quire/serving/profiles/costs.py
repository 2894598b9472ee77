"""The cost of one step as compiled code reads it: arrays, and a function of a batch's summary."""

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit

GRID, PHASES = 0, 1


class Costs(NamedTuple):
    """A profile for compiled code (`LatencyTable.costs` makes it).

    ``token_ns[T]`` holds whatever depends on the tokens of a step alone: dense layers, experts,
    collectives. ``sequence_ns[s]`` what depends on the sequences alone. Attention is looked up for
    each step, once, and counts ``layers`` times.
    """

    token_ns: np.ndarray
    sequence_ns: np.ndarray
    layers: int
    kind: int
    grid: np.ndarray
    chunks: np.ndarray
    decodes: np.ndarray
    prefill_kv: np.ndarray
    decode_kv: np.ndarray
    prefill_phase: np.ndarray
    decode_phase: np.ndarray
    skewed: bool
    alpha: np.ndarray
    alpha_default: float
    alpha_chunks: np.ndarray
    n_edges: np.ndarray
    rate_edges: np.ndarray
    longest_edges: np.ndarray
    prefill_kv_edges: np.ndarray
    host_ns: float
    rounded: bool


@njit(cache=True, nogil=True)
@no_type_check
def _bracket(axis, query):
    """Return the lower index and the share of the way to the next point; above it exceeds 1."""
    n = axis.size
    if n == 1 or query <= axis[0]:
        return 0, 0.0
    low = np.searchsorted(axis, query, side="right") - 1
    if low > n - 2:
        low = n - 2
    return low, (query - axis[low]) / (axis[low + 1] - axis[low])


@njit(cache=True, nogil=True)
@no_type_check
def grid_ns(costs, chunk, prefill_kv, n, length):
    """Return one layer's attention from the grid, linear along all four axes."""
    c, tc = _bracket(costs.chunks, chunk)
    m, tm = _bracket(costs.decodes, n)
    p, tp = _bracket(costs.prefill_kv, prefill_kv)
    d, td = _bracket(costs.decode_kv, length)
    total = 0.0
    for i in range(2):
        wc = tc if i else 1.0 - tc
        if wc == 0.0:
            continue
        for j in range(2):
            wm = tm if j else 1.0 - tm
            if wm == 0.0:
                continue
            for k in range(2):
                wp = tp if k else 1.0 - tp
                if wp == 0.0:
                    continue
                low = costs.grid[c + i, m + j, p + k, d]
                if td != 0.0:
                    low += td * (costs.grid[c + i, m + j, p + k, d + 1] - low)
                total += wc * wm * wp * low
    if costs.rounded:
        # A sum of weighted corners misses a whole number by an ulp: the floor would lose one.
        return max(1.0, np.floor(total + 1e-6))
    return total


@njit(cache=True, nogil=True)
@no_type_check
def _bin(edges, value):
    for i in range(edges.size):
        if value <= edges[i]:
            return i
    return edges.size - 1


@njit(cache=True, nogil=True)
@no_type_check
def alpha_of(costs, chunk, prefill_kv, n, mean, longest, shortest):
    """Return the share alpha of a batch whose lengths differ."""
    gap = longest - shortest
    rate = (mean - shortest) / gap if gap > 0 else 0.5
    for c in range(costs.alpha_chunks.size):
        if costs.alpha_chunks[c] == chunk:
            return costs.alpha[
                c,
                _bin(costs.n_edges, n),
                _bin(costs.rate_edges, min(1.0, max(0.0, rate))),
                _bin(costs.longest_edges, longest),
                _bin(costs.prefill_kv_edges, prefill_kv),
            ]
    return costs.alpha_default


@njit(cache=True, nogil=True)
@no_type_check
def _phase_ns(table, i, j):
    """Return an entry; beyond the last row or column it grows in proportion to what is asked."""
    last_i, last_j = table.shape[0] - 1, table.shape[1] - 1
    cost = table[min(i, last_i), min(j, last_j)]
    if i > last_i > 0:
        cost *= i / last_i
    if j > last_j > 0:
        cost *= j / last_j
    return cost


@njit(cache=True, nogil=True)
@no_type_check
def attention_ns(costs, chunk, prefill_kv, n, mean, longest, shortest, root_chunk):
    """Return one layer's attention of a batch."""
    if chunk == 0 and n == 0:
        return 0.0
    if costs.kind == PHASES:
        cost = 0.0
        if n > 0:
            cost += _phase_ns(costs.decode_phase, n, (mean + 63) // 64)
        if chunk > 0:
            wide = np.int64(np.ceil(np.rint(root_chunk) / 32))
            cost += _phase_ns(costs.prefill_phase, (prefill_kv + 63) // 64, wide)
        return cost
    cost = grid_ns(costs, chunk, prefill_kv, n, mean)
    if costs.skewed and n > 1 and longest != mean:
        alpha = alpha_of(costs, chunk, prefill_kv, n, mean, longest, shortest)
        if alpha != 0.0:
            far = grid_ns(costs, chunk, prefill_kv, n, longest)
            if far > cost:
                cost += alpha * (far - cost)
    if costs.rounded:
        return max(1.0, np.rint(cost))
    return cost


@njit(cache=True, nogil=True)
@no_type_check
def step_ns(costs, tokens, sequences, chunk, prefill_kv, n, mean, longest, shortest, root_chunk):
    """Return the nanoseconds of one step."""
    each = attention_ns(costs, chunk, prefill_kv, n, mean, longest, shortest, root_chunk)
    return (
        costs.token_ns[tokens] + costs.sequence_ns[sequences] + costs.layers * each + costs.host_ns
    )
