"""Speed: a grid of plans, and a router's replay, processor seconds over rounds."""

import time
from typing import Any

import numpy as np

from quire.serving.experiments.fleet.routers import replicas, route_trace
from quire.serving.planning import A10G, A100, H100, Lengths, plan_grid
from quire.serving.routing import replay_router
from quire.serving.workload.mooncake import PrefixTrace


def grid_seconds(lengths: Lengths, rounds: int) -> list[float]:
    """Return wall seconds for a million cells, scaled from 1,008,000 of them, by round."""
    axes = np.arange(1024, 15873, 512), np.linspace(1, 2, 21), np.linspace(5, 1000, 178)
    gpus = [A100, H100, A10G]
    plan_grid(lengths, axes[0][:2], axes[1][:2], axes[2][:2], gpus)  # compile
    told = []
    for _ in range(rounds):
        begin = time.perf_counter()
        grid = plan_grid(lengths, *axes, gpus)
        grid.cheapest()
        told.append((time.perf_counter() - begin) * 1e6 / grid.cells)
    return told


def router_rates(trace: PrefixTrace, rounds: int, servers: Any = None) -> list[float]:
    """Return requests routed a second by prefix affinity over eight replicas, by round."""
    where = servers or replicas(8)
    route_trace(trace.first(10), where, "prefix affinity")  # compile
    given = (trace.arrival_s, trace.n_in, trace.n_out, *trace.requests.named, where)
    told = []
    for _ in range(rounds):
        begin = time.perf_counter()
        replay_router(*given, "prefix affinity", load_weight=0.1)
        told.append(len(trace) / (time.perf_counter() - begin))
    return told
