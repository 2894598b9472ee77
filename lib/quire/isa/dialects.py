"""The vendors' numbers and the vendors' differences, as data.

A dialect is a vendor's choice of the constants that the paper leaves open; a divergence is
something that no constant can express. Sources: the repository's specification (dialect tables),
its occupancy page, and public architecture guides (NVIDIA Turing, AMD RDNA3, Intel Xe-HPG, Apple
M1). The sixth constant is our reading: the paper's list was not seen whole.
"""

from dataclasses import dataclass, fields
from types import MappingProxyType

from quire.checks import integer
from quire.signatures import checked


@checked
@dataclass(frozen=True)
class Dialect:
    """One vendor's choice of the six constants.

    Attributes
    ----------
    name
        the vendor
    width
        lanes of a wave, W
    max_registers
        registers of a thread at most, R
    register_file
        bytes of a core's register file, F
    local_memory
        bytes of a core's local memory, S
    max_workgroup
        threads of a workgroup at most
    max_waves
        waves that a core keeps at most
    partitions
        equal parts of the register file: a wave's registers lie in one of them
    register_unit
        registers of a wave are given out in multiples of this

    Raises
    ------
    ValueError
        a name that is no text, a constant that is no integer of 1 or more.
    """

    name: str
    width: int
    max_registers: int
    register_file: int
    local_memory: int
    max_workgroup: int
    max_waves: int
    partitions: int = 1
    register_unit: int = 1

    def __post_init__(self) -> None:
        for constant in fields(self)[1:]:
            value = integer(constant.name, getattr(self, constant.name))
            object.__setattr__(self, constant.name, value)


DIALECTS = MappingProxyType(
    {
        "nvidia": Dialect("nvidia", 32, 255, 262144, 65536, 1024, 32, 4, 256),
        "amd": Dialect("amd", 64, 256, 524288, 65536, 1024, 32),
        "intel": Dialect("intel", 16, 128, 131072, 65536, 1024, 16),
        "apple": Dialect("apple", 32, 128, 212992, 61440, 1024, 24),
    }
)


@dataclass(frozen=True)
class Constant:
    """One of the six constants: its symbol, its field in `Dialect`, and its unit."""

    symbol: str
    says: str
    field: str
    unit: str


CONSTANTS = (
    Constant("W", "wave width", "width", "lanes"),
    Constant("R", "registers of a thread", "max_registers", "registers"),
    Constant("F", "register file of a core", "register_file", "bytes"),
    Constant("S", "local memory of a core", "local_memory", "bytes"),
    Constant("T", "workgroup limit", "max_workgroup", "threads"),
    Constant("O", "waves of a core (our reading)", "max_waves", "waves"),
)


@dataclass(frozen=True)
class Divergence:
    """Something in which the vendors truly differ, and what runs here to show it."""

    name: str
    nvidia: str
    amd: str
    intel: str
    apple: str
    shown_by: str


DIVERGENCES = (
    Divergence(
        "control flow",
        *("counter per thread", "EXEC mask by the compiler", "predication", "mask stack"),
        "four engines, one memory",
    ),
    Divergence("scalar unit", "no", "yes", "no", "no", "not executed here"),
    Divergence("memory levels", "4", "3", "3", "3", "latencies in the cost model"),
    Divergence(
        "matrix unit",
        *("warp fragments", "wave fragments", "systolic", "simdgroup"),
        "refused by name",
    ),
    Divergence(
        "memory ordering",
        *("axiomatic", "wait counters", "scoreboard", "asynchronous wait"),
        "race detector on the common core",
    ),
    Divergence("fixed function", "own", "own", "own", "own", "not executed here"),
)
