"""A null broker: frames go from publishers to subscribers of a topic, and nothing else happens.

It is the floor under every broker: one loop, two sockets a message, no protocol worth its name.
Publishing to topic 0 sends the frame back to its sender, which makes the relay an echo. Run by path
with a port; imports nothing of ours, so that it starts at once.
"""

import asyncio
import contextlib
import socket
import struct
import sys
from typing import Any

_HEAD = struct.Struct("<cII")
_TOPICS: dict[int, list[Any]] = {}


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:  # uvloop has a class of its own
        self.transport = transport
        self.held = bytearray()
        self.topics: list[int] = []
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        held = self.held
        held += data
        at = 0
        while len(held) - at >= 9:
            letter, topic, length = _HEAD.unpack_from(held, at)
            end = at + 9 + length
            if len(held) < end:
                break
            if letter == b"P":
                out = b"M" + bytes(held[at + 1 : end])
                for subscriber in _TOPICS.get(topic, ()) if topic else (self.transport,):
                    subscriber.write(out)
            else:
                if letter == b"S":
                    _TOPICS.setdefault(topic, []).append(self.transport)
                    self.topics.append(topic)
                self.transport.write(_HEAD.pack(b"K", topic, 0))
            at = end
        del held[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        for topic in self.topics:
            _TOPICS[topic].remove(self.transport)


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        _Connection, "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(ImportError, KeyboardInterrupt):
        import uvloop

        uvloop.run(_main(int(sys.argv[1])))
        sys.exit(0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(int(sys.argv[1])))
