"""Running a launch on the array interpreter: loading, faults by name, counted events."""

from dataclasses import dataclass
from typing import NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int64

from quire.isa.engines.array import control, interpreter
from quire.isa.engines.array.datapath import Batch, Slots, slots
from quire.isa.engines.array.layout import Shape, batch_for, shape_for, until
from quire.isa.engines.array.liveness import uncertain
from quire.isa.engines.array.microcode import TRUE, Micro, lower, matrix
from quire.isa.engines.protocol import DEFAULTS, Events, Memory, Outcome, RunOptions, prepare
from quire.isa.errors import (
    DataRace,
    Deadlock,
    DivergentBarrier,
    InstructionLimit,
    MachineFault,
    Misaligned,
    OutOfBounds,
)
from quire.isa.program import Kernel, Launch
from quire.isa.text.disassembler import instruction_text


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
        """Return the state before the first step; advancing it uses ``device`` up."""
        shape = self.shape
        sizes = (shape.rows, shape.registers, shape.local, shape.device, self.checked)
        return interpreter.start(self.batch, self.place, *sizes)._replace(device=device)

    def advance(self, state: interpreter.State, steps: int | None = None) -> interpreter.State:
        """Run until the launch ends, a fault happens, or ``steps`` steps are over in all."""
        batch = self.batch if steps is None else until(self.batch, steps)
        made = interpreter.Made(self.shape.registers, self.checked, self.shape.every)
        return interpreter.advance(state, self.program, batch, self.place, made)

    def __call__(self, device: jax.Array) -> interpreter.State:
        """Return the state after a run on a copy of ``device``, which `hold` gave."""
        return self.advance(self.begin(jnp.array(device, copy=True)))

    def finish(self, state: interpreter.State) -> Outcome:
        """Return what a run left; raises the fault that the state carries, if any."""
        raise_faults(state, self)
        memory = np.asarray(state.device)[: self.words]
        return Outcome(memory, events_of(np.asarray(state.counters), self.launch))


def load_rows(
    rows: list[Micro],
    kernel: Kernel,
    launch: Launch,
    words: int,
    local: int,
    options: RunOptions = DEFAULTS,
) -> Loaded:
    """Micro-operations made ready for a launch; the work behind `load` and if-conversion."""
    shape = shape_for(kernel, launch, rows, words, local, options.lanes)
    table = matrix(rows, shape.program, shape.registers)
    dirty = uncertain(rows, table, shape.registers + TRUE)
    clear = np.zeros(shape.rows, np.int32)
    clear[: dirty.size] = dirty
    program = interpreter.Program(jnp.asarray(table), jnp.asarray(clear), jnp.int32(dirty.size))
    batch = batch_for(launch, shape, local, words, options)
    batch = jax.device_put(batch)  # once, and not at every call
    place = slots(batch, shape.lanes)
    checked, limit = options.detect_races, options.limit
    return Loaded(kernel, tuple(rows), program, launch, shape, batch, place, words, checked, limit)


def load(kernel: Kernel, launch: Launch, memory: Memory, options: RunOptions = DEFAULTS) -> Loaded:
    """Return a kernel made ready for the mask stack and a device memory of that size.

    Raises what `quire.isa.engines.protocol.prepare` raises.
    """
    local = prepare(kernel, launch, memory)
    return load_rows(lower(kernel, options.switches), kernel, launch, memory.size, local, options)


def events_of(counters: Int64[np.ndarray, " counters"], launch: Launch) -> Events:
    """Return the interpreter's counters by name."""
    names = ("integer", "float", "memory", "control", "wave", "atomic", "useful", "slots")
    more = ("false_branches", "divergent_branches", "barriers", "atomic_lanes", "divisions_by_zero")
    counts = dict(zip(names + more, map(int, counters), strict=True))
    return Events(**counts, workgroups=launch.workgroups, waves=launch.workgroups * launch.waves)


def raise_faults(state: interpreter.State, loaded: Loaded) -> None:
    """Raise the fault that a state carries, if any.

    Raises
    ------
    InstructionLimit
        a wave could go on when the allowance of steps was over.
    Deadlock
        waves wait at a barrier that others never reach.
    """
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
        control.MISALIGNED: (Misaligned, f"address {address} is no multiple of {row.width}"),
        control.SPLIT_BARRIER: (
            *(DivergentBarrier, "this lane is alive but does not reach the barrier of its wave"),
        ),
        control.RACE: (DataRace, f"address {address} is shared with no barrier between"),
    }[code]
    fault: type[MachineFault] = kind
    raise fault(f"{who} at {where}: {what}")
