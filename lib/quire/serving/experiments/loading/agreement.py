"""Our codes against each other and against peers; room that cannot deadlock; speed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer
from quire.serving.loading import (
    ALL_POLICIES,
    Deadlock,
    Engine,
    LoadingCosts,
    Requests,
    coupled,
    engine,
    random_requests,
    serve,
    tandem,
    tandem_scan,
)


def loading_only(requests: Requests) -> Requests:
    """Return those that load something: a queue in a row has no way around a stage."""
    return requests.select(requests.remote > 0)


def scan_difference(requests: Requests, costs: LoadingCosts) -> float:
    """Return the largest relative difference of the scan's and the loop's departures."""
    some = loading_only(requests)
    service = some.stage_s(costs)
    served = serve(some, costs, Engine(quantum_tokens=None))
    loop = np.stack([served.net_s, served.copy_s, served.first_s])
    exact = tandem(some.arrival_s, service)
    scanned = tandem_scan(some.arrival_s, service)
    return float(max(np.abs(scanned / loop - 1).max(), np.abs(exact / loop - 1).max()))


def later_decoupled(requests: Requests, costs: LoadingCosts) -> int:
    """Return how many requests end later in E2 than in E0, first come first served.

    E0 by its recursion, E2 by the event loop; loads go whole.
    """
    some = loading_only(requests)
    first = serve(some, costs, Engine(quantum_tokens=None)).first_s
    return int((first > coupled(some.arrival_s, some.stage_s(costs)) * (1 + 1e-12)).sum())


def standstills(cases: int, seed: int) -> tuple[int, int]:
    """Return how often requests wait for one another for ever: by our rule, and by the control.

    Each case draws requests, an engine, a policy, and room between once and three times the largest
    request's. The control takes room quantum by quantum, for two requests that do not fit together.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    still = 0
    for k in range(integer("cases", cases)):
        requests = random_requests(30, 3000, float(rng.uniform(0.2, 0.9)), seed=seed + k)
        costs = LoadingCosts(6e9, 24e9)
        coming = requests.retimed(5.0, k).due_after(costs)
        whole = float((coming.loaded + coming.uncached + coming.n_out).max())
        room = engine(
            ("E0", "E1", "E2", "E3")[k % 4],
            cut_through=bool(rng.integers(2)),
            decode=bool(rng.integers(2)),
            quantum_tokens=int(rng.integers(50, 2000)),
            staging_bytes=max(1.0, float(coming.remote.max())) * 131_072 * rng.uniform(1, 3),
            memory_bytes=whole * 131_072 * rng.uniform(1, 3),
        )
        try:
            serve(coming, costs, room, ALL_POLICIES[k % len(ALL_POLICIES)])
        except Deadlock:
            still += 1
    two = Requests(np.zeros(2), [1000, 1000], [10, 10])
    tight = Engine(quantum_tokens=100, staging_bytes=1100 * 131_072, room_by_quantum=True)
    try:
        serve(two, LoadingCosts(), tight, "sharing")
    except Deadlock:
        return still, 1
    return still, 0


@dataclass(frozen=True)
class SpeedRow:
    """One round: who, processor seconds, events or requests a second."""

    who: str
    seconds: float
    per_second: float


def speed_rows(
    requests: Requests, costs: LoadingCosts, rounds: int, peer: Callable[..., Any] | None = None
) -> list[SpeedRow]:
    """Return rounds of the loop with quanta, the loop with whole loads, and the peer, in turn.

    Parameters
    ----------
    requests, costs
        What is served.
    rounds
        How many.
    peer
        A function of requests and costs that serves whole loads first come first served.
    """
    whole = Engine(quantum_tokens=None)
    events = serve(requests, costs, Engine(), "sjf_total").events
    serve(requests, costs, whole)
    rows = []
    for _ in range(integer("rounds", rounds)):
        start = time.process_time()
        serve(requests, costs, Engine(), "sjf_total")
        spent = max(time.process_time() - start, 1e-9)
        rows.append(SpeedRow("loop, quanta of 512 tokens", spent, events / spent))
        start = time.process_time()
        for _ in range(10):
            serve(requests, costs, whole)
        spent = max(time.process_time() - start, 1e-9) / 10
        rows.append(SpeedRow("loop, whole loads", spent, len(requests) / spent))
        if peer is not None:
            start = time.process_time()
            peer(requests, costs)
            spent = max(time.process_time() - start, 1e-9)
            rows.append(SpeedRow("simpy, whole loads", spent, len(requests) / spent))
    return rows
