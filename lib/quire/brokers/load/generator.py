"""Drive a server with a workload, from processes of our own, and return what came of it."""

import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns
from typing import Any

import numpy as np

from quire.brokers.load._children import Child, GeneratorFailed
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.latencies import Arrivals, Summary, summary
from quire.brokers.measuring.processes import host_ticks, steal_share
from quire.brokers.servers.catalogue import broker
from quire.brokers.servers.running import Server
from quire.checks import integer
from quire.signatures import checked

__all__ = ["GeneratorFailed", "Run", "drive", "pinned", "rounds_of", "server_name"]

_NUMBERS = itertools.count(1)
_UNTIL_START_NS = 80_000_000
"""From the last connection to the common start, for each process that must be told."""


@dataclass(frozen=True)
class Run:
    """What one run showed.

    Attributes
    ----------
    workload, summary, arrivals
        What was asked, the row, and every message.
    start_ns
        The start on the clock of the arrivals.
    connect_s
        Seconds until all sessions and subscriptions stood.
    broker_cores, generator_cores
        Processor seconds a second over the window.
    broker_mb
        Resident memory of the broker's process tree at the end of the window.
    broker_us, generator_us
        Processor microseconds per delivered message.
    steal, load
        Share of the processors that other guests took, and the run queue's length afterwards.
    unconfirmed
        Messages that were never confirmed (QoS above 0).
    """

    workload: Workload
    summary: Summary
    arrivals: Arrivals
    start_ns: int
    connect_s: float
    broker_cores: float
    generator_cores: float
    broker_mb: float
    steal: float
    load: float
    unconfirmed: int

    @property
    def broker_us(self) -> float:
        """Processor microseconds of the broker per delivery."""
        return 1e6 * self.broker_cores / self.summary.per_s if self.summary.per_s else float("nan")

    @property
    def generator_us(self) -> float:
        """Processor microseconds of our clients per delivery, both ends together."""
        if not self.summary.per_s:
            return float("nan")
        return 1e6 * self.generator_cores / self.summary.per_s


def pinned() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return processors for the broker and for the generator: apart where there are two."""
    if not hasattr(os, "sched_getaffinity"):
        return (), ()
    cpus = sorted(os.sched_getaffinity(0))
    return ((cpus[0],), tuple(cpus[1:])) if len(cpus) > 1 else ((), ())


@checked
def drive(
    server: Server,
    workload: Workload,
    *,
    processes: int = 1,
    cpus: Sequence[int] = (),
    port: int | None = None,
    echo: bool = False,
    publish_only: bool = False,
    during: Callable[[int, list[int]], None] | None = None,
) -> Run:
    """Run a workload against a server and return what came of it.

    Parameters
    ----------
    server, workload
        Whom and what.
    processes
        Processes of the generator, which share the clients out.
    cpus
        Processors that they may use; all when empty.
    port
        Another port than the server's, such as that of a proxy in front of it.
    echo
        Talk to the null broker as to an echo: what is published comes back to its sender.
    publish_only
        Connect no subscriber: for what a server does with messages that nobody wants.
    during
        Called once, while the workload runs, with the start (ns of the monotonic clock) and the
        generator's processes.

    Raises
    ------
    GeneratorFailed
        When the clients cannot connect or a process ends early.
    ValueError
        For an impossible number of processes, or a workload that the broker's protocol lacks.
    """
    processes = integer("processes", processes, 1, 64)
    chosen = broker(server_name(server))
    made = chosen.dialect() if chosen.dialect else None
    name = made.name if made else "zenoh"
    if workload.qos and name != "mqtt":
        raise ValueError(f"qos = {workload.qos}: {chosen.label} is driven at QoS 0")
    if echo and name != "frames":
        raise ValueError("echo: only the null broker echoes")
    with tempfile.TemporaryDirectory(prefix="quire-load-") as folder:
        spec: dict[str, Any] = {
            "workload": workload.as_dict(),
            "dialect": name,
            "user": "guest" if chosen.name == "rabbitmq-mqtt" else None,
            "port": server.port if port is None else port,
            "cpus": list(cpus),
            "echo": echo,
            "subscribe": not (echo or publish_only),
            "run": f"{os.getpid()}-{next(_NUMBERS)}",
            "of": processes,
        }
        children: list[Child] = []
        try:
            for share in range(processes):
                children.append(Child())
                children[-1].write(_share(spec, share, server.pid, folder))
            connected = [child.read()["connected"] for child in children]
            start_ns = monotonic_ns() + _UNTIL_START_NS * processes
            before = host_ticks()
            for child in children:
                child.write({"start_ns": start_ns})
            if during is not None:
                during(start_ns, [child.pid for child in children])
            ends = [child.read() for child in children]
            after = host_ticks()
        finally:
            for child in children:
                child.end()
        held = np.concatenate([np.load(f"{folder}/{k}.npy") for k in range(processes)])
    errors = [error for end in ends for error in end["errors"]]
    if errors and not workload.reconnect:
        raise GeneratorFailed(f"{chosen.label}: {errors[0]}")
    return _run(workload, held, start_ns, connected, ends, steal_share(before, after))


@checked
def rounds_of(run: Run, rounds: int) -> list[Summary]:
    """Cut a run's window into rounds of equal length, one row each, in order.

    Raises
    ------
    ValueError
        For fewer than one round.
    """
    rounds = integer("rounds", rounds)
    low, high = run.workload.window_ns
    edges = np.linspace(low, high, rounds + 1).astype(np.int64).tolist()
    planned = run.workload.schedule()
    return [
        summary(
            planned,
            run.arrivals,
            start_ns=run.start_ns,
            window_ns=(a, b),
            subscribers=run.workload.subscribers,
        )
        for a, b in itertools.pairwise(edges)
    ]


def server_name(server: Server) -> str:
    """Return the catalogue's name of a running server.

    Raises
    ------
    ValueError
        For a server that is not in the catalogue.
    """
    from quire.brokers.servers.catalogue import BROKERS

    for name, known in BROKERS.items():
        if server.name in (name, known.label):
            return name
    raise ValueError(f"server = {server.name!r}: is not in the catalogue")


def _run(
    workload: Workload,
    held: np.ndarray,
    start_ns: int,
    connected: list[float],
    ends: list[dict[str, Any]],
    steal: float,
) -> Run:
    arrivals = Arrivals(*(np.ascontiguousarray(held[:, k]) for k in range(5)))
    (t0, cpu0, _, _), (t1, cpu1, memory, _) = ends[0]["samples"]
    own = sum(end["samples"][1][3] - end["samples"][0][3] for end in ends)
    seconds = (t1 - t0) / 1e9
    return Run(
        workload=workload,
        summary=summary(
            workload.schedule(),
            arrivals,
            start_ns=start_ns,
            window_ns=workload.window_ns,
            subscribers=workload.subscribers,
        ),
        arrivals=arrivals,
        start_ns=start_ns,
        connect_s=max(connected),
        broker_cores=(cpu1 - cpu0) / seconds,
        generator_cores=own / seconds,
        broker_mb=memory,
        steal=steal,
        load=os.getloadavg()[0],
        unconfirmed=sum(end["unconfirmed"] for end in ends),
    )


def _share(spec: dict[str, Any], share: int, pid: int, folder: str) -> dict[str, Any]:
    """Return what one of the processes is told to do."""
    return {
        **spec,
        "share": share,
        "pid": pid if share == 0 else 0,
        "source": f"127.0.0.{2 + share}",
        "result": str(Path(folder) / f"{share}.npy"),
    }
