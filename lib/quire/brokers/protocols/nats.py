"""The text protocol of NATS: CONNECT, SUB, PUB, MSG, PING, PONG.

Source: the NATS client protocol. Topics hold dots where MQTT has slashes, and no blanks.
"""

from quire.brokers.protocols._dialect import (
    MESSAGE,
    READY,
    REPLY,
    SUBSCRIBED,
    Buffer,
    Event,
)

_CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"lang":"quire","version":"1"}\r\nPING\r\n'


class Nats:
    """A client of NATS core: no acknowledgement, at most once."""

    name = "nats"

    def __init__(self) -> None:
        self._heads: dict[tuple[str, int], bytes] = {}

    def hello(self, client: str, *, persistent: bool = False) -> bytes:
        """Return CONNECT and a PING, whose PONG tells that the session stands."""
        return _CONNECT

    def subscribe(self, topic: str, qos: int = 0) -> bytes:
        """Return SUB with the identifier 1, and a PING, whose PONG confirms it."""
        return b"SUB %b 1\r\nPING\r\n" % _subject(topic)

    def publish(self, topic: str, payload: bytes, qos: int = 0, number: int = 0) -> bytes:
        """Return PUB."""
        head = self._heads.get((topic, len(payload)))
        if head is None:
            head = b"PUB %b %d\r\n" % (_subject(topic), len(payload))
            if len(self._heads) < 50_000:
                self._heads[topic, len(payload)] = head
        return head + payload + b"\r\n"

    def parser(self) -> "NatsParser":
        """Return a reader of what the server says."""
        return NatsParser()


def _subject(topic: str) -> bytes:
    name = topic.replace("/", ".").encode()
    if not name or any(byte <= 32 for byte in name):
        raise ValueError(f"topic = {topic!r}: NATS allows no blank and no empty subject")
    return name


class NatsParser:
    """Messages out of a stream cut anywhere."""

    def __init__(self) -> None:
        self._buffer = Buffer.of("nats")
        self._pongs = 0

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete.

        Raises
        ------
        ProtocolError
            For an error of the server, or a line that is none of the protocol's.
        """
        held = self._buffer.data
        held += data
        events: list[Event] = []
        at = 0
        while True:
            line_end = held.find(b"\r\n", at)
            if line_end < 0:
                if len(held) - at > 1_048_576:
                    raise self._buffer.error(at, "a line without an end")
                break
            line = bytes(held[at:line_end])
            following = line_end + 2
            if line.startswith(b"MSG "):
                size = self._size(line, at)
                if len(held) < following + size + 2:
                    break
                if held[following + size : following + size + 2] != b"\r\n":
                    raise self._buffer.error(following + size, "a payload without its end")
                events.append((MESSAGE, bytes(held[following : following + size])))
                following += size + 2
            elif line == b"PING":
                events.append((REPLY, b"PONG\r\n"))
            elif line == b"PONG":
                events.append((SUBSCRIBED if self._pongs else READY, b""))
                self._pongs += 1
            elif line.startswith(b"-ERR"):
                raise self._buffer.error(at, f"the server says {line.decode(errors='replace')}")
            elif line != b"+OK" and not line.startswith(b"INFO "):
                raise self._buffer.error(at, f"{line[:20]!r} is no line of the protocol")
            at = following
        self._buffer.drop(at)
        return events

    def _size(self, line: bytes, at: int) -> int:
        words = line.split()
        if len(words) not in (4, 5) or not words[-1].isdigit() or len(words[-1]) > 9:
            raise self._buffer.error(at, f"{line[:40]!r} is no head of a message")
        size = int(words[-1])
        if size > self._buffer.limit:
            raise self._buffer.error(at, f"a message of {size} bytes is too long")
        return size
