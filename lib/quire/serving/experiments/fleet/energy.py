"""Energy of fleets: what routing and a newer card give, and plans that no other plan beats."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.planning import (
    A100,
    H100,
    GpuProfile,
    Lengths,
    Plan,
    Rules,
    one_pool,
    plan,
    roofline_profile,
    split,
)

LLAMA_70B = {"weight_bytes": 141.2e9, "kv_bytes_per_token": 327_680, "layers": 80}
"""Of Llama 3.1 70B in two bytes: 70.6e9 weights; 80 layers of 8 heads of 128, keys and values."""

SHEETS = {"H100": (3.35e12, 80 * 2**30, 700, 4.02), "B200": (8.0e12, 180 * 2**30, 1000, 8.0)}
"""Bytes a second, bytes, watts, dollars an hour: the upstream planner's catalogue."""


def sheet(name: str) -> GpuProfile:
    """Return a card's profile by the roofline: eight of them hold a Llama 3.1 70B.

    Power as upstream: 43 % of the data sheet's at no batch, 86 % at a large one, and the H100's
    logistic between them.
    """
    rate, memory, watts, price = SHEETS[name]
    return roofline_profile(
        f"{name}, sheet",
        **LLAMA_70B,
        bytes_per_s=rate,
        memory_bytes=memory,
        devices=8,
        chunk=1024,
        dollars_per_hour=price,
        idle_w=0.43 * watts,
        nominal_w=0.86 * watts,
        steepness=1,
        midpoint=4.2,
    )


def watts(found: Plan) -> float:
    """Return the watts of a plan's GPUs, each at its pool's mean number of requests."""
    total = 0.0
    for pool in (found.short, found.long):
        if pool.gpus and pool.calibration is not None:
            busy = pool.utilisation * pool.calibration.slots
            total += pool.gpus * pool.gpu.power_w(max(1.0, busy))
    return total


def mean_answer(lengths: Lengths) -> float:
    """Return the mean tokens of an answer, by the planner's split."""
    values, share = lengths.weights()
    return float((split(values)[1] * share).sum())


@dataclass(frozen=True)
class TopologyRow:
    """A fleet's tokens a joule: profiles, card, pools; the gain is over the first of a profile."""

    profiles: str
    card: str
    pools: str
    gpus: int
    kilowatts: float | int
    tokens_per_joule: float | int
    gain: float | int


BOUNDARIES = (1024, 2048, 4096, 6144, 8192)


def topology_rows(lengths: Lengths, rate: Any = 200) -> list[TopologyRow]:
    """Return tokens a joule of one pool and of two, for both cards by the roofline, and the H100.

    The planner's H100 with its own constants first. Two pools have the boundary of five with the
    most tokens a joule.
    """
    rules, answers = Rules(draws=False), float(rate) * mean_answer(lengths)
    rows = []
    cases = (("planner's", H100, "H100"), ("roofline", sheet("H100"), "H100"),
             ("roofline", sheet("B200"), "B200"))  # fmt: skip
    first: dict[str, float] = {}
    for profiles, gpu, card in cases:
        one = one_pool(lengths, rate, gpu=gpu, rules=rules)
        two = min(
            (plan(lengths, rate, b, gpu_short=gpu, gpu_long=gpu, rules=rules) for b in BOUNDARIES),
            key=watts,
        )
        for pools, found in (("one", one), (f"two, B = {two.boundary:,}", two)):
            drawn = watts(found)
            told = answers / drawn
            base = first.setdefault(profiles, told)
            rows.append(
                TopologyRow(profiles, card, pools, found.gpus, drawn / 1e3, told, told / base)
            )
    return rows


@dataclass(frozen=True)
class FrontRow:
    """A plan that no other beats in dollars, energy and P99 together."""

    short: str
    long: str
    rho: float | int
    dollars: float | int
    joules: float | int
    p99_ms: float | int


def undominated(values: Any) -> np.ndarray:
    """Return which rows no other row beats: at most as large everywhere and smaller somewhere."""
    table = np.asarray(values, dtype=float)
    kept = np.ones(len(table), bool)
    for k, row in enumerate(table):
        better = (table <= row).all(axis=1) & (table < row).any(axis=1)
        kept[k] = not better.any()
    return kept


def front_rows(
    lengths: Lengths,
    rate: Any = 200,
    gpus: Sequence[GpuProfile] = (A100, H100),
    rhos: Any = (0.5, 0.7, 0.85),
) -> tuple[int, list[FrontRow]]:
    """Return how many plans there are, and those on the front of dollars, joules and P99.

    Boundaries as above and 3,072, gamma 1, 1.2, 1.5 and 2, either type of GPU for either pool, and
    caps of the utilisation; joules are those of a token of the answers. Plans whose long pool is
    empty are one plan.
    """
    answers = float(rate) * mean_answer(lengths)
    plans: dict[tuple[Any, ...], tuple[float, Plan]] = {}
    for rho in rhos:
        rules = Rules(draws=False, rho_max=rho)
        for b in sorted((*BOUNDARIES, 3072)):
            for g in (1.0, 1.2, 1.5, 2.0):
                for near in gpus:
                    for far in gpus:
                        found = plan(lengths, rate, b, g, gpu_short=near, gpu_long=far, rules=rules)
                        beyond = (far.name, found.long.gpus, g) if found.long.gpus else ()
                        if found.meets:
                            key = (b, near.name, found.short.gpus, *beyond)
                            plans.setdefault(key, (rho, found))
    if not plans:
        return 0, []
    kept = list(plans.values())
    values = [(p.dollars_per_hour, watts(p) / answers, p.p99_ms) for _, p in kept]
    rows = [
        FrontRow(
            f"{p.short.gpus} {p.short.gpu.name}, B {p.boundary:,}, gamma {p.gamma:g}",
            f"{p.long.gpus} {p.long.gpu.name}" if p.long.gpus else "none",
            rho,
            *value,
        )
        for (rho, p), value, best in zip(kept, values, undominated(values), strict=True)
        if best
    ]
    return len(plans), sorted(rows, key=lambda r: r.dollars)
