"""Proven optima of small steps with a constraint solver (OR-Tools CP-SAT, an optional peer)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire import checks
from quire.pipeline.emulator import emulate
from quire.pipeline.program import BACKWARD, FORWARD, WEIGHT, Program
from quire.pipeline.schedule import Schedule, violations
from quire.pipeline.schedules.list_scheduling import checked_limit
from quire.signatures import checked

TICKS = 100_000
"""Integer ticks into which the horizon is divided unless the durations are integers already."""


@dataclass(frozen=True)
class SolverResult:
    """Best schedule that the solver found and its proven lower bound, in seconds.

    ``certified`` is True where the two agree, so that the schedule is optimal.
    """

    schedule: Schedule
    bound: float
    certified: bool


@checked
def solve_exactly(
    program: Program,
    hint: Schedule,
    *,
    seconds: float = 10.0,
    workers: int = 8,
    seed: int = 0,
    memory_limit: Float[np.ndarray, " ranks"] | None = None,
) -> SolverResult:
    """Minimise the makespan by constraint programming, starting from ``hint``.

    Durations and lags are rounded down to ticks, so the solver's bound stays a bound. An operation
    without duration gets the smallest one: ticks are divided into one part more than there are such
    operations, so that they order themselves among the others and together last less than a tick.
    The order that is found is emulated with the true durations and held against every rule; it is
    ``certified`` if it reaches the bound (to a tick per operation unless the durations are whole
    numbers). Needs the package ``ortools``.

    Raises
    ------
    ValueError
        If ``seconds`` or ``workers`` is not positive, ``memory_limit`` is not one finite number
        per rank, or ``hint`` is no valid schedule of ``program`` within it.
    InfeasibleMemory
        If one microbatch alone does not fit some rank.
    """
    seconds = checks.positive("seconds", seconds)
    workers = checks.integer("workers", workers)
    if memory_limit is not None:
        memory_limit = checked_limit(program, memory_limit)
    broken = violations(replace(hint, program=program), memory_limit)
    if broken:
        raise ValueError(f"hint = a schedule that is not valid here: {broken[0]}")
    from ortools.sat.python import cp_model

    whole = bool(np.all(program.duration % 1 == 0) and np.all(program.lag % 1 == 0))
    tick = 1.0 if whole else hint.makespan / TICKS
    duration, lag = (np.floor(t / tick + 1e-9).astype(int) for t in (program.duration, program.lag))
    empty = duration == 0
    parts = int(empty.sum()) + 1
    duration, lag = np.where(empty, 1, duration * parts), lag * parts
    horizon = int(np.ceil(hint.makespan / tick)) * parts + parts - 1
    model = cp_model.CpModel()
    starts = [model.new_int_var(0, horizon - int(d), f"s{i}") for i, d in enumerate(duration)]
    spans = [
        model.new_fixed_size_interval_var(s, int(d), "")
        for s, d in zip(starts, duration, strict=True)
    ]
    for rank in range(program.ranks):
        model.add_no_overlap([spans[i] for i in np.flatnonzero(program.rank == rank)])
    for i in range(program.operations):
        for a in range(program.dep_ptr[i], program.dep_ptr[i + 1]):
            j = int(program.dep[a])
            model.add(starts[i] >= starts[j] + int(duration[j] + lag[a]))
    hinted = _push_right(program, hint, duration, lag)
    for i, start in enumerate(starts):
        model.add_hint(start, min(int(hinted[i]), horizon - int(duration[i])))
    makespan = model.new_int_var(0, horizon, "makespan")
    for s, d in zip(starts, duration, strict=True):
        model.add(makespan >= s + int(d))
    if memory_limit is not None:
        _limit_memory(model, program, starts, duration, horizon, memory_limit)
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = seed
    status = solver.solve(model)
    # what the empty operations lasted is not part of the bound; whole ticks are
    ticks = (float(solver.best_objective_bound) - (parts - 1)) / parts
    bound = max(0.0, float(np.ceil(ticks - 1e-6)) * tick)
    best = hint
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        order = np.argsort([solver.value(s) for s in starts], kind="stable")
        found = emulate(program, order)
        if found.makespan < hint.makespan and not violations(found, memory_limit):
            best = found
    slack = 0.0 if whole else program.operations * tick
    return SolverResult(best, bound, best.makespan <= bound + slack + 1e-9 * best.makespan)


def _push_right(
    program: Program,
    hint: Schedule,
    duration: Int[np.ndarray, " n"],
    lag: Int[np.ndarray, " arcs"],
) -> Int[np.ndarray, " n"]:
    """Start every operation of the hint's order as early as whole ticks allow."""
    start: Int[np.ndarray, " n"] = np.zeros(program.operations, dtype=np.int64)
    free = np.zeros(program.ranks, dtype=np.int64)
    for i in hint.order.tolist():
        arcs = slice(program.dep_ptr[i], program.dep_ptr[i + 1])
        waits = program.dep[arcs]
        arrival = (start[waits] + duration[waits] + lag[arcs]).max(initial=0)
        start[i] = max(free[program.rank[i]], arrival)
        free[program.rank[i]] = start[i] + duration[i]
    return start


def _limit_memory(
    model: Any,
    program: Program,
    starts: list[Any],
    duration: Int[np.ndarray, " n"],
    horizon: int,
    memory_limit: Float[np.ndarray, " ranks"],
) -> None:
    """Keep each slice's memory from its forward's start until its backwards have ended."""
    pairs: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for i in range(program.operations):
        pairs[int(program.chain[i]), int(program.stage[i])][int(program.kind[i])] = i
    unit = float(memory_limit.max()) / 1e6 or 1.0
    for rank in range(program.ranks):
        kept, demand = [], []
        for pair in pairs.values():
            first = pair[FORWARD]
            if program.rank[first] != rank:
                continue
            for release in sorted({BACKWARD, WEIGHT} & set(pair)):
                end = model.new_int_var(0, horizon, "")
                model.add(end == starts[pair[release]] + int(duration[pair[release]]))
                size = model.new_int_var(0, horizon, "")
                kept.append(model.new_interval_var(starts[first], size, end, ""))
                demand.append(int(program.released[pair[release]] / unit))
        model.add_cumulative(kept, demand, int(np.ceil(memory_limit[rank] / unit)))
