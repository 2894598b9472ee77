"""Replays of the real vLLM runs, and what changes when one ingredient is taken away."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quire.serving.engine.config import Replay, SchedulerConfig
from quire.serving.engine.fleet import serve_wave
from quire.serving.engine.instance import Instance, replay
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.metrics import METRICS, STATISTICS, Served
from quire.serving.workload.trace import Trace

Cells = dict[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True)
class Run:
    """A run on real hardware, and what is needed to simulate it.

    Attributes
    ----------
    name
        Device and model.
    trace, profile, config
        Requests, tables, scheduler.
    real
        What vLLM measured.
    reference
        What the reference simulator gave, request by request.
    published
        The published table: (vLLM's, the simulator's) by metric and statistic.
    wall_s
        Seconds that the reference took, from its log.
    members
        Instances that start each step together.
    """

    name: str
    trace: Trace
    profile: LatencyTable
    config: SchedulerConfig
    real: Served
    reference: Served
    published: Cells
    wall_s: float | int
    members: int = 1


@dataclass(frozen=True)
class ErrorRow:
    """One metric of one run: milliseconds, and errors against vLLM in per cent."""

    run: str
    metric: str
    real: float | int
    ours: float | int
    error: float | int
    published: float | int


def simulate(
    run: Run,
    *,
    config: SchedulerConfig | None = None,
    profile: LatencyTable | None = None,
    skew: bool | None = None,
    host_ns: float | int = 0.0,
    log: int = 0,
) -> Replay:
    """Return our replay of a run, with what is given in place of the run's own."""
    rules, table = config or run.config, profile or run.profile
    if run.members == 1:
        return replay(run.trace, table, rules, skew=skew, host_ns=host_ns, log=log)
    costs = table.costs(rules.budget, rules.max_sequences, skew=skew, host_ns=host_ns)
    members = [Instance(run.trace, costs, rules) for _ in range(run.members)]
    return serve_wave(members)


def error_rows(run: Run, served: Served, statistics: Sequence[str] = ("mean",)) -> list[ErrorRow]:
    """Return our errors against vLLM beside the published ones."""
    rows = []
    for metric in METRICS:
        for statistic in statistics:
            real, ours = run.real.cell(metric, statistic), served.cell(metric, statistic)
            theirs = run.published[metric, statistic][1]
            name = metric if len(statistics) == 1 else f"{metric} {statistic}"
            rows.append(ErrorRow(run.name, name, real, ours, off(ours, real), off(theirs, real)))
    return rows


def off(value: float | int, real: float | int) -> float:
    """Return how far a value is from the real one, per cent."""
    return 100 * (value / real - 1)


@dataclass(frozen=True)
class AblationRow:
    """One variant of a run: errors of the means in per cent, and preemptions."""

    variant: str
    ttft: float | int
    tpot: float | int
    latency: float | int
    preemptions: int

    @property
    def worst(self) -> float:
        """The largest absolute error."""
        return max(abs(self.ttft), abs(self.tpot), abs(self.latency))


def ablation(run: Run, variant: str, result: Replay) -> AblationRow:
    """Return a variant's errors."""
    served = result.served()
    errors = [off(served.cell(m, "mean"), run.real.cell(m, "mean")) for m in METRICS]
    return AblationRow(variant, errors[0], errors[1], errors[2], result.preemptions)


def ablations(run: Run, more_blocks: int = 0) -> list[AblationRow]:
    """Return a run without its ingredients, one at a time.

    Parameters
    ----------
    run
        Of one instance.
    more_blocks
        A pool of that size as well, if not 0.
    """
    rows = [ablation(run, "as measured", simulate(run))]
    with_skew = run.profile.skew is not None
    rows.append(
        ablation(
            run,
            "all lengths taken as equal" if with_skew else "no correction to take away",
            simulate(run, skew=False),
        )
    )
    if not with_skew:
        rows.pop()
    rules = run.config
    for name, changed in (
        ("no admission gate", replace(rules, gate=False)),
        ("no prefix cache", replace(rules, prefix_caching=False)),
        ("prompts in one piece, budget 8,192", replace(rules, chunked=False, budget=8192)),
    ):
        rows.append(ablation(run, name, simulate(run, config=changed)))
    if more_blocks:
        changed = replace(rules, blocks=more_blocks)
        rows.append(ablation(run, f"{more_blocks:,} blocks", simulate(run, config=changed)))
    return rows


def request_differences(run: Run, result: Replay) -> np.ndarray:
    """Return how far each request's latency is from the reference's, per cent, without sign."""
    return 100 * np.abs(result.served().latency_ms / run.reference.latency_ms - 1)


def request_errors(run: Run, result: Replay) -> np.ndarray:
    """Return how far each request's latency is from vLLM's, per cent, without sign."""
    return 100 * np.abs(result.served().latency_ms / run.real.latency_ms - 1)


@dataclass(frozen=True)
class Calibration:
    """A time between steps fitted on half the requests, and the other half's mean latency.

    Attributes
    ----------
    host_us
        The fitted time.
    without, fitted
        Errors of the mean latency of the requests that were not fitted, per cent.
    """

    host_us: float | int
    without: float | int
    fitted: float | int


def calibrate(run: Run, most_us: float | int = 5000.0, rounds: int = 20) -> Calibration:
    """Fit a time between steps on the even requests by golden section; judge on the odd ones."""
    even = np.arange(len(run.trace)) % 2 == 0

    def error(host_us: float | int, which: np.ndarray) -> float:
        ours = simulate(run, host_ns=1e3 * host_us).served().latency_ms[which].mean()
        return off(float(ours), float(run.real.latency_ms[which].mean()))

    low, high, ratio = 0.0, most_us, (5**0.5 - 1) / 2
    for _ in range(rounds):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if abs(error(a, even)) < abs(error(b, even)):
            high = b
        else:
            low = a
    host = (low + high) / 2
    return Calibration(host, error(0.0, ~even), error(host, ~even))


def carried(runs: Sequence[Run], host_us: float | int) -> list[tuple[float, float]]:
    """Return the errors of the mean latency of runs without and with a time between steps, %."""
    return [
        tuple(
            off(
                float(simulate(run, host_ns=1e3 * host).served().latency_ms.mean()),
                float(run.real.latency_ms.mean()),
            )
            for host in (0.0, host_us)
        )  # type: ignore[misc]
        for run in runs
    ]


CELLS = [(metric, statistic) for metric in METRICS for statistic in STATISTICS]
