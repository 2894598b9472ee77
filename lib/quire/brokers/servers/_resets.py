"""A proxy that resets every connection from time to time; run by path with one line of JSON.

Arguments: its port, the broker's port, mean seconds up, seconds down, a seed, and whether the times
up are all equal or exponential. While it is down it accepts nobody. A reset is a close with
``SO_LINGER`` 0, so that unsent and unread bytes are lost, as when a link breaks.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import sys


class _Proxy:
    def __init__(self, spec: dict) -> None:
        self.spec = spec
        self.random = random.Random(spec["seed"])
        self.writers: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        while True:
            server = await asyncio.start_server(
                self.relay, "127.0.0.1", self.spec["port"], backlog=1024
            )
            up = self.spec["up_s"]
            await asyncio.sleep(self.random.expovariate(1 / up) if self.spec["random"] else up)
            server.close()
            for writer in list(self.writers):
                _reset(writer)
            self.writers.clear()
            await server.wait_closed()
            print("down", flush=True)
            await asyncio.sleep(self.spec["down_s"])

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", self.spec["broker"])
        except OSError:
            _reset(writer)
            return
        self.writers |= {writer, inner}
        await asyncio.gather(_copy(reader, inner), _copy(inner_reader, writer))
        for one in (writer, inner):
            self.writers.discard(one)
            one.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, AttributeError):
        found = writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


if __name__ == "__main__":
    asyncio.run(_Proxy(json.loads(sys.argv[1])).serve())
