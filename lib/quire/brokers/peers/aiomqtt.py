"""The library client aiomqtt (over paho), in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from quire.brokers.servers.running import Server
from quire.checks import integer, positive


@contextmanager
def client(
    server: Server, *, rate_per_s: float, seconds: float, payload: int
) -> Iterator[Callable[[], float]]:
    """Start the client's process, and yield a function that runs the load once.

    It returns processor microseconds per message of a publisher and a subscriber together, and
    raises RuntimeError when the client fails.
    """
    program = str(Path(__file__).with_name("_aiomqtt_child.py"))
    words = [
        str(server.port),
        str(positive("rate_per_s", rate_per_s)),
        str(positive("seconds", seconds)),
        str(integer("payload", payload)),
    ]
    process = subprocess.Popen(
        [sys.executable, "-I", program, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None

        def us_per_message() -> float:
            try:
                stdin.write("\n")
                stdin.flush()
                line = stdout.readline()
            except BrokenPipeError:
                line = ""
            if not line:
                process.kill()
                raise RuntimeError(f"aiomqtt: {stderr.read().strip().splitlines()[-1:]}")
            return float(json.loads(line)["us"])

        try:
            yield us_per_message
        finally:
            process.kill()
