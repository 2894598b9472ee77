"""A store beyond the network that is finite: what it loses must be computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quire.checks import integer
from quire.serving.experiments.loading.settings import mean_interval
from quire.serving.loading import Engine, LoadingCosts, capacity, requests_from, serve
from quire.serving.workload.mooncake import PrefixTrace


@dataclass(frozen=True)
class StoreRow:
    """Two orders before a store of one size, at one fraction of what engines sustain with it.

    Attributes
    ----------
    case
        Workload.
    share, terabytes
        Of all blocks of the trace, what the store holds.
    lru, fifo, farthest
        Per cent of the tokens that a store without a limit has, by the rule of loss: least recently
        used, first in first out, and named again last (a clairvoyant's).
    bottleneck, per_second
        With the least recently used lost: the slowest stage, and the decoupled capacity.
    sjf_compute, sjf_total
        Per cent on time, means over seeds.
    gain, low, high
        Their difference in points, paired over seeds.
    """

    case: str
    share: float
    terabytes: float
    lru: float
    fifo: float
    farthest: float
    bottleneck: str
    per_second: float
    sjf_compute: float
    sjf_total: float
    gain: float
    low: float
    high: float


def store_rows(
    name: str,
    trace: PrefixTrace,
    least_hit: float,
    count: int,
    costs: LoadingCosts,
    shares: Sequence[float],
    load: float,
    seeds: int,
    seed: int,
    *,
    factor: float = 5.0,
    floor_s: float = 1.0,
    quantum_tokens: int = 512,
) -> list[StoreRow]:
    """Return a row for each size of the store.

    Requests, and the time that each is given, are the same for all sizes: those of a store without
    a limit. The store serves the whole trace; the rate is ``load`` of the decoupled capacity that
    the requests have with the store in question.

    Parameters
    ----------
    name, trace, least_hit, count
        The workload: the first ``count`` requests with that share cached or more.
    costs
        Of the stages.
    shares
        Of all blocks of the trace.
    load
        See above.
    seeds, seed
        How many, and the first one.
    factor, floor_s
        Of the deadlines.
    quantum_tokens
        Of the network and the copy.
    """
    every = requests_from(trace)
    able = np.flatnonzero(every.loaded / trace.n_in >= least_hit)[: integer("count", count)]
    ample = every.select(able)
    limit = np.maximum(factor * ample.alone_s(costs), floor_s)
    assert trace.requests.blocks is not None
    blocks = np.unique(trace.requests.blocks).size
    weight = trace.block_tokens * float(costs.kv_bytes_per_token) / 1e12
    made = Engine(quantum_tokens=quantum_tokens)
    rows = []
    for share in shares:
        size = round(share * blocks)
        kept = {
            rule: requests_from(trace, far_blocks=size, eviction=rule).select(able)
            for rule in ("lru", "fifo", "farthest")
        }
        lru, fifo, farthest = (
            100 * float(r.remote.sum() / ample.remote.sum()) for r in kept.values()
        )
        found = capacity(kept["lru"], costs)
        shown = []
        for k in range(integer("seeds", seeds)):
            coming = kept["lru"].retimed(load * found.decoupled, seed + k)
            coming = replace(coming, deadline_s=coming.arrival_s + limit)
            shown.append(
                [serve(coming, costs, made, p).attainment for p in ("sjf_compute", "sjf_total")]
            )
        by_order, by_all = (float(x) for x in np.mean(shown, axis=0))
        rows.append(
            StoreRow(
                name, share, size * weight, lru, fifo, farthest, found.bottleneck,
                found.decoupled, by_order, by_all,
                *mean_interval([b - a for a, b in shown]),
            )
        )  # fmt: skip
    return rows
