"""Fresh states of an engine: nothing submitted, every block free."""

import numpy as np

from quire.serving.engine.blocks import free_list
from quire.serving.engine.config import Tier
from quire.serving.engine.state import (
    BLOCK,
    N_COUNTS,
    N_FREE,
    N_SUMMARY,
    Pool,
    Queues,
    Requests,
    Step,
    TierState,
)
from quire.serving.workload.trace import Trace


def new_requests(trace: Trace, need: np.ndarray) -> Requests:
    """Return the requests of a trace, none submitted; ``need`` blocks each at most."""
    n = len(trace)
    start, names = trace.named
    zeros = lambda: np.zeros(n, np.int64)  # noqa: E731
    return Requests(
        arrival=trace.arrival_ns,
        n_in=trace.n_in,
        n_out=trace.n_out,
        hash_start=start,
        hashes=names,
        priority=trace.arrival_ns.astype(np.float64),
        computed=zeros(),
        reached=trace.n_in.copy(),
        held=zeros(),
        cached=np.full(n, -1, np.int64),
        table_start=np.concatenate([[0], np.cumsum(need)]).astype(np.int64),
        table=np.zeros(int(need.sum()), np.int64),
        scheduled=np.full(n, -1.0),
        first=np.full(n, -1.0),
        last=np.full(n, -1.0),
        hit=zeros(),
        recalled=zeros(),
        preempted=zeros(),
        state=zeros(),
    )


def new_pool(blocks: int, names: int) -> Pool:
    """Return a pool whose blocks are all free."""
    previous, following = free_list(blocks)
    return Pool(
        content=np.full(blocks, -1, np.int64),
        holders=np.zeros(blocks, np.int64),
        previous=previous,
        following=following,
        lookup=np.full(names, -1, np.int64),
    )


def new_tier(tier: Tier | None, names: int) -> TierState:
    """Return an empty tier, of no size for None."""
    if tier is None:
        return TierState(np.zeros(0, np.int64), np.zeros(1, np.int64), 1, np.zeros(1, np.int64))
    return TierState(
        np.full(tier.chunks, -1, np.int64),
        np.full(names, -1, np.int64),
        tier.tokens // BLOCK,
        np.zeros(1, np.int64),
    )


def new_queues(n: int, seats: int, blocks: int) -> Queues:
    """Return empty queues over a pool of free blocks."""
    counts = np.zeros(N_COUNTS, np.int64)
    counts[N_FREE] = blocks
    return Queues(np.zeros(seats + 1, np.int64), np.zeros(n + 1, np.int64), counts)


def new_step(seats: int) -> Step:
    """Return room for one step."""
    room = seats + 1
    return Step(
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(N_SUMMARY, np.int64),
        np.zeros(room, np.int64),
    )
