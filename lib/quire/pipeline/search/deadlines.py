"""Schedules made while the step before runs: a deadline, and a schedule in any case.

The paper generates schedules asynchronously on idle host processors so that training never waits.
Here the step before "runs" for its emulated makespan, and the planner gets that long for all that
it has to do: read the item lengths of the next batch from a message, build the program, search, and
send every rank its order. A reply that is late, or no budget at all, means that the step runs first
in, first out.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from quire import checks
from quire.pipeline.emulator import emulate_ranks
from quire.pipeline.program import Program
from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules
from quire.pipeline.schedules.segments import Plan, segmented_program
from quire.pipeline.search.rankings import RankedSteps, SearchResult
from quire.pipeline.search.steps import search_step
from quire.pipeline.workload.batches import Microbatch
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import Model
from quire.signatures import checked

Search = Callable[[ListScheduler, float], SearchResult]
"""A search that is given a scheduler and its budget in seconds."""

SEARCH_SHARE, RESERVE = 0.6, 0.02
"""The search may use this share of the time left, less a reserve in seconds for the reply."""


@checked
def encode_batch(batch: Sequence[Microbatch]) -> bytes:
    """Write the item lengths of a batch as the message that a data loader would send."""
    return json.dumps([[list(map(float, u)) for u in mb.lengths] for mb in batch]).encode()


@checked
def decode_batch(message: bytes) -> tuple[Microbatch, ...]:
    """Read a batch from its message.

    Raises
    ------
    ValueError
        If the message is not one list of lists of item lengths per microbatch.
    """
    try:
        rows = [[np.array(u, dtype=np.float64) for u in mb] for mb in json.loads(message)]
    except (TypeError, ValueError) as fault:
        raise ValueError(f"message = {message[:40]!r}: give item lengths as JSON") from fault
    if not rows or any(u.ndim != 1 or not (u > 0).all() for mb in rows for u in mb):
        raise ValueError(f"message = {message[:40]!r}: item lengths are positive numbers")
    return tuple(Microbatch(tuple(mb)) for mb in rows)


@checked
def encode_orders(schedule: Schedule) -> bytes:
    """Write the orders of all ranks as one message: their lengths, then their operations."""
    orders = [schedule.rank_order(r) for r in range(schedule.program.ranks)]
    sizes = np.array([len(orders), *map(len, orders)], dtype=np.int32)
    return sizes.tobytes() + np.concatenate(orders).astype(np.int32).tobytes()


@checked
def decode_orders(message: bytes) -> list[Int[np.ndarray, " _"]]:
    """Read the orders of all ranks from their message."""
    numbers = np.frombuffer(message, dtype=np.int32)
    ranks = int(numbers[0])
    return np.split(numbers[1 + ranks :], np.cumsum(numbers[1 : ranks + 1])[:-1])


@dataclass(frozen=True)
class Timing:
    """Seconds that the planner spent reading, building, searching, and on orders sent and read."""

    parse: float
    build: float
    search: float
    move: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.parse + self.build + self.search + self.move


@dataclass(frozen=True)
class Step:
    """What one training step ran: the schedule, whether the planner made it in time.

    ``fresh`` is False where the step fell back to first-in-first-out; ``timing`` is None where the
    planner did not finish.
    """

    schedule: Schedule
    fresh: bool
    deadline: float
    timing: Timing | None


@dataclass(frozen=True)
class Planner:
    """Turns the message of a batch into the message of its ranks' orders, within a budget.

    ``memory_limit`` gives the bytes per rank for a batch, None where there is no limit.
    """

    model: Model
    plan: Plan
    hardware: Hardware
    search: Search
    memory_limit: Callable[[Sequence[Microbatch]], Float[np.ndarray, " ranks"]] | None = None

    def scheduler(self, batch: Sequence[Microbatch]) -> ListScheduler:
        """Build the batch's program under its memory limit."""
        program = segmented_program(self.model, batch, self.plan, self.hardware)
        limit = None if self.memory_limit is None else self.memory_limit(batch)
        return ListScheduler(program, Rules(memory_limit=limit))

    def reply(self, message: bytes, seconds: float) -> tuple[Program, bytes, Timing]:
        """Read, build, search and write; ``seconds`` is the budget of all of it."""
        began = time.perf_counter()
        batch = decode_batch(message)
        parsed = time.perf_counter()
        scheduler = self.scheduler(batch)
        built = time.perf_counter()
        left = max(0.0, SEARCH_SHARE * (seconds - (built - began)) - RESERVE)
        found = self.search(scheduler, left)
        searched = time.perf_counter()
        orders = encode_orders(found.schedule)
        sent = time.perf_counter()
        timing = Timing(parsed - began, built - parsed, searched - built, sent - searched)
        return scheduler.program, orders, timing


@checked
def fifo_schedule(scheduler: ListScheduler) -> Schedule:
    """Schedule without a search: microbatches in the order in which they come."""
    steps = RankedSteps(scheduler)
    return steps.schedule(steps.fifo())


@checked
def timed_search(
    scheduler: ListScheduler,
    seconds: float,
    *,
    evaluations: int = 10**6,
    method: str = "swap",
    seed: int = 0,
) -> SearchResult:
    """Search rankings and exchanges as :func:`search_step` does, half of the seconds for each.

    Raises
    ------
    ValueError
        If ``seconds`` is negative or no number.
    """
    seconds = checks.non_negative("seconds", seconds)
    return search_step(
        scheduler, evaluations=evaluations, method=method, seed=seed, seconds=seconds / 2
    )


@checked
def generate_schedules(
    batches: Iterable[Sequence[Microbatch]],
    planner: Planner,
    *,
    budget: float | None = None,
    time_scale: float = 1.0,
) -> Iterator[Step]:
    """Yield the step that runs for each batch, planning the next one while this one runs.

    The deadline of a step is the makespan of the step before times ``time_scale`` (so that a long
    emulated step need not be waited for in full), or ``budget`` seconds if given; the first step,
    with nothing to hide behind, is first-in-first-out. Running a step is waited for, never the
    planner.

    A non-positive ``budget`` warns and runs every step first-in-first-out.

    Raises
    ------
    ValueError
        If ``time_scale`` is not a positive number or ``budget`` is not a number.
    """
    time_scale = checks.positive("time_scale", time_scale)
    if budget is not None and not np.isfinite(budget):
        raise ValueError(f"budget = {budget}: give seconds, or None")
    if budget is not None and budget <= 0:
        warnings.warn(
            f"budget = {budget}: no time to search, every step runs first-in-first-out",
            stacklevel=2,
        )
        for batch in batches:
            yield Step(fifo_schedule(planner.scheduler(batch)), False, 0.0, None)
        return
    with ThreadPoolExecutor(1) as pool:
        previous: Schedule | None = None
        for batch in batches:
            if previous is None:
                step = Step(fifo_schedule(planner.scheduler(batch)), False, 0.0, None)
            else:
                deadline = previous.makespan * time_scale if budget is None else budget
                step = _race(pool, planner, batch, deadline)
            previous = step.schedule
            yield step


def _race(
    pool: ThreadPoolExecutor, planner: Planner, batch: Sequence[Microbatch], deadline: float
) -> Step:
    """Let the planner work while the step before runs; take its orders only if they are there."""
    message = encode_batch(batch)
    began = time.perf_counter()
    future: Future[tuple[Program, bytes, Timing]] = pool.submit(planner.reply, message, deadline)
    while not future.done() and time.perf_counter() - began < deadline:
        time.sleep(min(1e-3, deadline / 20))
    if future.done():
        program, orders, timing = future.result()
        arrived = time.perf_counter()
        schedule = emulate_ranks(program, decode_orders(orders))
        timing = Timing(
            timing.parse, timing.build, timing.search, timing.move + time.perf_counter() - arrived
        )
        if time.perf_counter() - began <= deadline:
            return Step(schedule, True, deadline, timing)
        return Step(fifo_schedule(planner.scheduler(batch)), False, deadline, timing)
    future.cancel()
    return Step(fifo_schedule(planner.scheduler(batch)), False, deadline, None)


@checked
def fresh_fraction(steps: Iterable[Step]) -> float:
    """Share of steps after the first that ran a freshly searched schedule."""
    fresh = [step.fresh for step in steps][1:]
    return float(np.mean(fresh)) if fresh else float("nan")
