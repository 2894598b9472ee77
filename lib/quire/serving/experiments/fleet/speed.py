"""Speed: a grid of plans, single plans, and a router's replay, beside rivals and bounds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.experiments.fleet.routers import replicas, route_trace
from quire.serving.planning import (
    A10G,
    A100,
    GAMMAS,
    H100,
    Lengths,
    Plan,
    calibrate,
    plan,
    plan_grid,
)
from quire.serving.routing import replay_router
from quire.serving.workload.mooncake import PrefixTrace

Clock = Callable[[], float]


@dataclass(frozen=True)
class SpeedRow:
    """Something timed: microseconds for one, and how many times the least it could take."""

    what: str
    who: str
    microseconds: float | int
    over_bound: float | int | None


def grid_seconds(lengths: Lengths, rounds: int, clock: Clock = time.perf_counter) -> list[float]:
    """Return seconds for a million cells, scaled from 1,009,260 of them, by round."""
    axes = np.arange(1024, 15873, 512), np.linspace(1, 2, 21), np.linspace(5, 1000, 178)
    gpus = [A100, H100, A10G]
    plan_grid(lengths, axes[0][:2], axes[1][:2], axes[2][:2], gpus)  # compile
    told = []
    for _ in range(rounds):
        begin = clock()
        grid = plan_grid(lengths, *axes, gpus)
        grid.cheapest()
        told.append((clock() - begin) * 1e6 / grid.cells)
    return told


def plan_seconds(
    lengths: Lengths, rates: Any, boundary: int, rounds: int
) -> tuple[list[float], np.ndarray]:
    """Return processor seconds of one plan by round, one plan at a time, as upstream plans.

    With them the numbers of GPUs: (rate, gamma, pool). Calibrations are forgotten before each
    rate, as the upstream planner keeps none.
    """
    told: list[float] = []
    found: list[list[Plan]] = []
    for _ in range(rounds):
        begin, found = time.process_time(), []
        for rate in rates:
            calibrate.cache_clear()
            found.append([plan(lengths, rate, boundary, g) for g in GAMMAS])
        told.append((time.process_time() - begin) / (len(rates) * len(GAMMAS)))
    return told, np.array([[(p.short.gpus, p.long.gpus) for p in plans] for plans in found])


def router_rates(
    trace: PrefixTrace, rounds: int, servers: Any = None, clock: Clock = time.perf_counter
) -> list[float]:
    """Return requests routed a second by prefix affinity over eight replicas, by round."""
    where = servers or replicas(8)
    route_trace(trace.first(10), where, "prefix affinity")  # compile
    given = (trace.arrival_s, trace.n_in, trace.n_out, *trace.requests.named, where)
    told = []
    for _ in range(rounds):
        begin = clock()
        replay_router(*given, "prefix affinity", load_weight=0.1)
        told.append(len(trace) / max(clock() - begin, 1e-9))
    return told


def copy_rate(megabytes: int = 64, rounds: int = 5) -> float:
    """Return bytes a second that this machine copies, read and written bytes both counted."""
    source = np.ones(megabytes * 2**17)
    target = np.empty_like(source)
    best = np.inf
    for _ in range(rounds):
        begin = time.process_time()
        np.copyto(target, source)
        best = min(best, time.process_time() - begin)
    return float(2 * source.nbytes / max(best, 1e-9))


def bounds(trace: PrefixTrace, count: int = 8) -> tuple[float, float]:
    """Return the least seconds of a cell of the grid, and of a routed request, by bytes alone.

    A cell's cost is written once (8 bytes). A request reads its first block's entry on each
    replica, and reads and writes the two links (8 bytes) of each of its blocks on one.
    """
    rate = copy_rate()
    blocks = trace.requests.named[1].size / len(trace)
    return 8 / rate, (4 * count + 16 * blocks) / rate


def times_faster(ours: Any, theirs: Any) -> tuple[float, float, float]:
    """Return how many times longer theirs takes, by medians, and the least and most by rounds."""
    a, b = sorted(ours), sorted(theirs)
    return float(np.median(b) / np.median(a)), b[0] / a[-1], b[-1] / a[0]
