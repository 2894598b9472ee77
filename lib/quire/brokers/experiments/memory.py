"""Memory of real servers with pairs connected, on fresh servers: what they hold, and per pair."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from quire.brokers.laws.memory import fit_memory
from quire.brokers.load.generator import drive, pinned
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.latencies import spread
from quire.brokers.servers.catalogue import broker, started
from quire.brokers.servers.running import Server
from quire.checks import integer

_PASSED_PER_S = 8_000
"""Messages a second that our clients pass at ease, all runs at the same time together."""


@dataclass(frozen=True)
class MemoryRow:
    """A broker's memory with the most pairs connected, and its slope over all levels.

    Attributes
    ----------
    broker, label, pairs
        Who, with how many.
    servers
        Fresh servers that were started for it; 0 where one that had run already was measured again
        and again.
    memory_mb, kb_per_pair
        Median, least and greatest round.
    """

    broker: str
    label: str
    pairs: int
    servers: int
    memory_mb: tuple[float, float, float]
    kb_per_pair: tuple[float, float, float]


def on_fresh_servers(
    names: Sequence[str], levels: Sequence[int], load: Workload, *, rounds: int
) -> list[MemoryRow]:
    """Start each broker anew for every round, and connect more and more pairs to it.

    Memory that a server once took it may keep, so that each round has a server of its own. As many
    run at the same time as our clients can serve, for nothing is timed.
    """
    rounds = integer("rounds", rounds)

    def one(name: str, seed: int) -> tuple[float, float]:
        with started(name) as server:
            return _levels(server, levels, replace(load, seed=seed))

    every = [(name, load.seed + k) for name in names for k in range(rounds)]
    at_once = int(_PASSED_PER_S / replace(load, pairs=max(levels)).offered_per_s)
    with ThreadPoolExecutor(min(max(1, at_once), max(1, len(every)))) as pool:
        seen = list(pool.map(lambda which: one(*which), every))
    return [
        _row(name, levels, rounds, seen[k * rounds : (k + 1) * rounds])
        for k, name in enumerate(names)
    ]


def on_running_servers(
    servers: Mapping[str, Server], levels: Sequence[int], load: Workload, *, rounds: int
) -> list[MemoryRow]:
    """Connect more and more pairs to servers that take long to start; the most of them each round.

    The slope comes from the first round: a server keeps some of what it once took. The servers are
    measured at the same time, for nothing is timed.
    """
    rounds = integer("rounds", rounds)

    def one(name: str, server: Server) -> MemoryRow:
        seen = [_levels(server, levels, load)]
        for k in range(1, rounds):
            memory, _ = _levels(server, [max(levels)], replace(load, seed=load.seed + k))
            seen.append((memory, seen[0][1]))
        return _row(name, levels, 0, seen)

    with ThreadPoolExecutor(max(1, len(servers))) as pool:
        return list(pool.map(one, servers.keys(), servers.values()))


def _levels(server: Server, levels: Sequence[int], load: Workload) -> tuple[float, float]:
    """Return memory at the most pairs, in MB, and kB per pair over all levels."""
    _, own = pinned()
    ordered = sorted(set(levels))
    seen = [drive(server, replace(load, pairs=n), cpus=own).broker_mb for n in ordered]
    if len(ordered) < 2:
        return seen[-1], float("nan")
    return seen[-1], fit_memory(np.array(ordered, dtype=float), np.array(seen)).per_pair_kb


def _row(
    name: str, levels: Sequence[int], servers: int, seen: Sequence[tuple[float, float]]
) -> MemoryRow:
    return MemoryRow(
        broker=name,
        label=broker(name).label,
        pairs=max(levels),
        servers=servers,
        memory_mb=spread([memory for memory, _ in seen]),
        kb_per_pair=spread([slope for _, slope in seen]),
    )
