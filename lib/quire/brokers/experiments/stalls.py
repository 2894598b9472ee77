"""A stop of the broker or of the generator, and a socket that waits: who sees it."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from quire.brokers.laws.stalls import stall_percentile_s
from quire.brokers.load.closed_loop import closed_loop
from quire.brokers.load.generator import drive, pinned, rounds_of
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.latencies import Summary, percentile_ms, spread
from quire.brokers.servers.catalogue import broker, started
from quire.brokers.servers.running import Server
from quire.checks import between, integer

_EDGE_S = 0.2
"""What is left out of a run at either end."""


@dataclass(frozen=True)
class Stall:
    """A way to measure beside one stall a round: medians over the rounds.

    ``by_hand_ms`` is ``S - 0.01 T`` on top of the usual median.
    """

    measured: str
    p50_ms: float
    p99_ms: float
    by_hand_ms: float
    messages: int


@dataclass(frozen=True)
class StalledRun:
    """Every round of an open loop with one stall in each, and a closed loop beside it."""

    rounds: tuple[Summary, ...]
    closed_ms: tuple[float, ...]
    usual_ms: float
    stall_s: float
    round_s: float

    def by_hand_ms(self) -> float:
        """Return the p99 that a stall of S in a round of T leads to, by hand."""
        return 1e3 * stall_percentile_s(0.99, self.stall_s, self.round_s, self.usual_ms / 1e3)

    def over_hand(self) -> tuple[float, float, float]:
        """Return measured over predicted p99 from due times, by rounds."""
        return spread([s.p99_ms / self.by_hand_ms() for s in self.rounds])

    def sent_over_due(self) -> tuple[float, float, float]:
        """Return the p99 by actual sending over that by due times, by rounds."""
        return spread([s.sent_p99_ms / s.p99_ms for s in self.rounds])

    def closed_over_open(self) -> tuple[float, float, float]:
        """Return the p99 of the closed loop over that of the open loop, by rounds."""
        return spread([a / s.p99_ms for a, s in zip(self.closed_ms, self.rounds, strict=True)])

    def table(self) -> list[Stall]:
        """Return one row for each way to measure."""
        hand = self.by_hand_ms()
        count = sum(s.due for s in self.rounds)
        rows = [
            Stall(
                "open loop, from due times",
                float(np.median([s.p50_ms for s in self.rounds])),
                float(np.median([s.p99_ms for s in self.rounds])),
                hand,
                count,
            ),
            Stall(
                "open loop, from actual sending",
                float(np.median([s.sent_p50_ms for s in self.rounds])),
                float(np.median([s.sent_p99_ms for s in self.rounds])),
                hand,
                count,
            ),
        ]
        if self.closed_ms:
            rows.append(
                Stall("closed loop", float("nan"), float(np.median(self.closed_ms)), hand, 0)
            )
        return rows


def stalled(
    server: Server,
    name: str,
    *,
    stall_s: float,
    rounds: int,
    round_s: float = 1.0,
    rate_per_s: float = 1000.0,
    stop: str = "broker",
    seed: int = 0,
) -> StalledRun:
    """Send at a rate while the broker, or the generator, is stopped once a round.

    Parameters
    ----------
    server, name
        Whom.
    stall_s, rounds, round_s
        How long, how often, in rounds of which length.
    rate_per_s
        Of ten publishers together.
    stop
        ``"broker"`` or ``"generator"``: who gets SIGSTOP. With the broker a closed loop runs too.
    seed
        Of the phases.

    Raises
    ------
    ValueError
        For a stall that does not fit in a round, or another ``stop``.
    """
    stall = between("stall_s", stall_s, 0, round_s)
    rounds = integer("rounds", rounds)
    if stop not in ("broker", "generator"):
        raise ValueError(f"stop = {stop!r}: must be 'broker' or 'generator'")
    edge = _EDGE_S
    load = Workload(
        pairs=10,
        rate_per_s=rate_per_s / 10,
        seconds=rounds * round_s + 2 * edge,
        ignore_s=edge,
        seed=seed,
    )
    made = broker(name).dialect
    closed: list[float] = []

    def beside(start_ns: int, pids: list[int]) -> None:
        loop = None
        if stop == "broker" and made is not None:
            loop = threading.Thread(target=closed_rounds, args=(start_ns,))
            loop.start()
        for k in range(rounds):
            at = start_ns / 1e9 + edge + k * round_s + (round_s - stall) / 2
            time.sleep(max(0.0, at - time.monotonic()))
            chosen = [server.pid] if stop == "broker" else pids
            for pid in chosen:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(max(0.0, at + stall - time.monotonic()))
            for pid in chosen:
                os.kill(pid, signal.SIGCONT)
        if loop is not None:
            loop.join()

    def closed_rounds(start_ns: int) -> None:
        assert made is not None
        time.sleep(max(0.0, start_ns / 1e9 + edge - time.monotonic()))
        for k in range(rounds):
            left = start_ns / 1e9 + edge + (k + 1) * round_s - time.monotonic()
            found = closed_loop(
                made(), server.port, rate_per_s=rate_per_s, seconds=max(0.05, left - 0.02)
            )
            closed.append(percentile_ms(found, 0.99))

    _, own = pinned()
    run = drive(server, load, cpus=own, during=beside)
    cut = rounds_of(run, rounds)
    return StalledRun(
        rounds=tuple(cut),
        closed_ms=tuple(closed),
        usual_ms=float(np.median([s.p50_ms for s in cut])),
        stall_s=stall,
        round_s=round_s,
    )


@dataclass(frozen=True)
class Nagle:
    """Two by two: Nagle's algorithm in the clients and in the broker, on or off."""

    clients_delay: bool
    broker_delays: bool
    p50_ms: float
    p99_ms: float
    max_ms: float
    rounds: tuple[Summary, ...]


def nagle(*, rounds: int, seconds: float, payload: int, seed: int) -> list[Nagle]:
    """Send 200 messages a second on one connection to Mosquitto, with Nagle's algorithm or not.

    The four cells run at the same time: all together take a tenth of a processor at either end, and
    what disturbs a round disturbs it in each of them.
    """
    cpus, own = pinned()
    edge = _EDGE_S
    load = Workload(
        pairs=1,
        rate_per_s=200.0,
        payload=payload,
        seconds=rounds * seconds + 2 * edge,
        ignore_s=edge,
        seed=seed,
    )

    def cell(server: Server, clients_delay: bool, broker_delays: bool) -> Nagle:
        run = drive(server, replace(load, nodelay=not clients_delay), cpus=own)
        cut = rounds_of(run, rounds)
        return Nagle(
            clients_delay=clients_delay,
            broker_delays=broker_delays,
            p50_ms=float(np.median([s.p50_ms for s in cut])),
            p99_ms=float(np.median([s.p99_ms for s in cut])),
            max_ms=run.summary.max_ms,
            rounds=tuple(cut),
        )

    with (
        started("mosquitto", cpus=cpus, nodelay=True) as at_once,
        started("mosquitto", cpus=cpus, nodelay=False) as delayed,
        ThreadPoolExecutor(4) as pool,
    ):
        found = [
            pool.submit(cell, server, clients_delay, broker_delays)
            for broker_delays, server in ((False, at_once), (True, delayed))
            for clients_delay in (False, True)
        ]
        return [one.result() for one in found]


def nagle_ratio(
    rows: Sequence[Nagle], above: tuple[bool, bool], below: tuple[bool, bool]
) -> tuple[float, float, float]:
    """Return the p99 of one cell over another's, by rounds; cells as (clients, broker) delay."""
    by_cell = {(row.clients_delay, row.broker_delays): row.rounds for row in rows}
    pairs = zip(by_cell[above], by_cell[below], strict=True)
    return spread([a.p99_ms / b.p99_ms for a, b in pairs])
