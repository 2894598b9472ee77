"""Our own framing for the two floors that stand beside every row: an echo, and a null broker.

A frame is one letter, a topic number and a length (little endian), then the payload: ``S``
subscribes, ``P`` publishes, ``M`` is a message, ``K`` confirms. An echo sends ``P`` back as ``M``.
"""

import struct

from quire.brokers.protocols._dialect import (
    MESSAGE,
    READY,
    SUBSCRIBED,
    Buffer,
    Event,
    ProtocolError,
)

HEAD = struct.Struct("<cII")


def frame(letter: bytes, topic: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return HEAD.pack(letter, topic, len(payload)) + payload


def read_frames(buffer: Buffer) -> list[tuple[bytes, int, bytes]]:
    """Take all whole frames out of a buffer.

    Raises
    ------
    ProtocolError
        For an unknown letter or a length beyond 256 MiB.
    """
    held, at, found = buffer.data, 0, []
    while len(held) - at >= HEAD.size:
        letter, topic, length = HEAD.unpack_from(held, at)
        if letter not in b"SPMK" or length > buffer.limit:
            raise buffer.error(at, f"letter {letter!r} with {length} bytes is no frame")
        if len(held) - at - HEAD.size < length:
            break
        start = at + HEAD.size
        found.append((letter, topic, bytes(held[start : start + length])))
        at = start + length
    buffer.drop(at)
    return found


class Frames:
    """A client of the relay; topics are numbers, read from the end of their names."""

    name = "frames"

    def hello(self, client: str, *, persistent: bool = False) -> bytes:
        """Return an empty confirmation, which the relay sends back."""
        return frame(b"K", 0)

    def subscribe(self, topic: str, qos: int = 0) -> bytes:
        """Return the frame that subscribes."""
        return frame(b"S", _number(topic))

    def publish(self, topic: str, payload: bytes, qos: int = 0, number: int = 0) -> bytes:
        """Return the frame that publishes."""
        return frame(b"P", _number(topic), payload)

    def parser(self) -> "FramesParser":
        """Return a reader of frames."""
        return FramesParser()


def _number(topic: str) -> int:
    digits = topic.rpartition("/")[2]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10) or int(digits) >= 2**32:
        raise ValueError(f"topic = {topic!r}: must end in a number below 2^32")
    return int(digits)


class FramesParser:
    """Frames out of a stream cut anywhere."""

    def __init__(self) -> None:
        self._buffer = Buffer.of("frames")

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete.

        Raises
        ------
        ProtocolError
            For bytes that are no frame.
        """
        self._buffer.data += data
        events: list[Event] = []
        at = self._buffer.offset
        for letter, topic, payload in read_frames(self._buffer):
            if letter == b"M":
                events.append((MESSAGE, payload))
            elif letter == b"K":
                events.append((SUBSCRIBED if topic else READY, b""))
            else:
                raise ProtocolError("frames", at, f"a relay does not send {letter!r}")
            at += HEAD.size + len(payload)
        return events
