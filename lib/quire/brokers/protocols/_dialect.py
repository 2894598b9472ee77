"""What a protocol offers to the load generator, and the one error that all of them raise."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

READY, SUBSCRIBED, MESSAGE, ACKNOWLEDGED, REPLY, RECEIVED = range(6)
"""Kinds of events: session open, subscribed, a message came, one was confirmed, answer due, and one
that the server has and will pass on once it is released (MQTT, QoS 2)."""

Event = tuple[int, bytes | int]
"""A kind, and its payload: bytes of a message or an answer, or the number of what was confirmed."""


class ProtocolError(ValueError):
    """Bytes that the protocol does not allow, with their offset in the stream."""

    def __init__(self, protocol: str, offset: int, what: str) -> None:
        super().__init__(f"{protocol}: byte {offset} of the stream: {what}")
        self.protocol = protocol
        self.offset = offset
        self.what = what


@runtime_checkable
class Parser(Protocol):
    """Reads a stream of bytes in pieces of any size, and tells what they say."""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete.

        Raises
        ------
        ProtocolError
            When the stream cannot be read.
        """
        ...


@runtime_checkable
class Dialect(Protocol):
    """What a client says in one protocol."""

    name: str

    def hello(self, client: str, *, persistent: bool = False) -> bytes:
        """Return what opens a session."""
        ...

    def subscribe(self, topic: str, qos: int = 0) -> bytes:
        """Return what subscribes to a topic."""
        ...

    def publish(self, topic: str, payload: bytes, qos: int = 0, number: int = 0) -> bytes:
        """Return what publishes one message."""
        ...

    def parser(self) -> Parser:
        """Return a reader of what the server sends."""
        ...


@dataclass
class Buffer:
    """Bytes that have come and are not read yet; ``offset`` counts those read before them."""

    name: str
    data: bytearray
    offset: int = 0
    limit: int = 268_435_460

    @classmethod
    def of(cls, name: str) -> "Buffer":
        """Return an empty buffer for a protocol of that name."""
        return cls(name, bytearray())

    def drop(self, count: int) -> None:
        """Forget the first ``count`` bytes."""
        if count:
            del self.data[:count]
            self.offset += count

    def error(self, at: int, what: str) -> ProtocolError:
        """Return the error for the byte at ``at`` of what is held."""
        return ProtocolError(self.name, self.offset + at, what)
