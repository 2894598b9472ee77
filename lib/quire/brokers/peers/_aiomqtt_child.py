"""aiomqtt as a load: one publisher, one subscriber, at a rate; prints processor seconds a message.

Run by path with a port, a rate, seconds and bytes: one run for each line of its standard input.
Importing and connecting do not count.
"""

import asyncio
import json
import sys
import time

try:
    from uvloop import run
except ImportError:
    from asyncio import run  # type: ignore[assignment]


async def _main(port: int, rate: float, seconds: float, size: int) -> None:
    import aiomqtt

    count = int(rate * seconds)
    payload = bytes(size)
    received = 0
    async with (
        aiomqtt.Client("127.0.0.1", port) as reader,
        aiomqtt.Client("127.0.0.1", port) as writer,
    ):
        await reader.subscribe("q/aiomqtt/1")

        async def read() -> None:
            nonlocal received
            async for _ in reader.messages:
                received += 1
                if received == count:
                    return

        task = asyncio.create_task(read())
        begun, cpu = time.monotonic(), time.process_time()
        for k in range(count):
            await asyncio.sleep(max(0.0, begun + k / rate - time.monotonic()))
            await writer.publish("q/aiomqtt/1", payload)
        await asyncio.wait_for(task, 10)
        spent = time.process_time() - cpu
    print(json.dumps({"us": 1e6 * spent / received, "received": received}), flush=True)


if __name__ == "__main__":
    for _ in sys.stdin:
        run(_main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
