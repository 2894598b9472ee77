"""What every engine takes and gives: one set of options, one outcome, one protocol.

An engine is a way to treat lanes that disagree. All of them run the same kernels to the same
memory; they differ in which options they can honour. An option that an engine does not know is
refused (`UnsupportedOption`) and never ignored.
"""

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt32

from quire.checks import instance, integer
from quire.isa.deviations import CONTROL_FLOW, Deviation, deviations
from quire.isa.errors import DispatchRejected, UnsupportedCapability, UnsupportedOption
from quire.isa.program import LOCAL_LIMIT, Kernel, Launch
from quire.isa.structure import analyse
from quire.isa.table import Kind
from quire.signatures import checked

Memory = UInt32[np.ndarray, " words"]
STEP_LIMIT = 10_000_000
MOST_WORDS = 2**30  # addresses have 32 bits
MOST_LANES = 2**20
QUICKLY = MappingProxyType({"xla_backend_optimization_level": 0})
"""Options for code that is compiled to run a few times: a quarter less to compile."""


@checked
@dataclass(frozen=True)
class Schedule:
    """In which order waves step.

    ``"lockstep"`` keeps all waves together; ``"random"`` draws with ``seed`` one wave of each
    workgroup to run until the next barrier, or until 2**``quantum`` steps are over.
    """

    kind: str = "lockstep"
    seed: int = 0
    quantum: int = 31

    def __post_init__(self) -> None:
        if self.kind not in ("lockstep", "random"):
            raise ValueError(f"schedule = {self.kind!r}: 'lockstep' or 'random'")
        object.__setattr__(self, "seed", integer("seed", self.seed, 0, 2**63 - 1))
        object.__setattr__(self, "quantum", integer("quantum", self.quantum, 0, 31))


LOCKSTEP = Schedule()


@checked
@dataclass(frozen=True)
class RunOptions:
    """How to run a kernel.

    Attributes
    ----------
    schedule
        the order in which waves step.
    compat
        deviations of the reference to imitate: None, a `Deviation`, or ``REFERENCE``.
    skip_empty
        let a wave jump over blocks that none of its lanes enters. Without it events are
        counted as the reference counts them, which never skips.
    detect_races
        stop at the first data race.
    limit
        steps that one batch of workgroups may take.
    lanes
        how many lanes an array engine runs at once (a power of two); results do not depend
        on it, and compiled code, which runs all lanes at once, has no use for it.
    """

    schedule: Schedule = LOCKSTEP
    compat: Deviation | str | None = None
    skip_empty: bool = False
    detect_races: bool = False
    limit: int = STEP_LIMIT
    lanes: int = 4096

    def __post_init__(self) -> None:
        deviations(self.compat)
        lanes = integer("lanes", self.lanes, 0)
        if not 256 <= lanes <= MOST_LANES or lanes & (lanes - 1):
            raise ValueError(f"lanes = {lanes}: a power of two from 256 to {MOST_LANES}")
        object.__setattr__(self, "lanes", lanes)
        object.__setattr__(self, "limit", integer("limit", self.limit, 1, 2**62 - 1))

    @property
    def switches(self) -> Deviation:
        """The deviations to imitate, as switches."""
        return deviations(self.compat)


DEFAULTS = RunOptions()


@dataclass(frozen=True)
class Events:
    """What one run executed, in wave-instructions unless said otherwise.

    The classes are those of the reference emulator's counters. ``atomics`` adds one per lane to
    the atomic wave-instructions, and ``false_branches`` counts an if that any active lane fails,
    both as the reference counts; ``divergent_branches`` counts an if with active lanes on both
    sides. ``useful`` are lane-instructions of active lanes, ``slots`` those that were issued.
    """

    integer: int
    float: int
    memory: int
    control: int
    wave: int
    atomic: int
    useful: int
    slots: int
    false_branches: int
    divergent_branches: int
    barriers: int
    atomic_lanes: int
    divisions_by_zero: int
    workgroups: int
    waves: int

    @property
    def instructions(self) -> int:
        """All wave-instructions."""
        return self.integer + self.float + self.memory + self.control + self.wave + self.atomic

    @property
    def atomics(self) -> int:
        """Atomic wave-instructions plus atomic lanes, the reference's figure."""
        return self.atomic + self.atomic_lanes

    @property
    def efficiency(self) -> float:  # type: ignore[valid-type]  # a field is called float
        """Useful lane-instructions per issued lane slot."""
        return self.useful / max(self.slots, 1)

    def reference(self) -> dict[str, int]:
        """Return the counters under the names that the reference emulator prints."""
        return {
            "Instructions executed": self.instructions,
            "Integer ops": self.integer,
            "Float ops": self.float,
            "Memory ops": self.memory,
            "Control ops": self.control,
            "Wave ops": self.wave,
            "Atomic ops": self.atomics,
            "Barriers": self.barriers,
            "Divergent branches": self.false_branches,
            "Workgroups executed": self.workgroups,
            "Waves executed": self.waves,
        }


@dataclass(frozen=True)
class Outcome:
    """The device memory after a run, and what was counted on the way (None: nothing is counted)."""

    memory: Memory
    counted: Events | None = None

    @property
    def events(self) -> Events:
        """The counted events.

        Raises
        ------
        ValueError
            the engine counts nothing.
        """
        if self.counted is None:
            raise ValueError("events: this engine counts none, the mask stack does")
        return self.counted


@runtime_checkable
class Engine(Protocol):
    """A mechanism of divergence.

    ``honours`` are the options that it acts on beyond ``lanes``, ``imitates`` the deviations of the
    reference that it can switch on.
    """

    name: str
    honours: frozenset[str]
    imitates: Deviation

    def run(
        self, kernel: Kernel, launch: Launch, memory: np.ndarray, options: RunOptions = DEFAULTS
    ) -> Outcome:
        """Run a launch on a copy of ``memory``, the whole device memory as 32-bit words.

        Raises the named faults of `quire.isa.errors`.
        """
        ...


def admit(
    engine: Engine, kernel: Kernel, launch: Launch, memory: np.ndarray, options: RunOptions
) -> int:
    """Check a run before it starts, also as `prepare` does; return its local memory in bytes.

    Raises
    ------
    UnsupportedOption
        the engine cannot do what an option asks.
    """
    instance("kernel", kernel, Kernel)
    instance("options", options, RunOptions)
    for option in fields(RunOptions):
        asked = getattr(options, option.name) != option.default
        if asked and option.name not in engine.honours | {"lanes", "compat"}:
            raise UnsupportedOption(
                f"{option.name} = {getattr(options, option.name)!r}: the engine"
                f" {engine.name!r} cannot do that, the mask stack can"
            )
    missing = options.switches & visible_deviations(kernel) & ~engine.imitates
    if missing:
        raise UnsupportedOption(
            f"compat = {missing!r}: the engine {engine.name!r} has no mask stack to mistreat, run"
            f" it on the mask stack"
        )
    return prepare(kernel, launch, memory)


def visible_deviations(kernel: Kernel) -> Deviation:
    """Return the deviations that a kernel's control flow can show, and all those of values."""
    seen = ~CONTROL_FLOW
    structure = analyse(kernel.instructions)
    for index, instruction in enumerate(kernel.instructions):
        if instruction.mnemonic == "continue":
            seen |= Deviation.CONTINUE
        if instruction.mnemonic == "break" and structure.outer_if[index] >= 0:
            seen |= Deviation.BREAK_IN_IF
    return seen


def prepare(kernel: Kernel, launch: Launch, memory: np.ndarray) -> int:
    """Check a launch and return its local memory in bytes.

    The kernel's registers are checked as well (`Kernel.check_registers`).

    Raises
    ------
    UnsupportedCapability
        the kernel needs matrix units.
    DispatchRejected
        the launch asks for resources that the core does not have.
    ValueError
        the kernel is empty, or ``memory`` is no line of unsigned 32-bit words.
    """
    instance("kernel", kernel, Kernel)
    instance("launch", launch, Launch)
    if not kernel.instructions:
        raise ValueError(f"kernel {kernel.name!r} is empty: at least one instruction")
    kernel.check_registers()
    for instruction in kernel.instructions:
        if instruction.operation.kind is Kind.MATRIX:
            raise UnsupportedCapability(
                f"{instruction.mnemonic} needs matrix units and this machine reports none:"
                " query sr_mma_supported first"
            )
    if any(kernel.workgroup) and kernel.workgroup != launch.workgroup:
        raise DispatchRejected(
            f"workgroup = {launch.workgroup}: kernel {kernel.name!r} asks for {kernel.workgroup}"
        )
    local = kernel.local_bytes if launch.local_bytes is None else launch.local_bytes
    if not 0 <= local <= LOCAL_LIMIT:
        raise DispatchRejected(f"local_bytes = {local}: the core has {LOCAL_LIMIT}")
    if not isinstance(memory, np.ndarray) or memory.dtype != np.uint32 or memory.ndim != 1:
        kind = getattr(memory, "dtype", type(memory).__name__)
        shape = getattr(memory, "shape", "")
        raise ValueError(f"memory = {kind}{shape}: a NumPy array of uint32 with one axis")
    if not 1 <= memory.size <= MOST_WORDS:
        raise ValueError(f"memory = {memory.size} words: at least 1, at most {MOST_WORDS}")
    return local
