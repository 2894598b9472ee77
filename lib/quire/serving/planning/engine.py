"""The judge "engine": chapter 06's engine per GPU, with chunks, decodes and blocks of KV.

A GPU may *reserve* its pool's window (as many sequences as windows fit its memory), or *page* its
memory (as many sequences as their real lengths fit, up to a limit).
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer, positive
from quire.serving.engine.config import Replay, SchedulerConfig
from quire.serving.engine.instance import replay
from quire.serving.planning.gpus import GpuProfile
from quire.serving.planning.slots import WARM_UP, Requests
from quire.serving.profiles.costs import Costs
from quire.serving.profiles.latency import LatencyTable, linear_profile
from quire.serving.profiles.models import LLAMA_70B
from quire.serving.workload.trace import BLOCK, Trace

SEATS = 256
"""vLLM's limit of sequences on large GPUs (``max_num_seqs``)."""


@dataclass(frozen=True)
class Engine:
    """What a GPU's engine is given.

    Attributes
    ----------
    profile
        Times of its steps.
    blocks
        KV blocks of 16 tokens.
    budget
        Tokens of a step.
    seats
        Sequences at once, where memory does not limit them.
    """

    profile: LatencyTable
    blocks: int
    budget: int = 2048
    seats: int = SEATS

    def __post_init__(self) -> None:
        for name in ("blocks", "budget", "seats"):
            integer(name, getattr(self, name))

    def reserved(self, window: Any) -> int:
        """Return how many windows fit the memory, within the seats.

        Raises
        ------
        ValueError
            When the window does not fit one sequence.
        """
        size = integer("window", window)
        found = min(self.blocks // -(-size // BLOCK), self.seats)
        if found < 1:
            raise ValueError(
                f"window = {size}: does not fit one sequence in {self.blocks * BLOCK} tokens"
            )
        return found

    def costs(self) -> Costs:
        """Return the profile for compiled code, made once for many replays."""
        return self.profile.costs(self.budget, self.seats, skew=None, host_ns=0.0, rounded=False)


def engine_of(gpu: GpuProfile, seats: int = SEATS) -> Engine:
    """Return an engine whose steps cost W + H n, as the planner's profile says."""
    profile = linear_profile(
        LLAMA_70B, gpu.fixed_s * 1e3, gpu.per_sequence_s * 1e3, length=gpu.context
    )
    return Engine(profile, gpu.kv_blocks, seats=seats)


@dataclass(frozen=True)
class EngineVerdict:
    """What requests met on a pool of engines.

    Attributes
    ----------
    ttft_p50_ms, ttft_p99_ms
        After the warm-up.
    preemptions
        Requests that were put back.
    """

    ttft_p50_ms: float | int
    ttft_p99_ms: float | int
    preemptions: int


def judge_engine(
    requests: Requests,
    engine: Engine,
    gpus: Any,
    *,
    sequences: Any = None,
    costs: Costs | None = None,
    warm_up: float | int = WARM_UP,
    held_s: float | int = 10.0,
) -> EngineVerdict:
    """Return what requests meet on ``gpus`` engines.

    A router sends each request to the GPU with the fewest requests on it, by its own estimate that
    each stays ``held_s``.

    Parameters
    ----------
    requests
        Of the pool.
    engine
        Of each GPU.
    gpus
        How many.
    sequences
        At once on one GPU: `Engine.reserved` for windows that are reserved; the seats if None.
    costs
        `Engine.costs`, where many replays share them.
    warm_up
        Share of the first requests that does not count.
    held_s
        The router's estimate.
    """
    count = integer("gpus", gpus)
    where = _spread(requests.arrival_s, count, positive("held_s", held_s))
    config = SchedulerConfig(
        engine.blocks,
        budget=engine.budget,
        max_sequences=engine.seats if sequences is None else integer("sequences", sequences),
        prefix_caching=False,
    )
    ready = engine.costs() if costs is None else costs
    ttft, put_back = np.zeros(requests.arrival_s.size), 0
    for k in range(count):
        mine = np.flatnonzero(where == k)
        if mine.size:
            told = run_engine(requests.select(mine), ready, config)
            ttft[mine] = (told.first_ns - told.trace.arrival_ns) / 1e6
            put_back += told.preemptions
    kept = ttft[int(ttft.size * warm_up) :]
    return EngineVerdict(
        float(np.percentile(kept, 50)), float(np.percentile(kept, 99)), int(put_back)
    )


def run_engine(requests: Requests, costs: Costs, config: SchedulerConfig, log: int = 0) -> Replay:
    """Return the replay of requests on one engine."""
    trace = Trace(np.rint(requests.arrival_s * 1e9).astype(np.int64), requests.n_in, requests.n_out)
    return replay(trace, costs, config, rounded=False, log=log)


def _spread(arrival: np.ndarray, gpus: int, held: float | int) -> np.ndarray:
    """Send each to the GPU with the fewest requests, where each stays ``held`` seconds."""
    where = np.zeros(arrival.size, np.int64)
    loads = [(0, g) for g in range(gpus)]
    heapq.heapify(loads)
    count = [0] * gpus
    leaving = 0
    for r, at in enumerate(arrival):
        while leaving < r and arrival[leaving] + held <= at:
            g = int(where[leaving])
            count[g] -= 1
            heapq.heappush(loads, (count[g], g))
            leaving += 1
        while loads[0][0] != count[loads[0][1]]:
            heapq.heappop(loads)
        _, g = heapq.heappop(loads)
        where[r] = g
        count[g] += 1
        heapq.heappush(loads, (count[g], g))
    return where


@dataclass(frozen=True)
class Saturated:
    """One engine with more requests than it can take.

    Attributes
    ----------
    tokens_per_s
        Of answers, between a fifth and four fifths of them.
    batch
        Mean sequences in that time.
    length
        Mean tokens that a running sequence keeps.
    joules
        Spent in that time.
    tokens_per_joule
        Of answers.
    """

    tokens_per_s: float | int
    batch: float | int
    length: float | int
    joules: float | int
    tokens_per_joule: float | int


def saturate(
    n_in: Any, n_out: Any, engine: Engine, sequences: Any, power: Any, *, costs: Costs | None = None
) -> Saturated:
    """Return tokens a joule of one engine with all requests there from the start.

    Parameters
    ----------
    n_in, n_out
        Tokens of the requests, in the order in which they are served.
    engine
        Of the GPU.
    sequences
        At once at most.
    power
        Watts of (sequences, mean length).
    costs
        `Engine.costs`, where many replays share them.
    """
    prompt, answer = np.asarray(n_in), np.asarray(n_out)
    config = SchedulerConfig(
        engine.blocks,
        budget=engine.budget,
        max_sequences=integer("sequences", sequences),
        prefix_caching=False,
    )
    steps = int(answer.sum()) + 4 * prompt.size + int(prompt.sum() // engine.budget) + 16
    told = run_engine(
        Requests(np.zeros(prompt.size), prompt, answer),
        engine.costs() if costs is None else costs,
        config,
        log=min(steps, 4_000_000),
    )
    begin, end, _, _, made, running, _, free = told.log.T
    total = float(answer.sum())
    inside = (made > 0.2 * total) & (made <= 0.8 * total)
    length = (engine.blocks - free) * BLOCK / np.maximum(running, 1)
    spent = end - begin
    each = np.array(
        [power(n, k) for n, k in zip(running[inside], length[inside], strict=True)], dtype=float
    )
    seconds = spent[inside].sum() / 1e9
    joules = float((each * spent[inside]).sum() / 1e9)
    first = int(np.flatnonzero(inside)[0])
    tokens = float(made[inside][-1] - made[first - 1])
    weight = spent[inside] / spent[inside].sum()
    return Saturated(
        tokens / seconds,
        float((running[inside] * weight).sum()),
        float((length[inside] * weight).sum()),
        joules,
        tokens / joules,
    )
