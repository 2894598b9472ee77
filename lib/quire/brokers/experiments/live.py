"""Real servers on loopback: latency, memory, threads, fan-out, many pairs, resets.

Every judged number comes with its rounds: other jobs may share the processors, so a row says of
itself whether the generator was the one that was late.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from quire.brokers.load.generator import Run, drive, pinned, rounds_of
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.latencies import Summary, spread
from quire.brokers.measuring.processes import busiest_share, thread_seconds
from quire.brokers.servers.catalogue import broker
from quire.brokers.servers.resets import outages, resetting
from quire.brokers.servers.running import Server
from quire.checks import integer, positive

AWAKE_S = 0.5e-3
"""Before a message of a latency is due the generator stays awake for so long."""


@dataclass(frozen=True)
class LiveRow:
    """One broker under one load: medians over the rounds, and what the run cost.

    Attributes
    ----------
    broker, label, kind
        Who.
    pairs, offered_per_s, delivered
        How many, how much was due a second, and which share came.
    p50_ms, p99_ms, lag_p99_ms
        Medians over the rounds.
    broker_us, generator_us
        Processor microseconds per message; our clients' with the time in which they stay awake.
    memory_mb
        Of the broker's process tree.
    trusted
        Whether the generator's lag stayed below a tenth of the latency, at the p99.
    rounds
        Every round's row.
    """

    broker: str
    label: str
    kind: str
    pairs: int
    offered_per_s: float
    delivered: float
    p50_ms: float
    p99_ms: float
    lag_p99_ms: float
    broker_us: float
    generator_us: float
    memory_mb: float
    trusted: bool
    rounds: tuple[Summary, ...]


def live_row(name: str, run: Run, rounds: int) -> LiveRow:
    """Return the row of a run, cut into rounds."""
    cut = rounds_of(run, rounds)
    known = broker("null" if name == "echo" else name)
    return LiveRow(
        broker=name,
        label="echo, no broker (ours)" if name == "echo" else known.label,
        kind=known.kind,
        pairs=run.workload.subscribers or run.workload.pairs,
        offered_per_s=run.workload.offered_per_s,
        delivered=1 - run.summary.loss,
        p50_ms=median(s.p50_ms for s in cut),
        p99_ms=median(s.p99_ms for s in cut),
        lag_p99_ms=median(s.lag_p99_ms for s in cut),
        broker_us=run.broker_us,
        generator_us=run.generator_us,
        memory_mb=run.broker_mb,
        trusted=not run.summary.generator_limited,
        rounds=tuple(cut),
    )


def in_rounds(load: Workload, rounds: int, seconds: float) -> Workload:
    """Return a workload whose window holds that many rounds of so many seconds."""
    length = integer("rounds", rounds) * positive("seconds", seconds)
    return replace(load, seconds=length + 2 * load.ignore_s)


def settle(servers: Iterable[Server], *, within_s: float = 15.0) -> bool:
    """Wait until servers that were just started are at rest; whether they were in time.

    At rest are those that all together take less than a twentieth of a processor for a quarter of a
    second.
    """
    held = list(servers)
    deadline = time.monotonic() + positive("within_s", within_s)
    while time.monotonic() < deadline:
        before = sum(server.usage().cpu_s for server in held)
        time.sleep(0.25)
        if sum(server.usage().cpu_s for server in held) - before < 0.05 * 0.25:
            return True
    return False


def latencies(
    servers: Mapping[str, Server],
    load: Workload,
    *,
    rounds: int,
    seconds: float,
    floors: bool = True,
) -> list[LiveRow]:
    """Drive each server with the same workload, one after the other, floors first.

    Servers that have just been started come to rest before. The generator is awake before each
    message is due, so that it is not late itself. The floors are an echo and a relay, both ours:
    what no broker can be faster than here.
    """
    load = replace(in_rounds(load, rounds, seconds), awake_s=AWAKE_S)
    _, own = pinned()
    settle(servers.values())
    found = []
    if floors and "null" in servers:
        run = drive(servers["null"], load, cpus=own, echo=True)
        found.append(live_row("echo", run, rounds))
    for name, server in servers.items():
        if name == "null" and not floors:
            continue
        found.append(live_row(name, drive(server, load, cpus=own), rounds))
    return found


def largest_p50(rows: Sequence[LiveRow]) -> tuple[float, float, float]:
    """Return the p50 of the slowest broker by rounds: median, least, greatest."""
    return spread(
        [max(s.p50_ms for s in cut) for cut in zip(*(r.rounds for r in rows), strict=True)]
    )


def times_native(
    rows: Sequence[LiveRow], name: str, quantity: str = "p50_ms"
) -> tuple[float, float, float]:
    """Return a broker's latency over the median native broker's, by rounds.

    Raises
    ------
    ValueError
        When it or every native broker is missing.
    """
    native = [row.rounds for row in rows if row.kind == "native"]
    own = [row.rounds for row in rows if row.broker == name]
    if not native or not own:
        raise ValueError(f"rows: must hold {name} and native brokers")
    ratios = []
    for cut, *others in zip(own[0], *native, strict=True):
        ratios.append(getattr(cut, quantity) / median(getattr(s, quantity) for s in others))
    return spread(ratios)


def worst_lag(rows: Sequence[LiveRow]) -> tuple[float, float, float]:
    """Return the generator's lag over the latency at the p99, the worst broker, by rounds."""
    return spread(
        [
            max(s.lag_p99_ms / s.p99_ms for s in cut)
            for cut in zip(*(row.rounds for row in rows), strict=True)
        ]
    )


def thread_shares(
    servers: Mapping[str, Server], load: Workload, *, rounds: int, seconds: float
) -> dict[str, tuple[float, float, float]]:
    """Return the busiest thread's share of each server's processor time, by rounds of a load.

    The kernel's own count of every thread is read at the ends of each round. All servers are driven
    at the same time, for nothing is timed.
    """
    load = in_rounds(load, rounds, seconds)
    _, own = pinned()
    edges = [load.ignore_s + k * seconds for k in range(rounds + 1)]

    def looks(server: Server) -> list[dict[int, float]]:
        seen = []

        def look(start_ns: int, pids: list[int]) -> None:
            for edge in edges:
                time.sleep(max(0.0, start_ns / 1e9 + edge - time.monotonic()))
                seen.append(thread_seconds(server.pid))

        drive(server, load, cpus=own, during=look)
        return seen

    with ThreadPoolExecutor(max(1, len(servers))) as pool:
        seen = dict(zip(servers, pool.map(looks, servers.values()), strict=True))
    return {
        name: spread([busiest_share(a, b) for a, b in pairwise(found)])
        for name, found in seen.items()
    }


def fan_out(
    server: Server,
    name: str,
    subscribers: int,
    *,
    rounds: int,
    seconds: float,
    seed: int,
    rate_per_s: float = 10.0,
) -> tuple[LiveRow, tuple[float, float, float]]:
    """Send from one publisher to many; the row, and p99 over p50 by rounds.

    Many subscribers are shared out to more than one process.
    """
    load = Workload(
        pairs=1,
        rate_per_s=rate_per_s,
        subscribers=subscribers,
        ignore_s=0.2,
        seed=seed,
        drain_s=5.0 if subscribers > 1000 else 2.0,
    )
    _, own = pinned()
    run = drive(
        server, in_rounds(load, rounds, seconds), cpus=own, processes=1 + subscribers // 4000
    )
    row = live_row(name, run, rounds)
    return row, spread([s.p99_ms / s.p50_ms for s in row.rounds])


@dataclass(frozen=True)
class Connected:
    """How many pairs stood, in which time, and what came of one message a second each."""

    broker: str
    pairs: int
    connections: int
    connect_s: float
    delivered: float
    p50_ms: float
    memory_mb: float
    kb_per_connection: float


def connect_many(
    server: Server, name: str, pairs: int, *, seconds: float, seed: int, rounds: int = 1
) -> tuple[Connected, tuple[float, float, float]]:
    """Connect many pairs again and again, from more than one process where there are many.

    The last round, and the share delivered: median, least and greatest round. Every round opens all
    connections anew and has phases of its own.
    """
    before = server.usage().resident_mb
    load = Workload(pairs=pairs, rate_per_s=1.0, payload=64, seconds=seconds, ignore_s=0.1)
    delivered = []
    for k in range(integer("rounds", rounds)):
        run = drive(server, replace(load, seed=seed + k), processes=1 + pairs // 4000)
        delivered.append(1 - run.summary.loss)
    row = Connected(
        broker=broker(name).label,
        pairs=pairs,
        connections=load.connections,
        connect_s=run.connect_s,
        delivered=delivered[-1],
        p50_ms=run.summary.p50_ms,
        memory_mb=run.broker_mb,
        kb_per_connection=1e3 * (run.broker_mb - before) / load.connections,
    )
    return row, spread(delivered)


@dataclass(frozen=True)
class Resets:
    """What came through a proxy that resets connections, at one quality of service.

    ``over_down`` is the share lost over the share of time down, one outage a round: median, least
    and greatest round. ``most_lost`` is how many the worst round lost.
    """

    qos: int
    outages: int
    share_down: float
    due: int
    lost: int
    duplicates: int
    loss: float
    over_down: tuple[float, float, float]
    most_lost: int
    p50_ms: float
    p99_ms: float


def with_resets(
    server: Server,
    *,
    rounds: int,
    up_s: float,
    down_s: float,
    seed: int,
    levels: Sequence[int] = (0, 1, 2),
) -> list[Resets]:
    """Send at every quality of service through proxies of their own, at the same time.

    Everything that is due counts, from the first message to the last; sessions persist. A round
    holds one time up and one outage.
    """
    period = positive("up_s", up_s) + positive("down_s", down_s)
    seconds = integer("rounds", rounds) * period

    def one(qos: int) -> Resets:
        load = Workload(
            pairs=10,
            rate_per_s=10.0,
            seconds=seconds,
            ignore_s=0.0,
            qos=qos,
            reconnect=True,
            # above QoS 0 no two outages meet the same messages under way
            arrival="poisson" if qos else "deterministic",
            seed=seed,
            # what is lost at QoS 0 never comes; above, waiting ends with the last message
            drain_s=3 * down_s + 15.0 if qos else 1.0,
        )
        begun = time.monotonic()
        with resetting(server, up_s=up_s, down_s=down_s, seed=seed) as proxy:
            run = drive(server, load, port=proxy.port)
            late = run.start_ns / 1e9 - begun  # the proxy's first time up began before the start
            count = outages(proxy)
        down = 0.0
        for k in range(count + 1):
            low, high = up_s + k * period - late, up_s + k * period - late + down_s
            down += max(0.0, min(high, seconds) - max(low, 0.0))
        told, cut = run.summary, rounds_of(run, rounds)
        return Resets(
            qos=qos,
            outages=count,
            share_down=down / seconds,
            due=told.due,
            lost=told.due - told.delivered,
            duplicates=told.duplicates,
            loss=told.loss,
            over_down=spread([s.loss * period / down_s for s in cut]),
            most_lost=max(s.due - s.delivered for s in cut),
            p50_ms=told.p50_ms,
            p99_ms=told.p99_ms,
        )

    with ThreadPoolExecutor(len(levels)) as pool:
        return list(pool.map(one, levels))
