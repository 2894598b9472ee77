"""The 1/W law: with the planner's constants, with a measured card, and in an engine that pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.experiments.hopper import with_residuals, work_of
from quire.serving.planning import Engine, GpuProfile, fit_logistic, fit_steps, saturate
from quire.serving.planning.power_law import Logistic
from quire.serving.power.clock import fit_energies
from quire.serving.profiles.models import LLAMA_8B
from quire.serving.profiles.operators import profile_from_operators

CAP_W = 700.0


@dataclass(frozen=True)
class MeasuredCard:
    """An H100 with an 8B model, measured for this project.

    Attributes
    ----------
    engine
        From its tables.
    gpu
        The planner's constants fitted to its whole steps.
    watts
        Power of (sequences, mean length), a fit of static power, operations and bytes.
    worst_watts
        Largest relative error of that fit at the measured points.
    logistic
        Fits of the planner's curve, by context.
    """

    engine: Engine
    gpu: GpuProfile
    watts: Callable[[float | int, float | int], float]
    worst_watts: float
    logistic: dict[int, Logistic]


def measured_card(tables: Mapping[str, Any]) -> MeasuredCard:
    """Return the card from its tables: ``dense``, ``attention``, ``steps``, ``power``."""
    profile = profile_from_operators(
        LLAMA_8B, tables["dense"], tables["attention"], decode_phase="decode_cudnn"
    )
    profile = with_residuals(profile, tables["dense"])
    steps, power = tables["steps"], tables["power"]
    kept = np.array([w == "decode_step" for w in steps["what"]])
    n, k, us = (np.asarray(steps[c], float)[kept] for c in ("sequences", "context", "median_us"))
    fixed, each = fit_steps(n, k, us / 1e6)
    blocks = LLAMA_8B.kv_blocks(80, 0.9)
    gpu = GpuProfile("H100, 8B", fixed, each, 2048, blocks, blocks * 16 // 8192, 4.02)
    times = {(int(a), int(b)): c / 1e6 for a, b, c in zip(n, k, us, strict=True)}
    columns = zip(*(power[c] for c in ("load", "sequences", "context", "watt_mean")), strict=True)
    runs = [(int(a), int(b), float(w)) for load, a, b, w in columns if load == "decode"]
    below = [
        (w, *work_of(LLAMA_8B, "decode", a, b), times[a, b]) for a, b, w in runs if w < 0.98 * CAP_W
    ]
    static, per_flop, per_byte = fit_energies(*np.array(below).T)

    def watts(sequences: float | int, length: float | int) -> float:
        a = max(1.0, float(sequences))
        flops, moved = work_of(LLAMA_8B, "decode", round(a), round(float(length)))
        return min(CAP_W, static + (per_flop * flops + per_byte * moved) / gpu.step_s(a, length))

    worst = max(abs(watts(a, b) / w - 1) for a, b, w in runs)
    curves = {}
    for context in (512, 2048):
        mine = [(a, w) for a, b, w in runs if b == context]
        curves[context] = fit_logistic([a for a, _ in mine], [w for _, w in mine])
    return MeasuredCard(Engine(profile, blocks), gpu, watts, worst, curves)


@dataclass(frozen=True)
class PagedRow:
    """The same requests under one promised window: answer tokens a joule."""

    window: int
    sequences: int
    law: float | int
    reserved: float | int
    paged: float | int


def paged_rows(card: MeasuredCard, n_in: Any, n_out: Any, windows: Any, law: Any) -> list[PagedRow]:
    """Return tokens a joule of saturated engines that reserve windows, and of one that pages.

    Parameters
    ----------
    card
        Measured.
    n_in, n_out
        Requests that fit the least window, in random order.
    windows
        Promised.
    law
        Tokens a joule by the law, for each window.
    """
    costs = card.engine.costs()
    prompt, answer = np.asarray(n_in), np.asarray(n_out)

    def run(sequences: int) -> float:
        few = slice(0, min(prompt.size, max(150, 10 * sequences)))
        told = saturate(prompt[few], answer[few], card.engine, sequences, card.watts, costs=costs)
        return float(told.tokens_per_joule)

    paged = run(card.engine.seats)
    rows = []
    for window, by_law in zip(windows, law, strict=True):
        s = card.engine.reserved(int(window))
        rows.append(PagedRow(int(window), s, float(by_law), run(s), paged))
    return rows
