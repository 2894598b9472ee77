"""How much batches vary, and how long a static cut idles because of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quire.pipeline.experiments.setting import HISTORY, Setting
from quire.pipeline.experiments.statistics import Mean, mean
from quire.pipeline.schedule import bubble_fraction
from quire.pipeline.schedules.list_scheduling import list_schedule
from quire.pipeline.schedules.multimodal import static_schedule
from quire.pipeline.schedules.segments import balanced_plan, segmented_program
from quire.pipeline.workload.batches import (
    Microbatch,
    microbatch_flops,
    vision_microbatch,
    work_ratio,
)
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import Model


@dataclass(frozen=True)
class WorkVariation:
    """Largest over smallest work of packed microbatches: by the law's quantiles, and drawn."""

    model: str
    by_law: float
    drawn: float
    low: float
    high: float


def work_variation(setting: Setting, draws: int = 10, packed: int = 1000) -> WorkVariation:
    """Compare the work of ``packed`` microbatches by quantiles and in ``draws`` random draws."""
    ratios = []
    for k in range(draws):
        batch = setting.draw(packed, 12, k)
        work = [microbatch_flops(setting.model, microbatch) for microbatch in batch]
        ratios.append(max(work) / min(work))
    by_law = work_ratio(setting.model, shape=setting.shape, image_mean=setting.image_mean)
    drawn = mean(ratios)
    return WorkVariation(setting.model.name, by_law, *drawn)


def static_bubble(setting: Setting, k: int) -> float:
    """Idle share of 1F1B on the best static cut for the ``k``-th batch."""
    s = setting
    history = s.draw(HISTORY, 1, k)
    schedule = static_schedule(s.model, s.batch(k), history, s.ranks, s.hardware)
    return bubble_fraction(schedule)


@dataclass(frozen=True)
class IdleShare:
    """Mean idle share of the best static cut, with an interval, at one point."""

    ranks: int
    microbatches: int
    shape: float
    bubble: float
    low: float
    high: float


def idle_share(setting: Setting, batches: int) -> IdleShare:
    """Average the idle share of the best static cut over ``batches`` batches."""
    found: Mean = mean([static_bubble(setting, k) for k in range(batches)])
    return IdleShare(setting.ranks, setting.microbatches, setting.shape, *found)


def idle_by_size(setting: Setting, batches: int) -> list[IdleShare]:
    """Vary ranks and microbatches."""
    return [
        idle_share(replace(setting, ranks=ranks, microbatches=m), batches)
        for ranks in (4, 8)
        for m in (16, 32)
    ]


def idle_by_shape(setting: Setting, batches: int) -> list[IdleShare]:
    """Vary the gamma shape of the images: small is wild, large is tame."""
    shapes = (0.5, 1.0, setting.shape, 5.0, 20.0, 100.0)
    return [idle_share(replace(setting, shape=shape), batches) for shape in shapes]


@dataclass(frozen=True)
class PiecesStep:
    """Step time of equal microbatches whose images are cut into so many pieces."""

    pieces: int
    half_tokens: float
    milliseconds: float


PIECES = (1, 2, 4, 8, 16, 32)


def step_with_pieces(model: Model, hardware: Hardware, ranks: int, pieces: int) -> float:
    """Milliseconds of a step of ``ranks`` equal microbatches of 32 images in ``pieces`` pieces."""
    batch: list[Microbatch] = [vision_microbatch(32, np.array([0.5])) for _ in range(ranks)]
    plan = balanced_plan(model, ranks, (1, 2), (32 * 1024 / pieces, np.inf))
    return list_schedule(segmented_program(model, batch, plan, hardware)).makespan * 1e3


def number_of_pieces(model: Model, hardware: Hardware, ranks: int) -> list[PiecesStep]:
    """Vary the number of pieces under four kernel efficiencies, perfect ones first."""
    return [
        PiecesStep(
            pieces,
            half,
            step_with_pieces(model, replace(hardware, half_tokens=half), ranks, pieces),
        )
        for half in (0.0, 256.0, 1024.0, 4096.0)
        for pieces in PIECES
    ]
