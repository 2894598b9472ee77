"""How fast replays are, in processor seconds of one thread, and in batches on all of them."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from quire.serving.engine.batched import replay_batch
from quire.serving.engine.config import SchedulerConfig
from quire.serving.engine.instance import replay
from quire.serving.experiments.exactness import settings
from quire.serving.experiments.replays import Run, simulate
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import Trace


@dataclass(frozen=True)
class ReplayTime:
    """Processor seconds of a run in one round, and the reference's wall seconds."""

    run: str
    round: int
    seconds: float | int
    reference: float | int


def replay_times(runs: Sequence[Run], rounds: int) -> list[ReplayTime]:
    """Replay every run in turn, warmed up, ``rounds`` times."""
    for run in runs:
        simulate(run)
    rows = []
    for k in range(rounds):
        for run in runs:
            begin = time.process_time()
            simulate(run)
            rows.append(ReplayTime(run.name, k, time.process_time() - begin, run.wall_s))
    return rows


def together(rows: Sequence[ReplayTime]) -> list[float]:
    """Return the seconds of all runs together, by round."""
    rounds = sorted({row.round for row in rows})
    return [sum(row.seconds for row in rows if row.round == k) for k in rounds]


@dataclass(frozen=True)
class SweepTime:
    """A sweep: configurations, seconds of wall clock, and processor seconds of all threads."""

    engine: str
    configurations: int
    seconds: float | int
    processor: float | int

    @property
    def for_1024(self) -> float:
        """Seconds that 1,024 would take on two processors of our own."""
        return 1024 * self.processor / self.configurations / 2

    @property
    def wall_for_1024(self) -> float:
        """Seconds of wall clock that 1,024 would take on this machine, busy as it was."""
        return 1024 * self.seconds / self.configurations


def sweep(
    trace: Trace, profile: LatencyTable, count: int, blocks: int, seed: int, threads: int = 2
) -> tuple[SweepTime, list[tuple[int, int, float, float]]]:
    """Serve a trace under many configurations on threads; the compiled loop holds no lock.

    Returns the time, and (blocks, seats, rate, mean TTFT in s) of each configuration.
    """
    chosen = settings(count, blocks, seed)
    costs = profile.costs(2048, 256)
    traces = {float(rate): trace.faster(float(rate)) for rate in np.unique(chosen["rate"])}

    def one(k: int) -> tuple[int, int, float, float]:
        rules = SchedulerConfig(
            int(chosen["blocks"][k]), int(chosen["budget"][k]), int(chosen["max_sequences"][k])
        )
        rate = float(chosen["rate"][k])
        ttft = replay(traces[rate], costs, rules).served().cell("TTFT", "mean")
        return rules.blocks, rules.max_sequences, rate, ttft / 1e3

    one(0)
    begin, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(min(threads, os.cpu_count() or 1)) as pool:
        rows = list(pool.map(one, range(count)))
    seconds, processor = time.perf_counter() - begin, time.process_time() - spent
    return SweepTime("compiled loop, two threads", count, seconds, processor), rows


def jax_sweep(trace: Trace, profile: LatencyTable, count: int, blocks: int, seed: int) -> SweepTime:
    """Time the batch in JAX, compiled before."""
    chosen = settings(count, blocks, seed)
    replay_batch(trace, profile, **chosen)
    begin, spent = time.perf_counter(), time.process_time()
    replay_batch(trace, profile, **chosen)
    seconds, processor = time.perf_counter() - begin, time.process_time() - spent
    return SweepTime("JAX batch", count, seconds, processor)
