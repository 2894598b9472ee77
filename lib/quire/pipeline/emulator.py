"""The emulator: one max-plus pass over operations in a given order.

``start_i = max(end of the operation before i on its rank, max over dependencies (end + lag))``.
A pass is a chain of loads, additions and maxima with no independent work to vectorise inside one
schedule, so it is compiled with Numba and parallel over schedules.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from quire import checks
from quire.pipeline.failures import ScheduleDeadlock
from quire.pipeline.program import Program
from quire.pipeline.schedule import Schedule
from quire.signatures import checked


@njit(cache=True, nogil=True)
@no_type_check
def _pass(order, first, rank, duration, dep_ptr, dep, lag, free, end):
    """Evaluate ``order[first:]`` in place; operations before ``first`` are already in ``end``.

    An operation that has not run yet has a negative end. Returns the first position whose operation
    does not exist, has run already or waits for one that has not, −1 if there is none.
    """
    for k in range(first, order.shape[0]):
        i = order[k]
        if i < 0 or i >= end.shape[0] or end[i] >= 0.0:
            return k
        t = free[rank[i]]
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            e = end[dep[a]]
            if e < 0.0:
                return k
            t = max(t, e + lag[a])
        t += duration[i]
        end[i] = t
        free[rank[i]] = t
    return -1


@njit(cache=True, nogil=True)
@no_type_check
def _batch(orders, rank, duration, dep_ptr, dep, lag, ranks, makespans):
    end = np.empty(duration.shape[0])
    for s in range(orders.shape[0]):
        free = np.zeros(ranks)
        end[:] = -1.0
        if _pass(orders[s], 0, rank, duration, dep_ptr, dep, lag, free, end) >= 0:
            return s
        makespans[s] = free.max()
    return -1


@njit(cache=True, nogil=True)
@no_type_check
def _merge(rank_ptr, sequence, dep_ptr, dep, merged):
    """Merge per-rank sequences into one topological order; return how many could be placed."""
    ranks = rank_ptr.shape[0] - 1
    done = np.zeros(sequence.shape[0], dtype=np.bool_)
    head = rank_ptr[:-1].copy()
    placed, moved = 0, True
    while moved:
        moved = False
        for r in range(ranks):
            while head[r] < rank_ptr[r + 1]:
                i = sequence[head[r]]
                ready = True
                for a in range(dep_ptr[i], dep_ptr[i + 1]):
                    if not done[dep[a]]:
                        ready = False
                        break
                if not ready:
                    break
                merged[placed] = i
                done[i] = True
                placed += 1
                head[r] += 1
                moved = True
    return placed, head


@checked
def merge_rank_orders(
    program: Program, rank_orders: Sequence[Int[np.ndarray, " _"]]
) -> Int[np.ndarray, " n"]:
    """Merge the ranks' orders into one topological sequence.

    Raises
    ------
    ValueError
        If the rank orders are not a partition of the program's operations by rank.
    ScheduleDeadlock
        If the orders wait for each other.
    """
    if len(rank_orders) != program.ranks:
        raise ValueError(f"rank_orders has {len(rank_orders)} entries for {program.ranks} ranks")
    rows = [np.asarray(order).ravel() for order in rank_orders if len(order)]
    given = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    if given.dtype.kind not in "iu":
        raise ValueError(f"rank_orders has type {given.dtype}: give numbers of operations")
    sequence = given.astype(np.int64)
    sizes = [len(order) for order in rank_orders]
    owner = np.repeat(np.arange(program.ranks), sizes)
    if not np.array_equal(np.sort(sequence), np.arange(program.operations)):
        raise ValueError("rank_orders must name every operation of the program once")
    if not np.array_equal(program.rank[sequence], owner):
        raise ValueError("rank_orders puts an operation on a rank that does not run it")
    rank_ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    merged = np.empty_like(sequence)
    placed, head = _merge(rank_ptr, sequence, program.dep_ptr, program.dep, merged)
    if placed < len(sequence):
        rank = int(np.flatnonzero(head < rank_ptr[1:])[0])
        chain = int(program.chain[sequence[head[rank]]])
        raise ScheduleDeadlock(rank, chain, "the orders of the ranks wait for each other")
    return merged


def _checked_order(program: Program, order: Int[np.ndarray, "*rows n"]) -> np.ndarray:
    """Return the order(s) as 64-bit integers, one entry per operation in the last axis.

    Raises
    ------
    ValueError
        If it holds anything but integers, or is of another length.
    """
    given = np.asarray(order)
    if given.dtype.kind not in "iu" or given.shape[-1:] != (program.operations,):
        raise ValueError(
            f"order has shape {given.shape} and type {given.dtype}: "
            f"give the numbers of all {program.operations} operations"
        )
    return np.ascontiguousarray(given, dtype=np.int64)


def _fault(program: Program, order: Int[np.ndarray, " n"], place: int) -> str:
    """Say what is wrong with the order at its first wrong place."""
    i = int(order[place])
    if not 0 <= i < program.operations:
        why = f"there are operations 0 to {program.operations - 1}"
    elif i in order[:place]:
        why = "it has run already"
    else:
        why = "it waits for an operation that has not run yet"
    return f"order[{place}] = {i}: {why}; give a topological order"


@checked
def emulate(program: Program, order: Int[np.ndarray, " n"]) -> Schedule:
    """Run the operations as early as the given topological order allows.

    The order must place every operation after those that it waits for; orders that come from
    :func:`merge_rank_orders` or from a schedule do.

    Raises
    ------
    ValueError
        If the order leaves out or repeats an operation, or is not topological.
    """
    order = _checked_order(program, order)
    if order.ndim != 1:
        raise ValueError(f"order has shape {order.shape}: give one order")
    end = np.full(program.operations, -1.0)
    wrong = _pass(
        order, 0, program.rank, program.duration, program.dep_ptr, program.dep, program.lag,
        np.zeros(program.ranks), end,
    )  # fmt: skip
    if wrong >= 0:
        raise ValueError(_fault(program, order, int(wrong)))
    return Schedule(program, order, end - program.duration, end)


@checked
def emulate_ranks(program: Program, rank_orders: Sequence[Int[np.ndarray, " _"]]) -> Schedule:
    """Emulate a schedule given as one order per rank; raises as :func:`merge_rank_orders` does."""
    return emulate(program, merge_rank_orders(program, rank_orders))


@checked
def makespans(
    program: Program, orders: Int[np.ndarray, "schedules n"], *, threads: int = 1
) -> Float[np.ndarray, " schedules"]:
    """Evaluate many topological orders of one program; makespans in seconds.

    The kernel releases the interpreter lock, so ``threads`` run side by side on shared memory.

    Raises
    ------
    ValueError
        If ``threads < 1``, or an order is refused by :func:`emulate`.
    """
    threads = checks.integer("threads", threads)
    given = np.asarray(orders)
    if given.ndim != 2:
        raise ValueError(f"orders has shape {given.shape}: give one order a row")
    if given.dtype != np.int32 or given.shape[1] != program.operations:
        given = _checked_order(program, given)
    orders = np.ascontiguousarray(given)
    result = np.empty(len(orders))
    wrong = np.full(threads, -1)
    # 32-bit indices halve the memory that the loop streams through
    rank, dep_ptr, dep = (a.astype(np.int32) for a in (program.rank, program.dep_ptr, program.dep))
    cuts = np.linspace(0, len(orders), threads + 1).astype(int)

    def part(k: int) -> None:
        rows = slice(cuts[k], cuts[k + 1])
        wrong[k] = _batch(
            orders[rows], rank, program.duration, dep_ptr, dep, program.lag, program.ranks,
            result[rows],
        )  # fmt: skip

    if threads == 1:
        part(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, range(threads)))
    for k in np.flatnonzero(wrong >= 0):
        emulate(program, orders[cuts[k] + wrong[k]])  # says what is wrong with it
    return result


class PrefixEmulator:
    """Evaluates successive orders of one program, reusing the prefix they share with the last one.

    The paper's step emulator is said to reuse subgraphs in space and time; how is not public. This
    is our reconstruction of the temporal half: ends before the first changed position stay, and the
    ranks' clocks are rebuilt from snapshots taken every ``stride`` operations.
    :func:`~quire.pipeline.search.order_annealing.anneal_order` does the same inside its compiled
    loop. ``updates`` counts operations evaluated so far.

    Raises
    ------
    ValueError
        If ``stride < 1``.
    """

    def __init__(self, program: Program, *, stride: int = 64) -> None:
        stride = checks.integer("stride", stride)
        self._program = program
        self._stride = stride
        self._order = np.full(program.operations, -1, dtype=np.int64)
        self._end = np.full(program.operations, -1.0)
        snapshots = program.operations // stride + 1
        self._clock = np.zeros((snapshots, program.ranks))
        self.updates = 0

    def ends(self, order: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Return the ends of all operations in the given topological order (a copy).

        Raises
        ------
        ValueError
            If the order is refused by :func:`emulate`; the next call then starts afresh.
        """
        program, stride = self._program, self._stride
        order = _checked_order(program, order)
        if order.ndim != 1:
            raise ValueError(f"order has shape {order.shape}: give one order")
        changed = np.flatnonzero(order != self._order)
        first = int(changed[0]) if len(changed) else program.operations
        snapshot = min(first // stride, len(self._clock) - 1)
        free = self._clock[snapshot].copy()
        position = snapshot * stride
        before, self._order = self._order, order.copy()
        if first < program.operations:
            stale = before[position:]
            self._end[stale[stale >= 0]] = -1.0
        while first < program.operations and position < program.operations:
            stop = min(position + stride, program.operations)
            wrong = _pass(
                self._order[:stop], position, program.rank, program.duration,
                program.dep_ptr, program.dep, program.lag, free, self._end,
            )  # fmt: skip
            if wrong >= 0:
                self._order[:], self._end[:] = -1, -1.0
                raise ValueError(_fault(program, order, int(wrong)))
            self.updates += stop - position
            position = stop
            if position % stride == 0 and position // stride < len(self._clock):
                self._clock[position // stride] = free
        return self._end.copy()
