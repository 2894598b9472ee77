"""Other people's schedulers, tables and solvers, held against ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quire.pipeline.experiments.setting import Setting
from quire.pipeline.peers.ortools import solve_exactly
from quire.pipeline.program import Program
from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.action_tables import read_actions, replay, write_actions
from quire.pipeline.schedules.list_scheduling import ListScheduler
from quire.pipeline.schedules.multimodal import static_schedule
from quire.pipeline.schedules.segments import balanced_plan, segmented_program
from quire.pipeline.schedules.static import interleaved, uniform_program
from quire.pipeline.schedules.zero_bubble import longest_span, zb_1p, zb_2p, zb_v
from quire.pipeline.search.steps import search_step

ZERO_BUBBLE = {"zb1p": zb_1p, "zb2p": zb_2p, "zbv": zb_v}


@dataclass(frozen=True)
class ZeroBubbleCase:
    """One case of the public scheduler: its longest rank span and ours, in ticks."""

    scheduler: str
    ranks: int
    microbatches: int
    equal_costs: bool
    theirs: float
    ours: float


def zero_bubble_cases(rows: Sequence[Mapping[str, str]], count: int) -> list[ZeroBubbleCase]:
    """Schedule the ``count`` smallest cases at the public scheduler's activation memory."""
    smallest = sorted(rows, key=lambda c: int(c["p"]) * int(c["m"]))[:count]
    found = []
    for case in smallest:
        name = case["scheduler"]
        times = [float(case[t]) for t in ("t_f", "t_b", "t_w")]
        folded = name == "zbv"
        program = uniform_program(
            int(case["p"]), int(case["m"]), *times, hop=float(case["t_comm"]), memory=2.0,
            chunks=2 if folded else 1, placement="v" if folded else "loop",
        )  # fmt: skip
        equal = len(set(times)) == 1 and case["t_comm"] == "0"
        span = longest_span(ZERO_BUBBLE[name](program))
        theirs = float(case["longest_stage_time"])
        found.append(ZeroBubbleCase(name, int(case["p"]), int(case["m"]), equal, theirs, span))
    return found


@dataclass(frozen=True)
class ZeroBubbleSummary:
    """Cases of one scheduler: how many of ours are shorter, equal, longer, and by how much."""

    scheduler: str
    cases: int
    shorter: int
    equal: int
    longer: int
    mean_ratio: float


def zero_bubble_summary(cases: Sequence[ZeroBubbleCase]) -> list[ZeroBubbleSummary]:
    """Count the cases per scheduler."""
    rows = []
    for name in ZERO_BUBBLE:
        own = [c for c in cases if c.scheduler == name]
        if own:
            rows.append(
                ZeroBubbleSummary(
                    name,
                    len(own),
                    sum(c.ours < c.theirs for c in own),
                    sum(c.ours == c.theirs for c in own),
                    sum(c.ours > c.theirs for c in own),
                    float(np.mean([c.ours / c.theirs for c in own])),
                )
            )
    return rows


def whole_ticks(setting: Setting, ranks: int, microbatches: int) -> Program:
    """Round a small step's times to a twentieth of its longest operation, at least one tick."""
    batch = setting.draw(microbatches, 4)
    plan = balanced_plan(setting.model, ranks, (1, 1))
    p = segmented_program(setting.model, batch, plan, setting.hardware)
    tick = p.duration.max() / 20
    return replace(
        p,
        duration=np.maximum(1.0, np.round(p.duration / tick)),
        lag=np.round(p.lag / tick),
        succ_lag=np.round(p.succ_lag / tick),
    )


@dataclass(frozen=True)
class Proof:
    """A small step: what the search finds, what the solver finds and proves, in ticks."""

    ranks: int
    microbatches: int
    search: float
    solver: float
    bound: float
    certified: bool

    @property
    def gap(self) -> float:
        """Relative excess of the search over the solver's proven bound."""
        return self.search / self.bound - 1


def proofs(
    setting: Setting, sizes: Sequence[tuple[int, int]], *, seconds: float, workers: int = 2
) -> list[Proof]:
    """Search small steps and let the constraint solver prove how good the result is."""
    rows = []
    for ranks, m in sizes:
        scheduler = ListScheduler(whole_ticks(setting, ranks, m))
        found = search_step(scheduler, evaluations=1000, seed=setting.seed, epsilon=0.0).schedule
        best = solve_exactly(scheduler.program, found, seconds=seconds, workers=workers)
        rows.append(
            Proof(ranks, m, found.makespan, best.schedule.makespan, best.bound, best.certified)
        )
    return rows


@dataclass(frozen=True)
class Replayed:
    """A table of PyTorch's, replayed: its columns, its makespan, least and most busy steps."""

    table: str
    ranks: int
    columns: int
    makespan: float
    least_busy: float
    most_busy: float


def replay_table(name: str, text: str) -> Replayed:
    """Replay one of PyTorch's tables operation by operation, F = I = W = 1 and B = 2."""
    table = read_actions(text)
    schedule = replay(table)
    busy = schedule.program.work()
    columns = max(line.count(",") + 1 for line in text.strip().splitlines())
    return Replayed(
        name, table.ranks, columns, schedule.makespan, float(busy.min()), float(busy.max())
    )


def exported(setting: Setting, *, ranks: int = 2, chunks: int = 2) -> tuple[Schedule, str]:
    """Search the order of a batch on its interleaved static cut; the schedule and its table."""
    s = replace(setting, ranks=ranks, microbatches=2 * ranks)
    batch, history = s.batch(0), s.draw(64, 1)
    start = static_schedule(s.model, batch, history, ranks, s.hardware, chunks=chunks)
    found = search_step(
        ListScheduler(start.program), evaluations=s.evaluations, seed=s.seed, start=start
    ).schedule
    return found, write_actions(found)


def exported_difference(*, ranks: int = 2, chunks: int = 2, seed: int = 0) -> float:
    """Write a searched schedule of equal microbatches as a table, replay it; seconds apart."""
    program = uniform_program(ranks, 2 * ranks, 1.0, 2.0, chunks=chunks)
    found = search_step(
        ListScheduler(program), evaluations=200, seed=seed, start=interleaved(program)
    ).schedule
    again = replay(read_actions(write_actions(found)), forward=1.0, backward=2.0)
    return again.makespan - found.makespan
