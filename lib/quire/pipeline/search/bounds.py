"""Lower bounds on the makespan, and the certificate that comes with every schedule (ours).

Three bounds, the largest counts: the longest path of dependencies; for each rank, the best
preemptive schedule of its operations between their heads and tails; and the memory that must be
kept for how long against the memory there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from quire import checks
from quire.pipeline.program import BACKWARD, FORWARD, Program
from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.heaps import pop_soonest, push_soonest
from quire.pipeline.schedules.list_scheduling import checked_limit
from quire.pipeline.schedules.partition import layer_times
from quire.pipeline.workload.batches import Microbatch
from quire.pipeline.workload.costs import Hardware, layer_cost
from quire.pipeline.workload.modules import Model
from quire.signatures import checked


@dataclass(frozen=True)
class Bound:
    """Lower bounds on the makespan in seconds: ``path``, per-rank ``machine`` and ``memory``."""

    path: float
    machine: Float[np.ndarray, " ranks"]
    memory: Float[np.ndarray, " ranks"]

    @property
    def value(self) -> float:
        """The largest of them."""
        return max(self.path, float(self.machine.max()), float(self.memory.max()))


@dataclass(frozen=True)
class Certificate:
    """A makespan, a proven lower bound on every makespan, and how far apart they are at most."""

    makespan: float
    bound: float

    @property
    def gap(self) -> float:
        """Proven largest relative excess over the optimum, ``makespan / bound − 1``."""
        return self.makespan / self.bound - 1.0


@checked
def heads_and_tails(program: Program) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Earliest start of each operation and least time from its end to the end of the step.

    Both by dependencies alone; operations are numbered topologically, so one pass each way will do.
    """
    head, tail = np.zeros(program.operations), np.zeros(program.operations)
    _longest_into(
        program.duration, program.dep_ptr, program.dep, program.lag, program.succ_ptr,
        program.succ, program.succ_lag, head, tail,
    )  # fmt: skip
    return head, tail


@njit(cache=True, nogil=True)
@no_type_check
def _longest_into(duration, dep_ptr, dep, lag, succ_ptr, succ, away, head, tail):
    """Fill in the longest paths before and after each operation."""
    n = duration.shape[0]
    for i in range(n):
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            head[i] = max(head[i], head[dep[a]] + duration[dep[a]] + lag[a])
    for i in range(n - 1, -1, -1):
        for a in range(succ_ptr[i], succ_ptr[i + 1]):
            tail[i] = max(tail[i], away[a] + duration[succ[a]] + tail[succ[a]])


def preemptive_bound(
    head: Float[np.ndarray, " k"], duration: Float[np.ndarray, " k"], tail: Float[np.ndarray, " k"]
) -> float:
    """Optimal preemptive makespan of one machine with heads and tails (Jackson's rule).

    Always run the released operation with the longest tail. It dominates ``min head + work + min
    tail`` over every subset of the operations.
    """
    return float(_jackson(np.argsort(head, kind="stable"), head, duration.copy(), -tail))


@njit(cache=True, nogil=True)
@no_type_check
def _jackson(arrivals, head, left, urgency):
    """Run Jackson's rule: the least ``urgency``, minus the tail, first; ``left`` is used up."""
    n = arrivals.shape[0]
    heap, number = np.empty(n, np.int64), np.arange(n)
    now, bound, k, size = 0.0, 0.0, 0, 0
    while k < n or size > 0:
        if size == 0:
            now = max(now, head[arrivals[k]])
        while k < n and head[arrivals[k]] <= now:
            size = push_soonest(heap, 0, size, arrivals[k], urgency, number)
            k += 1
        i = heap[0]
        until = head[arrivals[k]] if k < n else np.inf
        run = min(left[i], until - now)
        now += run
        left[i] -= run
        if left[i] <= 0 or now + left[i] == now:
            pop_soonest(heap, 0, size, urgency, number)
            size -= 1
            bound = max(bound, now - urgency[i])
    return bound


@checked
def lower_bound(program: Program, memory_limit: Float[np.ndarray, " ranks"] | None = None) -> Bound:
    """Bound on the makespan of every valid schedule of ``program``, in seconds.

    The memory bound: what a slice keeps, it keeps at least from the start of its forward to the end
    of its backward along the longest path between them; the sum of bytes times seconds cannot
    exceed the limit times the makespan.

    Raises
    ------
    ValueError
        If the memory limit is not one finite number per rank.
    InfeasibleMemory
        If one microbatch alone does not fit some rank.
    """
    head, tail = heads_and_tails(program)
    machine = np.zeros(program.ranks)
    memory = np.zeros(program.ranks)
    for rank in range(program.ranks):
        own = np.flatnonzero(program.rank == rank)
        if len(own):
            machine[rank] = preemptive_bound(head[own], program.duration[own], tail[own])
    if memory_limit is not None:
        energy = np.bincount(
            program.rank, weights=program.acquired * _residence(program), minlength=program.ranks
        )
        limit = checked_limit(program, memory_limit)
        memory = np.divide(energy, limit, out=memory, where=limit > 0)
    path = float((head + program.duration + tail).max(initial=0.0))
    return Bound(path, machine, memory)


def _residence(program: Program) -> Float[np.ndarray, " n"]:
    """Return the least seconds from each forward's start to its backward's end, along its chain.

    Chains that it feeds, hops and what a split backward keeps until ``W`` only make it longer.
    """
    residence = np.zeros(program.operations)
    for chain in range(int(program.chain.max()) + 1):
        own = np.flatnonzero(program.chain == chain)
        forward = own[program.kind[own] == FORWARD]
        backward = own[program.kind[own] == BACKWARD]
        forward = forward[np.argsort(program.stage[forward])]
        backward = backward[np.argsort(program.stage[backward])]
        there_and_back = program.duration[forward] + program.duration[backward]
        residence[forward] = np.cumsum(there_and_back[::-1])[::-1]
    return residence


@checked
def plan_free_bound(
    model: Model, batch: Sequence[Microbatch], ranks: int, hardware: Hardware
) -> float:
    """Bound the step of every plan: any layers on any rank, any pieces, any order; in seconds.

    A plan keeps each layer on one rank and may cut microbatches between items; the backward is
    whole. Cutting never makes kernels faster, so the ranks together have at least the work of whole
    microbatches to do. Order the ranks by the first layer that each of them holds: the k-th cannot
    start before k layers of the quickest item have run, and k layers run backwards after it. Nor
    can a step be shorter than its longest item's way through its module and back.

    Raises
    ------
    ValueError
        If the batch is empty or ``ranks < 1``.
    """
    ranks = checks.integer("ranks", ranks)
    work = float(layer_times(model, batch, hardware)[:, :, :3].sum())
    quickest, longest = [], 0.0
    for u, module in enumerate(model.modules):
        passes = [0.0 if len(mb.lengths[u]) == 0 else np.inf for mb in batch]
        for length in {float(x) for mb in batch for x in mb.lengths[u]}:
            cost = layer_cost(module, np.array([length]), hardware)
            seconds = cost.forward + cost.backward + cost.weight
            passes.append(seconds)
            longest = max(longest, module.layers * seconds)
        quickest += [min(passes)] * module.layers
    head_and_tail = np.cumsum([0.0, *quickest])[:ranks].sum()
    return max((work + float(head_and_tail)) / ranks, longest)


@checked
def certify(schedule: Schedule, bound: float) -> Certificate:
    """Certificate of a schedule against a proven lower bound.

    Raises
    ------
    ValueError
        If the bound is not positive, or exceeds the makespan (then it is no bound).
    """
    bound = checks.positive("bound", bound)
    if bound > schedule.makespan * (1 + 1e-9):
        raise ValueError(
            f"bound {bound:.6g} exceeds the makespan {schedule.makespan:.6g}: "
            "it belongs to another step"
        )
    return Certificate(schedule.makespan, bound)
