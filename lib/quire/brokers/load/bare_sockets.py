"""Sockets and ``epoll`` and nothing else: what any client in Python pays at the least.

No event loop stands between, and nothing is noted of what comes but its length.
"""

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from time import monotonic_ns

from quire.brokers.protocols._dialect import ACKNOWLEDGED, READY, SUBSCRIBED, Dialect, Parser
from quire.brokers.protocols.stamps import Stamp, stamped
from quire.checks import integer, positive

_LARGEST_READ = 65_536


def pass_messages(
    dialect: Dialect, port: int, *, rate_per_s: float, seconds: float, payload: int
) -> float:
    """Return the processor seconds of this thread per message that it sends and gets back.

    One connection publishes and one subscribes. What comes is read into one buffer.

    Raises
    ------
    TimeoutError
        When nothing comes for ten seconds.
    """
    rate = positive("rate_per_s", rate_per_s)
    count = integer("messages", int(rate * positive("seconds", seconds)))
    topic = f"q/bare/{monotonic_ns()}"
    message = dialect.publish(topic, stamped(Stamp(0, 0, 0), payload))
    with _connections(dialect, port, 2) as ((writer, _), (reader, parser)):
        reader.sendall(dialect.subscribe(topic))
        _wait(reader, parser, SUBSCRIBED)
        came, sent, buffer = 0, 0, bytearray(_LARGEST_READ)
        wanted = count * len(message)
        with select.epoll() as poll:
            poll.register(reader, select.EPOLLIN)
            reader.setblocking(False)
            begun, spent = time.monotonic(), time.thread_time()
            while came < wanted:
                wait = 10.0
                if sent < count:
                    wait = begun + sent / rate - time.monotonic()
                    if wait <= 0:
                        writer.sendall(message)
                        sent += 1
                        continue
                if poll.poll(wait):
                    came += reader.recv_into(buffer)
                elif sent == count:
                    raise TimeoutError(f"{came} of {wanted} bytes came")
            return (time.thread_time() - spent) / count


def publish_in_turns(
    dialect: Dialect, port: int, *, rate_per_s: float, clients: int, messages: int, payload: int
) -> None:
    """Publish at a rate from some clients, each of which waits for its answer before the next.

    Raises
    ------
    TimeoutError
        When nothing is answered for ten seconds.
    """
    gap = 1e9 / positive("rate_per_s", rate_per_s)
    count = integer("messages", messages)
    message = dialect.publish("q/bare/1", stamped(Stamp(0, 0, 0), payload))
    with (
        _connections(dialect, port, integer("clients", clients)) as held,
        select.epoll() as poll,
    ):
        by_number = {connection.fileno(): (connection, parser) for connection, parser in held}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        free, sent, answered = [connection for connection, _ in held], 0, 0
        begun = monotonic_ns()
        while answered < count:
            while free and sent < count:
                while monotonic_ns() < begun + sent * gap:
                    pass
                free.pop().sendall(message)
                sent += 1
            ready = poll.poll(10)
            if not ready:
                raise TimeoutError(f"{answered} of {count} messages were answered")
            for number, _ in ready:
                connection, parser = by_number[number]
                events = parser.feed(connection.recv(_LARGEST_READ))
                if any(kind == ACKNOWLEDGED for kind, _ in events):
                    answered += 1
                    free.append(connection)


@contextlib.contextmanager
def _connections(
    dialect: Dialect, port: int, count: int
) -> Iterator[list[tuple[socket.socket, Parser]]]:
    with contextlib.ExitStack() as stack:
        held = []
        for k in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            parser = dialect.parser()
            connection.sendall(dialect.hello(f"bare-{monotonic_ns()}-{k}"))
            _wait(connection, parser, READY)
            held.append((connection, parser))
        yield held


def _wait(connection: socket.socket, parser: Parser, wanted: int) -> None:
    while True:
        data = connection.recv(_LARGEST_READ)
        if not data:
            raise ConnectionError("the broker closed the connection")
        if any(kind == wanted for kind, _ in parser.feed(data)):
            return
