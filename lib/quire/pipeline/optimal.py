"""Proven optima of small steps with a constraint solver (OR-Tools CP-SAT, an optional peer)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.pipeline.emulator import emulate
from quire.pipeline.program import BACKWARD, FORWARD, WEIGHT, Program
from quire.pipeline.schedule import Schedule

TICKS = 100_000
"""Integer ticks into which the horizon is divided unless the durations are integers already."""


@dataclass(frozen=True)
class Optimum:
    """Best schedule that the solver found and its proven lower bound, both in seconds."""

    schedule: Schedule
    bound: float
    proven: bool


def solve_exactly(
    program: Program,
    hint: Schedule,
    *,
    seconds: float = 10.0,
    workers: int = 8,
    seed: int = 0,
    memory_limit: Float[np.ndarray, " ranks"] | None = None,
) -> Optimum:
    """Minimise the makespan by constraint programming, starting from ``hint``.

    Durations and lags are rounded down to ticks, so the solver's bound stays a bound; the order
    that it finds is emulated with the true durations. ``proven`` means that the two agree to a tick
    per operation of the longest path. Needs the package ``ortools``.

    Raises
    ------
    ValueError
        If ``seconds`` or ``workers`` is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}: give a positive number")
    if workers < 1:
        raise ValueError(f"workers is {workers}: give at least 1")
    from ortools.sat.python import cp_model

    whole = bool(
        np.all(program.duration == np.floor(program.duration)) and np.all(program.lag % 1 == 0)
    )
    tick = 1.0 if whole else hint.makespan / TICKS
    duration = np.floor(program.duration / tick + 1e-9).astype(int)
    lag = np.floor(program.lag / tick + 1e-9).astype(int)
    horizon = int(np.ceil(hint.makespan / tick))
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
        model.add_hint(starts[i], min(int(hint.start[i] / tick), horizon - int(duration[i])))
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
    bound = float(solver.best_objective_bound) * tick
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Optimum(hint, bound, False)
    order = np.lexsort((np.arange(program.operations), np.array([solver.value(s) for s in starts])))
    found = emulate(program, order)
    best = found if found.makespan < hint.makespan else hint
    return Optimum(best, bound, status == cp_model.OPTIMAL)


def _limit_memory(
    model: Any,
    program: Program,
    starts: list[Any],
    duration: Int[np.ndarray, " n"],
    horizon: int,
    memory_limit: Float[np.ndarray, " ranks"],
) -> None:
    """Each slice's memory is an interval from its forward's start to its last backward's end."""
    last = WEIGHT if (program.kind == WEIGHT).any() else BACKWARD
    pairs: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for i in range(program.operations):
        pairs[int(program.chain[i]), int(program.stage[i])][int(program.kind[i])] = i
    unit = float(memory_limit.max()) / 1e6
    for rank in range(program.ranks):
        kept, demand = [], []
        for pair in pairs.values():
            first = pair[FORWARD]
            if program.rank[first] != rank:
                continue
            for release in sorted({BACKWARD, last}):
                end = model.new_int_var(0, horizon, "")
                model.add(end == starts[pair[release]] + int(duration[pair[release]]))
                size = model.new_int_var(0, horizon, "")
                kept.append(model.new_interval_var(starts[first], size, end, ""))
                demand.append(int(program.released[pair[release]] / unit))
        model.add_cumulative(kept, demand, int(np.ceil(memory_limit[rank] / unit)))
