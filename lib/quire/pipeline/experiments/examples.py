"""Small steps to redo by hand: two ranks and two microbatches, and two surprises."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quire.pipeline.failures import ScheduleDeadlock
from quire.pipeline.program import KINDS, Chain, Program, assemble
from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.list_scheduling import Rules, list_schedule
from quire.pipeline.schedules.static import one_f_one_b, staged_program


def two_by_two(second: float = 3.0) -> Program:
    """Two ranks, two microbatches; the second takes ``second`` times as long as the first."""
    forward = np.array([[1.0, 1.0], [second, second]])
    return staged_program(forward, forward, np.zeros((2, 2)), 2)


@dataclass(frozen=True)
class TracedOperation:
    """One operation of the traced step: what it waits for, and its start and end."""

    rank: int
    operation: str
    rank_free: int | float
    input_there: int | float
    start: int | float
    end: int | float


def _plain(seconds: float) -> int | float:
    """Write whole seconds without a fraction."""
    return int(seconds) if float(seconds).is_integer() else float(seconds)


def trace(schedule: Schedule) -> list[TracedOperation]:
    """Redo the recursion for every operation in order of start, as one would by hand."""
    program = schedule.program
    rows = []
    for i in np.lexsort((program.rank, schedule.start)).tolist():
        own = schedule.rank_order(int(program.rank[i]))
        place = int(np.flatnonzero(own == i)[0])
        arcs = slice(program.dep_ptr[i], program.dep_ptr[i + 1])
        arrivals = schedule.end[program.dep[arcs]] + program.lag[arcs]
        rows.append(
            TracedOperation(
                int(program.rank[i]),
                f"{KINDS[program.kind[i]]}{program.microbatch[i]}",
                _plain(schedule.end[own[place - 1]]) if place else 0,
                _plain(arrivals.max(initial=0.0)),
                _plain(schedule.start[i]),
                _plain(schedule.end[i]),
            )
        )
    return rows


def whole_and_cut(pieces: int = 3) -> dict[str, Schedule]:
    """Run 1F1B on the 2 × 2 step, and on the same step with its long microbatch cut in pieces."""
    ones = np.ones((1 + pieces, 2))
    cut = staged_program(ones, ones, 0 * ones, 2)
    named = np.array([0, *[1] * pieces])
    part = np.array([0, *range(pieces)])
    relabelled = replace(cut, microbatch=named[cut.microbatch], piece=part[cut.microbatch])
    schedule = one_f_one_b(cut)
    return {
        "whole": one_f_one_b(two_by_two(float(pieces))),
        f"cut in {pieces}": replace(schedule, program=relabelled),
    }


@dataclass(frozen=True)
class Surprise:
    """One case of a surprise of list scheduling and what comes of it."""

    case: str
    outcome: str


def shorter_is_longer(second: float) -> float:
    """Makespan of Graham's anomaly: three microbatches, one forward of which lasts ``second``."""
    times = [([5, second], [4, 1]), ([2, 4], [3, 1]), ([4, 3], [5, 4])]
    forward, backward = (np.array(column, dtype=float) for column in zip(*times, strict=True))
    return list_schedule(staged_program(forward, backward, 0 * forward, 2)).makespan


def surprises() -> list[Surprise]:
    """Show that a shorter operation can lengthen a step, and that memory can deadlock it."""
    rows = [
        Surprise(f"one forward lasts {second:g} s", f"step of {shorter_is_longer(second):g} s")
        for second in (2.0, 1.0)
    ]
    ones = np.ones(2)
    jam = assemble(
        [
            Chain(i, module, 0, 2 * module, (0, 1), ones, ones, 0 * ones, ones, 0.0, feeds)
            for i, module, feeds in ((0, 0, ()), (1, 0, ()), (0, 1, (0,)), (1, 1, (1,)))
        ],
        2,
    )
    for banker in (False, True):
        rules = Rules(memory_limit=np.full(2, 2.0), banker=banker)
        case = f"room for two activations, {'with' if banker else 'without'} the banker's rule"
        try:
            step = list_schedule(jam, jam.module.astype(float), rules)
            rows.append(Surprise(case, f"step of {step.makespan:g} s"))
        except ScheduleDeadlock as deadlock:
            rows.append(Surprise(case, f"deadlock on rank {deadlock.rank}"))
    return rows
