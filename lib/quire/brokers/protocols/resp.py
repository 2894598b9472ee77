"""RESP 2, the protocol of Redis: SUBSCRIBE, PUBLISH, and what comes back.

A subscribed connection reads arrays of bulk strings; a publishing one reads integers.
"""

from quire.brokers.protocols._dialect import (
    ACKNOWLEDGED,
    MESSAGE,
    READY,
    SUBSCRIBED,
    Buffer,
    Event,
)

_DEEPEST = 8


def command(*words: bytes) -> bytes:
    """Return a command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


class Resp:
    """A client of Redis' publish and subscribe."""

    name = "resp"

    def __init__(self) -> None:
        self._heads: dict[tuple[str, int], bytes] = {}

    def hello(self, client: str, *, persistent: bool = False) -> bytes:
        """Return PING: Redis asks for no session, and keeps none."""
        return command(b"PING")

    def subscribe(self, topic: str, qos: int = 0) -> bytes:
        """Return SUBSCRIBE."""
        return command(b"SUBSCRIBE", topic.encode())

    def publish(self, topic: str, payload: bytes, qos: int = 0, number: int = 0) -> bytes:
        """Return PUBLISH."""
        head = self._heads.get((topic, len(payload)))
        if head is None:
            name = topic.encode()
            head = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n" % (len(name), name, len(payload))
            if len(self._heads) < 50_000:
                self._heads[topic, len(payload)] = head
        return head + payload + b"\r\n"

    def parser(self) -> "RespParser":
        """Return a reader of replies."""
        return RespParser()


class RespParser:
    """Replies out of a stream cut anywhere."""

    def __init__(self) -> None:
        self._buffer = Buffer.of("resp")

    def feed(self, data: bytes) -> list[Event]:
        """Return what these bytes complete.

        Raises
        ------
        ProtocolError
            For an error of the server, or bytes that are no reply.
        """
        held = self._buffer.data
        held += data
        events: list[Event] = []
        at = 0
        while at < len(held):
            found = self._reply(held, at)
            if found is None:
                break
            value, following = found
            if isinstance(value, list):
                self._array(value, at, events)
            elif value == b"PONG":
                events.append((READY, b""))
            elif isinstance(value, int):
                events.append((ACKNOWLEDGED, value))
            at = following
        self._buffer.drop(at)
        return events

    def _array(self, value: list[bytes | int | list | None], at: int, events: list[Event]) -> None:
        if len(value) == 3 and value[0] == b"message" and isinstance(value[2], bytes):
            events.append((MESSAGE, value[2]))
        elif len(value) == 3 and value[0] == b"subscribe":
            events.append((SUBSCRIBED, b""))
        else:
            raise self._buffer.error(at, f"an array that starts with {value[:1]!r}")

    def _reply(
        self, held: bytearray, at: int, depth: int = 0
    ) -> tuple[bytes | int | list | None, int] | None:
        line_end = held.find(b"\r\n", at)
        if line_end < 0:
            if len(held) - at > 65_536:
                raise self._buffer.error(at, "a line without an end")
            return None
        sign, line = held[at], bytes(held[at + 1 : line_end])
        following = line_end + 2
        if sign == 0x2B:  # +
            return line, following
        if sign == 0x2D:  # -
            raise self._buffer.error(at, f"the server says {line.decode(errors='replace')}")
        if sign not in (0x3A, 0x24, 0x2A):
            raise self._buffer.error(at, f"{bytes(held[at : at + 1])!r} begins no reply")
        number = self._number(line, at)
        if sign == 0x3A:  # :
            return number, following
        if sign == 0x24:  # $
            if number == -1:
                return None, following
            if len(held) < following + number + 2:
                return None
            if held[following + number : following + number + 2] != b"\r\n":
                raise self._buffer.error(following + number, "a bulk string without its end")
            return bytes(held[following : following + number]), following + number + 2
        if depth == _DEEPEST:
            raise self._buffer.error(at, f"arrays nested more than {_DEEPEST} deep")
        items: list[bytes | int | list | None] = []
        for _ in range(number):
            if following >= len(held):
                return None
            found = self._reply(held, following, depth + 1)
            if found is None:
                return None
            items.append(found[0])
            following = found[1]
        return items, following

    def _number(self, line: bytes, at: int) -> int:
        digits = line.removeprefix(b"-")
        if not digits.isdigit() or len(digits) > 18:
            raise self._buffer.error(at + 1, f"{line[:20]!r} is no number")
        number = int(line)
        if number < -1 or number > self._buffer.limit:
            if at < len(self._buffer.data) and self._buffer.data[at] == 0x3A:
                return number
            raise self._buffer.error(at + 1, f"{number} is no length")
        return number
