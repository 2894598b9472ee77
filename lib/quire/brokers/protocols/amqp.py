"""AMQP 0-9-1: the methods that a publisher and a consumer on one channel need.

A topic is a queue of its own that the default exchange routes to by name. Publishers and consumers
declare it alike, so that either may come first. Source: AMQP 0-9-1, sections 2.3 and 4.2.
"""

import struct

from quire.brokers.protocols._dialect import (
    MESSAGE,
    READY,
    REPLY,
    SUBSCRIBED,
    Buffer,
    Event,
)

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_START, _TUNE, _OPEN_OK, _CLOSE = (10, 10), (10, 30), (10, 41), (10, 50)
_CHANNEL_OK, _CHANNEL_CLOSE = (20, 11), (20, 40)
_DECLARE_OK, _CONSUME_OK, _DELIVER = (50, 11), (60, 21), (60, 60)
_PIECE = 131_072 - 8


def _short(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise ValueError(f"text = {len(raw)} bytes: AMQP allows 255")
    return bytes([len(raw)]) + raw


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def _method(channel: int, of: tuple[int, int], arguments: bytes) -> bytes:
    return _frame(_METHOD, channel, struct.pack(">HH", *of) + arguments)


class Amqp:
    """A client of AMQP 0-9-1 with one channel, transient messages and no confirmation."""

    name = "amqp"

    def __init__(self, user: str = "guest", password: str = "guest") -> None:
        self._login = b"\0" + user.encode() + b"\0" + password.encode()

    def hello(self, client: str, *, persistent: bool = False) -> bytes:
        """Return the header of the protocol."""
        return b"AMQP\x00\x00\x09\x01"

    def subscribe(self, topic: str, qos: int = 0) -> bytes:
        """Return Queue.Declare (dies with its consumer) and Basic.Consume (unacknowledged)."""
        declare = struct.pack(">H", 0) + _short(topic) + bytes([0b01000]) + struct.pack(">I", 0)
        consume = struct.pack(">H", 0) + _short(topic) + _short("c") + bytes([2]) + bytes(4)
        return _method(1, (50, 10), declare) + _method(1, (60, 20), consume)

    def publish(self, topic: str, payload: bytes, qos: int = 0, number: int = 0) -> bytes:
        """Return Basic.Publish, a header without properties, and the body in pieces."""
        publish = struct.pack(">H", 0) + _short("") + _short(topic) + b"\0"
        header = struct.pack(">HHQH", 60, 0, len(payload), 0)
        pieces = [payload[k : k + _PIECE] for k in range(0, len(payload), _PIECE)]
        return b"".join(
            (
                _method(1, (60, 40), publish),
                _frame(_HEADER, 1, header),
                *(_frame(_BODY, 1, piece) for piece in pieces),
            )
        )

    def parser(self) -> "AmqpParser":
        """Return a reader of frames."""
        return AmqpParser(self._login)


class AmqpParser:
    """Frames out of a stream cut anywhere; answers the handshake by itself."""

    def __init__(self, login: bytes) -> None:
        self._buffer = Buffer.of("amqp")
        self._login = login
        self._missing = -1  # bytes of the body that are still to come; -1 outside of a body
        self._announced = False  # whether a delivery has come, and its header not yet
        self._body = b""

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete.

        Raises
        ------
        ProtocolError
            For a frame that is none, or when the server closes the session.
        """
        held = self._buffer.data
        held += data
        events: list[Event] = []
        at = 0
        while len(held) - at >= 7:
            if held[at : at + 4] == b"AMQP":
                raise self._buffer.error(at, "the server speaks another version")
            kind, _, length = struct.unpack_from(">BHI", held, at)
            if kind not in (_METHOD, _HEADER, _BODY, _HEARTBEAT) or length > self._buffer.limit:
                raise self._buffer.error(at, f"frame type {kind} of {length} bytes")
            if len(held) - at < length + 8:
                break
            if held[at + 7 + length] != 0xCE:
                raise self._buffer.error(at + 7 + length, "a frame without its end")
            self._frame(kind, bytes(held[at + 7 : at + 7 + length]), at, events)
            at += length + 8
        self._buffer.drop(at)
        return events

    def _frame(self, kind: int, payload: bytes, at: int, events: list[Event]) -> None:
        if kind == _METHOD:
            if len(payload) < 4:
                raise self._buffer.error(at, "a method without a number")
            self._method(struct.unpack_from(">HH", payload), payload[4:], at, events)
        elif kind == _HEADER:
            if len(payload) < 12 or not self._announced:
                raise self._buffer.error(at, "a header without a delivery")
            self._missing, self._body = struct.unpack_from(">Q", payload, 4)[0], b""
            self._announced = False
            if self._missing > self._buffer.limit:
                raise self._buffer.error(at, f"a body of {self._missing} bytes is too long")
            self._finish(events)
        elif kind == _BODY:
            if self._missing < len(payload):
                raise self._buffer.error(at, "more body than the header announced")
            self._body += payload
            self._missing -= len(payload)
            self._finish(events)
        else:
            events.append((REPLY, _frame(_HEARTBEAT, 0, b"")))

    def _finish(self, events: list[Event]) -> None:
        if self._missing == 0:
            events.append((MESSAGE, self._body))
            self._missing = -1

    def _method(self, of: tuple[int, ...], arguments: bytes, at: int, events: list[Event]) -> None:
        if of == _START:
            reply = struct.pack(">I", 0) + _short("PLAIN")
            reply += struct.pack(">I", len(self._login)) + self._login + _short("en_US")
            events.append((REPLY, _method(0, (10, 11), reply)))
        elif of == _TUNE:
            tuned = struct.pack(">HIH", 16, 131_072, 0)
            opened = _short("/") + _short("") + b"\0"
            events.append((REPLY, _method(0, (10, 31), tuned) + _method(0, (10, 40), opened)))
        elif of == _OPEN_OK:
            events.append((REPLY, _method(1, (20, 10), _short(""))))
        elif of == _CHANNEL_OK:
            events.append((READY, b""))
        elif of == _CONSUME_OK:
            events.append((SUBSCRIBED, b""))
        elif of == _DELIVER:
            if self._announced or self._missing >= 0:
                raise self._buffer.error(at, "a delivery inside another")
            self._announced = True
        elif of in (_CLOSE, _CHANNEL_CLOSE):
            code = struct.unpack_from(">H", arguments)[0] if len(arguments) > 1 else 0
            raise self._buffer.error(at, f"the server closes, code {code}: {arguments[3:80]!r}")
        elif of != _DECLARE_OK:
            raise self._buffer.error(at, f"method {of[0]}.{of[1]} was not asked for")
