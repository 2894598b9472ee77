"""A step's schedule: rank the groups, then exchange operations on the critical path.

The paper's hierarchy names ranking and interleaving; the last level, exchanges, is ours.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.list_scheduling import ListScheduler
from quire.pipeline.search.order_annealing import anneal_order
from quire.pipeline.search.rankings import SearchResult, swap_search, tree_search
from quire.signatures import checked

METHODS = {"swap": swap_search, "mcts": tree_search}
"""Searches over rankings by name."""

EXCHANGES = 40
"""Exchanges tried for each list schedule: about as much time again."""


@checked
def search_step(
    scheduler: ListScheduler,
    *,
    evaluations: int,
    method: str = "swap",
    seed: int = 0,
    start: Schedule | None = None,
    epsilon: float = 0.005,
    seconds: float = np.inf,
) -> SearchResult:
    """Search over rankings, then anneal the order found, or ``start`` if that is shorter.

    ``evaluations`` and ``seconds`` bound the list schedules; ``EXCHANGES`` times as many exchanges
    follow as there were, which takes about as long again.
    ``start``, if given, is another schedule of the same program within its memory limit; the result
    is never longer than it.

    Raises
    ------
    ValueError
        If the method is unknown or a budget is refused.
    """
    if method not in METHODS:
        raise ValueError(f"search = {method!r}: choose 'mcts' or 'swap'")
    began = time.perf_counter()
    found = METHODS[method](
        scheduler, evaluations=evaluations, seconds=seconds, seed=seed, epsilon=epsilon
    )
    best = found.schedule
    if start is not None and start.makespan < best.makespan:
        best = start
    annealed = anneal_order(
        best,
        iterations=EXCHANGES * found.evaluations,
        seed=seed,
        memory_limit=scheduler.rules.memory_limit,
        target=(1 + epsilon) * found.bound,
    )
    end = (found.evaluations, time.perf_counter() - began, annealed.schedule.makespan)
    return replace(found, schedule=annealed.schedule, trace=(*found.trace, end))
