"""Ring collectives and point-to-point transfers over a link of given bandwidth and latency."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer, non_negative, positive, real_array
from quire.signatures import checked

GIB = 2**30


@dataclass(frozen=True)
class Link:
    """A link: bytes a second and nanoseconds a message.

    Attributes
    ----------
    gib_per_s
        Bandwidth, in 2^30 bytes a second.
    latency_ns
        Of one message.
    """

    gib_per_s: float | int
    latency_ns: float | int = 0.0

    def __post_init__(self) -> None:
        positive("gib_per_s", self.gib_per_s)
        non_negative("latency_ns", self.latency_ns)

    @property
    def ns_per_byte(self) -> float:
        """Nanoseconds that one byte takes."""
        return 1e9 / (self.gib_per_s * GIB)

    def transfer_ns(self, size: Any) -> Any:
        """Return the time of one message of ``size`` bytes."""
        return self.latency_ns + np.asarray(size, dtype=np.float64) * self.ns_per_byte


@checked
def all_reduce_ns(size: Any, devices: int, link: Link) -> Any:
    """Return the time of a ring all-reduce: 2 (p-1) messages of size/p.

    Parameters
    ----------
    size
        Bytes of the vector that is summed, one number or an array.
    devices
        p, how many take part.
    link
        Between neighbours of the ring.
    """
    return 2 * _one_way(size, devices, link)


@checked
def reduce_scatter_ns(size: Any, devices: int, link: Link) -> Any:
    """Return the time of a ring reduce-scatter of ``size`` bytes: p-1 messages of size/p."""
    return _one_way(size, devices, link)


@checked
def all_gather_ns(share: Any, devices: int, link: Link) -> Any:
    """Return the time of a ring all-gather of ``share`` bytes from each: p-1 such messages."""
    return _one_way(np.asarray(share, dtype=np.float64) * devices, devices, link)


def _one_way(size: Any, devices: int, link: Link) -> Any:
    p = integer("devices", devices)
    sizes = real_array("size", np.atleast_1d(size), 1, least=0.0)
    cost = (p - 1) * (link.latency_ns + sizes / p * link.ns_per_byte)
    return cost if np.ndim(size) else cost[0]
