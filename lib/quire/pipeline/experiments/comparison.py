"""One batch under every scheduler: rivals with their best settings, and the paper's ideas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.pipeline.experiments.setting import Prepared
from quire.pipeline.schedule import Schedule, peak_memory
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules
from quire.pipeline.schedules.multimodal import (
    ZERO_BUBBLE,
    disttrain_like,
    fsdp_like_seconds,
    optimus_like,
    static_gpipe,
    static_schedule,
    static_zero_bubble,
)
from quire.pipeline.schedules.segments import Plan, segmented_program
from quire.pipeline.search.bounds import plan_free_bound
from quire.pipeline.search.rankings import SearchResult, first_rankings
from quire.pipeline.search.steps import search_step

RIVALS = ("1F1B", "GPipe", "1F1B, reordered", "interleaved", "Optimus-like", "DistTrain-like")
"""Pipelines that look at no batch, or only at its order."""
IDEAL = "FSDP-like, ideal"
"""No pipeline, and communication that costs nothing as long as it is shorter than the work."""
ABLATION = ("interleaved", "interleaved + search", "segments", "+ pieces", "+ layers")
"""At equal depth: each adds one idea to the one before; all but the first are searched."""
OURS = "+ layers"
UNSEARCHED = "unsearched"
"""The last plan of the ablation, in the best of three orders: first in, heaviest, lightest."""


@dataclass(frozen=True)
class Comparison:
    """Step times of one batch, in seconds per scheduler.

    ``bound`` is proven for every schedule of the plan that was searched last, ``plan_free`` for
    every plan, and ``split_bound`` for the plan with weight gradients apart (None: not asked for).
    ``memory_limit`` is what all searched schedules and the Optimus-like one keep to.
    """

    seconds: dict[str, float]
    schedules: dict[str, Schedule]
    bound: float
    plan_free: float
    split_bound: float | None
    memory_limit: Float[np.ndarray, " ranks"]

    def gain(self, rival: str) -> float:
        """Return the throughput gained over a rival, ``C_rival / C_ours − 1``."""
        return self.seconds[rival] / self.seconds[OURS] - 1.0

    @property
    def best_rival(self) -> str:
        """The rival with the shortest step on this batch."""
        return min(RIVALS, key=lambda name: self.seconds.get(name, np.inf))


def compare(prepared: Prepared, k: int, *, split: bool = False, stages: bool = True) -> Comparison:
    """Schedule the ``k``-th batch in every way.

    With ``split``, weight gradients are also taken apart; without ``stages``, only the last step of
    the ablation is searched.
    """
    s, history = prepared.setting, prepared.history
    batch = s.batch(k)
    limit = prepared.memory_limit(batch)
    fixed = (s.model, batch, history, s.ranks, s.hardware)
    schedules = {
        "1F1B": static_schedule(*fixed),
        "GPipe": static_gpipe(*fixed),
        "1F1B, reordered": static_schedule(*fixed, reorder=True),
        "interleaved": static_schedule(*fixed, chunks=prepared.chunks, reorder=True),
        "Optimus-like": optimus_like(
            s.model, batch, prepared.encoder_plan, s.hardware, Rules(memory_limit=limit)
        ),
        "DistTrain-like": disttrain_like(*fixed),
    }
    choice = prepared.choice
    trials = {"segments": choice.segments, "+ pieces": choice.pieces, OURS: choice.layers}
    if stages:
        # the interleaved schedule may need more memory than the limit: then it sets its own
        start = schedules["interleaved"]
        room = np.maximum(limit, peak_memory(start))
        scheduler = ListScheduler(start.program, Rules(memory_limit=room))
        schedules["interleaved + search"] = search_step(
            scheduler, evaluations=s.evaluations, method=s.method, seed=s.seed, start=start
        ).schedule
    for name, trial in trials.items():
        if stages or name == OURS:
            found = _searched(prepared, k, trial.plan, limit)
            schedules[name] = found.schedule
    steps, rankings = first_rankings(
        ListScheduler(schedules[OURS].program, Rules(memory_limit=limit))
    )
    schedules[UNSEARCHED] = steps.schedule(min(rankings, key=steps.makespan))
    split_bound = None
    if split:
        schedules |= {name: static_zero_bubble(*fixed, name, limit) for name in ZERO_BUBBLE}
        apart = _searched(prepared, k, choice.layers.plan, limit, split=True)
        schedules["+ split"], split_bound = apart.schedule, apart.bound
    seconds = {name: schedule.makespan for name, schedule in schedules.items()}
    seconds[IDEAL] = fsdp_like_seconds(s.model, batch, s.ranks, s.hardware)
    free = plan_free_bound(s.model, batch, s.ranks, s.hardware)
    return Comparison(seconds, schedules, found.bound, free, split_bound, limit)


def _searched(
    prepared: Prepared,
    k: int,
    plan: Plan,
    limit: Float[np.ndarray, " ranks"],
    *,
    split: bool = False,
) -> SearchResult:
    s = prepared.setting
    program = segmented_program(s.model, s.batch(k), plan, s.hardware, split_backward=split)
    scheduler = ListScheduler(program, Rules(memory_limit=limit))
    return search_step(scheduler, evaluations=s.evaluations, method=s.method, seed=s.seed)
