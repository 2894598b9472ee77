"""The library client aiomqtt (over paho), in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from quire.brokers.servers.running import Server
from quire.checks import integer, positive


def us_per_message(server: Server, *, rate_per_s: float, seconds: float, payload: int) -> float:
    """Return processor microseconds per message of a publisher and a subscriber together.

    Raises
    ------
    RuntimeError
        When the client fails.
    """
    program = str(Path(__file__).with_name("_aiomqtt_child.py"))
    words = [
        str(server.port),
        str(positive("rate_per_s", rate_per_s)),
        str(positive("seconds", seconds)),
        str(integer("payload", payload)),
    ]
    done = subprocess.run(
        [sys.executable, "-I", program, *words],
        capture_output=True,
        text=True,
        timeout=60 + 3 * seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"aiomqtt: {done.stderr.strip().splitlines()[-1:]}")
    return float(json.loads(done.stdout)["us"])
