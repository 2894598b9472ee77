"""redis-benchmark, Redis' own load generator, at a rate: it publishes and nobody listens."""

import subprocess
import time

from quire.brokers.servers.running import Server
from quire.checks import integer, positive


def us_per_publish(
    server: Server, program: str, *, messages: int, payload: int, clients: int
) -> tuple[float, float]:
    """Return the server's processor microseconds per PUBLISH, and how many it did a second.

    Raises
    ------
    RuntimeError
        When the program fails.
    """
    count = integer("messages", messages)
    words = ["-h", "127.0.0.1", "-p", str(server.port), "-c", str(integer("clients", clients))]
    size = integer("payload", payload)
    before, begun = server.usage().cpu_s, time.monotonic()
    done = subprocess.run(
        [program, *words, "-n", str(count), "-q", "PUBLISH", "q/benchmark", "x" * size],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    seconds = positive("seconds", time.monotonic() - begun)
    if done.returncode:
        raise RuntimeError(f"redis-benchmark: {done.stderr.strip()[-200:]}")
    return 1e6 * (server.usage().cpu_s - before) / count, count / seconds
