"""Affinity against balance on traces that share prefixes; caps that fire together; learning."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.routing import (
    Cap,
    Replicas,
    Routing,
    cascade,
    draw_queries,
    firing_probability,
    learn,
    model_world,
    replay_router,
    softmax_fires,
)
from quire.serving.workload.mooncake import PrefixTrace

H100_8B = {"prompt_s": 3.2e-5, "answer_s": 1.55e-4, "fixed_s": 0.005}
"""Seconds of a token on the measured H100 with an 8B model: a prompt's, and an answer's at a full
batch (1 / 6,450)."""


@dataclass(frozen=True)
class RouterRow:
    """A policy on a trace: per cent of prompt tokens found cached, seconds to the first token."""

    policy: str
    load_weight: float | int
    switch_s: float | int
    hit: float | int
    p50_s: float | int
    p99_s: float | int
    imbalance: float | int


def replicas(count: int = 16, cache_blocks: int = 800) -> Replicas:
    """Return servers like the measured card, with some GPU and host memory for prefixes."""
    return Replicas(count, cache_blocks, 512, **H100_8B)


def route_trace(trace: PrefixTrace, servers: Replicas, policy: str, **weights: Any) -> Routing:
    """Return what a policy does with a trace."""
    start, names = trace.requests.named
    return replay_router(
        trace.arrival_s, trace.n_in, trace.n_out, start, names, servers, policy, **weights
    )


def _row(
    policy: str, told: Routing, load: float | int = 0.0, switch: float | int = 0.0
) -> RouterRow:
    return RouterRow(
        policy,
        load,
        switch,
        100 * told.hit_rate,
        told.ttft(50),
        told.ttft(99),
        float(told.busy_s.max() / told.busy_s.mean()),
    )


def frontier(
    trace: PrefixTrace,
    servers: Replicas,
    loads: Sequence[float] = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    switches: Sequence[float] = (np.inf, 5.0),
) -> list[RouterRow]:
    """Return all policies, prefix affinity at several weights of load and switches to balance."""
    rows = [
        _row(policy, route_trace(trace, servers, policy))
        for policy in ("round robin", "random", "least loaded")
    ]
    for block in (0, 1, 2, 4):
        told = route_trace(trace, servers, "sticky", sticky_block=block)
        rows.append(_row(f"sticky by block {block}", told))
    for load in loads:
        for switch in switches:
            told = route_trace(trace, servers, "prefix affinity", load_weight=load, switch_s=switch)
            rows.append(_row("prefix affinity", told, load, switch))
    return rows


def tuned(trace: PrefixTrace, servers: Replicas) -> tuple[RouterRow, RouterRow, RouterRow]:
    """Return prefix affinity and sticky tuned on a first half, and least loaded, on the second."""
    return tuned_tails(trace, servers)[0]


def tail_ratio(
    first: np.ndarray, second: np.ndarray, seed: int, blocks: int = 20
) -> tuple[float, float]:
    """Return the 2.5 and 97.5 % points of a ratio of P99s, by resampling blocks of time."""
    rng = np.random.default_rng([seed, 99])
    parts = np.array_split(np.arange(first.size), blocks)
    told = []
    for _ in range(400):
        pick = np.concatenate([parts[k] for k in rng.integers(0, blocks, blocks)])
        told.append(np.percentile(first[pick], 99) / np.percentile(second[pick], 99))
    low, high = np.percentile(told, [2.5, 97.5])
    return float(low), float(high)


def tuned_tails(
    trace: PrefixTrace, servers: Replicas
) -> tuple[tuple[RouterRow, RouterRow, RouterRow], list[np.ndarray]]:
    """Return the rows of `tuned`, and the times to the first token behind them."""
    half = len(trace) // 2
    first = frontier(trace.first(half), servers)
    second = trace.select(np.arange(half, len(trace)))
    best, sticky = (
        min((r for r in first if r.policy.startswith(p)), key=lambda r: r.p99_s)
        for p in ("prefix", "sticky")
    )
    weights = {"load_weight": best.load_weight, "switch_s": best.switch_s}
    block = int(sticky.policy.split()[-1])
    told = route_trace(second, servers, "prefix affinity", **weights)
    stuck = route_trace(second, servers, "sticky", sticky_block=block)
    least = route_trace(second, servers, "least loaded")
    rows = (
        _row("prefix affinity", told, best.load_weight, best.switch_s),
        _row(sticky.policy, stuck),
        _row("least loaded", least),
    )
    return rows, [each.ttft_s for each in (told, stuck, least)]


@dataclass(frozen=True)
class CapRow:
    """Two embedding signals: how often one and both fire, by integral and by draws."""

    threshold: float | int
    angle: float | int
    either: float | int
    both: float | int
    drawn: float | int
    sigma: float | int
    softmax: int


def cap_rows(
    draws: int, seed: int, dimension: int = 384, kappa: float | int = 900.0
) -> list[CapRow]:
    """Return pairs of caps whose thresholds are 0.70 to 0.85, queries drawn around their middle.

    The last column counts draws in which a softmax with temperature 0.1 lets both fire.
    """
    middle = np.eye(dimension)[0]
    pairs = []
    for theta in (0.70, 0.75, 0.80, 0.85):
        for degrees in (30.0, 60.0):
            half = np.deg2rad(degrees) / 2
            centres = np.zeros((2, dimension))
            centres[:, 0], centres[:, 1] = np.cos(half), (np.sin(half), -np.sin(half))
            pairs.append((theta, degrees, centres))
    counts, left = np.zeros((len(pairs), 3)), draws
    while left:
        x = draw_queries(middle, kappa, min(left, 25_000), seed + left)
        for k, (theta, _, centres) in enumerate(pairs):
            hit = x @ centres.T >= theta
            soft = softmax_fires(x, centres, 0.1).sum(axis=1) > 1
            counts[k] += hit.sum() / 2, hit.all(axis=1).sum(), soft.sum()
        left -= x.shape[0]
    rows = []
    for (theta, degrees, centres), (fires, both, soft) in zip(pairs, counts, strict=True):
        first, second = (Cap(c, theta) for c in centres)
        p = firing_probability(first, second, middle, kappa)
        spread = max(np.sqrt(p * (1 - p) / draws), 1.0 / draws)
        rows.append(
            CapRow(
                theta,
                degrees,
                fires / draws,
                p,
                both / draws,
                float(abs(both / draws - p) / spread),
                int(soft),
            )
        )
    return rows


@dataclass(frozen=True)
class FocusRow:
    """How often two caps fire together, by how narrowly the queries gather around their middle."""

    threshold: float | int
    uniform: float | int
    loose: float | int
    close: float | int
    closer: float | int


KAPPAS = (0.0, 300.0, 900.0, 2700.0)


def focus_rows(
    dimension: int = 384, degrees: float | int = 30.0, kappas: Any = KAPPAS
) -> list[FocusRow]:
    """Return the closed form for thresholds 0.70 to 0.85, four concentrations of the queries each.

    Queries are uniform on the sphere, or von Mises-Fisher around the middle of the two centres.
    """
    half = np.deg2rad(degrees) / 2
    middle, across = np.eye(dimension)[:2]
    centres = [np.cos(half) * middle + side * np.sin(half) * across for side in (1, -1)]
    rows = []
    for theta in (0.70, 0.75, 0.80, 0.85):
        first, second = (Cap(c, theta) for c in centres)
        told = [firing_probability(first, second, middle, kappa) for kappa in kappas]
        rows.append(FocusRow(theta, *told))
    return rows


@dataclass(frozen=True)
class BanditRow:
    """A policy's regret in per cent of what the oracle earns: median and range over seeds."""

    policy: str
    setting: float | int
    regret: float | int
    low: float | int
    high: float | int
    late: float | int


SETTINGS = {
    "linucb": (0.05, 0.1, 0.3, 1.0),
    "thompson": (0.05, 0.1, 0.3, 1.0),
    "greedy": (0.01, 0.03, 0.1),
}


def bandit_rows(n: int, seeds: Sequence[int], *, discount: float | int = 0.999) -> list[BanditRow]:
    """Return each policy at the setting that is best on other seeds, and the best fixed model.

    Rewards come 50 requests late; the world changes at half time. ``late`` is the regret of the
    last quarter over that of the quarter after the change (below 1: it learns again).
    """
    rows = []
    for policy, settings in SETTINGS.items():

        def run(value: float | int, seed: int, policy: str = policy) -> tuple[float, float]:
            world = model_world(n, seed)
            told = learn(world, policy, exploration=value, discount=discount, delay=50, seed=seed)
            r = told.regret
            quarter = r[3 * n // 4 - 1] - r[n // 2 - 1]
            late = (r[-1] - r[3 * n // 4 - 1]) / max(quarter, 1e-9)
            return float(100 * r[-1] / world.mean.max(axis=1).sum()), float(late)

        value = min(settings, key=lambda v: np.mean([run(v, 1000 + k)[0] for k in range(2)]))
        told = [run(value, seed) for seed in seeds]
        lost = [t[0] for t in told]
        rows.append(
            BanditRow(
                policy,
                value,
                float(np.median(lost)),
                min(lost),
                max(lost),
                float(np.median([t[1] for t in told])),
            )
        )
    fixed = []
    for seed in seeds:
        world = model_world(n, seed)
        best = world.mean.max(axis=1).sum()
        fixed.append(float(100 * (1 - world.mean.sum(axis=0).max() / best)))
    rows.append(
        BanditRow("best fixed model", 0, float(np.median(fixed)), min(fixed), max(fixed), 1.0)
    )
    return rows


@dataclass(frozen=True)
class CascadeRow:
    """A cascade at the best threshold for a price, against either model alone."""

    price: float | int
    threshold: float | int
    escalated: float | int
    worth: float | int
    small: float | int
    large: float | int


def cascade_rows(
    n: int, seed: int, prices: Sequence[float] = (0.02, 0.05, 0.1, 0.2)
) -> list[CascadeRow]:
    """Return cascades of a simulated pair: thresholds from one half, worth on the other."""
    rng = np.random.default_rng([seed, 12])
    difficulty = rng.normal(0, 1, n)
    right = [rng.random(n) < 1 / (1 + np.exp(-2 * (skill - difficulty))) for skill in (0.4, 1.8)]
    sure = 1 / (1 + np.exp(-2 * (0.4 - difficulty) + rng.normal(0, 0.7, n)))
    half = n // 2
    rows = []
    for price in prices:
        learnt = cascade(sure[:half], right[0][:half] * 1, right[1][:half] * 1, 1.0, 5.0)
        edge = float(learnt.threshold[learnt.best(price)])
        up = sure[half:] < edge
        small, large = (r[half:].astype(float) for r in right)
        worth = np.where(up, large, small).mean() - price * (1 + 5 * up.mean())
        rows.append(
            CascadeRow(
                price,
                min(edge, 1.0),
                100 * float(up.mean()),
                float(worth),
                float(small.mean() - price),
                float(large.mean() - 5 * price),
            )
        )
    return rows
