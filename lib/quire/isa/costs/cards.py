"""Cards: what was measured on a machine, or is published of it.

Facts come from micro-benchmarks or data sheets; nothing in this file is fitted. A card whose facts
were not measured here is given as a range (`Range`), and its predictions are ranges as well.
"""

from dataclasses import dataclass
from types import MappingProxyType

from quire.isa.costs.critical_path import Latencies


@dataclass(frozen=True)
class Card:
    """One GPU, in cycles of its clock unless said otherwise.

    Attributes
    ----------
    name
        the card
    cores
        streaming multiprocessors, or whatever runs a workgroup
    clock
        GHz
    bandwidth
        GB/s of device memory
    cache
        bytes of the last cache before device memory
    cache_latency, device_latency
        of a load that is served there
    issue
        wave-instructions that a core starts in a cycle
    pass_width
        words that a core's local memory serves in a cycle, relative to a whole wave
    max_waves
        waves that a core keeps
    latencies
        of everything else
    """

    name: str
    cores: int
    clock: float
    bandwidth: float
    cache: int
    cache_latency: float
    device_latency: float
    issue: float
    pass_width: float
    max_waves: int
    latencies: Latencies


def _hopper(name: str, bandwidth: float, cache: int, near: float, far: float) -> Card:
    """Return a Hopper card from its measured latencies (data/golden, hopper/*_latency.csv)."""
    latencies = Latencies(4.05, 29.0, 36.97, 12.0, 2.0)
    return Card(name, 132, 1.98, bandwidth, cache, near, far, 4.0, 1.0, 64, latencies)


# bandwidths are those of the data sheets, 3.35 and 4.8 TB/s
H100 = _hopper("H100", 3350.0, 52428800, 283.2, 684.4)
H200 = _hopper("H200", 4800.0, 62914560, 287.7, 662.8)
MEASURED = MappingProxyType({"h100": H100, "h200": H200})
