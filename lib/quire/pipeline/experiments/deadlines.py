"""Schedules that must be there in time: how many are, and what the time goes to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from quire.pipeline.experiments.setting import Prepared
from quire.pipeline.experiments.statistics import Mean, proportion
from quire.pipeline.search.deadlines import (
    Planner,
    Step,
    fifo_schedule,
    generate_schedules,
    timed_search,
)


@dataclass(frozen=True)
class DeadlineRow:
    """One share of the step's time given to the planner: what came in time, and where it went.

    ``fresh`` of the ``steps`` ran a fresh schedule; ``over_fifo`` is the mean of their length over
    that of the same step run first in, first out. Milliseconds are medians.
    """

    share: float
    steps: int
    fresh: int
    over_fifo: float
    deadline: float
    parse: float
    build: float
    search: float
    move: float

    @property
    def in_time(self) -> Mean:
        """Share of steps with a fresh schedule, with its exact interval."""
        return proportion(self.fresh, self.steps)


def run_ahead(prepared: Prepared, steps: int, share: float) -> tuple[Planner, list[Step]]:
    """Plan ``steps`` batches, each while the one before runs for ``share`` of its makespan.

    The planner runs the same search as everything else of the chapter, cut short by time alone.
    """
    s = prepared.setting
    search = partial(timed_search, evaluations=s.evaluations, method=s.method, seed=s.seed)
    planner = Planner(
        s.model, prepared.choice.layers.plan, s.hardware, search, prepared.memory_limit
    )
    batches = (s.draw(s.microbatches, 5, k) for k in range(steps + 1))
    return planner, list(generate_schedules(batches, planner, time_scale=share))


def deadlines(
    prepared: Prepared, steps: int, shares: tuple[float, ...] = (1.0, 0.2, 0.05, 0.01)
) -> list[DeadlineRow]:
    """Give the planner less and less of the time that a step lasts."""
    s = prepared.setting
    rows: list[DeadlineRow] = []
    plain: list[float] = []
    for share in shares:
        planner, made = run_ahead(prepared, steps, share)
        times = [step.timing for step in made if step.timing is not None]
        plain = plain or [
            fifo_schedule(planner.scheduler(s.draw(s.microbatches, 5, k))).makespan
            for k in range(1, steps + 1)
        ]
        over = [step.schedule.makespan / fifo for step, fifo in zip(made[1:], plain, strict=True)]

        def median(phase: str, times=times) -> float:  # type: ignore[no-untyped-def]
            return 1e3 * float(np.median([getattr(t, phase) for t in times])) if times else np.nan

        rows.append(
            DeadlineRow(
                share,
                steps,
                sum(step.fresh for step in made[1:]),
                float(np.mean(over)),
                1e3 * float(np.median([step.deadline for step in made[1:]])),
                *(median(phase) for phase in ("parse", "build", "search", "move")),
            )
        )
    return rows
