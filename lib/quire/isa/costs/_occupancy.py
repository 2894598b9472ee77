"""Dialects: the numbers in which the four vendors differ, and how many waves they keep resident."""

from dataclasses import dataclass
from types import MappingProxyType

from quire.isa.errors import DispatchRejected
from quire.isa.program import Launch


@dataclass(frozen=True)
class Dialect:
    """One machine's constants; latencies and atomic rates are assumptions (ours).

    Public figures: NVIDIA T4 (Turing white paper), Apple M1 (8 cores, 2.6 TFLOP/s, 68 GB/s), AMD
    RDNA3 and Intel Xe-HPG from the vendors' architecture guides; register files and limits are
    those of the repository's occupancy page.
    """

    name: str
    width: int  # lanes per wave
    max_registers: int  # per thread
    register_file: int  # bytes per core
    local_memory: int  # bytes per core
    max_waves: int  # resident per core
    cores: int
    lanes: int  # single-precision lanes per core
    clock: float  # GHz
    bandwidth: float  # GB/s of device memory
    banks: int = 32  # of local memory, each 4 bytes wide
    local_latency: float = 30.0  # cycles, assumed
    device_latency: float = 450.0  # cycles, assumed
    shuffle_latency: float = 10.0  # cycles, assumed
    barrier_latency: float = 40.0  # cycles, assumed
    atomic_rate: float = 1.0  # lane atomics per core and cycle at one address, assumed


DIALECTS = MappingProxyType(
    {
        "nvidia": Dialect("nvidia", 32, 255, 262144, 65536, 32, 40, 64, 1.59, 320.0),
        "amd": Dialect("amd", 64, 256, 524288, 65536, 32, 96, 64, 2.5, 960.0),
        "intel": Dialect("intel", 16, 128, 131072, 65536, 16, 512, 8, 2.1, 560.0),
        "apple": Dialect("apple", 32, 128, 212992, 61440, 24, 8, 128, 1.278, 68.0),
    }
)


def occupancy(register_file: int, registers: int, width: int) -> int:
    """Return the waves that a register file holds: ``floor(F / (4 R W))`` (spec., section 2.4).

    Raises
    ------
    ValueError
        a size below 1.
    """
    if min(register_file, registers, width) < 1:
        raise ValueError(
            f"register_file = {register_file}, registers = {registers}, width = {width}: all at"
            " least 1"
        )
    return register_file // (registers * width * 4)


def register_budget(register_file: int, waves: int, width: int) -> int:
    """Return the registers a thread that leave room for ``waves``: ``floor(F / (4 O W))``."""
    return occupancy(register_file, waves, width)


def resident_waves(dialect: Dialect, registers: int, launch: Launch, local_bytes: int = 0) -> int:
    """Waves of a kernel on one core: the least of register file, wave limit and local memory.

    Whole workgroups only; the specification omits the factor of waves per workgroup in the last
    bound, without which the units do not match (ours).

    Raises
    ------
    DispatchRejected
        not one workgroup fits.
    """
    waves = -(-launch.threads // dialect.width)
    if registers > dialect.max_registers:
        raise DispatchRejected(
            f"registers = {registers}: {dialect.name} has {dialect.max_registers} per thread"
        )
    limits = [occupancy(dialect.register_file, registers, dialect.width), dialect.max_waves]
    workgroups = min(limits) // waves
    if local_bytes:
        workgroups = min(workgroups, dialect.local_memory // local_bytes)
    if workgroups == 0:
        raise DispatchRejected(
            f"a workgroup of {waves} waves with {registers} registers and {local_bytes} bytes of"
            f" local memory does not fit on one {dialect.name} core"
        )
    return workgroups * waves
