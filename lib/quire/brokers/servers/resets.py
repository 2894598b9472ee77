"""A proxy of ours that cuts connections: how often, how long, and how many times it did."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quire.brokers.servers.running import Launch, Server, new_folder, running
from quire.checks import integer, non_negative, positive
from quire.ports import free_port
from quire.signatures import checked


@checked
@contextmanager
def resetting(
    broker: Server, *, up_s: float, down_s: float, seed: int = 0, random: bool = False
) -> Iterator[Server]:
    """Run a proxy in front of a broker that resets all connections again and again.

    Parameters
    ----------
    broker
        Whom it calls.
    up_s, down_s
        Seconds between the end of one outage and the next (MTTF), and of an outage (MTTR).
    seed, random
        Whether the times up are exponential, and out of which seed.

    Raises
    ------
    ValueError
        For times that are not positive.
    """
    port = free_port()
    spec = {
        "port": port,
        "broker": broker.port,
        "up_s": positive("up_s", up_s),
        "down_s": non_negative("down_s", down_s),
        "seed": integer("seed", seed, 0),
        "random": bool(random),
    }
    program = str(Path(__file__).with_name("_resets.py"))
    launch = Launch(((sys.executable, "-I", program, json.dumps(spec)),), port)
    with running("resetting proxy", launch, new_folder("resets")) as proxy:
        yield proxy


@checked
def outages(proxy: Server) -> int:
    """Return how often the proxy has cut its connections."""
    try:
        return (proxy.folder / "server.log").read_text().count("down")
    except OSError:
        return 0
