"""The emulator against theory, how fast it is, and what reuse saves inside the search."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np

from quire.pipeline.emulator import makespans
from quire.pipeline.experiments.statistics import Mean, mean
from quire.pipeline.schedule import Schedule, bubble_fraction
from quire.pipeline.schedules.list_scheduling import ListScheduler, ranked_key
from quire.pipeline.schedules.static import gpipe, interleaved, one_f_one_b, uniform_program
from quire.pipeline.schedules.zero_bubble import zb_1p
from quire.pipeline.search.order_annealing import anneal_order
from quire.pipeline.search.steps import search_step

T = TypeVar("T")


def theory_difference() -> float:
    """Largest difference of emulated bubbles from the textbook's, over ranks, m and chunks.

    ``(P−1)/(m+P−1)`` for 1F1B and GPipe, ``(P−1)/(vm+P−1)`` interleaved, ``(P−1)/(3m+P−1)`` for
    ZB-1P with equal F, B and W.
    """
    worst = 0.0
    for ranks, m, chunks in product((2, 4, 8), (8, 16, 32), (1, 2, 4)):
        program = uniform_program(ranks, m, 1.0, 2.0, chunks=chunks)
        pairs = [(interleaved(program), chunks * m)]
        if chunks == 1:
            apart = uniform_program(ranks, m, 1.0, 1.0, 1.0)
            pairs += [(one_f_one_b(program), m), (gpipe(program), m), (zb_1p(apart), 3 * m)]
        for schedule, slots in pairs:
            expected = (ranks - 1) / (slots + ranks - 1)
            worst = max(worst, abs(bubble_fraction(schedule) - expected))
    return worst


@dataclass(frozen=True)
class Reuse:
    """One annealing run with reuse and without: the same orders, fewer updates, less time."""

    trials: int
    updates: int
    full_updates: int
    fewer: float
    same: bool
    faster: float


def reuse_in_search(schedule: Schedule, *, iterations: int, seeds: int) -> list[Reuse]:
    """Anneal with reuse and without from the same seeds; ``faster`` compares processor seconds."""
    anneal_order(schedule, iterations=10, seed=0)
    rows = []
    for seed in range(seeds):
        anneal = partial(anneal_order, schedule, iterations=iterations, seed=seed)
        found, quick = _timed(anneal)
        plain, slow = _timed(partial(anneal, reuse=False))
        rows.append(
            Reuse(
                found.trials,
                found.updates,
                plain.updates,
                plain.updates / found.updates,
                bool((found.schedule.order == plain.schedule.order).all()),
                slow / quick,
            )
        )
    return rows


def _timed(run: Callable[[], T]) -> tuple[T, float]:
    """Run; return the result and the processor's seconds, which others do not lengthen."""
    began = time.process_time()
    result = run()
    return result, time.process_time() - began


@dataclass(frozen=True)
class Speeds:
    """Orders of 1,024 operations a processor second, and microseconds of a list schedule."""

    in_search: Mean
    one_order: Mean
    list_microseconds: Mean


def speeds(rounds: int = 5, threads: int = 2) -> Speeds:
    """Time the search's own evaluations, plain passes over given orders, and list scheduling.

    ``in_search`` counts the orders that annealing evaluates, with everything that it does around
    them. Seconds are those of the processor, summed over threads.
    """
    program = uniform_program(4, 32, 1.0, 1.0, chunks=4)
    scheduler = ListScheduler(program)
    key = ranked_key(program, program.microbatch.astype(float))
    start = scheduler.run(key)
    orders = np.tile(start.order.astype(np.int32), (2000, 1))
    wild = ranked_key(program, np.random.default_rng(0).random(program.operations))
    first = scheduler.run(wild)
    annealed, passed, listed = [], [], []
    for round_ in range(rounds + 1):
        found, seconds = _timed(lambda: anneal_order(first, iterations=20_000, seed=0))
        _, batch = _timed(lambda: makespans(program, orders, threads=threads))
        _, lists = _timed(lambda: [scheduler.makespan(key) for _ in range(100)])
        if round_:  # the first round compiles
            annealed.append(found.trials / seconds)
            passed.append(len(orders) / batch)
            listed.append(1e4 * lists)
    return Speeds(mean(annealed, 0), mean(passed, 0), mean(listed, 1))


@dataclass(frozen=True)
class Convergence:
    """Short searches against a long one: relative excess and processor seconds, seed by seed."""

    excess: tuple[float, ...]
    seconds: tuple[float, ...]


def converged(
    scheduler: ListScheduler, *, evaluations: int, method: str, seeds: int, longer: int = 20
) -> Convergence:
    """Compare searches of ``evaluations`` with the best that they or a ``longer`` one found."""

    def search(budget: int, seed: int) -> tuple[float, float]:
        run = partial(
            search_step, scheduler, evaluations=budget, method=method, seed=seed, epsilon=0.0
        )
        found, seconds = _timed(run)
        return found.schedule.makespan, seconds

    found = [search(evaluations, seed) for seed in range(seeds)]
    best = min(search(longer * evaluations, seeds)[0], *(span for span, _ in found))
    return Convergence(
        tuple(span / best - 1 for span, _ in found), tuple(seconds for _, seconds in found)
    )
