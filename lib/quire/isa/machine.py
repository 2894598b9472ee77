"""Running a kernel on the array engines: batches of workgroups, faults, counted events.

A batch is as many workgroups as fit the lane array; batches run one after another, which the
specification allows, since nothing orders workgroups. The lane array, the register file and the
program have a few fixed sizes, so that XLA compiles an engine once and not once per kernel.
"""

from dataclasses import dataclass
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int64, UInt32

from quire.isa.deviations import Deviation, deviations
from quire.isa.engines import control, interpreter
from quire.isa.engines.datapath import Batch, Slots, slots
from quire.isa.engines.liveness import uncertain
from quire.isa.engines.microcode import TRUE, Micro, lower, matrix, predicate_rows
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
    def efficiency(self) -> float:  # type: ignore[valid-type]  # a field is called float
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


def prepare(kernel: Kernel, launch: Launch, words: int) -> int:
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
    if words == 0:
        raise ValueError("memory is empty: pass at least one word")
    return local


def bucket(size: int, least: int) -> int:
    """The next power of two, so that few shapes are compiled."""
    return max(least, 1 << (size - 1).bit_length())


@dataclass(frozen=True)
class Shape:
    """The sizes that are compiled in: lanes, rows of registers, predicates and program, words."""

    lanes: int
    registers: int
    predicates: int
    program: int
    local: int
    device: int

    @property
    def rows(self) -> int:
        """Rows of the register file, predicates included."""
        return self.registers + self.predicates


def shape_for(
    kernel: Kernel, launch: Launch, rows: list[Micro], words: int, local: int, lanes: int
) -> Shape:
    """The compiled sizes that hold a launch; ``lanes`` is raised to one workgroup if it must."""
    stride = launch.waves * launch.wave_width
    lanes = max(lanes, bucket(stride, 256))
    return Shape(
        lanes=lanes,
        registers=33 if kernel.registers <= 32 else 256,
        predicates=predicate_rows(rows),
        program=bucket(len(rows) + 1, 256),
        local=bucket(max(16 * lanes, lanes // stride * ((local + 3) // 4)), 4096),
        device=bucket(words, next((size for size in (2**15, 2**17) if words <= size), 2**20)),
    )


def batch_for(
    launch: Launch,
    shape: Shape,
    local: int,
    words: int,
    schedule: Schedule,
    skip: bool,
    compat: Deviation,
    limit: int,
) -> Batch:
    """What all batches of a launch have in common."""
    stride = launch.waves * launch.wave_width
    i = np.int32
    # host scalars: they become arrays when an engine is called
    values: dict[str, Any] = {
        "width": i(launch.wave_width),
        "threads": i(launch.threads),
        "stride": i(stride),
        "each": i(shape.lanes // stride),
        "total": i(launch.workgroups),
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
        "limit": np.int64(limit),
        "until": np.int64(2**62),
    }
    return Batch(**values)


def until(batch: Batch, steps: int) -> Batch:
    """The same batch with another number of steps after which to stop."""
    return batch._replace(until=jnp.int64(steps))


@dataclass(frozen=True)
class Loaded:
    """A kernel made ready for the array engine and one launch: what is left is to run it."""

    kernel: Kernel
    rows: tuple[Micro, ...]
    program: interpreter.Program
    launch: Launch
    shape: Shape
    batch: Batch
    place: Slots
    words: int
    checked: bool
    limit: int

    def hold(self, memory: Memory) -> jax.Array:
        """Device memory in the size that the engine wants."""
        return jnp.array(np.pad(memory, (0, self.shape.device - memory.size)), copy=True)

    def begin(self, device: jax.Array) -> interpreter.State:
        """The state before the first step; ``device`` is used up when the state is advanced."""
        shape = self.shape
        sizes = (shape.rows, shape.registers, shape.local, shape.device, self.checked)
        return interpreter.start(self.batch, self.place, *sizes)._replace(device=device)

    def advance(self, state: interpreter.State, steps: int | None = None) -> interpreter.State:
        """Run until the launch ends, a fault happens, or ``steps`` steps are over in all."""
        batch = self.batch if steps is None else until(self.batch, steps)
        return interpreter.advance(
            state, self.program, batch, self.place, self.shape.registers, self.checked
        )

    def __call__(self, device: jax.Array) -> interpreter.State:
        """The state after a run on a copy of ``device``, which `hold` gave."""
        return self.advance(self.begin(jnp.array(device, copy=True)))

    def finish(self, state: interpreter.State) -> Outcome:
        """What a run left; raises the fault that the state carries, if any."""
        raise_faults(state, self)
        memory = np.asarray(state.device)[: self.words]
        return Outcome(memory, events_of(np.asarray(state.counters), self.launch))


def load_rows(
    rows: list[Micro],
    kernel: Kernel,
    launch: Launch,
    words: int,
    local: int,
    *,
    schedule: Schedule = LOCKSTEP,
    compat: Deviation | str | None = None,
    skip: bool = False,
    checked: bool = False,
    limit: int = STEP_LIMIT,
    lanes: int = 4096,
) -> Loaded:
    """Micro-operations made ready for a launch; the work behind `load` and if-conversion."""
    shape = shape_for(kernel, launch, rows, words, local, lanes)
    table = matrix(rows, shape.program, shape.registers)
    dirty = uncertain(rows, table, shape.registers + TRUE)
    clear = np.zeros(shape.rows, np.int32)
    clear[: dirty.size] = dirty
    program = interpreter.Program(jnp.asarray(table), jnp.asarray(clear), jnp.int32(dirty.size))
    switches = deviations(compat)
    batch = batch_for(launch, shape, local, words, schedule, skip, switches, limit)
    batch = jax.tree.map(jnp.asarray, batch)  # once, and not at every call
    place = slots(batch, shape.lanes)
    return Loaded(
        *(kernel, tuple(rows), program, launch, shape, batch, place, words, checked, limit)
    )


def load(kernel: Kernel, launch: Launch, words: int, **options: Any) -> Loaded:
    """A kernel made ready for device memory of ``words`` words; options as in `run`.

    Raises what `prepare` raises.
    """
    local = prepare(kernel, launch, words)
    rows = lower(kernel, deviations(options.get("compat")))
    return load_rows(rows, kernel, launch, words, local, **options)


def events_of(counters: Int64[np.ndarray, " counters"], launch: Launch) -> Events:
    """The interpreter's counters by name."""
    names = ("integer", "float", "memory", "control", "wave", "atomic", "useful", "slots")
    more = ("false_branches", "divergent_branches", "barriers", "atomic_lanes", "divisions_by_zero")
    counts = dict(zip(names + more, map(int, counters), strict=True))
    return Events(**counts, workgroups=launch.workgroups, waves=launch.workgroups * launch.waves)


def raise_faults(state: interpreter.State, loaded: Loaded) -> None:
    """Raise the fault that a state carries, if any."""
    kernel, rows, batch = loaded.kernel, loaded.rows, loaded.batch
    code, row, slot = (int(n) for n in np.asarray(state.error))
    status = np.asarray(state.status)
    width, stride = int(batch.width), int(batch.stride)
    if code:
        _raise(code, rows[row], slot, state, loaded)
    if (status == control.READY).any():
        at = rows[min(int(np.asarray(state.pc)[status == control.READY].min()), len(rows) - 1)]
        raise InstructionLimit(
            f"kernel {kernel.name!r} did not end within {loaded.limit} steps; it is at"
            f" {_where(at, kernel)}: look for a loop that no lane leaves"
        )
    waiting = np.flatnonzero(status == control.WAITING) * 8
    if waiting.size:
        group = int(waiting[0]) // stride
        own = waiting[waiting // stride == group]
        waves = sorted({int(slot) % stride // width for slot in own})
        raise Deadlock(
            f"workgroup {group + int(state.first)}: waves {waves} wait at a barrier that the"
            f" others never reach"
        )


def _where(row: Micro, kernel: Kernel) -> str:
    instruction = kernel.instructions[row.index]
    line = f" (line {instruction.line})" if instruction.line else ""
    return f"offset {instruction.offset}{line}, {instruction_text(instruction)}"


def _raise(code: int, row: Micro, slot: int, state: interpreter.State, loaded: Loaded) -> NoReturn:
    stride = int(loaded.batch.stride)
    who = f"thread {slot % stride} of workgroup {slot // stride + int(state.first)}"
    address = (int(np.asarray(state.file)[row.a, slot]) + row.imm * (row.memory < 3)) % 2**32
    where = _where(row, loaded.kernel)
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
    ``checked`` adds the race detector. ``limit`` is in steps of the machine and per batch of
    workgroups, ``lanes`` how many lanes run at once. Raises the named faults of
    `quire.isa.errors`.
    """
    loaded = load(
        *(kernel, launch, memory.size),
        schedule=schedule,
        compat=compat,
        skip=skip,
        checked=checked,
        limit=limit,
        lanes=lanes,
    )
    return loaded.finish(loaded.advance(loaded.begin(loaded.hold(memory))))
