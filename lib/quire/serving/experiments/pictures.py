"""Small examples that can be drawn, and followed by hand."""

from dataclasses import dataclass

import numpy as np

from quire.serving.engine.config import SchedulerConfig
from quire.serving.engine.instance import Instance
from quire.serving.engine.state import SEQUENCES
from quire.serving.profiles.latency import LatencyTable, linear_profile
from quire.serving.profiles.models import LLAMA_8B
from quire.serving.workload.trace import Trace


def dozen() -> Trace:
    """Return twelve requests of round lengths, eight milliseconds apart."""
    n_in = [96, 32, 128, 64, 32, 96, 160, 32, 64, 96, 32, 64]
    n_out = [9, 14, 6, 12, 18, 8, 5, 16, 10, 7, 12, 9]
    return Trace(np.arange(12) * 8_000_000, np.array(n_in), np.array(n_out))


def toy_profile() -> LatencyTable:
    """Return the profile t = 10 ms + 0.5 ms for each sequence of 100 tokens."""
    return linear_profile(LLAMA_8B, 10.0, 0.5, 100)


@dataclass(frozen=True)
class PictureRow:
    """What one request did in one step: waits, a chunk of its prompt, a decode, or put back."""

    step: int
    begin_ms: float
    end_ms: float
    request: int
    does: str
    tokens: int
    free: int


def picture(blocks: int = 24, budget: int = 128, seats: int = 6) -> list[PictureRow]:
    """Return what the twelve requests do, step by step, in a small pool."""
    trace = dozen()
    config = SchedulerConfig(blocks, budget, seats, prefix_caching=False)
    engine = Instance(trace, toy_profile(), config)
    rows: list[PictureRow] = []
    now, come, left, step = 0.0, 0, len(trace), 0
    while left:
        while come < len(trace) and trace.arrival_ns[come] <= now:
            engine.submit(come)
            come += 1
        before = engine.requests.preempted.copy()
        held = engine.schedule(now)
        if not held:
            now = float(trace.arrival_ns[come])
            continue
        begin, now = now, now + engine.duration_ns()
        chosen = {
            int(r): int(k)
            for r, k in zip(
                engine.current.requests[:held], engine.current.tokens[:held], strict=True
            )
        }
        back = engine.requests.preempted > before
        waits = engine.queues.waiting[engine.queues.counts[1] : engine.queues.counts[2]]
        free = engine.free_blocks
        for r in range(come):
            if r in chosen:
                does = "decode" if chosen[r] == 1 else "chunk of prompt"
            elif back[r]:
                does = "put back"
            elif r in waits:
                does = "waits"
            else:
                continue
            rows.append(
                PictureRow(step, begin / 1e6, now / 1e6, r + 1, does, chosen.get(r, 0), free)
            )
        assert held == engine.current.summary[SEQUENCES]
        left -= engine.finish(now).size
        step += 1
    return rows


@dataclass(frozen=True)
class HandRow:
    """One step of the example that is worked by hand."""

    step: int
    first: str
    second: str
    tokens: int
    free: int
    ends_ms: float


def by_hand() -> list[HandRow]:
    """Return two requests in a pool of four blocks and a budget of 32 tokens."""
    trace = Trace(np.array([0, 0]), np.array([40, 8]), np.array([2, 3]))
    engine = Instance(
        trace, toy_profile(), SchedulerConfig(4, 32, 2, prefix_caching=False), rounded=False
    )
    engine.submit(0)
    engine.submit(1)
    rows: list[HandRow] = []
    now, left = 0.0, 2
    while left:
        held = engine.schedule(now)
        now += engine.duration_ns()
        chosen = dict(
            zip(
                engine.current.requests[:held].tolist(),
                engine.current.tokens[:held].tolist(),
                strict=True,
            )
        )
        free = engine.free_blocks
        left -= engine.finish(now).size
        words = [
            "-" if r not in chosen else ("decodes" if chosen[r] == 1 else f"{chosen[r]} of prompt")
            for r in (0, 1)
        ]
        rows.append(
            HandRow(len(rows) + 1, words[0], words[1], sum(chosen.values()), free, now / 1e6)
        )
    return rows
