"""Schedules that must be there in time: how many are, and what the time goes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quire.pipeline.experiments.setting import Prepared
from quire.pipeline.search.deadlines import (
    Planner,
    Step,
    fresh_fraction,
    generate_schedules,
    timed_search,
)


@dataclass(frozen=True)
class DeadlineRow:
    """One share of the step's time given to the planner: what came in time, and where it went.

    ``fresh`` is the share of steps with a fresh schedule; milliseconds are medians.
    """

    share: float
    steps: int
    deadline: float
    fresh: float
    parse: float
    build: float
    search: float
    move: float


def run_ahead(prepared: Prepared, steps: int, share: float) -> list[Step]:
    """Plan ``steps`` batches, each while the one before runs for ``share`` of its makespan."""
    s = prepared.setting
    planner = Planner(
        s.model, prepared.choice.layers.plan, s.hardware, timed_search, prepared.memory_limit
    )
    batches = (s.draw(s.microbatches, 5, k) for k in range(steps + 1))
    return list(generate_schedules(batches, planner, time_scale=share))


def deadlines(
    prepared: Prepared, steps: int, shares: tuple[float, ...] = (1.0, 0.2, 0.05, 0.01)
) -> list[DeadlineRow]:
    """Give the planner less and less of the time that a step lasts."""
    rows = []
    for share in shares:
        made = run_ahead(prepared, steps, share)
        times = [step.timing for step in made if step.timing is not None]

        def median(phase: str, times=times) -> float:  # type: ignore[no-untyped-def]
            return 1e3 * float(np.median([getattr(t, phase) for t in times])) if times else np.nan

        rows.append(
            DeadlineRow(
                share,
                len(made) - 1,
                1e3 * float(np.median([step.deadline for step in made[1:]])),
                fresh_fraction(made),
                *(median(phase) for phase in ("parse", "build", "search", "move")),
            )
        )
    return rows
