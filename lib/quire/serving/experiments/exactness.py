"""Our engines against each other: from event to event, step by step, in JAX, in simpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.engine.batched import replay_batch
from quire.serving.engine.config import SchedulerConfig
from quire.serving.engine.instance import replay
from quire.serving.experiments.hopper import work_of
from quire.serving.experiments.replays import Run
from quire.serving.profiles.attention import AttentionGrid
from quire.serving.profiles.latency import Batch, LatencyTable
from quire.serving.workload.trace import Trace, poisson_trace


@dataclass(frozen=True)
class LoopRow:
    """One trace in both loops: steps, events, and the largest difference of a stamp."""

    trace: str
    steps: int
    events: int
    preemptions: int
    difference_ns: float | int

    @property
    def a_step(self) -> float:
        """The difference over the steps."""
        return self.difference_ns / self.steps


def loops(
    runs: Sequence[Run], profile: LatencyTable, seed: int, rounded: bool = True, random: int = 3
) -> list[LoopRow]:
    """Return both loops on real runs of one instance, and on random traces in a small pool.

    Parameters
    ----------
    runs
        Real runs.
    profile
        For the random traces.
    seed
        Of the random traces.
    rounded
        Whole nanoseconds, or real numbers and series.
    random
        How many random traces.
    """
    cases = [(run.name, run.trace, run.profile, run.config) for run in runs]
    for k in range(random):
        trace = shared_trace(60, 8.0, seed + k)
        cases.append((f"random {k + 1}", trace, profile, SchedulerConfig(160, 256, 24)))
    rows = []
    for name, trace, table, config in cases:
        costs = table.costs(config.budget, config.max_sequences, rounded=rounded)
        one = replay(trace, costs, config, compressed=False)
        other = replay(trace, costs, config, compressed=True)
        apart = max(
            float(np.abs(getattr(one, part) - getattr(other, part)).max())
            for part in ("first_ns", "last_ns", "scheduled_ns")
        )
        rows.append(LoopRow(name, other.steps, other.events, other.preemptions, apart))
    return rows


def shared_trace(n: int, rate: float | int, seed: int) -> Trace:
    """Return random requests some of whose prompts begin alike, for a small pool."""
    plain = poisson_trace(n, rate, (20, 400), (1, 200), seed)
    rng = np.random.default_rng(seed)
    names: list[int] = []
    start, fresh = [0], 1000
    for r in range(n):
        full = int(plain.n_in[r] + plain.n_out[r]) // 16
        alike = min(int(rng.integers(0, 12)), int(plain.n_in[r]) // 16)
        family = int(rng.integers(0, 3))
        own = [50 * family + k for k in range(alike)] + list(range(fresh, fresh + full - alike))
        fresh += full - alike
        names += own
        start.append(len(names))
    return Trace(plain.arrival_ns, plain.n_in, plain.n_out, np.array(start), np.array(names))


@dataclass(frozen=True)
class JaxRow:
    """One configuration: means of the batch and of the compiled loop."""

    blocks: int
    max_sequences: int
    rate: float | int
    difference: float | int
    preemptions: int
    preemptions_jax: int


def settings(count: int, blocks: int, seed: int) -> dict[str, Any]:
    """Return what-if settings: blocks, seats, budget, and rate of arrival."""
    rng = np.random.default_rng(seed)
    return {
        "blocks": np.rint(blocks * rng.uniform(0.7, 2.0, count)).astype(int),
        "max_sequences": rng.choice([32, 64, 128, 256], count),
        "budget": rng.choice([512, 1024, 2048], count),
        "rate": rng.choice([0.5, 1.0, 2.0], count),
    }


def jax_rows(
    trace: Trace, profile: LatencyTable, count: int, blocks: int, seed: int
) -> list[JaxRow]:
    """Return configurations in JAX beside the compiled loop, without a prefix cache."""
    chosen = settings(count, blocks, seed)
    batch = replay_batch(trace, profile, **chosen)
    costs = profile.costs(2048, 256, rounded=False)
    rows = []
    for k in range(count):
        rules = SchedulerConfig(
            int(chosen["blocks"][k]),
            int(chosen["budget"][k]),
            int(chosen["max_sequences"][k]),
            prefix_caching=False,
        )
        rate = float(chosen["rate"][k])
        one = replay(trace.faster(rate), costs, rules)
        served = one.served()
        pairs = (
            (batch.ttft_ms[k], served.cell("TTFT", "mean")),
            (batch.tpot_ms[k], served.cell("TPOT", "mean")),
            (batch.latency_ms[k], served.cell("latency", "mean")),
        )
        rows.append(
            JaxRow(
                rules.blocks,
                rules.max_sequences,
                rate,
                max(100 * abs(a / b - 1) for a, b in pairs),
                one.preemptions,
                int(batch.preemptions[k]),
            )
        )
    return rows


@dataclass(frozen=True)
class BoundRow:
    """The step of decodes alone that is nearest to the memory's bound."""

    run: str
    steps: int
    least: float | int
    median: float | int


def bound_rows(runs: Sequence[Run], bytes_per_s: dict[str, float]) -> list[BoundRow]:
    """Return simulated decode steps over the time that their bytes take.

    Each point of the tables that a batch of decodes of one length has is priced, up to the largest
    batch of the run.

    Parameters
    ----------
    runs
        Real runs on one device.
    bytes_per_s
        Memory bandwidth by the run's name.
    """
    rows = []
    for run in runs:
        grid = run.profile.attention
        assert isinstance(grid, AttentionGrid)
        ratios = []
        for n in (int(n) for n in grid.decodes if 0 < n <= run.config.max_sequences):
            for k in (int(k) for k in grid.decode_kv if k > 0):
                if n * k > run.config.blocks * 16:
                    continue
                _, moved = work_of(run.profile.model, "decode", n, k)
                spent = run.profile.step_ns(Batch(lengths=(k,) * n)) / 1e9
                ratios.append(spent * bytes_per_s[run.name] / moved)
        rows.append(BoundRow(run.name, len(ratios), float(min(ratios)), float(np.median(ratios))))
    return rows
