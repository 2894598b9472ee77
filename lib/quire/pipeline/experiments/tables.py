"""Many batches: what each idea is worth, who gains what, where, and when the data shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from quire.pipeline.experiments.comparison import (
    CUT,
    IDEAL,
    OURS,
    REPLAYED,
    RIVALS,
    SEARCHED,
    UNSEARCHED,
    Comparison,
    compare,
)
from quire.pipeline.experiments.setting import Prepared, Setting, prepare
from quire.pipeline.experiments.statistics import Mean, mean
from quire.pipeline.schedule import violations
from quire.pipeline.schedules.multimodal import ZERO_BUBBLE

Runs = Mapping[str, tuple[Prepared, tuple[Comparison, ...]]]
"""Per model: what was chosen, and its batches under every scheduler."""


def run_models(settings: Mapping[str, Setting], batches: int, *, split: str = "") -> Runs:
    """Prepare each setting and compare ``batches`` batches; ``split`` names the model to split."""
    runs = {}
    for name, setting in settings.items():
        prepared = prepare(setting)
        compared = tuple(compare(prepared, k, split=name == split) for k in range(batches))
        runs[name] = (prepared, compared)
    return runs


@dataclass(frozen=True)
class ChosenPlan:
    """What was chosen for a model on validation batches."""

    model: str
    parameters: float
    chunks: int
    cut: str
    segments: str
    pieces: str
    moved_layers: int


def chosen_plans(runs: Runs) -> list[ChosenPlan]:
    """List what was chosen; billions of parameters, chunks and parts of the rival, our plan."""
    rows = []
    for name, (prepared, _) in runs.items():
        trial, modules = prepared.choice.layers, prepared.setting.model.modules
        cut = [{0: "balanced", 1: "whole", 2: "halves"}[k] for k in trial.parts]
        rows.append(
            ChosenPlan(
                name,
                prepared.setting.model.parameters / 1e9,
                prepared.rival.whole.chunks,
                f"{prepared.rival.cut.chunks} chunks, {dealt(prepared.rival.cut.parts)}",
                ", ".join(f"{m.name} {k}" for m, k in zip(modules, trial.segments, strict=True)),
                ", ".join(f"{m.name} {k}" for m, k in zip(modules, cut, strict=True)),
                trial.moved_layers,
            )
        )
    return rows


def dealt(parts: int) -> str:
    """Say into how many smaller microbatches the interleaved rival deals every microbatch."""
    return "microbatches whole" if parts == 1 else f"every microbatch in {parts} parts"


def step_times(runs: Runs, names: Sequence[str]) -> list[dict[str, object]]:
    """Average step time over the plan-free bound: one row per scheduler, one column per model."""
    return [
        {"schedule": name}
        | {
            model: float(np.mean([c.seconds[name] / c.plan_free for c in compared]))
            for model, (_, compared) in runs.items()
            if name in compared[0].seconds
        }
        for name in names
    ]


def ratio(runs: Runs, ours: str, theirs: str, models: Sequence[str] | None = None) -> Mean:
    """Average step-time ratio of two schedulers over all batches of all models, with an interval.

    Batches with the same number are one draw: their mean over models is the unit of the interval.
    """
    columns = [
        [c.seconds[ours] / c.seconds[theirs] for c in runs[name][1]] for name in models or runs
    ]
    return mean(np.mean(columns, axis=0).tolist())


BEST, BEST_WHOLE = "best rival", "best rival, microbatches whole"
"""The rival that did best on the very batch: of all, and of those that cut no microbatch."""


def gain(comparison: Comparison, rival: str) -> float:
    """Gain over a rival by name, or over the one that did best on the batch."""
    best = {BEST: comparison.best_rival, BEST_WHOLE: comparison.best_whole}
    return comparison.gain(best.get(rival, rival))


def gain_over(runs: Runs, rival: str, models: Sequence[str] | None = None) -> Mean:
    """Average the gain over a rival (a name of the table, ``BEST`` or ``BEST_WHOLE``)."""
    columns = [[gain(c, rival) for c in runs[name][1]] for name in models or runs]
    return mean(np.mean(columns, axis=0).tolist())


def lost_share(runs: Runs) -> Mean:
    """Share of batches on which some rival is faster, with an interval over draws."""
    lost = [[float(gain(c, BEST) < 0) for c in compared] for _, compared in runs.values()]
    found = mean(np.mean(lost, axis=0).tolist())
    return Mean(found.value, max(0.0, found.low), min(1.0, found.high))


def excess(runs: Runs, bound: str, models: Sequence[str] | None = None) -> Mean:
    """Average how far the searched step lies above ``bound`` (``bound`` or ``plan_free``)."""
    columns = [
        [c.seconds[OURS] / getattr(c, bound) - 1 for c in runs[name][1]] for name in models or runs
    ]
    return mean(np.mean(columns, axis=0).tolist())


def split_ratio(compared: Sequence[Comparison]) -> Mean:
    """Average the searched step with weight gradients apart over the best zero-bubble step."""
    return mean([c.seconds["+ split"] / min(c.seconds[n] for n in ZERO_BUBBLE) for c in compared])


@dataclass(frozen=True)
class IdeaWorth:
    """Step-time ratio that one idea brings, on one model."""

    idea: str
    model: str
    ratio: float
    low: float
    high: float


IDEAS = {
    "rival allowed to cut": (CUT, "interleaved"),
    "that rival searched": (f"{CUT} + search", CUT),
    "segments": ("segments", "interleaved + search"),
    "pieces": ("+ pieces", "segments"),
    "layers moved": (OURS, "+ pieces"),
    "our layout, not the rival's": (OURS, f"{CUT} + search"),
    "search, not a simple order": (OURS, UNSEARCHED),
    "search, not a replayed order": (OURS, REPLAYED),
    "all ideas together": (OURS, CUT),
}
"""Each idea as (with, without); the rival is the interleaved schedule."""


def idea_worth(runs: Runs) -> list[IdeaWorth]:
    """Measure what each idea is worth on each model: step with it over step without."""
    return [
        IdeaWorth(idea, name, *ratio(runs, *pair, models=[name]))
        for idea, pair in IDEAS.items()
        for name in runs
    ]


@dataclass(frozen=True)
class Gain:
    """Throughput gained over one rival, in per cent, and the per cent of batches lost to it."""

    rival: str
    mean: float
    median: float
    largest: float
    least: float
    lost: float


def gain_rows(compared: Sequence[Comparison]) -> list[Gain]:
    """Summarise gains over every rival, over the best of them per batch, and over the ideal."""
    rows = {name: [gain(c, name) for c in compared] for name in (*RIVALS, BEST_WHOLE, BEST, IDEAL)}
    return [
        Gain(
            name,
            100 * float(np.mean(gains)),
            100 * float(np.median(gains)),
            100 * max(gains),
            100 * min(gains),
            100 * float(np.mean(np.array(gains) < 0)),
        )
        for name, gains in rows.items()
    ]


def all_batches(runs: Runs) -> list[Comparison]:
    """List the comparisons of all models."""
    return [c for _, compared in runs.values() for c in compared]


@dataclass(frozen=True)
class Regime:
    """One batch at one point of the regime map; ``parts`` are those of the rival that may cut."""

    model: str
    ranks: int
    microbatches: int
    image_mean: float
    shape: float
    parts: int
    batch: int
    compared: Comparison


GRID = tuple(product((4, 8), (1, 2, 4), (8.0, 32.0), (1.0, 2.18)))
"""Ranks, microbatches per rank, mean images, gamma shape."""


def regime_map(
    settings: Mapping[str, Setting], regimes: int, batches: int, *, seed: int
) -> list[Regime]:
    """Compare batches at ``regimes`` points of ``GRID`` times the models.

    First the corner of every model where one would look for large gains (many ranks and images, few
    and wild microbatches), then points drawn at random. Plans and the rivals' settings are chosen
    anew at every point. Every module has 28 layers or more, which limits segments on eight ranks;
    the interleaved rival keeps its depth.
    """
    grid = list(product(settings, GRID))
    corners = [k for k, (_, point) in enumerate(grid) if point == (8, 1, 32.0, 1.0)]
    drawn = np.random.default_rng([seed, 3]).permutation(len(grid))
    others = drawn[~np.isin(drawn, corners)]
    points = np.sort(np.concatenate([corners, others]).astype(int)[:regimes])
    rows = []
    for k in points.tolist():
        name, (ranks, depth, images, shape) = grid[k]
        setting = replace(
            settings[name], ranks=ranks, microbatches=ranks * depth, image_mean=images,
            shape=shape, segment_depth=28 // ranks, layer_moves=0,
            choosing=max(3, settings[name].choosing // 3),
        )  # fmt: skip
        prepared = prepare(setting, stages=False)
        rows += [
            Regime(
                name, ranks, ranks * depth, images, shape, prepared.rival.cut.parts, b,
                compare(prepared, b, stages=False),
            )
            for b in range(batches)
        ]  # fmt: skip
    return rows


def largest_gains(regimes: Sequence[Regime], rival: str) -> list[float]:
    """Return the largest gain over a rival on the map, once for each draw of its batches."""
    draws = sorted({row.batch for row in regimes})
    return [max(gain(row.compared, rival) for row in regimes if row.batch == k) for k in draws]


@dataclass(frozen=True)
class ShiftedStep:
    """One step of a workload whose mean number of images changes: step times over the bound."""

    step: int
    images: float
    searched: float
    unsearched: float
    interleaved: float
    static: float


WAYS = {"searched": OURS, "unsearched": UNSEARCHED, "interleaved": CUT, "static": "1F1B"}
"""Fields of a shifted step, and the schedulers behind them; the interleaved one may cut."""


def shifting(
    prepared: Prepared, steps: int, *, seed: int, evaluations: int = 100
) -> list[ShiftedStep]:
    """Let images rise from none to 60 a microbatch and fall to four; plans stay as they are."""
    half = steps // 2
    means = np.concatenate([np.linspace(0, 60, half), np.full(steps - half, 4.0)])
    rows = []
    for k, images in enumerate(means.tolist()):
        setting = replace(prepared.setting, image_mean=images, seed=seed, evaluations=evaluations)
        c = compare(replace(prepared, setting=setting), k, stages=False)
        over = {field: c.seconds[name] / c.plan_free for field, name in WAYS.items()}
        rows.append(ShiftedStep(k, images, **over))
    return rows


def strays(drifts: Sequence[Sequence[ShiftedStep]]) -> dict[str, list[float]]:
    """Return each scheduler's largest distance from its mean, once for each run."""
    return {
        field: [spread([getattr(step, field) for step in drift]) for drift in drifts]
        for field in WAYS
    }


def spread(values: Sequence[float]) -> float:
    """Return the largest relative distance of a value from the mean of all."""
    given = np.asarray(values, dtype=float)
    return float(np.abs(given / given.mean() - 1).max())


def memory_breaches(runs: Runs) -> int:
    """Count searched schedules that break a rule or their memory limit (should be none)."""
    kept = (*SEARCHED[2:], UNSEARCHED, REPLAYED, "Optimus-like", "+ split")
    return sum(
        bool(violations(c.schedules[name], c.memory_limit))
        for c in all_batches(runs)
        for name in kept
        if name in c.schedules
    )
