"""Many batches: what each idea is worth, who gains what, where, and when the data shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from quire.pipeline.experiments.comparison import (
    ABLATION,
    IDEAL,
    OURS,
    RIVALS,
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
    segments: str
    pieces: str
    moved_layers: int


def chosen_plans(runs: Runs) -> list[ChosenPlan]:
    """List what was chosen; billions of parameters, chunks of the rival, segments and pieces."""
    rows = []
    for name, (prepared, _) in runs.items():
        trial, modules = prepared.choice.layers, prepared.setting.model.modules
        cut = [{0: "balanced", 1: "whole", 2: "halves"}[k] for k in trial.parts]
        rows.append(
            ChosenPlan(
                name,
                prepared.setting.model.parameters / 1e9,
                prepared.chunks,
                ", ".join(f"{m.name} {k}" for m, k in zip(modules, trial.segments, strict=True)),
                ", ".join(f"{m.name} {k}" for m, k in zip(modules, cut, strict=True)),
                trial.moved_layers,
            )
        )
    return rows


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


def gain_over(runs: Runs, rival: str, models: Sequence[str] | None = None) -> Mean:
    """Average the gain over a rival (``best`` takes the best of them on each batch)."""
    columns = [
        [c.gain(c.best_rival if rival == "best" else rival) for c in runs[name][1]]
        for name in models or runs
    ]
    return mean(np.mean(columns, axis=0).tolist())


def lost_share(runs: Runs) -> Mean:
    """Share of batches on which some rival is faster, with an interval over draws."""
    lost = [[float(c.gain(c.best_rival) < 0) for c in compared] for _, compared in runs.values()]
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
    "search of the interleaved cut": ("interleaved + search", "interleaved"),
    "segments of their own": ("segments", "interleaved + search"),
    "pieces": ("+ pieces", "segments"),
    "layers moved": (OURS, "+ pieces"),
    "search of the plan": (OURS, UNSEARCHED),
    "all of it": (OURS, "interleaved"),
}
"""Each idea as (with, without)."""


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
    rows = {name: [c.gain(name) for c in compared if name in c.seconds] for name in RIVALS}
    rows["best of these, batch by batch"] = [c.gain(c.best_rival) for c in compared]
    rows[IDEAL] = [c.gain(IDEAL) for c in compared]
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
    """One point of the regime map and the gain there over each rival, batch by batch."""

    model: str
    ranks: int
    microbatches: int
    image_mean: float
    shape: float
    rival: str
    gain: float


GRID = tuple(product((4, 8), (1, 2, 4), (8.0, 32.0), (1.0, 2.18)))
"""Ranks, microbatches per rank, mean images, gamma shape."""


def regime_map(
    settings: Mapping[str, Setting], regimes: int, batches: int, *, seed: int
) -> tuple[list[Regime], list[Comparison]]:
    """Compare batches at ``regimes`` points of ``GRID`` times the models.

    First the corner of every model where one would look for large gains (many ranks and images, few
    and wild microbatches), then points drawn at random. Plans and the rivals' settings are chosen
    anew at every point.
    """
    grid = list(product(settings, GRID))
    corners = [k for k, (_, point) in enumerate(grid) if point == (8, 1, 32.0, 1.0)]
    drawn = np.random.default_rng([seed, 3]).permutation(len(grid))
    others = drawn[~np.isin(drawn, corners)]
    points = np.sort(np.concatenate([corners, others]).astype(int)[:regimes])
    rows, compared = [], []
    for k in points.tolist():
        name, (ranks, depth, images, shape) = grid[k]
        setting = replace(
            settings[name], ranks=ranks, microbatches=ranks * depth, image_mean=images,
            shape=shape, depth=min(settings[name].depth, 28 // ranks), layer_moves=0,
            choosing=max(3, settings[name].choosing // 3),
        )  # fmt: skip
        prepared = prepare(setting)
        for b in range(batches):
            c = compare(prepared, b, stages=False)
            compared.append(c)
            rows += [
                Regime(name, ranks, ranks * depth, images, shape, rival, c.gain(rival))
                for rival in (*RIVALS, IDEAL)
            ]
    return rows, compared


@dataclass(frozen=True)
class ShiftedStep:
    """One step of a workload whose mean number of images changes: step times over the bound."""

    step: int
    images: float
    searched: float
    interleaved: float
    static: float


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
        over = {name: c.seconds[name] / c.plan_free for name in (OURS, "interleaved", "1F1B")}
        rows.append(ShiftedStep(k, images, over[OURS], over["interleaved"], over["1F1B"]))
    return rows


def spread(values: Sequence[float]) -> float:
    """Return the largest relative distance of a value from the mean of all."""
    given = np.asarray(values, dtype=float)
    return float(np.abs(given / given.mean() - 1).max())


def memory_breaches(runs: Runs) -> int:
    """Count searched schedules that break a rule or their memory limit (should be none)."""
    kept = (*ABLATION[2:], UNSEARCHED, "Optimus-like", "+ split")
    return sum(
        bool(violations(c.schedules[name], c.memory_limit))
        for c in all_batches(runs)
        for name in kept
        if name in c.schedules
    )
