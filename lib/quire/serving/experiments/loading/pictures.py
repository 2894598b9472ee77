"""Six requests under three engines, quantum by quantum, and two requests by hand."""

from dataclasses import dataclass

import numpy as np

from quire.serving.loading import ComputeCost, Engine, LoadingCosts, Requests, engine, serve
from quire.serving.loading.stages import STAGES

TOY = LoadingCosts(1e9, 2e9, 1e5, compute=ComputeCost(0.1, 1e-3, 0.0, 0.0, 0.0))
"""A token is 0.1 ms on the network, 0.05 ms on the copy, 1 ms to compute; a step 0.1 s more."""

SIX = Requests(
    np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    [8000, 2000, 12000, 1000, 4000, 2000],
    [400, 500, 200, 600, 300, 100],
)


@dataclass(frozen=True)
class Bar:
    """A stretch of work in the picture."""

    engine: str
    policy: str
    request: int
    stage: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class HandRow:
    """When a request leaves each stage."""

    engine: str
    request: int
    network_s: float
    copy_s: float
    first_token_s: float


def bars(quantum_tokens: int = 1000) -> list[Bar]:
    """Return the work of six requests under three engines and four policies; pieces are joined."""
    found = []
    for name in ("E0", "E1", "E2"):
        for policy in ("fifo", "sjf_compute", "sjf_total", "srpt_total"):
            made = engine(name, quantum_tokens=quantum_tokens)
            rows = serve(SIX, TOY, made, policy, log=True).log
            joined: list[list[float]] = []
            for row in rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]:
                last = joined[-1] if joined else None
                if last and list(last[:2]) == list(row[:2]) and abs(last[3] - row[2]) < 1e-9:
                    last[3] = float(row[3])
                else:
                    joined.append([float(x) for x in row])
            found += [
                Bar(name, policy, int(r) + 1, STAGES[int(stage) - 1], start, end)
                for stage, r, start, end in joined
            ]
    return found


def by_hand() -> list[HandRow]:
    """Return two requests that come together, coupled and decoupled; whole loads."""
    two = Requests(np.zeros(2), [4000, 2000], [100, 300])
    rows = []
    for name in ("E0", "E2"):
        made = Engine(window=1, blocking=True, quantum_tokens=None)
        served = serve(two, TOY, made if name == "E0" else Engine(quantum_tokens=None))
        rows += [
            HandRow(
                name, i + 1, *(float(x[i]) for x in (served.net_s, served.copy_s, served.first_s))
            )
            for i in range(2)
        ]
    return rows
