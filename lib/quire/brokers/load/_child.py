"""The generator's process: connects, waits for the common start, sends on time, writes what came.

Forked by ``_fork_server``: one line of JSON on its standard input says what to do, another the
start; its standard output tells how far it is. It ends when its input ends.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

import numpy as np

from quire.brokers.load._clients import Client, Record, open_client
from quire.brokers.load._timers import Timer
from quire.brokers.load.workloads import Workload
from quire.brokers.measuring.processes import usage
from quire.brokers.measuring.schedules import Schedule
from quire.brokers.protocols._dialect import Dialect
from quire.brokers.protocols.amqp import Amqp
from quire.brokers.protocols.frames import Frames
from quire.brokers.protocols.mqtt import Mqtt
from quire.brokers.protocols.nats import Nats
from quire.brokers.protocols.resp import Resp
from quire.brokers.protocols.stamps import STAMP

_BATCH = 64  # messages sent before the loop looks at what came


def _dialect(spec: dict[str, Any]) -> Dialect | None:
    user = spec.get("user")
    made: dict[str, Any] = {
        "mqtt": lambda: Mqtt(user, user),
        "resp": Resp,
        "nats": Nats,
        "amqp": Amqp,
        "frames": Frames,
        "zenoh": lambda: None,
    }
    return made[spec["dialect"]]()


class _Run:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.load = Workload(**spec["workload"])
        self.record = Record()
        self.publishers: dict[int, Any] = {}
        self.subscribers: list[Any] = []
        self.samples: list[tuple[int, float, float, float]] = []
        self.lost_sends = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.ending = False

    async def connect(self) -> float:
        """Open all connections of this process; seconds that it took."""
        share, of = self.spec["share"], self.spec["of"]
        load = self.load
        dialect = _dialect(self.spec)
        fan = load.subscribers is not None
        echo = self.spec["echo"]
        subscribers = [k for k in range(load.subscribers or load.pairs) if k % of == share]
        publishers = [k for k in range(load.pairs) if k % of == share]
        begun = time.monotonic()
        run = f"{self.spec['run']}"

        def topic(k: int) -> str:
            return f"q/{run}/{0 if echo else (1 if fan else k + 1)}"

        if dialect is None:
            self._connect_zenoh(subscribers, publishers, topic)
            return time.monotonic() - begun
        options = {"qos": load.qos, "nodelay": load.nodelay, "reconnect": load.reconnect}
        on_lost = self._reconnect if load.reconnect else None

        def client(name: str, k: int) -> Client:
            return Client(
                dialect,
                f"{name}{run}-{k}",
                topic(k),
                number=k,
                subscribes=name == "s",
                record=self.record,
                options=options,
                on_lost=on_lost,
            )

        # an echo answers its publisher, who is its own subscriber
        wanted = subscribers if self.spec["subscribe"] else []
        made = [client("s", k) for k in wanted]
        self.subscribers = list(made)
        first = len(made)
        made += [client("p", k) for k in publishers]
        self.publishers = dict(zip(publishers, made[first:], strict=True))
        gate = asyncio.Semaphore(64)

        async def open_one(client: Client) -> None:
            async with gate:
                await open_client(client, self.spec["port"], self.spec["source"])

        for group in (made[:first], made[first:]):  # subscribers stand before publishers
            await asyncio.gather(*(open_one(client) for client in group))
        return time.monotonic() - begun

    def _connect_zenoh(
        self, subscribers: list[int], publishers: list[int], topic: Callable[[int], str]
    ) -> None:
        from quire.brokers.load import _zenoh_clients as zenoh_clients

        port = self.spec["port"]
        readers = [
            zenoh_clients.open_session(port)
            for _ in range(min(len(subscribers), zenoh_clients.SESSIONS))
        ]
        for n, k in enumerate(subscribers):
            session = readers[n % len(readers)]
            self.subscribers.append(
                zenoh_clients.ZenohSubscriber(session, topic(k), k, self.record)
            )
        writers = [
            zenoh_clients.open_session(port)
            for _ in range(min(len(publishers), zenoh_clients.SESSIONS))
        ]
        for n, k in enumerate(publishers):
            self.publishers[k] = zenoh_clients.ZenohPublisher(writers[n % len(writers)], topic(k))

    def _reconnect(self, client: Client) -> None:
        if not self.ending:
            task = asyncio.get_running_loop().create_task(
                open_client(client, self.spec["port"], self.spec["source"], 120.0)
            )
            self.tasks.add(task)
            task.add_done_callback(self._reconnected)

    def _reconnected(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self.ending:
            self.record.errors.append(str(task.exception()))

    def plan(self) -> Schedule:
        """Return what this process has to send, and when since the start."""
        whole = self.load.schedule()
        mine = whole.publisher % self.spec["of"] == self.spec["share"]
        return Schedule(whole.due_ns[mine], whole.publisher[mine], whole.number[mine])

    async def drive(self, plan: Schedule, start_ns: int) -> None:
        """Send everything on time."""
        due = (plan.due_ns + start_ns).tolist()
        who = plan.publisher.tolist()
        number = plan.number.tolist()
        filling = bytes(self.load.payload - STAMP.size)
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        position = 0
        count = len(due)
        pack = STAMP.pack
        publishers = self.publishers

        def fire() -> None:
            nonlocal position
            sent = 0
            while position < count:
                now = monotonic_ns()
                at = due[position]
                if at > now or sent == _BATCH:
                    timer.at(at)
                    return
                client = publishers[who[position]]
                client.send(pack(number[position], at, now) + filling)
                position += 1
                sent += 1
            if not done.done():
                done.set_result(None)

        timer = Timer(loop, fire, int(self.load.awake_s * 1e9))
        timer.at(due[0] if count else 1)
        sampler = loop.create_task(self._sample(start_ns))
        end_ns = start_ns + int(self.load.seconds * 1e9)
        await done
        await asyncio.sleep(max(0.0, (end_ns - monotonic_ns()) / 1e9))
        await sampler
        timer.close()
        expected = len(due)
        deadline = monotonic_ns() + int(self.load.drain_s * 1e9)
        if self.load.subscribers is not None:
            expected = -1 if self.spec["of"] > 1 else expected * self.load.subscribers
        while monotonic_ns() < deadline and self.record.distinct(expected) != expected:
            await asyncio.sleep(0.05)

    async def _sample(self, start_ns: int) -> None:
        """Note processor seconds and memory at both ends of the window."""
        for edge in self.load.window_ns:
            await asyncio.sleep(max(0.0, (start_ns + edge - monotonic_ns()) / 1e9))
            broker = usage(self.spec["pid"]) if self.spec["pid"] else None
            own = time.process_time()
            self.samples.append(
                (
                    monotonic_ns(),
                    broker.cpu_s if broker else float("nan"),
                    broker.resident_mb if broker else float("nan"),
                    own,
                )
            )

    def close(self) -> None:
        """End all connections at once."""
        self.ending = True
        for task in self.tasks:
            task.cancel()
        for client in (*self.publishers.values(), *self.subscribers):
            if isinstance(client, Client):
                if client.transport is not None:
                    client.transport.abort()
            else:
                client.close()


def _tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _main() -> int:
    spec = json.loads(sys.stdin.readline())
    if spec["cpus"]:
        os.sched_setaffinity(0, spec["cpus"])
    run = _Run(spec)
    try:
        took = await run.connect()
    except Exception as error:  # whatever a client raises is told in one line
        run.close()
        _tell(failed=f"{type(error).__name__}: {error}")
        return 1
    plan = run.plan()
    gc.collect()
    gc.freeze()
    gc.disable()
    _tell(connected=took)
    loop = asyncio.get_running_loop()
    line = await loop.run_in_executor(None, sys.stdin.readline)
    if not line:
        run.close()
        return 1
    await run.drive(plan, json.loads(line)["start_ns"])
    run.close()
    held = np.frombuffer(run.record.held, dtype=np.int64).reshape(-1, 5)
    np.save(spec["result"], held)
    _tell(
        errors=run.record.errors[:5],
        samples=run.samples,
        unconfirmed=sum(len(p.unconfirmed) for p in run.publishers.values()),
    )
    return 0


def run() -> int:
    """Do what standard input says; the status with which to exit."""
    # whoever forked this process may have read or written nothing of its own by these names
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        import uvloop

        status: int = uvloop.run(_main())
    except ImportError:
        status = asyncio.run(_main())
    sys.stdout.flush()
    return status
