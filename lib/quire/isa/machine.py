"""Running a kernel on the array engines: batches of workgroups, faults, counted events.

A batch is as many workgroups as fit the lane array; batches run one after another, which the
specification allows, since nothing orders workgroups. The lane array, the register file and the
program have a few fixed sizes, so that XLA compiles an engine once and not once per kernel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int64, UInt32

from quire.isa.deviations import Deviation, deviations
from quire.isa.engines import control, interpreter
from quire.isa.engines.datapath import Batch, slots
from quire.isa.engines.microcode import Micro, lower, matrix
from quire.isa.errors import (
    DataRace,
    Deadlock,
    DispatchRejected,
    DivergentBarrier,
    InstructionLimit,
    MachineFault,
    Misaligned,
    OutOfBounds,
    UnsupportedCapability,
)
from quire.isa.listing import instruction_text
from quire.isa.program import Kernel, Launch
from quire.isa.table import Kind

Memory = UInt32[np.ndarray, " words"]
LOCAL_LIMIT = 65536  # bytes of local memory that the core has
STEP_LIMIT = 10_000_000


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
            raise ValueError(f"schedule={self.kind!r} is neither 'lockstep' nor 'random'")
        if not 0 <= self.quantum <= 31:
            raise ValueError(f"quantum={self.quantum} must be between 0 and 31")


LOCKSTEP = Schedule()


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
    def efficiency(self) -> float:
        """Useful lane-instructions per issued lane slot."""
        return self.useful / max(self.slots, 1)

    def reference(self) -> dict[str, int]:
        """The counters under the names that the reference emulator prints."""
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
    """The device memory after a run, and what was counted on the way."""

    memory: Memory
    events: Events


def prepare(kernel: Kernel, launch: Launch, memory: Memory) -> int:
    """Check a launch and return its local memory in bytes.

    Raises `RegisterOutOfRange`, `UnsupportedCapability`, and `DispatchRejected` for resources that
    the core does not have.
    """
    kernel.check_registers()
    for instruction in kernel.instructions:
        if instruction.operation.kind is Kind.MATRIX:
            raise UnsupportedCapability(
                f"{instruction.mnemonic} needs matrix units and this machine reports none:"
                " query sr_mma_supported first"
            )
    if any(kernel.workgroup) and kernel.workgroup != launch.workgroup:
        raise DispatchRejected(
            f"workgroup={launch.workgroup}, but kernel {kernel.name!r} asks for {kernel.workgroup}"
        )
    local = kernel.local_bytes if launch.local_bytes is None else launch.local_bytes
    if not 0 <= local <= LOCAL_LIMIT:
        raise DispatchRejected(f"local_bytes={local} is beyond the core's {LOCAL_LIMIT}")
    if memory.size == 0:
        raise ValueError("memory is empty: pass at least one word")
    return local


def bucket(size: int, least: int) -> int:
    """The next power of two, so that few shapes are compiled."""
    return max(least, 1 << (size - 1).bit_length())


@dataclass(frozen=True)
class Shape:
    """The sizes that are compiled in: lanes, rows of registers and program, words of memories."""

    lanes: int
    rows: int
    program: int
    local: int
    device: int


def shape_for(
    kernel: Kernel, launch: Launch, rows: int, words: int, local: int, lanes: int
) -> Shape:
    """The compiled sizes that hold a launch; ``lanes`` is raised to one workgroup if it must."""
    stride = launch.waves * launch.wave_width
    lanes = max(lanes, bucket(stride, 256))
    return Shape(
        lanes=lanes,
        rows=33 if kernel.registers <= 32 else 256,
        program=bucket(rows + 1, 256),
        local=bucket(max(16 * lanes, lanes // stride * ((local + 3) // 4)), 4096),
        device=bucket(words, 32768),
    )


def batches(
    launch: Launch,
    shape: Shape,
    local: int,
    words: int,
    schedule: Schedule,
    skip: bool,
    compat: Deviation,
) -> Iterator[Batch]:
    """One `Batch` after another until every workgroup of the grid has had its turn."""
    stride = launch.waves * launch.wave_width
    each = shape.lanes // stride
    for first in range(0, launch.workgroups, each):
        i = np.int32
        # host scalars: they become arrays when an engine is called
        values: dict[str, Any] = {
            "width": i(launch.wave_width),
            "threads": i(launch.threads),
            "stride": i(stride),
            "groups": i(min(each, launch.workgroups - first)),
            "first": i(first),
            "workgroup": np.array(launch.workgroup, np.int32),
            "grid": np.array(launch.grid, np.int32),
            "local_bytes": i(local),
            "local_words": i(-(-local // 4)),
            "device_bytes": np.int64(4 * words),
            "seed": np.uint32(schedule.seed % 2**32),
            "scatter": i(schedule.kind == "random"),
            "quantum": i(schedule.quantum),
            "skip": i(skip),
            "deviation": i(int(compat)),
            "until": np.int64(STEP_LIMIT),
        }
        yield Batch(**values)


def until(batch: Batch, steps: int) -> Batch:
    """The same batch with another number of steps after which to stop."""
    limit: Any = np.int64(steps)
    return batch._replace(until=limit)


def execute(
    rows: list[Micro],
    kernel: Kernel,
    launch: Launch,
    memory: Memory,
    *,
    schedule: Schedule,
    compat: Deviation | str | None,
    skip: bool,
    checked: bool,
    limit: int,
    lanes: int,
) -> Outcome:
    """Run micro-operations on the array engine; the work behind `run` and if-conversion."""
    local = prepare(kernel, launch, memory)
    shape = shape_for(kernel, launch, len(rows), memory.size, local, lanes)
    code = jnp.asarray(matrix(rows, shape.program, shape.rows - 1))
    device = jnp.array(np.pad(memory, (0, shape.device - memory.size)), copy=True)
    total = np.zeros(control.COUNTERS, np.int64)
    touched, groups = None, 0
    for batch in batches(launch, shape, local, memory.size, schedule, skip, deviations(compat)):
        batch = until(batch, limit)
        if int(batch.groups) != groups:
            groups, place = int(batch.groups), slots(batch, shape.lanes)
        state = interpreter.start(batch, place, shape.rows, shape.local, shape.device, checked)
        state = state._replace(device=device)
        if touched is not None:
            state = state._replace(device_touched=touched)
        state = interpreter.advance(state, code, batch, place, checked)
        raise_faults(state, batch, kernel, rows, limit)
        total += np.asarray(state.counters)
        device = state.device
        touched = state.device_touched if checked else None
    return Outcome(np.asarray(device)[: memory.size], events_of(total, launch))


def events_of(counters: Int64[np.ndarray, " counters"], launch: Launch) -> Events:
    """The interpreter's counters by name."""
    names = ("integer", "float", "memory", "control", "wave", "atomic", "useful", "slots")
    more = ("false_branches", "divergent_branches", "barriers", "atomic_lanes", "divisions_by_zero")
    counts = dict(zip(names + more, map(int, counters), strict=True))
    return Events(**counts, workgroups=launch.workgroups, waves=launch.workgroups * launch.waves)


def raise_faults(
    state: interpreter.State, batch: Batch, kernel: Kernel, rows: list[Micro], limit: int
) -> None:
    """Raise the fault that a state carries, if any."""
    code, row, slot = (int(n) for n in np.asarray(state.error))
    status = np.asarray(state.status)
    width = int(batch.width)
    if code:
        _raise(code, rows[row], slot, state, batch, kernel)
    if (status == control.READY).any():
        at = rows[min(int(np.asarray(state.pc)[status == control.READY].min()), len(rows) - 1)]
        raise InstructionLimit(
            f"kernel {kernel.name!r} did not end within {limit} steps; it is at"
            f" {_where(at, kernel)}: look for a loop that no lane leaves"
        )
    waiting = np.flatnonzero(status == control.WAITING) * 8
    if waiting.size:
        group = int(waiting[0]) // int(batch.stride)
        waves = sorted(
            {
                int(w) % int(batch.stride) // width
                for w in waiting
                if w // int(batch.stride) == group
            }
        )
        raise Deadlock(
            f"workgroup {group + int(batch.first)}: waves {waves} wait at a barrier that the"
            f" others never reach"
        )


def _where(row: Micro, kernel: Kernel) -> str:
    instruction = kernel.instructions[row.index]
    line = f" (line {instruction.line})" if instruction.line else ""
    return f"offset {instruction.offset}{line}, {instruction_text(instruction)}"


def _raise(
    code: int,
    row: Micro,
    slot: int,
    state: interpreter.State,
    batch: Batch,
    kernel: Kernel,
) -> NoReturn:
    stride = int(batch.stride)
    who = f"thread {slot % stride} of workgroup {slot // stride + int(batch.first)}"
    address = (int(np.asarray(state.registers)[row.a, slot]) + row.imm * (row.memory < 3)) % 2**32
    where = _where(row, kernel)
    kind, what = {
        control.OUTSIDE: (OutOfBounds, f"address {address} is outside of its memory"),
        control.CROOKED: (Misaligned, f"address {address} is no multiple of {row.width}"),
        control.SPLIT_BARRIER: (
            *(DivergentBarrier, "this lane is alive but does not reach the barrier of its wave"),
        ),
        control.RACE: (DataRace, f"address {address} is shared with no barrier between"),
    }[code]
    fault: type[MachineFault] = kind
    raise fault(f"{who} at {where}: {what}")


def run(
    kernel: Kernel,
    launch: Launch,
    memory: Memory,
    *,
    schedule: Schedule = LOCKSTEP,
    compat: Deviation | str | None = None,
    skip: bool = False,
    checked: bool = False,
    limit: int = STEP_LIMIT,
    lanes: int = 4096,
) -> Outcome:
    """Run a kernel on the array interpreter (divergence by a mask stack).

    ``memory`` is the whole device memory as 32-bit words and is left alone. ``compat`` switches
    deviations of the reference on. ``skip`` lets a wave jump over blocks that none of its lanes
    enters; without it events are counted as the reference counts them, which never skips.
    ``checked`` adds the race detector. ``limit`` is in steps of the machine, ``lanes`` how many
    lanes run at once. Raises the named faults of `quire.isa.errors`.
    """
    rows = lower(kernel, deviations(compat))
    return execute(
        rows,
        kernel,
        launch,
        memory,
        schedule=schedule,
        compat=compat,
        skip=skip,
        checked=checked,
        limit=limit,
        lanes=lanes,
    )
