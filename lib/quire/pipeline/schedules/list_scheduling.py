"""List scheduling: whenever a rank is free it takes the best operation that is ready.

The rule that the paper's stage interleaving is reported to follow, one queue of ready backwards and
one of ready forwards per rank, reconstructed here with memory admission, weight gradients as filler
and a deadlock rule (all ours). The event loop is compiled with Numba: a rank's next decision is
taken at the earliest time over all ranks, so everything that can have arrived by then is already
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from quire import checks
from quire.pipeline.failures import InfeasibleMemory, ScheduleDeadlock
from quire.pipeline.program import Program
from quire.pipeline.schedule import Schedule, finite_limit
from quire.pipeline.schedules.heaps import pop_least, pop_soonest, push_least, push_soonest
from quire.signatures import checked

_EPS = 1e-9


@dataclass(frozen=True)
class Rules:
    """Rules by which a free rank chooses.

    ``memory_limit``: bytes per rank, None for no limit. ``banker``: admit a forward only if every
    microbatch in flight can still finish one after the other (without it a tight limit can
    deadlock). ``backward_first``: a ready backward precedes every forward; otherwise the key alone
    decides. ``patience``: a weight gradient is run rather than waiting for the next arrival if the
    wait would last at least this share of it. ``idle_budget``: seconds that a rank may idle by
    patience before it fills every gap, None for no bound.
    """

    memory_limit: Float[np.ndarray, " ranks"] | None = None
    banker: bool = True
    backward_first: bool = True
    patience: float = 1.0
    idle_budget: float | None = None

    def __post_init__(self) -> None:
        checks.non_negative("patience", self.patience)
        if self.idle_budget is not None:
            checks.non_negative("idle_budget", self.idle_budget)


@njit(cache=True, nogil=True)
@no_type_check
def _admissible(i, r, m, limit, used, acquired, held, rest, claim, largest, banker):
    """Whether forward ``i`` fits on rank ``r`` and leaves a safe order to finish in."""
    slack = _EPS * limit[r]
    free = limit[r] - used[r] - acquired[i]
    if free < -slack:
        return False
    if not banker or free >= largest[r]:
        return True
    for k in range(claim.shape[0]):
        j = claim[k]
        need, own = rest[j, r], held[j, r]
        if j == m:
            need -= acquired[i]
            own += acquired[i]
        if need > free + slack:
            return False
        free += own
    return True


@njit(cache=True, nogil=True)
@no_type_check
def _claim_order(key, micro, microbatches):
    """Order in which microbatches may count on finishing: by their best key."""
    best = np.full(microbatches, key.shape[0], np.int32)
    if microbatches > 0:  # none: there is no limit to keep to
        for i in range(key.shape[0]):
            best[micro[i]] = min(best[micro[i]], key[i])
    return np.argsort(best)


@njit(cache=True, nogil=True)
@no_type_check
def _inverse_into(key, by_key):
    """Fill ``by_key``, all −1 before, with the operation of each key; False if there are gaps."""
    n = by_key.shape[0]
    if key.shape[0] != n:
        return False
    for i in range(n):
        k = key[i]
        if k < 0 or k >= n or by_key[k] >= 0:
            return False
        by_key[k] = i
    return True


@njit(cache=True, nogil=True)
@no_type_check
def _list_kernel(
    key, by_key, rank, kind, micro, duration, acquired, released, missing, succ_ptr, succ, succ_lag,
    limit, bounded, need, claim, largest, banker, backward_first, patience,
    idle_budget, base, start, end, order,
):  # fmt: skip
    n, ranks = key.shape[0], base.shape[0] - 1
    waiting = missing.copy()
    ready_at = np.zeros(n)
    arrivals = np.empty(n, np.int32)
    ready = np.empty((3, n), np.int32)  # one heap per kind and rank, in the rank's own stretch
    arriving = np.zeros(ranks, np.int32)
    size = np.zeros((3, ranks), np.int32)
    stash = np.empty(n, np.int32)
    free, idle, used = np.zeros(ranks), np.zeros(ranks), np.zeros(ranks)
    begun = np.zeros(ranks, np.bool_)
    decision = np.full(ranks, np.inf)
    held = np.zeros_like(need)
    rest = need.copy()
    for i in range(n):
        if waiting[i] == 0:
            r = rank[i]
            arriving[r] = push_soonest(arrivals, base[r], arriving[r], i, ready_at, key)
            decision[r] = 0.0
    placed = 0
    while placed < n:
        r, now = 0, decision[0]
        for s in range(1, ranks):
            if decision[s] < now:
                r, now = s, decision[s]
        if now == np.inf:
            break
        b = base[r]
        while arriving[r] > 0 and ready_at[arrivals[b]] <= now:
            i = pop_soonest(arrivals, b, arriving[r], ready_at, key)
            arriving[r] -= 1
            k = kind[i]
            size[k, r] = push_least(ready[k], b, size[k, r], key[i])
        chosen, blocked = -1, False
        if size[1, r] > 0 and backward_first:
            chosen = pop_least(ready[1], b, size[1, r])
            size[1, r] -= 1
        elif size[0, r] > 0:
            bar = ready[1, b] if size[1, r] > 0 else n
            stashed = 0
            while size[0, r] > 0 and ready[0, b] < bar:
                top = pop_least(ready[0], b, size[0, r])
                size[0, r] -= 1
                i = by_key[top]
                if not bounded or _admissible(
                    i, r, micro[i], limit, used, acquired, held, rest, claim, largest, banker
                ):
                    chosen = top
                    break
                blocked = True
                stash[stashed] = top
                stashed += 1
            for k in range(stashed):
                size[0, r] = push_least(ready[0], b, size[0, r], stash[k])
        if chosen < 0 and size[1, r] > 0:
            chosen = pop_least(ready[1], b, size[1, r])
            size[1, r] -= 1
        if chosen < 0 and size[2, r] > 0:
            gap = np.inf
            if arriving[r] > 0:
                gap = ready_at[arrivals[b]] - now
            if (
                blocked
                or gap >= patience * duration[by_key[ready[2, b]]]
                or (idle[r] + gap > idle_budget)
            ):
                chosen = pop_least(ready[2], b, size[2, r])
                size[2, r] -= 1
        if chosen < 0:
            decision[r] = ready_at[arrivals[b]] if arriving[r] > 0 else np.inf
            continue
        i = by_key[chosen]
        if begun[r]:
            idle[r] += now - free[r]
        begun[r] = True
        start[i], end[i] = now, now + duration[i]
        free[r] = end[i]
        order[placed] = i
        placed += 1
        if bounded:
            m = micro[i]
            used[r] += acquired[i] - released[i]
            held[m, r] += acquired[i] - released[i]
            rest[m, r] -= acquired[i]
        for a in range(succ_ptr[i], succ_ptr[i + 1]):
            j = succ[a]
            ready_at[j] = max(ready_at[j], end[i] + succ_lag[a])
            waiting[j] -= 1
            if waiting[j] == 0:
                s = rank[j]
                if ready_at[j] <= free[s]:  # it will be there whenever the rank decides next
                    k = kind[j]
                    size[k, s] = push_least(ready[k], base[s], size[k, s], key[j])
                    decision[s] = min(decision[s], free[s])
                else:
                    arriving[s] = push_soonest(arrivals, base[s], arriving[s], j, ready_at, key)
                    decision[s] = min(decision[s], ready_at[j])
        if size[0, r] + size[1, r] + size[2, r] > 0:
            decision[r] = free[r]
        elif arriving[r] > 0:
            decision[r] = max(free[r], ready_at[arrivals[b]])
        else:
            decision[r] = np.inf
    return placed


class ListScheduler:
    """A program and its rules, laid out once so that many priorities can be tried quickly.

    Raises
    ------
    ValueError
        If the memory limit is not one finite number of bytes per rank.
    InfeasibleMemory
        If a rank's limit is below what one microbatch alone keeps there.
    """

    def __init__(self, program: Program, rules: Rules | None = None) -> None:
        rules = rules or Rules()
        self.program, self.rules = program, rules
        self._bounded = rules.memory_limit is not None
        need = program.memory_need()
        if rules.memory_limit is None:
            limit = np.full(program.ranks, np.inf)
        else:
            limit = checked_limit(program, rules.memory_limit)
        sizes = np.bincount(program.rank, minlength=program.ranks)
        self._limit, self._need, self._largest = limit.astype(np.float64), need, need.max(axis=0)
        self._base = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        self._rank, self._kind, self._micro, self._succ_ptr, self._succ, self._missing = (
            column.astype(np.int32)
            for column in (
                program.rank, program.kind, program.microbatch, program.succ_ptr, program.succ,
                np.diff(program.dep_ptr),
            )
        )  # fmt: skip

    def __reduce__(self) -> tuple[type, tuple[Program, Rules]]:
        return ListScheduler, (self.program, self.rules)

    def run(self, key: Int[np.ndarray, " keys"]) -> Schedule:
        """Schedule by ``key``, a permutation of ``0 … n − 1`` over operations, least first.

        Raises
        ------
        ValueError
            If the key is no permutation.
        ScheduleDeadlock
            If memory admission blocks every forward for good (only without the banker's rule).
        """
        n = self.program.operations
        start, end, order = np.empty(n), np.empty(n), np.full(n, -1, dtype=np.int64)
        self._into(self._narrow(key), start, end, order)
        return Schedule(self.program, order, start, end)

    def _narrow(self, key: Int[np.ndarray, " keys"]) -> Int[np.ndarray, " keys"]:
        """Return the key as 32-bit integers, once nothing can be lost by it."""
        found = np.asarray(key)
        if found.dtype != np.int32:
            found = checks.whole_array("key", found, 1, least=-(2**31), most=2**31 - 1)
            found = found.astype(np.int32)
        return found

    def makespan(self, key: Int[np.ndarray, " keys"]) -> float:
        """Makespan of :meth:`run`, without building the schedule."""
        n = self.program.operations
        end = np.empty(n)
        self._into(self._narrow(key), np.empty(n), end, np.empty(n, dtype=np.int64))
        return float(end.max())

    def _into(
        self,
        key: Int[np.ndarray, " keys"],
        start: Float[np.ndarray, " n"],
        end: Float[np.ndarray, " n"],
        order: Int[np.ndarray, " n"],
    ) -> None:
        program, rules = self.program, self.rules
        by_key = np.full(program.operations, -1, dtype=np.int32)
        if not _inverse_into(key, by_key):
            raise ValueError(f"key must be a permutation of 0 to {program.operations - 1}")
        claim = _claim_order(key, self._micro, len(self._need) if self._bounded else 0)
        placed = _list_kernel(
            key, by_key, self._rank, self._kind, self._micro, program.duration, program.acquired,
            program.released, self._missing, self._succ_ptr, self._succ, program.succ_lag,
            self._limit, self._bounded, self._need, claim, self._largest, rules.banker,
            rules.backward_first, rules.patience,
            np.inf if rules.idle_budget is None else rules.idle_budget,
            self._base, start, end, order,
        )  # fmt: skip
        if placed < program.operations:
            left = np.setdiff1d(np.arange(program.operations), order[:placed])
            i = int(left[np.argmin(key[left])])
            raise ScheduleDeadlock(
                int(program.rank[i]), int(program.chain[i]), "memory admits no forward that is left"
            )


def checked_limit(
    program: Program, limit: Float[np.ndarray, " ranks"]
) -> Float[np.ndarray, " ranks"]:
    """Return a memory limit as bytes per rank that hold at least one microbatch.

    Raises
    ------
    ValueError
        If the limit is not one finite number per rank, zero or more.
    InfeasibleMemory
        If one microbatch alone does not fit some rank.
    """
    given = finite_limit(limit, program.ranks)
    largest = program.memory_need().max(axis=0)
    over = np.flatnonzero(largest > given * (1 + _EPS))
    if len(over):
        rank = int(over[0])
        raise InfeasibleMemory(rank, float(largest[rank]), float(given[rank]))
    return given


@checked
def ranked_key(program: Program, priority: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Turn priorities (least first) into a key; ties by microbatch, segment, piece, operation."""
    rows = np.lexsort(
        (
            np.arange(program.operations),
            program.piece,
            program.segment,
            program.microbatch,
            priority,
        )
    )
    key = np.empty(program.operations, dtype=np.int64)
    key[rows] = np.arange(program.operations)
    return key


@checked
def list_schedule(
    program: Program, priority: Float[np.ndarray, " n"] | None = None, rules: Rules | None = None
) -> Schedule:
    """Schedule by ``priority`` per operation (least first; None: by microbatch, FIFO).

    Raises
    ------
    ValueError
        If a priority is not a number.
    InfeasibleMemory, ScheduleDeadlock
        As :class:`ListScheduler` says.
    """
    if priority is None:
        priority = program.microbatch.astype(np.float64)
    if np.shape(priority) != (program.operations,) or np.isnan(priority).any():
        raise ValueError(
            f"priority = {priority} (shape {np.shape(priority)}): "
            f"give each of the {program.operations} operations a number, not NaN"
        )
    return ListScheduler(program, rules).run(ranked_key(program, priority))
