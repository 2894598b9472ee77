"""The careless way: one message under way at a time, and none is due while it waits.

Also what it reports as its latency: from the actual sending on. A stall is seen by one message.
"""

import socket
import time
from time import monotonic_ns

import numpy as np
from jaxtyping import Int

from quire.brokers.protocols._dialect import MESSAGE, READY, REPLY, SUBSCRIBED, Dialect, Parser
from quire.brokers.protocols.stamps import STAMP, Stamp, stamped
from quire.checks import integer, positive
from quire.signatures import checked


@checked
def closed_loop(
    dialect: Dialect,
    port: int,
    *,
    rate_per_s: float,
    seconds: float,
    payload: int = 1024,
    topic: str = "q/closed/1",
    timeout_s: float = 10.0,
) -> Int[np.ndarray, " messages"]:
    """Return the latency (ns) of each message of a publisher that waits for its own message.

    Parameters
    ----------
    dialect, port
        The protocol, and where the broker listens on 127.0.0.1.
    rate_per_s
        How often it would like to send; it is late after a stall, and does not catch up.
    seconds, payload, topic
        How long, how large, where.
    timeout_s
        How long it waits for one message.

    Raises
    ------
    TimeoutError
        When a message does not come back.
    ValueError
        For numbers that are not positive.
    """
    gap = 1e9 / positive("rate_per_s", rate_per_s)
    span = positive("seconds", seconds)
    size = integer("payload", payload, STAMP.size)
    found = []
    with (
        socket.create_connection(("127.0.0.1", port), timeout_s) as reader,
        socket.create_connection(("127.0.0.1", port), timeout_s) as writer,
    ):
        for connection in (reader, writer):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = f"closed-{monotonic_ns()}"
        read = _Reader(reader, dialect.parser())
        write = _Reader(writer, dialect.parser())
        reader.sendall(dialect.hello(f"{name}-s"))
        read.until(READY)
        reader.sendall(dialect.subscribe(topic))
        read.until(SUBSCRIBED)
        writer.sendall(dialect.hello(f"{name}-p"))
        write.until(READY)
        start = monotonic_ns()
        due, number = float(start), 0
        while due < start + span * 1e9:
            time.sleep(max(0.0, (due - monotonic_ns()) / 1e9))
            sent = monotonic_ns()
            writer.sendall(dialect.publish(topic, stamped(Stamp(number, sent, sent), size)))
            read.until(MESSAGE)
            done = monotonic_ns()
            found.append(done - sent)
            due, number = max(due + gap, float(done)), number + 1
    return np.array(found, dtype=np.int64)


class _Reader:
    def __init__(self, connection: socket.socket, parser: Parser) -> None:
        self.connection, self.parser = connection, parser

    def until(self, wanted: int) -> None:
        while True:
            data = self.connection.recv(65_536)
            if not data:
                raise ConnectionError("the broker closed the connection")
            kinds = []
            for kind, value in self.parser.feed(data):
                kinds.append(kind)
                if kind == REPLY and isinstance(value, bytes):
                    self.connection.sendall(value)
            if wanted in kinds:
                return
