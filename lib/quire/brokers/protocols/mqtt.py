"""MQTT 3.1.1: the packets that a publisher and a subscriber need, at QoS 0, 1 and 2.

Source: OASIS MQTT 3.1.1, sections 2 and 3. ``remaining_length`` is its variable byte integer.
"""

import struct

from quire.brokers.protocols._dialect import (
    ACKNOWLEDGED,
    MESSAGE,
    READY,
    RECEIVED,
    REPLY,
    SUBSCRIBED,
    Buffer,
    Event,
)
from quire.checks import integer

LARGEST_LENGTH = 268_435_455


def remaining_length(length: int) -> bytes:
    """Return the one to four bytes that say how long a packet is (section 2.2.3).

    Raises
    ------
    ValueError
        Outside 0 to 268,435,455.
    """
    rest = integer("length", length, 0, LARGEST_LENGTH)
    out = bytearray()
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        out.append(digit | (0x80 if rest else 0))
        if not rest:
            return bytes(out)


def read_remaining_length(data: bytes | bytearray, at: int = 0) -> tuple[int, int] | None:
    """Return a length and how many bytes said it, or None while it is incomplete.

    Raises
    ------
    ValueError
        When a fourth byte says that a fifth follows.
    """
    value = 0
    for k in range(4):
        if at + k >= len(data):
            return None
        value |= (data[at + k] & 0x7F) << (7 * k)
        if not data[at + k] & 0x80:
            return value, k + 1
    raise ValueError("remaining length = more than 4 bytes: must end within four")


def release(number: int) -> bytes:
    """Return PUBREL: the second half of a delivery at QoS 2."""
    return b"\x62\x02" + struct.pack(">H", integer("number", number, 1, 65_535))


def _text(value: str) -> bytes:
    raw = value.encode()
    if len(raw) > 65_535:
        raise ValueError(f"text = {len(raw)} bytes: MQTT allows 65,535")
    return struct.pack(">H", len(raw)) + raw


class Mqtt:
    """A client of MQTT 3.1.1, as bytes to send and a parser of bytes that come."""

    name = "mqtt"

    def __init__(self, user: str | None = None, password: str | None = None) -> None:
        self._user, self._password = user, password
        self._heads: dict[tuple[str, int, int], bytes] = {}

    def hello(self, client: str, *, persistent: bool = False) -> bytes:
        """Return CONNECT: clean unless ``persistent``, without keep-alive."""
        flags = 0 if persistent else 2
        rest = _text(client)
        if self._user is not None:
            flags |= 0x80
            rest += _text(self._user)
            if self._password is not None:
                flags |= 0x40
                rest += _text(self._password)
        body = _text("MQTT") + bytes([4, flags]) + b"\0\0" + rest
        return b"\x10" + remaining_length(len(body)) + body

    def subscribe(self, topic: str, qos: int = 0) -> bytes:
        """Return SUBSCRIBE with the packet identifier 1."""
        body = b"\0\1" + _text(topic) + bytes([integer("qos", qos, 0, 2)])
        return b"\x82" + remaining_length(len(body)) + body

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        number: int = 0,
        *,
        again: bool = False,
    ) -> bytes:
        """Return PUBLISH; above QoS 0 ``number`` is the packet identifier, 1 to 65,535.

        ``again`` sets the flag of a repeated delivery.
        """
        head = self._heads.get((topic, len(payload), qos))
        if head is None:
            qos = integer("qos", qos, 0, 2)
            length = 2 + len(topic.encode()) + (2 if qos else 0) + len(payload)
            head = bytes([0x30 | qos << 1]) + remaining_length(length) + _text(topic)
            if len(self._heads) < 50_000:
                self._heads[topic, len(payload), qos] = head
        if qos == 0:
            return head + payload
        if again:
            head = bytes([head[0] | 8]) + head[1:]
        return head + struct.pack(">H", integer("number", number, 1, 65_535)) + payload

    def parser(self) -> "MqttParser":
        """Return a reader of packets that a broker sends."""
        return MqttParser()


class MqttParser:
    """Packets out of a stream cut anywhere; a message is told once, at every QoS.

    Over several connections of one session that holds where ``unreleased`` is handed on.
    """

    def __init__(self) -> None:
        self._buffer = Buffer.of("mqtt")
        # QoS 2: told and not yet released; belongs to the session, which outlives a connection
        self.unreleased: set[int] = set()

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete.

        Raises
        ------
        ProtocolError
            For a packet that a broker may not send, a refused session or subscription.
        """
        buffer = self._buffer
        held = buffer.data
        held += data
        events: list[Event] = []
        at, end = 0, len(held)
        while end - at >= 2:
            length, used = held[at + 1], 1
            if length & 0x80:
                try:
                    found = read_remaining_length(held, at + 1)
                except ValueError as error:
                    raise buffer.error(at + 1, str(error)) from None
                if found is None:
                    break
                length, used = found
            body = at + 1 + used
            if end - body < length:
                break
            self._packet(held, at, body, body + length, events)
            at = body + length
        buffer.drop(at)
        return events

    def _packet(self, held: bytearray, at: int, body: int, end: int, events: list[Event]) -> None:
        kind, flags = held[at] >> 4, held[at] & 0x0F
        if kind == 3:
            self._message(held, at, body, end, events)
        elif flags != (2 if kind == 6 else 0):
            raise self._buffer.error(at, f"packet type {kind} with reserved flags {flags}")
        elif kind == 2 and end - body == 2:
            if held[body + 1]:
                raise self._buffer.error(body + 1, f"session refused, code {held[body + 1]}")
            events.append((READY, b""))
        elif kind == 9 and end - body >= 3:
            if held[end - 1] > 2:
                raise self._buffer.error(end - 1, f"subscription refused, code {held[end - 1]}")
            events.append((SUBSCRIBED, b""))
        elif kind in (4, 5, 6, 7) and end - body == 2:
            number = self._identifier(held, body)
            if kind in (4, 7):
                events.append((ACKNOWLEDGED, number))
            elif kind == 5:
                events.append((RECEIVED, number))
                events.append((REPLY, release(number)))
            else:
                self.unreleased.discard(number)
                events.append((REPLY, b"\x70\x02" + bytes(held[body:end])))
        elif kind == 13 and end == body:
            pass
        else:
            raise self._buffer.error(at, f"packet type {kind} of {end - body} bytes")

    def _message(self, held: bytearray, at: int, body: int, end: int, events: list[Event]) -> None:
        qos = held[at] >> 1 & 3
        if qos == 3 or end - body < 2 or not (held[body] or held[body + 1]):
            raise self._buffer.error(at, "a PUBLISH without a topic, or with QoS 3")
        if qos == 0 and held[at] & 8:
            raise self._buffer.error(at, "a repeated PUBLISH at QoS 0")
        start = body + 2 + (held[body] << 8 | held[body + 1])
        if start + (2 if qos else 0) > end:
            raise self._buffer.error(body, "a topic longer than its packet")
        if qos == 0:
            events.append((MESSAGE, bytes(held[start:end])))
            return
        number = self._identifier(held, start)
        answer = bytes(held[start : start + 2])
        if qos == 1 or number not in self.unreleased:
            events.append((MESSAGE, bytes(held[start + 2 : end])))
        if qos == 2:
            self.unreleased.add(number)
        events.append((REPLY, (b"\x40\x02" if qos == 1 else b"\x50\x02") + answer))

    def _identifier(self, held: bytearray, at: int) -> int:
        number = held[at] << 8 | held[at + 1]
        if not number:
            raise self._buffer.error(at, "the packet identifier 0")
        return number
