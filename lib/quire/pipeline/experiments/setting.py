"""What is fixed before a batch is judged: the law of the data, the plans, the rivals' settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from jaxtyping import Float

from quire import checks
from quire.pipeline.schedule import Schedule, peak_memory
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules
from quire.pipeline.schedules.multimodal import optimus_like, static_schedule
from quire.pipeline.schedules.partition import (
    layer_times,
    mean_layer_seconds,
    optimal_cut,
    static_program,
)
from quire.pipeline.schedules.segments import Plan, balanced_plan, segmented_program
from quire.pipeline.search.plans import PlanChoice, Validation, choose_plan
from quire.pipeline.search.rankings import RankedSteps
from quire.pipeline.search.replay import Pattern, pattern
from quire.pipeline.search.steps import METHODS, search_step
from quire.pipeline.workload.batches import CALIBRATED_SHAPE, Microbatch, sample_batch
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import Model, model_named

Batch = tuple[Microbatch, ...]

HISTORY, VALIDATION = 64, 3
"""Microbatches on which static cuts are made; batches on which everything else is chosen."""
PARTS = (1, 2, 4)
"""Parts that the interleaved rival may deal a microbatch into."""
KEEP = 2
"""Depths per number of parts that are tried on all validation batches, after one batch for each."""


@dataclass(frozen=True)
class Setting:
    """One point of the experiments: a model on a pipeline, the law of its data, the budgets.

    ``depth`` bounds the slices per rank, for the rivals' chunks as for segments, unless
    ``segment_depth`` allows plans of segments fewer; ``slack`` is the memory per rank in largest
    microbatches beyond ``ranks``; ``evaluations`` are list schedules per search, ``choosing`` those
    per setting tried. Clips last six frames per mean image.
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
    segment_depth: int | None = None

    def __post_init__(self) -> None:
        for name in ("ranks", "microbatches", "depth", "evaluations", "choosing"):
            checks.integer(name, getattr(self, name))
        checks.integer("layer_moves", self.layer_moves, 0)
        if self.segment_depth is not None:
            checks.integer("segment_depth", self.segment_depth)
        checks.non_negative("slack", self.slack)
        if self.method not in METHODS:
            raise ValueError(f"search = {self.method!r}: choose 'mcts' or 'swap'")

    @property
    def most_segments(self) -> int:
        """Most segments per rank of a plan."""
        return self.depth if self.segment_depth is None else min(self.depth, self.segment_depth)

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
class Interleaving:
    """An interleaved schedule: chunks per rank, and parts that every microbatch is dealt into."""

    chunks: int
    parts: int


@dataclass(frozen=True)
class Interleavings:
    """The interleaved rival's best settings, each chosen on validation batches.

    ``whole`` and ``cut`` run the published order, on whole microbatches and on what they are dealt
    into; ``whole_searched`` and ``cut_searched`` are chosen for orders that are searched.
    """

    whole: Interleaving
    cut: Interleaving
    whole_searched: Interleaving
    cut_searched: Interleaving


@dataclass(frozen=True)
class Prepared:
    """A setting with all that is chosen before a batch is judged.

    ``history`` is what static cuts are made for, ``rival`` the interleaved schedule's best
    settings, ``encoder_plan`` the Optimus-like rival's best plan, ``choice`` the plans that are
    searched, ``orders`` the rankings that a search found for the validation batches.
    """

    setting: Setting
    history: Batch
    rival: Interleavings
    encoder_plan: Plan
    choice: PlanChoice
    orders: tuple[Pattern, ...]

    def interleaved(self, batch: Sequence[Microbatch], depth: Interleaving) -> Schedule:
        """Run the interleaved schedule on the best of three orders of the batch."""
        return run_interleaved(self.setting, batch, self.history, depth)

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


def prepare(setting: Setting, *, stages: bool = True) -> Prepared:
    """Choose plans and rivals' settings on ``VALIDATION`` batches that are not judged.

    Without ``stages``, what only searched rivals and replayed orders need is left out: the rival's
    searched settings are its published ones, and there are no ``orders``.
    """
    s = setting
    history = s.draw(HISTORY, 1)
    batches = tuple(s.draw(s.microbatches, 2, k) for k in range(VALIDATION))
    limits = tuple(equal_memory(s, batch, history) for batch in batches)
    choice = choose_plan(
        s.model, s.ranks, s.hardware, Validation(batches, limits),
        depth=s.most_segments, evaluations=s.choosing, layer_moves=s.layer_moves,
    )  # fmt: skip

    def encoder_seconds(plan: Plan) -> float:
        return sum(
            optimus_like(s.model, batch, plan, s.hardware, Rules(memory_limit=limit)).makespan
            for batch, limit in zip(batches, limits, strict=True)
        )

    encoder, last = s.model.modules[0], s.model.modules[-1]
    plans = [
        balanced_plan(s.model, s.ranks, (first, k))
        for first in (1, 2)
        for k in range(1, s.most_segments - first + 1)
        if encoder.layers >= first * s.ranks and last.layers >= k * s.ranks
    ]
    rival = choose_interleavings(s, history, batches, limits, search=stages)
    orders = []
    for batch, limit in zip(batches, limits, strict=True) if stages else ():
        program = segmented_program(s.model, batch, choice.layers.plan, s.hardware)
        scheduler = ListScheduler(program, Rules(memory_limit=limit))
        found = METHODS[s.method](scheduler, evaluations=s.evaluations, seed=s.seed)
        orders.append(pattern(RankedSteps(scheduler), found.ranking))
    return Prepared(s, history, rival, min(plans, key=encoder_seconds), choice, tuple(orders))


def run_interleaved(
    setting: Setting, batch: Sequence[Microbatch], history: Batch, depth: Interleaving
) -> Schedule:
    """Run the interleaved schedule of that depth on the best of three orders of the batch."""
    s = setting
    return static_schedule(
        s.model, batch, history, s.ranks, s.hardware,
        chunks=depth.chunks, parts=depth.parts, reorder=True,
    )  # fmt: skip


def search_interleaved(
    setting: Setting,
    start: Schedule,
    limit: Float[np.ndarray, " ranks"],
    evaluations: int,
) -> Schedule:
    """Search the order of an interleaved schedule, which may itself need more than the limit."""
    room = np.maximum(limit, peak_memory(start))
    return search_step(
        ListScheduler(start.program, Rules(memory_limit=room)),
        evaluations=evaluations, method=setting.method, seed=setting.seed, start=start,
    ).schedule  # fmt: skip


def choose_interleavings(
    setting: Setting,
    history: Batch,
    batches: Sequence[Batch],
    limits: Sequence[Float[np.ndarray, " ranks"]],
    *,
    search: bool = True,
) -> Interleavings:
    """Choose the interleaved rival's depth and parts on validation batches, as plans are chosen.

    Every setting runs one batch in the published order; for each number of parts the best ``KEEP``
    depths run all batches, in the published order and, with ``search``, searched.
    """
    s = setting
    layers = sum(module.layers for module in s.model.modules)
    deepest = min(s.depth, layers // s.ranks)
    schedules: dict[tuple[Interleaving, int], Schedule] = {}

    def schedule(depth: Interleaving, k: int) -> Schedule:
        if (depth, k) not in schedules:
            schedules[depth, k] = run_interleaved(s, batches[k], history, depth)
        return schedules[depth, k]

    def published(depth: Interleaving) -> float:
        return sum(schedule(depth, k).makespan for k in range(len(batches)))

    @cache
    def searched(depth: Interleaving) -> float:
        return sum(
            search_interleaved(s, schedule(depth, k), limits[k], s.choosing).makespan
            for k in range(len(batches))
        )

    settings = [
        Interleaving(chunks, parts)
        for parts in PARTS
        for chunks in range(1, deepest + 1 if parts * s.microbatches % s.ranks == 0 else 2)
    ]

    def best(parts: tuple[int, ...], seconds: Callable[[Interleaving], float]) -> Interleaving:
        tried = []
        for part in parts:
            own = [depth for depth in settings if depth.parts == part]
            tried += sorted(own, key=lambda depth: schedule(depth, 0).makespan)[:KEEP]
        return min(tried, key=seconds)

    whole, cut = best(PARTS[:1], published), best(PARTS, published)
    if not search:
        return Interleavings(whole, cut, whole, cut)
    return Interleavings(whole, cut, best(PARTS[:1], searched), best(PARTS, searched))


def named(name: str, **changes: object) -> Setting:
    """Make a setting for one of the five named models."""
    return Setting(model_named(name), **changes)  # type: ignore[arg-type]
