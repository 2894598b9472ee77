"""One batch under every scheduler: rivals with their best settings, and the paper's ideas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.pipeline.experiments.setting import Prepared, search_interleaved
from quire.pipeline.schedule import Schedule
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
from quire.pipeline.search.replay import follow
from quire.pipeline.search.steps import search_step

CUT = "interleaved, cut"
"""The interleaved schedule that may deal every microbatch into two or four smaller ones."""
WHOLE = ("1F1B", "GPipe", "1F1B, reordered", "interleaved", "Optimus-like", "DistTrain-like")
"""Pipelines that keep microbatches whole, and look at no batch, or only at its order."""
RIVALS = (*WHOLE, CUT)
"""All rival pipelines."""
IDEAL = "FSDP-like, ideal"
"""No pipeline, and communication that costs nothing as long as it is shorter than the work."""
OURS = "+ layers"
SEARCHED = ("interleaved + search", f"{CUT} + search", "segments", "+ pieces", OURS)
"""Up to the same depth: the rival's own layouts searched, then segments, pieces, moved layers."""
UNSEARCHED = "unsearched"
"""The plan of ours in the best of three orders: first in, heaviest, lightest first."""
REPLAYED = "replayed"
"""The same, or in an order that was searched for a validation batch, whichever is best."""


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
        return min(RIVALS, key=self.seconds.__getitem__)

    @property
    def best_whole(self) -> str:
        """The rival with the shortest step on this batch among those that cut no microbatch."""
        return min(WHOLE, key=self.seconds.__getitem__)


def compare(prepared: Prepared, k: int, *, split: bool = False, stages: bool = True) -> Comparison:
    """Schedule the ``k``-th batch in every way.

    With ``split``, weight gradients are also taken apart; without ``stages``, only the plan of ours
    is searched, and what was prepared without them is enough.
    """
    s, history = prepared.setting, prepared.history
    batch = s.batch(k)
    limit = prepared.memory_limit(batch)
    fixed = (s.model, batch, history, s.ranks, s.hardware)
    schedules = {
        "1F1B": static_schedule(*fixed),
        "GPipe": static_gpipe(*fixed),
        "1F1B, reordered": static_schedule(*fixed, reorder=True),
        "interleaved": prepared.interleaved(batch, prepared.rival.whole),
        CUT: prepared.interleaved(batch, prepared.rival.cut),
        "Optimus-like": optimus_like(
            s.model, batch, prepared.encoder_plan, s.hardware, Rules(memory_limit=limit)
        ),
        "DistTrain-like": disttrain_like(*fixed),
    }
    choice = prepared.choice
    trials = {"segments": choice.segments, "+ pieces": choice.pieces, OURS: choice.layers}
    if stages:
        layouts = (prepared.rival.whole_searched, prepared.rival.cut_searched)
        for name, depth in zip(SEARCHED, layouts, strict=False):
            start = prepared.interleaved(batch, depth)
            schedules[name] = search_interleaved(s, start, limit, s.evaluations)
    searched: dict[int, SearchResult] = {}  # an idea that was not chosen leaves the plan as it is
    for name, trial in trials.items():
        if stages or name == OURS:
            if id(trial) not in searched:
                searched[id(trial)] = _searched(prepared, k, trial.plan, limit)
            found = searched[id(trial)]
            schedules[name] = found.schedule
    steps, rankings = first_rankings(
        ListScheduler(schedules[OURS].program, Rules(memory_limit=limit))
    )
    schedules[UNSEARCHED] = steps.schedule(min(rankings, key=steps.makespan))
    rankings += tuple(follow(steps, order) for order in prepared.orders)
    schedules[REPLAYED] = steps.schedule(min(rankings, key=steps.makespan))
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
