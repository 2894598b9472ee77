"""What is fixed before a batch is judged: the law of the data, the plans, the rivals' settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from quire.pipeline.schedules.list_scheduling import Rules
from quire.pipeline.schedules.multimodal import optimus_like, static_schedule
from quire.pipeline.schedules.partition import (
    layer_times,
    mean_layer_seconds,
    optimal_cut,
    static_program,
)
from quire.pipeline.schedules.segments import Plan, balanced_plan
from quire.pipeline.search.plans import PlanChoice, Validation, choose_plan
from quire.pipeline.workload.batches import CALIBRATED_SHAPE, Microbatch, sample_batch
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import Model, model_named

Batch = tuple[Microbatch, ...]

HISTORY, VALIDATION = 64, 3
"""Microbatches on which static cuts are made; batches on which everything else is chosen."""


@dataclass(frozen=True)
class Setting:
    """One point of the experiments: a model on a pipeline, the law of its data, the budgets.

    ``depth`` bounds the slices per rank, for the rivals' chunks as for segments; ``slack`` is the
    memory per rank in largest microbatches beyond ``ranks``; ``evaluations`` are list schedules per
    search, ``choosing`` those per plan tried. Clips last six frames per mean image.
    """

    model: Model
    ranks: int = 4
    microbatches: int = 16
    hardware: Hardware = field(default_factory=Hardware)
    image_mean: float = 16.0
    shape: float = CALIBRATED_SHAPE
    slack: float = 2.0
    depth: int = 6
    evaluations: int = 400
    choosing: int = 60
    layer_moves: int = 3
    method: str = "swap"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("ranks", "microbatches", "evaluations", "choosing"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: give at least 1")
        if not self.slack >= 0:
            raise ValueError(f"slack = {self.slack}: give zero or more microbatches")

    def draw(self, count: int, *stream: int) -> Batch:
        """Draw ``count`` microbatches from the stream of random numbers of that name."""
        names = sorted(("vlm_s", "vlm_m", "vlm_l", "t2v_s", "t2v_l"))
        model = names.index(self.model.name) if self.model.name in names else len(names)
        rng = np.random.default_rng([self.seed, model, *stream])
        return sample_batch(
            self.model,
            count,
            rng,
            image_mean=self.image_mean,
            shape=self.shape,
            frames_mean=6 * max(self.image_mean, 1.0),
        )

    def batch(self, k: int) -> Batch:
        """Draw the ``k``-th batch that is judged."""
        return self.draw(self.microbatches, 0, k)


@dataclass(frozen=True)
class Prepared:
    """A setting with all that is chosen before a batch is judged.

    ``history`` is what static cuts are made for, ``chunks`` the interleaved schedule's best depth,
    ``encoder_plan`` the Optimus-like rival's best plan, ``choice`` the plans that are searched.
    """

    setting: Setting
    history: Batch
    chunks: int
    encoder_plan: Plan
    choice: PlanChoice

    def memory_limit(self, batch: Sequence[Microbatch]) -> Float[np.ndarray, " ranks"]:
        """Return the bytes per rank that a batch may keep."""
        return equal_memory(self.setting, batch, self.history)


def equal_memory(
    setting: Setting, batch: Sequence[Microbatch], history: Sequence[Microbatch]
) -> Float[np.ndarray, " ranks"]:
    """Hold ``ranks + slack`` of the largest microbatches of the static cut, in bytes per rank."""
    s = setting
    cut = optimal_cut(mean_layer_seconds(layer_times(s.model, history, s.hardware)), s.ranks)
    need = static_program(s.model, batch, cut, s.ranks, s.hardware).memory_need().max()
    return np.full(s.ranks, (s.ranks + s.slack) * float(need))


def prepare(setting: Setting) -> Prepared:
    """Choose plans and rivals' settings on ``VALIDATION`` batches that are not judged."""
    s = setting
    history = s.draw(HISTORY, 1)
    batches = tuple(s.draw(s.microbatches, 2, k) for k in range(VALIDATION))
    limits = tuple(equal_memory(s, batch, history) for batch in batches)
    choice = choose_plan(
        s.model, s.ranks, s.hardware, Validation(batches, limits),
        depth=s.depth, evaluations=s.choosing, layer_moves=s.layer_moves,
    )  # fmt: skip

    def interleaved_seconds(chunks: int) -> float:
        return sum(
            static_schedule(
                s.model, batch, history, s.ranks, s.hardware, chunks=chunks, reorder=True
            ).makespan
            for batch in batches
        )

    def encoder_seconds(plan: Plan) -> float:
        return sum(
            optimus_like(s.model, batch, plan, s.hardware, Rules(memory_limit=limit)).makespan
            for batch, limit in zip(batches, limits, strict=True)
        )

    layers = sum(module.layers for module in s.model.modules)
    deepest = min(s.depth, layers // s.ranks) if s.microbatches % s.ranks == 0 else 1
    chunks = min(range(1, deepest + 1), key=interleaved_seconds)
    encoder, last = s.model.modules[0], s.model.modules[-1]
    plans = [
        balanced_plan(s.model, s.ranks, (first, k))
        for first in (1, 2)
        for k in range(1, s.depth - first + 1)
        if encoder.layers >= first * s.ranks and last.layers >= k * s.ranks
    ]
    return Prepared(s, history, chunks, min(plans, key=encoder_seconds), choice)


def named(name: str, **changes: object) -> Setting:
    """Make a setting for one of the five named models."""
    return Setting(model_named(name), **changes)  # type: ignore[arg-type]
