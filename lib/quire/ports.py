"""Ports of the loopback interface on which a server can be started."""

import contextlib
import random
import socket
import threading
from collections import deque
from pathlib import Path

from quire.checks import integer

_FINDING = threading.Lock()
_GIVEN: deque[int] = deque(maxlen=200)
_LOWEST = 10_000
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(count: int = 1) -> int:
    """Return the first of ``count`` successive ports of 127.0.0.1 that nobody uses now.

    A server takes its port some time after it was found. So the ports lie below those from which
    the system serves outgoing calls (a client of another program would take one meanwhile), are
    drawn at random (other programs look for ports, too), and were not given out lately.

    Raises
    ------
    OSError
        When a thousand draws find none.
    """
    integer("count", count, 1, 1_000)
    draw = random.SystemRandom()
    with _FINDING:
        for _ in range(1_000):
            first = draw.randrange(_LOWEST, _first_outgoing() - count)
            ports = range(first, first + count)
            if not any(port in _GIVEN for port in ports) and all(map(is_free, ports)):
                _GIVEN.extend(ports)
                return first
    raise OSError(f"no {count} successive ports of 127.0.0.1 are free: end a server of yours")


def is_free(port: int) -> bool:
    """Return whether a server could take a port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def _first_outgoing() -> int:
    """Return the least port that outgoing calls are given; IANA's where the system tells none."""
    try:
        least = int(_OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 49_152
    return least if least > _LOWEST + 2_000 else 65_536
