"""Our generator beside other people's: redis-benchmark and aiomqtt, and the histograms."""

from dataclasses import dataclass

import numpy as np

from quire.brokers.load.bare_sockets import pass_messages, publish_in_turns
from quire.brokers.load.generator import drive, pinned
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.histograms import Histogram
from quire.brokers.peers import aiomqtt, hdrhistogram, redis_benchmark
from quire.brokers.protocols.mqtt import Mqtt
from quire.brokers.protocols.resp import Resp
from quire.brokers.servers.running import Server
from quire.checks import integer


@dataclass(frozen=True)
class Cost:
    """Processor microseconds per message, by rounds."""

    what: str
    us: tuple[float, ...]

    @property
    def median_us(self) -> float:
        """Return the median round."""
        return float(np.median(self.us))


def publish_costs(
    server: Server, program: str, *, rounds: int, messages: int, rate_per_s: float = 15_000.0
) -> list[Cost]:
    """Return what a PUBLISH costs Redis, driven by redis-benchmark and by us in turns.

    redis-benchmark knows no rate: ten clients send as soon as they are answered. A PUBLISH costs
    less the more there are, so ours come twice: ten clients that wait as well, at as many a second
    as redis-benchmark has just reached; and the open loop, at about as many as it can send, for a
    quarter of the messages.
    """
    turns, theirs, loop = [], [], []
    _, own = pinned()
    for k in range(integer("rounds", rounds)):
        load = Workload(
            pairs=10,
            rate_per_s=rate_per_s / 10,
            seconds=0.25 * messages / rate_per_s + 0.2,
            ignore_s=0.1,
            seed=k,
            drain_s=0.1,
        )
        us, reached = redis_benchmark.us_per_publish(
            server, program, messages=messages, payload=load.payload, clients=10
        )
        theirs.append(us)
        before = server.usage().cpu_s
        publish_in_turns(
            Resp(),
            server.port,
            rate_per_s=reached,
            clients=10,
            messages=messages,
            payload=load.payload,
        )
        turns.append(1e6 * (server.usage().cpu_s - before) / messages)
        alone = drive(server, load, cpus=own, publish_only=True)
        loop.append(1e6 * alone.broker_cores / load.offered_per_s)
    return [
        Cost("our clients, in turns, as many a second", tuple(turns)),
        Cost("redis-benchmark", tuple(theirs)),
        Cost(f"our open loop, asked for {rate_per_s:,.0f} a second", tuple(loop)),
    ]


def client_costs(server: Server, *, rounds: int, seconds: float, seed: int) -> list[Cost]:
    """Return what a message costs the client: ours, aiomqtt and bare sockets, at the same load."""
    rate, payload = 400.0, 1024
    ours, theirs, bare = [], [], []
    with aiomqtt.client(server, rate_per_s=rate, seconds=seconds, payload=payload) as peer:
        for k in range(integer("rounds", rounds)):
            load = Workload(
                pairs=1,
                rate_per_s=rate,
                payload=payload,
                seconds=seconds + 0.2,
                ignore_s=0.1,
                seed=seed + k,
            )
            run = drive(server, load)
            ours.append(1e6 * run.generator_cores / rate)
            theirs.append(peer())
            spent = pass_messages(
                Mqtt(), server.port, rate_per_s=rate, seconds=seconds, payload=payload
            )
            bare.append(1e6 * spent)
    return [
        Cost("our raw client", tuple(ours)),
        Cost("aiomqtt", tuple(theirs)),
        Cost("bare sockets, which only count bytes", tuple(bare)),
    ]


def histogram_difference(values: int, seed: int) -> float:
    """Return the largest relative difference of percentiles from the package hdrhistogram's."""
    random = np.random.default_rng(seed)
    shares = [0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0]
    samples = [
        random.exponential(1e6, values),
        random.lognormal(13, 2, values),
        random.integers(1, 2000, values).astype(float),
        random.uniform(1e3, 1e10, values),
        np.concatenate([random.exponential(2e5, values - 10), np.full(10, 4e10)]),
    ]
    worst = 0.0
    for sample in samples:
        whole = np.clip(sample, 1, 1e11).astype(np.int64)
        theirs = hdrhistogram.percentiles(whole, shares)
        histogram = Histogram.of(whole)
        for q, other in zip(shares, theirs, strict=True):
            worst = max(worst, abs(histogram.percentile(q) - other) / other)
    return worst
