"""When memory is short: limits that bind, layers and recomputation that make room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.pipeline.experiments.setting import Prepared
from quire.pipeline.failures import InfeasibleMemory
from quire.pipeline.peers.ortools_layers import tune_plan
from quire.pipeline.schedule import Schedule, peak_memory, violations
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules
from quire.pipeline.schedules.segments import Plan, segmented_program
from quire.pipeline.search.steps import search_step

FLIGHTS = (1.0, 2.0, 4.0)
"""Microbatches in flight for which layers and recomputation are chosen."""


@dataclass(frozen=True)
class ShortMemory:
    """The same batch with room for so many of its largest microbatch, with and without tuning.

    Each is the best of as many searches of the same budget, one per entry of ``FLIGHTS``.
    Milliseconds, infinite where nothing fits; ``peak`` is the largest share of the limit in use by
    the untuned schedule, ``breach`` the share that the schedule without a limit would use;
    ``broken`` counts rules that the untuned schedule breaks, the limit among them.
    """

    room: float
    even: float
    tuned: float
    peak: float
    breach: float
    broken: int


def short_memory(prepared: Prepared, k: int, rooms: Sequence[float]) -> list[ShortMemory]:
    """Search with even layers, and with layers and recomputation from an integer program."""
    s = prepared.setting
    plan = prepared.choice.layers.plan
    need = segmented_program(s.model, s.batch(k), plan, s.hardware).memory_need().max(axis=0)
    free = _step(prepared, k, (plan,), None)
    assert free is not None
    rows = []
    for room in rooms:
        limit = room * need
        even = _step(prepared, k, (plan,), limit)
        rows.append(
            ShortMemory(
                room,
                np.inf if even is None else 1e3 * even.makespan,
                1e3 * tuned_seconds(prepared, k, limit),
                np.nan if even is None else float((peak_memory(even) / limit).max()),
                float((peak_memory(free) / limit).max()),
                0 if even is None else len(violations(even, limit)),
            )
        )
    return rows


def tuned_seconds(prepared: Prepared, k: int, limit: Float[np.ndarray, " ranks"]) -> float:
    """Search the batch on the plans of the integer program; infinite where nothing fits."""
    s = prepared.setting
    plan, batch = prepared.choice.layers.plan, s.batch(k)
    plans = []
    for flight in FLIGHTS:
        try:
            tuned = tune_plan(
                s.model, batch, plan, s.hardware, np.full(s.ranks, flight), limit, effort=0.2
            )
        except InfeasibleMemory:
            continue
        plans.append(tuned)
    found = _step(prepared, k, plans, limit)
    return np.inf if found is None else found.makespan


def tuning_ratios(prepared: Prepared, batches: Sequence[int], room: float) -> list[float]:
    """Divide the tuned by the even step, batch by batch, with room for so many microbatches."""
    s, ratios = prepared.setting, []
    plan = prepared.choice.layers.plan
    for k in batches:
        program = segmented_program(s.model, s.batch(k), plan, s.hardware)
        limit = room * program.memory_need().max(axis=0)
        even = _step(prepared, k, (plan,), limit)
        tuned = tuned_seconds(prepared, k, limit)
        ratios.append(tuned / (np.inf if even is None else even.makespan))
    return ratios


def idle_limits(rows: Sequence[ShortMemory]) -> int:
    """Count limits that are exceeded, or that the same search without them would keep to."""
    return sum(row.breach <= 1 or row.broken > 0 for row in rows)


def _step(
    prepared: Prepared, k: int, plans: Sequence[Plan], limit: Float[np.ndarray, " ranks"] | None
) -> Schedule | None:
    """Return the best of ``len(FLIGHTS)`` searches within the limit, None where nothing fits.

    Searches take the plans that fit in turn, each with a seed of its own, so that one plan gets as
    many searches as several together.
    """
    s = prepared.setting
    schedulers = []
    for plan in plans:
        program = segmented_program(s.model, s.batch(k), plan, s.hardware)
        try:
            schedulers.append(ListScheduler(program, Rules(memory_limit=limit)))
        except InfeasibleMemory:
            continue
    if not schedulers:
        return None
    budget = max(1, s.evaluations // 4)
    found = [
        search_step(schedulers[n % len(schedulers)], evaluations=budget, seed=s.seed + n).schedule
        for n in range(len(FLIGHTS))
    ]
    return min(found, key=lambda schedule: schedule.makespan)
