"""How far a rule is from what anybody could do; what noise, decodes and recomputing change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.checks import integer
from quire.serving.experiments.loading.settings import Case, mean_interval
from quire.serving.loading import (
    Engine,
    Policy,
    engine,
    mean_ttft_bound,
    noisy,
    on_time_bound,
    serve,
)

WEIGHTS = (1.0, 3.0, 10.0, 30.0)
LATE_LAST = "edf, late last"
"""Earliest deadline first among those who can still be on time: hybrid with a weight of zero."""


def tuned_weight(
    case: Case, load: float, seeds: int, seed: int, quantum_tokens: int = 512
) -> float:
    """Return the weight of ``hybrid`` that puts most requests of a workload on time."""
    best = []
    for weight in WEIGHTS:
        shares = [
            serve(
                case.arrivals(load, seed + k), case.costs, Engine(quantum_tokens=quantum_tokens),
                Policy("hybrid", weight=weight),
            ).attainment
            for k in range(integer("seeds", seeds))
        ]  # fmt: skip
        best.append(float(np.mean(shares)))
    return WEIGHTS[int(np.argmax(best))]


@dataclass(frozen=True)
class BoundRow:
    """On-time requests over the bound, and mean TTFT over its bound; means over seeds.

    Attributes
    ----------
    case, load, policy, weight
        Where, and which rule.
    on_time, most
        Per cent on time, and what no scheduler can exceed.
    ratio, low, high
        On-time requests over the bound, and its interval over seeds.
    mean_ratio
        Mean time to the first token over its lower bound.
    """

    case: str
    load: float
    policy: str
    weight: float
    on_time: float
    most: float
    ratio: float
    low: float
    high: float
    mean_ratio: float


def bound_rows(
    cases: Sequence[Case],
    loads: Sequence[float],
    weights: Sequence[float],
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
    policies: Sequence[str] = ("hybrid", "sjf_total", "srpt_total", "edf", LATE_LAST),
) -> list[BoundRow]:
    """Return policies against the bounds.

    Parameters
    ----------
    cases, loads
        Workloads and fractions of their decoupled capacity.
    weights
        Of ``hybrid``, one for each case, chosen elsewhere.
    seeds, seed
        How many, and the first one.
    quantum_tokens
        Of the network and the copy.
    policies
        Names.
    """
    rows = []
    for case, weight in zip(cases, weights, strict=True):
        for load in loads:
            coming = [case.arrivals(load, seed + k) for k in range(integer("seeds", seeds))]
            most = [on_time_bound(each, case.costs).requests for each in coming]
            least = [mean_ttft_bound(each, case.costs) for each in coming]
            for name in policies:
                rule = (
                    Policy("hybrid", weight=0) if name == LATE_LAST else Policy(name, weight=weight)
                )
                served = [
                    serve(each, case.costs, Engine(quantum_tokens=quantum_tokens), rule)
                    for each in coming
                ]  # fmt: skip
                ratios = [float(s.on_time.sum()) / m for s, m in zip(served, most, strict=True)]
                slow = [float(s.ttft_s.mean()) / t for s, t in zip(served, least, strict=True)]
                rows.append(
                    BoundRow(
                        case.name, load, name, weight if name == "hybrid" else float("nan"),
                        float(np.mean([s.attainment for s in served])),
                        float(np.mean([100 * m / len(case.requests) for m in most])),
                        *mean_interval(ratios), float(np.mean(slow)),
                    )
                )  # fmt: skip
    return rows


@dataclass(frozen=True)
class NoiseRow:
    """Share on time lost to errors of the believed loads, in points."""

    case: str
    sigma: float
    on_time: float
    loss: float
    low: float
    high: float


def noise_rows(
    cases: Sequence[Case],
    sigmas: Sequence[float],
    load: float,
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
) -> list[NoiseRow]:
    """Return what log-normal errors of the loads' times cost sjf_total."""
    rows = []
    for case in cases:
        coming = [case.arrivals(load, seed + k) for k in range(integer("seeds", seeds))]
        made = Engine(quantum_tokens=quantum_tokens)
        exact = [serve(each, case.costs, made, "sjf_total").attainment for each in coming]
        for sigma in sigmas:
            found = [
                serve(each, case.costs, made, "sjf_total",
                      believed=noisy(each, case.costs, sigma, seed + 7919 + k)).attainment
                for k, each in enumerate(coming)
            ]  # fmt: skip
            losses = [a - b for a, b in zip(exact, found, strict=True)]
            rows.append(NoiseRow(case.name, sigma, float(np.mean(found)), *mean_interval(losses)))
    return rows


@dataclass(frozen=True)
class TenthRow:
    """Mean TTFT of a tenth of the requests, by their time alone."""

    case: str
    policy: str
    tenth: int
    alone_s: float
    mean_s: float
    slowdown: float


def tenths(
    cases: Sequence[Case],
    policies: Sequence[Policy],
    load: float,
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
) -> list[TenthRow]:
    """Return how long each tenth of the requests waits, from the shortest to the longest."""
    rows = []
    for case in cases:
        alone = case.requests.alone_s(case.costs)
        rank = np.argsort(np.argsort(alone, kind="stable"), kind="stable") * 10 // alone.size
        for policy in policies:
            ttft = np.mean(
                [
                    serve(case.arrivals(load, seed + k), case.costs,
                          Engine(quantum_tokens=quantum_tokens), policy).ttft_s
                    for k in range(integer("seeds", seeds))
                ],
                axis=0,
            )  # fmt: skip
            name = policy.name + (f", aging {policy.aging:g}" if policy.aging else "")
            rows += [
                TenthRow(
                    case.name, name, tenth + 1, float(alone[rank == tenth].mean()),
                    float(ttft[rank == tenth].mean()),
                    float((ttft / alone)[rank == tenth].mean()),
                )
                for tenth in range(10)
            ]  # fmt: skip
    return rows


def longest_ratios(
    case: Case, load: float, seeds: int, seed: int, quantum_tokens: int = 512
) -> list[float]:
    """Return the longest tenth's mean TTFT under sjf_total over that under fifo, for each seed."""
    alone = case.requests.alone_s(case.costs)
    longest = alone >= np.quantile(alone, 0.9)
    made, found = Engine(quantum_tokens=quantum_tokens), []
    for k in range(integer("seeds", seeds)):
        coming = case.arrivals(load, seed + k)
        two = [serve(coming, case.costs, made, p).ttft_s[longest] for p in ("sjf_total", "fifo")]
        found.append(float(two[0].mean() / two[1].mean()))
    return found


@dataclass(frozen=True)
class DecodeRow:
    """Engines with decodes in the device's steps, at one rate; means over seeds."""

    case: str
    load: float
    engine: str
    on_time: float
    mean_ttft_s: float
    tpot_ms: float
    tpot_p99_ms: float
    each_tpot_ms: tuple[float, ...]


def decode_rows(
    cases: Sequence[Case],
    loads: Sequence[float],
    seeds: int,
    seed: int,
    memory_bytes: float = 64e9,
    staging_bytes: float = 64e9,
    quantum_tokens: int = 512,
) -> list[DecodeRow]:
    """Return what decoding does to each engine, and each engine to decoding.

    Parameters
    ----------
    cases, loads
        Workloads, and for each the fraction of its decoupled capacity (without decodes).
    seeds, seed
        How many, and the first one.
    memory_bytes, staging_bytes
        Room for the cache on the device and on the host.
    quantum_tokens
        Of the network and the copy.
    """
    rows = []
    for case, load in zip(cases, loads, strict=True):
        for name, policy in (("E0", "fifo"), ("E1", "fifo"), ("E2", "fifo"), ("E2", "sjf_total")):
            made = engine(
                name, decode=True, memory_bytes=memory_bytes, staging_bytes=staging_bytes,
                quantum_tokens=quantum_tokens,
            )  # fmt: skip
            found = [
                serve(case.arrivals(load, seed + k), case.costs, made, policy)
                for k in range(integer("seeds", seeds))
            ]
            rows.append(
                DecodeRow(
                    case.name, load, f"{name} {policy}",
                    float(np.mean([s.attainment for s in found])),
                    float(np.mean([s.ttft_s.mean() for s in found])),
                    float(1e3 * np.mean([s.tpot_s.mean() for s in found])),
                    float(1e3 * np.mean([np.percentile(s.tpot_s, 99) for s in found])),
                    tuple(float(1e3 * s.tpot_s.mean()) for s in found),
                )
            )  # fmt: skip
    return rows


@dataclass(frozen=True)
class RecomputeRow:
    """E3 against E2, both under hybrid."""

    case: str
    on_time: float
    on_time_recomputing: float
    mean_s: float
    mean_s_recomputing: float
    share_not_loaded: float
    reduction: float
    low: float
    high: float


def recompute_rows(
    cases: Sequence[Case],
    weights: Sequence[float],
    load: float,
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
) -> list[RecomputeRow]:
    """Return how much the mean TTFT falls, in per cent, when requests may load less."""
    rows = []
    for case, weight in zip(cases, weights, strict=True):
        policy = Policy("hybrid", weight=weight)
        pairs = []
        for k in range(integer("seeds", seeds)):
            coming = case.arrivals(load, seed + k)
            pairs.append(
                [
                    serve(coming, case.costs, engine(n, quantum_tokens=quantum_tokens), policy)
                    for n in ("E2", "E3")
                ]
            )
        falls = [100 * (1 - b.ttft_s.mean() / a.ttft_s.mean()) for a, b in pairs]
        rows.append(
            RecomputeRow(
                case.name,
                float(np.mean([p[0].attainment for p in pairs])),
                float(np.mean([p[1].attainment for p in pairs])),
                float(np.mean([p[0].ttft_s.mean() for p in pairs])),
                float(np.mean([p[1].ttft_s.mean() for p in pairs])),
                float(np.mean([1 - p[1].remote.sum() / p[0].remote.sum() for p in pairs])),
                *mean_interval(falls),
            )
        )
    return rows
