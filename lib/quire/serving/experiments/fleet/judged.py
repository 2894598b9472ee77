"""Plans before judges: slots, slots freed early, the engine, and the certified optimum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.planning import (
    A100,
    H100,
    Certificate,
    Engine,
    GpuProfile,
    Lengths,
    PoolKey,
    Requests,
    Rules,
    SlotJudge,
    Stream,
    calibrate_pairs,
    compress_and_route,
    erlang_c,
    freed_early,
    judge_engine,
    judge_slots,
    least_gpus,
    least_passing,
    plan,
    poisson_requests,
    recheck,
    search,
    stream,
    waits,
)


@dataclass(frozen=True)
class VerifyRow:
    """A short pool of so many GPUs: utilisations in per cent, P99 waits in milliseconds."""

    gpus: int
    by_little: float | int
    full: float | int
    full_wait_ms: float | int
    early: float | int
    early_wait_ms: float | int


def verification(lengths: Lengths, count: int, seed: int, sizes: Any) -> list[VerifyRow]:
    """Return a pool judged with slots held for S, and freed after S / slots as upstream does.

    Azure's short pool at 200 requests a second, B = 6,144.
    """
    pool = plan(lengths, 200, 6144).short
    assert pool.calibration is not None
    requests = poisson_requests(pool, count, seed)
    service, slots = requests.service_s(pool.gpu, pool.window), pool.calibration.slots
    early = freed_early(service, slots)
    rows = []
    for n in sizes:
        a = judge_slots(requests.arrival_s, service, n * slots)
        b = judge_slots(requests.arrival_s, early, n * slots)
        rows.append(
            VerifyRow(
                int(n),
                100 * a.expected,
                100 * a.utilisation,
                a.wait_p99_ms,
                100 * b.utilisation,
                b.wait_p99_ms,
            )
        )
    return rows


@dataclass(frozen=True)
class BestRow:
    """A gamma's plan: the long pool's P99 by formula, and by the slot judge over seeds."""

    gamma: float | int
    gpus: int
    formula_ms: float | int
    median_ms: float | int
    low_ms: float | int
    high_ms: float | int
    failed: int
    seeds: int


def best_plans(lengths: Lengths, gammas: Any, count: int, seeds: Any) -> list[BestRow]:
    """Return plans (Azure's setting: 200 a second, B = 6,144) before the slot judge."""
    rows = []
    for g in gammas:
        found = plan(lengths, 200, 6144, g)
        pool = found.long
        assert pool.calibration is not None
        told = []
        for seed in seeds:
            r = poisson_requests(pool, count, seed, shortest=int(g * 6144) + 1)
            c = pool.gpus * pool.calibration.slots
            service, prompt = r.service_s(pool.gpu, pool.window), r.prefill_s(pool.gpu)
            told.append(judge_slots(r.arrival_s, service, c, prompt).ttft_p99_ms)
        rows.append(
            BestRow(
                g,
                found.gpus,
                pool.p99_ms,
                float(np.median(told)),
                min(told),
                max(told),
                sum(t > 500 for t in told),
                len(told),
            )
        )
    return rows


@dataclass(frozen=True)
class FleetRow:
    """A fleet: who chose it, its pools, dollars an hour, and fresh streams on which it passes."""

    who: str
    short: str
    long: str
    dollars: float | int
    passes: int


GRID = (1024, 2048, 3072, 4096, 6144), (1.0, 1.2, 1.5, 2.0), (A100, H100)


def optimum(
    lengths: Lengths, rate: Any, count: int, seeds: Sequence[int]
) -> tuple[Certificate, bool, list[FleetRow]]:
    """Return the certified cheapest fleet for a judge that asks the streams of all seeds.

    With it whether the certificate comes out again, and five fleets before as many fresh streams:
    the planner's with one type of GPU, with two, and with two and no cap on the utilisation, which
    the judge has not either; the certified one for the first stream alone, and that for all.
    """

    def judges(numbers: Sequence[int]) -> list[SlotJudge]:
        return [SlotJudge(stream(lengths, rate, count, seed)) for seed in numbers]

    asked, fresh = judges(seeds), judges([seed + 1000 for seed in seeds])

    def every(key: PoolKey, n: int) -> bool:
        return all(judge(key, n) for judge in asked)

    alone = search(*GRID, asked[0], guess=asked[0].guess)
    found = search(*GRID, every, guess=asked[0].guess)
    fleets = []
    for who, mixed, rules in (
        ("planner, one type of GPU", False, Rules()),
        ("planner, any types", True, Rules()),
        ("planner, any types, no cap", True, Rules(rho_max=1 - 1e-9)),
    ):
        plans = [
            plan(lengths, rate, b, g, gpu_short=s, gpu_long=k, rules=rules)
            for b in GRID[0]
            for g in GRID[1]
            for s in GRID[2]
            for k in GRID[2]
            if mixed or s is k
        ]
        best = min((p for p in plans if p.meets), key=lambda p: p.dollars_per_hour)
        keys = [
            PoolKey(best.boundary, float(best.gamma), pool.gpu, which)
            for pool, which in ((best.short, "short"), (best.long, "long"))
        ]
        fleets.append((who, keys, (best.short.gpus, best.long.gpus), best.dollars_per_hour))
    for who, c in (("certified, first stream", alone), ("certified, all streams", found)):
        fleets.append((who, [c.short, c.long], (c.gpus_short, c.gpus_long), c.dollars_per_hour))
    rows = []
    for who, keys, sizes, dollars in fleets:
        passes = sum(all(j(k, n) for k, n in zip(keys, sizes, strict=True)) for j in fresh)
        words = [f"{n} {k.gpu.name}" for k, n in zip(keys, sizes, strict=True)]
        words[0] += f", B {keys[0].boundary:,}, gamma {keys[0].gamma:g}"
        rows.append(FleetRow(who, words[0], words[1], float(dollars), int(passes)))
    return found, recheck(found, every), rows


@dataclass(frozen=True)
class EngineRow:
    """GPUs that a trace needs, by who says so: one pool, and two pools (short + long)."""

    trace: str
    who: str
    one: int
    two: int
    short: int
    long: int


def engine_rows(
    name: str,
    whole: Stream,
    rate: Any,
    boundary: int,
    gpu: GpuProfile,
    engine: Engine,
    slo_ms: float | int,
    long_window: int = 65536,
) -> list[EngineRow]:
    """Return the planner's GPUs and the engine's, with windows reserved and with paged memory.

    Parameters
    ----------
    name, whole, rate
        The trace's name, its requests, and their rate.
    boundary, long_window
        Of the pools.
    gpu, engine
        One card, as the planner's constants and as measured tables.
    slo_ms
        P99 time to the first token.
    """
    routed = compress_and_route(whole, boundary)
    parts = [(whole.requests, long_window)]
    parts += [
        (routed.requests(whole, p), w) for p, w in (("short", boundary), ("long", long_window))
    ]
    costs = engine.costs()

    def formula(r: Requests, window: int) -> int:
        c = calibrate_pairs(r.n_in, r.n_out, window, gpu)
        lam = float(rate) * r.arrival_s.size / len(whole)
        wait = max(slo_ms / 1e3 - c.prefill_s, 0.0)
        return least_gpus(lam, c.gpu_rate, wait, c.cv2, slots=c.slots)

    def simulated(r: Requests, sequences: int | None) -> int:
        def passes(n: int) -> bool:
            told = judge_engine(r, engine, n, sequences=sequences, costs=costs)
            return told.ttft_p99_ms <= slo_ms

        busy = r.n_out.sum() * 0.017 / engine.seats / (r.arrival_s[-1] - r.arrival_s[0])
        return least_passing(passes, max(1, int(busy)), 2000)

    told = {
        "planner's formulas": [formula(r, w) for r, w in parts],
        "engine, windows reserved": [simulated(r, engine.reserved(w)) for r, w in parts],
        "engine, paged": [simulated(r, None) for r, _ in parts],
    }
    return [EngineRow(name, who, n[0], n[1] + n[2], n[1], n[2]) for who, n in told.items()]


def slots_against_erlang(requests: int, seeds: Any) -> list[float]:
    """Return the share that waits in M/M/20 by the slot judge, minus Erlang's, by seed."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 20])
        at = np.cumsum(rng.exponential(1.0, requests))
        wait = waits(at, rng.exponential(17.0, requests), 20)
        found.append(float((wait[requests // 5 :] > 0).mean()) - erlang_c(20, 17.0))
    return found


def against_ciw(requests: int, seeds: Any) -> list[float]:
    """Return the largest difference of a request's wait from ciw's, seconds, by seed; M/G/5."""
    from quire.serving.peers.ciw import waits_by_ciw

    told = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 5])
        at = np.cumsum(rng.exponential(0.25, requests))
        service = rng.choice([0.5] * 9 + [5.5], requests)
        told.append(float(np.abs(waits(at, service, 5) - waits_by_ciw(at, service, 5)).max()))
    return told
