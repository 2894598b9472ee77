"""What two habits of measuring do to a percentile, and the queues against their closed forms."""

import time
from dataclasses import dataclass

import numpy as np

from quire.brokers.laws.habits import averaged_snapshots, token_bucket
from quire.brokers.laws.queues import mean_wait, waits, waits_by_scan, waits_in_turn
from quire.checks import integer


def snapshot_inflation(seed: int, *, seconds: int = 60, warm_s: int = 5, rate: int = 1000) -> float:
    """Return the averaged snapshots' p99 over the p99 after the warm-up.

    Latencies are exponential, ten times as long during the warm-up.
    """
    random = np.random.default_rng(seed)
    at = np.sort(random.random(seconds * rate) * seconds)
    late = random.exponential(1e-3, at.size) * np.where(at < warm_s, 10.0, 1.0)
    own = float(np.quantile(late[at >= warm_s], 0.99, method="inverted_cdf"))
    return averaged_snapshots(at, late, 0.99) / own


@dataclass(frozen=True)
class Dropped:
    """What a token bucket that is held up for some time never sends, of one run."""

    held_up_ms: float
    due: int
    dropped: int


def dropped_tokens(
    held_up_s: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5),
    rate_per_s: float = 1000.0,
    seconds: float = 10.0,
) -> list[Dropped]:
    """Return how many messages a bucket of ten ticks of 10 ms drops, which nothing tells."""
    found = []
    for stall in held_up_s:
        told = token_bucket(rate_per_s, seconds, blocked_from_s=seconds / 2, blocked_s=stall)
        found.append(Dropped(1e3 * stall, told.due_s.size, int((~told.sent).sum())))
    return found


def lindley_difference(messages: int, seed: int) -> float:
    """Return the largest difference of three ways to the same waits, in seconds."""
    worst = 0.0
    for k, load in enumerate((0.3, 0.8, 0.99, 1.2)):
        random = np.random.default_rng(seed + k)
        service = random.exponential(load * 1e-4, messages)
        gaps = random.exponential(1e-4, messages)
        first = waits_in_turn(service, gaps)
        for other in (waits(service, gaps), waits_by_scan(service, gaps)):
            worst = max(worst, float(np.abs(first - other).max()))
    return worst


def simulated_over_exact(messages: int, seeds: int, seed: int) -> list[list[float]]:
    """Return simulated over exact mean waits of M/M/1 and M/D/1 at half load, one list each."""
    found = []
    for deterministic in (False, True):
        exact = mean_wait(0.5, 1.0, service_scv=0.0 if deterministic else 1.0)
        ratios = []
        for k in range(integer("seeds", seeds)):
            random = np.random.default_rng(seed + 100 + k)
            gaps = random.exponential(2.0, messages)
            service = np.ones(messages) if deterministic else random.exponential(1.0, messages)
            ratios.append(float(waits(service, gaps).mean()) / exact)
        found.append(ratios)
    return found


def scan_rates(messages: int, rounds: int, seed: int) -> dict[str, list[float]]:
    """Return messages a second of each way to the waits, by rounds, in processor seconds."""
    random = np.random.default_rng(seed)
    service = random.exponential(0.8e-4, messages)
    gaps = random.exponential(1e-4, messages)
    short = max(1000, messages // 20)
    ways = {
        "recursion in turn": (waits_in_turn, short),
        "associative scan": (waits_by_scan, messages),
        "prefix minimum": (waits, messages),
    }
    waits_by_scan(service, gaps)  # compiled before the clock starts
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(integer("rounds", rounds)):
        for name, (way, count) in ways.items():
            begun = time.process_time()
            way(service[:count], gaps[:count])
            found[name].append(count / max(1e-9, time.process_time() - begun))
    return found
