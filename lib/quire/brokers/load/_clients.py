"""Raw clients: one connection each, in one event loop, stamping what they send and receive."""

import asyncio
import socket
from array import array
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

import numpy as np

from quire.brokers.protocols._dialect import (
    ACKNOWLEDGED,
    MESSAGE,
    READY,
    RECEIVED,
    REPLY,
    SUBSCRIBED,
    Dialect,
    ProtocolError,
)
from quire.brokers.protocols.mqtt import Mqtt, MqttParser, release
from quire.brokers.protocols.stamps import STAMP


class Record:
    """Five whole numbers for every message that came, in one growing array."""

    def __init__(self) -> None:
        self.held = array("q")
        self.errors: list[str] = []

    def add(self, subscriber: int, payload: bytes, now: int) -> None:
        """Note a message."""
        if len(payload) < STAMP.size:
            self.errors.append(f"a message of {len(payload)} bytes")
            return
        number, due, sent = STAMP.unpack_from(payload)
        self.held.extend((subscriber, number, due, sent, now))

    def distinct(self, expected: int) -> int:
        """Return how many messages came, repeated ones once; all of them below what is expected."""
        count = len(self.held) // 5
        if count < expected:
            return count
        rows = np.frombuffer(self.held, dtype=np.int64).reshape(-1, 5)
        return int(np.unique(rows[:, 0] * (1 << 40) + rows[:, 1]).size)


class Client(asyncio.Protocol):
    """One connection of a publisher or a subscriber."""

    def __init__(
        self,
        dialect: Dialect,
        name: str,
        topic: str,
        *,
        number: int,
        subscribes: bool,
        record: Record,
        options: dict[str, Any],
        on_lost: "Callable[[Client], None] | None" = None,
    ) -> None:
        self.dialect, self.name, self.topic = dialect, name, topic
        self.number, self.subscribes = number, subscribes
        self.record, self.options = record, options
        self.on_lost = on_lost
        self.ready: asyncio.Future[None] | None = None
        self.up = False
        self.transport: Any = None
        self.qos = options["qos"]
        self.unconfirmed: dict[int, bytes] = {}
        self.received: set[int] = set()  # QoS 2: the broker has them, and has not confirmed
        self.unreleased: set[int] = set()  # QoS 2: told here, and the broker may repeat them
        self._next = 0

    def connection_made(self, transport: Any) -> None:  # uvloop has a class of its own
        self.transport = transport
        self.parser = self.dialect.parser()
        if isinstance(self.parser, MqttParser):
            self.parser.unreleased = self.unreleased
        # uvloop and asyncio both switch Nagle off by themselves: say which it is to be
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, int(self.options["nodelay"])
        )
        transport.write(self.dialect.hello(self.name, persistent=self.options["reconnect"]))

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        try:
            events = self.parser.feed(data)
        except ProtocolError as error:
            self._fail(error)
            return
        for kind, value in events:
            if kind == MESSAGE:
                self.record.add(self.number, value, now)  # type: ignore[arg-type]
            elif kind == REPLY:
                self.transport.write(value)  # type: ignore[arg-type]
            elif kind == ACKNOWLEDGED:
                self.unconfirmed.pop(value, None)  # type: ignore[arg-type]
                self.received.discard(value)  # type: ignore[arg-type]
            elif kind == RECEIVED:
                self.received.add(value)  # type: ignore[arg-type]
            elif kind == READY:
                self._opened()
            elif kind == SUBSCRIBED:
                self._stands()

    def connection_lost(self, exc: Exception | None) -> None:
        self.up = False
        if self.ready is not None and not self.ready.done():
            self.ready.set_exception(ConnectionError(f"{self.name}: closed {exc or ''}"))
            return
        if self.on_lost is not None:
            self.on_lost(self)

    def send(self, payload: bytes) -> None:
        """Publish; at QoS 0 what is due while the connection is down is lost."""
        if self.qos:
            self._next = self._next % 65_535 + 1
            out = self.dialect.publish(self.topic, payload, self.qos, self._next)
            self.unconfirmed[self._next] = payload
        else:
            out = self.dialect.publish(self.topic, payload)
        if self.up:
            self.transport.write(out)

    def _opened(self) -> None:
        if self.subscribes:
            self.transport.write(self.dialect.subscribe(self.topic, self.qos))
        else:
            self._stands()

    def _stands(self) -> None:
        self.up = True
        if self.ready is not None and not self.ready.done():
            self.ready.set_result(None)
        if self.unconfirmed and isinstance(self.dialect, Mqtt):
            for number, payload in self.unconfirmed.items():
                # what the broker has is not published again: it would be another message to it
                self.transport.write(
                    release(number)
                    if number in self.received
                    else self.dialect.publish(self.topic, payload, self.qos, number, again=True)
                )

    def _fail(self, error: ProtocolError) -> None:
        self.record.errors.append(str(error))
        if self.ready is not None and not self.ready.done():
            self.ready.set_exception(error)
        self.transport.abort()


async def open_client(client: Client, port: int, source: str, timeout_s: float = 60.0) -> None:
    """Connect a client and wait until its session or subscription stands.

    Raises
    ------
    ConnectionError
        When it cannot.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        client.ready = loop.create_future()
        try:
            await loop.create_connection(lambda: client, "127.0.0.1", port, local_addr=(source, 0))
            await asyncio.wait_for(client.ready, max(0.1, min(10.0, deadline - loop.time())))
            return
        except (OSError, TimeoutError) as error:
            if client.transport is not None:
                client.transport.abort()
            if loop.time() > deadline or isinstance(error, ProtocolError):
                raise ConnectionError(f"{client.name}: {error or 'no answer in time'}") from None
            await asyncio.sleep(0.1)
