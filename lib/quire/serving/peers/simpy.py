"""Ports to simpy, in plain Python: the serving loop by counts of blocks, and stages of loading."""

from typing import Any

import numpy as np

from quire.serving.engine.config import SchedulerConfig
from quire.serving.loading.costs import LoadingCosts
from quire.serving.loading.requests import Requests
from quire.serving.profiles.costs import step_ns
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import BLOCK, Trace


def serve(trace: Trace, profile: LatencyTable, config: SchedulerConfig) -> np.ndarray:
    """Return when each request ends, nanoseconds, under simpy's clock; no prefix cache.

    The look-up of a step's time is ours; scheduler, pool and clock are not.

    Raises
    ------
    ValueError
        When the configuration has a prefix cache, which the port lacks.
    """
    import simpy

    if config.prefix_caching or config.chunk_limit or not config.chunked:
        raise ValueError("config: the port has chunks, no prefix cache and no limit of a chunk")
    costs = profile.costs(config.budget, config.max_sequences)
    environment = simpy.Environment()
    waiting: list[int] = []
    running: list[int] = []
    computed = [0] * len(trace)
    reached = [int(k) for k in trace.n_in]
    target = [int(k) for k in trace.n_in + trace.n_out]
    held = [0] * len(trace)
    ends = np.zeros(len(trace))
    free = config.blocks
    come = environment.event()

    def arrivals():  # type: ignore[no-untyped-def]
        nonlocal come
        for r, at in enumerate(trace.arrival_ns):
            yield environment.timeout(int(at) - environment.now)
            waiting.append(r)
            if not come.triggered:
                come.succeed()

    def engine():  # type: ignore[no-untyped-def]
        nonlocal free, come
        left = len(trace)
        while left:
            if not running and not waiting:
                come = environment.event()
                yield come
            budget, chosen, put_back, i = config.budget, [], False, 0
            while i < len(running) and budget:
                r = running[i]
                k = min(reached[r] - computed[r], budget)
                while True:
                    more = -(-(computed[r] + k) // BLOCK) - held[r]
                    if more <= free:
                        break
                    victim = running.pop()
                    free, held[victim], computed[victim] = free + held[victim], 0, 0
                    waiting.insert(0, victim)
                    put_back = True
                    if victim == r:
                        break
                if i >= len(running):
                    break
                free, held[r] = free - max(more, 0), held[r] + max(more, 0)
                chosen.append((r, k))
                budget, i = budget - k, i + 1
            while not put_back and waiting and budget and len(running) < config.max_sequences:
                r = waiting[0]
                if config.gate and -(-reached[r] // BLOCK) > free:
                    break
                k = min(reached[r], budget)
                more = -(-k // BLOCK)
                if more > free:
                    break
                waiting.pop(0)
                running.append(r)
                free, held[r] = free - more, more
                chosen.append((r, k))
                budget -= k
            lengths = [computed[r] for r, k in chosen if k == 1]
            chunks = [(k, computed[r]) for r, k in chosen if k > 1]
            n = len(lengths)
            spent = step_ns(
                costs,
                sum(k for _, k in chosen),
                len(chosen),
                sum(k for k, _ in chunks),
                sum(before for _, before in chunks),
                n,
                sum(lengths) // n if n else 0,
                max(lengths, default=0),
                min(lengths, default=0),
                float(np.sqrt(sum(k * k for _, k in chosen))),
            )
            yield environment.timeout(int(spent))
            for r, k in chosen:
                computed[r] += k
                if computed[r] >= reached[r]:
                    reached[r] += 1
                    if reached[r] >= target[r]:
                        ends[r] = environment.now
                        free, held[r] = free + held[r], 0
                        running.remove(r)
                        left -= 1

    environment.process(arrivals())
    environment.run(until=environment.process(engine()))
    return ends


def serve_stages(requests: Requests, costs: LoadingCosts, policy: str = "fifo") -> np.ndarray:
    """Return when each request of `serving.loading` has its first token, seconds, under simpy.

    Three resources of one server each, served by the smallest key without preemption; whole loads,
    no decodes. Keys and service times are computed here.

    Raises
    ------
    ValueError
        For another policy than ``fifo`` and ``sjf_total``.
    """
    import simpy

    if policy not in ("fifo", "sjf_total"):
        raise ValueError(f"policy = {policy!r}: the port has fifo and sjf_total")
    environment = simpy.Environment()
    stages = [simpy.PriorityResource(environment, 1) for _ in range(3)]
    kappa = costs.kv_bytes_per_token
    ends = np.zeros(len(requests))

    def one(i: int):  # type: ignore[no-untyped-def]
        net, loaded, u = (
            float(x[i]) for x in (requests.remote, requests.loaded, requests.uncached)
        )
        device = costs.compute
        times = (
            net * (kappa / costs.net_bytes_per_s),
            loaded * (kappa / costs.copy_bytes_per_s),
            device.fixed_s + (device.token_s * u + device.pair_s * u * (loaded + u / 2)),
        )
        yield environment.timeout(float(requests.arrival_s[i]) - environment.now)
        key: Any = (sum(times), i) if policy == "sjf_total" else (i,)
        for stage, spent, needed in zip(stages, times, (net, loaded, u), strict=True):
            if needed:
                with stage.request(priority=key) as turn:
                    yield turn
                    yield environment.timeout(spent)
        ends[i] = environment.now

    for i in range(len(requests)):
        environment.process(one(i))
    environment.run()
    return ends
