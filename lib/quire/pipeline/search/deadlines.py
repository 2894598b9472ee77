"""Schedules made while the step before runs: a deadline, and a schedule in any case.

The paper generates schedules asynchronously on idle host processors so that training never waits.
Here the step before "runs" for its emulated makespan, and the search gets that long; if it is late
or has no budget, the step runs first-in-first-out.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.list_scheduling import ListScheduler
from quire.pipeline.search.rankings import RankedSteps, SearchResult, tree_search

Search = Callable[[ListScheduler, float], SearchResult]
"""A search that is given a scheduler and its budget in seconds."""


@dataclass(frozen=True)
class Step:
    """What one training step ran: the schedule, whether the search made it in time, how long it
    took.

    ``fresh`` is False where the step fell back to first-in-first-out; ``search_seconds`` is NaN
    there if the search never started.
    """

    schedule: Schedule
    fresh: bool
    deadline: float
    search_seconds: float


def fifo_schedule(scheduler: ListScheduler) -> Schedule:
    """The schedule that needs no search: microbatches in the order in which they come."""
    steps = RankedSteps(scheduler)
    return steps.schedule(steps.fifo())


def timed_tree_search(scheduler: ListScheduler, seconds: float) -> SearchResult:
    """Tree search that uses four fifths of its budget, leaving the rest to hand the result over."""
    return tree_search(scheduler, evaluations=10**9, seconds=0.8 * seconds)


def generate_schedules(
    schedulers: Iterable[ListScheduler],
    *,
    search: Search = timed_tree_search,
    budget: float | None = None,
    time_scale: float = 1.0,
) -> Iterator[Step]:
    """Yield the step that runs for each scheduler, searching for the next one while this one runs.

    The deadline of a step is the makespan of the step before times ``time_scale`` (so that a long
    emulated step need not be waited for in full), or ``budget`` seconds if given; the first step,
    with nothing to hide behind, is first-in-first-out. Running a step is waited for, never the
    search.

    A non-positive ``budget`` warns and runs every step first-in-first-out.
    """
    if budget is not None and budget <= 0:
        warnings.warn(
            f"budget = {budget}: no time to search, every step runs first-in-first-out",
            stacklevel=2,
        )
        for scheduler in schedulers:
            yield Step(fifo_schedule(scheduler), False, 0.0, float("nan"))
        return
    with ThreadPoolExecutor(1) as pool:
        previous: Schedule | None = None
        for scheduler in schedulers:
            if previous is None:
                step = Step(fifo_schedule(scheduler), False, 0.0, float("nan"))
            else:
                deadline = previous.makespan * time_scale if budget is None else budget
                step = _race(pool, scheduler, search, deadline)
            previous = step.schedule
            yield step


def _race(
    pool: ThreadPoolExecutor, scheduler: ListScheduler, search: Search, deadline: float
) -> Step:
    """Let the search run while the step before does; take its result only if it is there."""
    began = time.perf_counter()
    future: Future[SearchResult] = pool.submit(search, scheduler, deadline)
    while not future.done() and time.perf_counter() - began < deadline:
        time.sleep(min(1e-3, deadline / 20))
    elapsed = time.perf_counter() - began
    if not future.done():
        future.cancel()
        return Step(fifo_schedule(scheduler), False, deadline, elapsed)
    return Step(future.result().schedule, True, deadline, elapsed)


def fresh_fraction(steps: Iterable[Step]) -> float:
    """Share of steps after the first that ran a freshly searched schedule."""
    fresh = [step.fresh for step in steps][1:]
    return float(np.mean(fresh)) if fresh else float("nan")
