"""Real servers on loopback at their limit: what comes where more is due, and who is the limit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.brokers.experiments.live import in_rounds
from quire.brokers.laws.capacity import fit_utilisation
from quire.brokers.load.generator import Run, drive, pinned
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.latencies import spread
from quire.brokers.servers.catalogue import broker
from quire.brokers.servers.running import Server


@dataclass(frozen=True)
class Saturated:
    """What came a second where so much was due, and who was at the end of what it can.

    ``received_per_s`` holds the median, least and greatest round; ``predicted_per_s`` is the
    utilisation law's capacity on one core, from the levels at most 60 % of which were used.
    """

    broker: str
    offered_per_s: float
    received_per_s: tuple[float, float, float]
    broker_cores: float
    generator_cores: float
    predicted_per_s: float


def saturation(
    server: Server,
    name: str,
    levels: Sequence[float],
    *,
    pairs: int,
    rounds: int,
    seconds: float,
    seed: int,
) -> list[Saturated]:
    """Offer a broker more and more messages a second, and foretell its capacity from the first.

    Received counts by the time at which messages came, so that a backlog adds nothing.
    """
    _, own = pinned()
    runs = []
    for offered in sorted(levels):
        load = Workload(pairs=pairs, rate_per_s=offered / pairs, ignore_s=0.3, seed=seed)
        runs.append(drive(server, in_rounds(load, rounds, seconds), cpus=own))
    low = [run for run in runs if run.broker_cores <= 0.6]
    try:
        law = fit_utilisation(
            [run.summary.per_s for run in low], [run.broker_cores for run in low]
        ).capacity_per_s(1.0)
    except ValueError:
        law = float("nan")
    return [
        Saturated(
            broker=broker(name).label,
            offered_per_s=run.workload.offered_per_s,
            received_per_s=spread(_received(run, rounds)),
            broker_cores=run.broker_cores,
            generator_cores=run.generator_cores,
            predicted_per_s=law,
        )
        for run in runs
    ]


def _received(run: Run, rounds: int) -> list[float]:
    low, high = run.workload.window_ns
    edges = np.linspace(low, high, rounds + 1) + run.start_ns
    counts, _ = np.histogram(run.arrivals.received_ns, edges)
    return [float(count) / ((high - low) / rounds / 1e9) for count in counts]
