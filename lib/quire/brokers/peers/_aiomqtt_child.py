"""aiomqtt as a load: one publisher, one subscriber, at a rate; prints processor seconds a message.

Run by path with a port, a rate, seconds and bytes. Importing and connecting do not count.
"""

import asyncio
import json
import sys
import time


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
        print(
            json.dumps({"us": 1e6 * (time.process_time() - cpu) / received, "received": received})
        )


if __name__ == "__main__":
    words = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    try:
        import uvloop

        uvloop.run(_main(*words))
    except ImportError:
        asyncio.run(_main(*words))
