"""Registers and memories of the trace compiler: arrays of two axes, threads and workgroups.

Each axis has size 1 where a value does not depend on it. Uniform values, loop counters and
addresses within a tile are therefore computed once and not per lane, and local memory is read in
whole rows of workgroups.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.isa.deviations import Deviation
from quire.isa.engines.array.datapath import MAX_WIDTH, WAVE_FUNCTIONS, Batch, Lanes
from quire.isa.engines.array.memory import Access, atomic, store, when
from quire.isa.engines.compiled.constants import (
    LARGEST,
    Constant,
    arrangement,
    evaluate,
    run_start,
    take_rows,
)
from quire.isa.program import Instruction, Kernel, Launch
from quire.isa.table import SPECIAL_REGISTERS, Event, Kind

Mask = jax.Array | None  # None: every lane of this block


@dataclass
class Frame:
    """A loop or a function while its body is traced."""

    kind: str
    late: Mask | bool = False  # lanes that continued, or that returned early


@dataclass
class State:
    """What the traced kernel has at one point."""

    registers: dict[int, jax.Array]
    flags: dict[int, jax.Array]
    local: jax.Array
    device: jax.Array
    fault: jax.Array
    ended: jax.Array
    doubt: jax.Array  # lanes whose floats the host may have got wrong
    # registers and predicates whose values no input can change
    constants: dict[int, Constant] = field(default_factory=dict)
    constant_flags: dict[int, Constant] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)


def copy(s: State) -> State:
    """Return a state that can be changed without changing this one."""
    return State(
        *(dict(s.registers), dict(s.flags), s.local, s.device, s.fault, s.ended, s.doubt),
        *(dict(s.constants), dict(s.constant_flags), list(s.frames)),
    )


def both(a: Mask, b: Mask) -> Mask:
    """Return the lanes of both masks."""
    if a is None or b is None:
        return b if a is None else a
    return a & b


class LaneArrays:
    """The registers and memories of one launch as arrays of threads by workgroups."""

    def __init__(
        self,
        kernel: Kernel,
        launch: Launch,
        local: int,
        words: int,
        compat: Deviation,
        fast: bool,
        nothing: jax.Array,
    ):
        self.fast = fast  # trust the host's floats and note doubts
        # a zero that the compiler cannot see: it takes x + 0 for x, which is wrong for x = -0
        self.nothing = nothing
        self.kernel, self.launch = kernel, launch
        self.words, self.local_words, self.local_bytes = words, -(-local // 4), local
        self.compat = compat
        self.deviation = jnp.int32(int(compat))
        self.slots = launch.waves * launch.wave_width
        self.groups = launch.workgroups
        # kernels with local memory keep workgroups side by side, so that a row of it is one copy
        self.thread_axis = 0 if self.local_words else 1
        sizes = {self.thread_axis: self.slots, 1 - self.thread_axis: self.groups}
        self.full = (sizes[0], sizes[1])
        partial = launch.threads < self.slots
        self.alive: Mask = self.thread < launch.threads if partial else None

    @property
    def thread(self) -> jax.Array:
        """The thread of each lane in its workgroup."""
        return self._along(self.thread_axis, self.slots)

    @property
    def group(self) -> jax.Array:
        """The workgroup of each lane."""
        return self._along(1 - self.thread_axis, self.groups)

    def _along(self, axis: int, count: int) -> jax.Array:
        line = jnp.arange(count, dtype=jnp.uint32)
        return line[:, None] if axis == 0 else line[None, :]

    def special(self, index: int) -> jax.Array:
        """Return a special register, constant along every axis that it can be."""
        launch = self.launch

        def axes(linear: jax.Array, sizes: tuple[int, int, int]) -> list[jax.Array]:
            x, y, z = sizes
            zero = jnp.zeros((1, 1), jnp.uint32)
            return [
                (linear % x) if x > 1 else zero,
                (linear // x % y) if y > 1 else zero,
                (linear // (x * y)) if z > 1 else zero,
            ]

        values: list[Any] = [
            *axes(self.thread, launch.workgroup),
            *(self.thread // launch.wave_width, self.thread % launch.wave_width),
            *axes(self.group, launch.grid),
            *launch.workgroup,
            *launch.grid,
            *(launch.wave_width, launch.waves),
        ]
        values += [0] * (len(SPECIAL_REGISTERS) - len(values))
        return jnp.asarray(values[index], jnp.uint32).reshape(jnp.shape(values[index]) or (1, 1))

    # --- registers and predicates -----------------------------------------------------------

    def read(self, s: State, index: int) -> jax.Array:
        """Return a register; zero before its first write."""
        return s.registers.get(index, jnp.zeros((1, 1), jnp.uint32))

    def flag(self, s: State, index: int) -> jax.Array:
        """Return a predicate; false before its first write."""
        return s.flags.get(index, jnp.zeros((1, 1), bool))

    def write(self, s: State, index: int, word: jax.Array, mask: Mask) -> None:
        """Write a register for the lanes of a mask."""
        old = self.read(s, index)
        s.registers[index] = word if mask is None else jnp.where(mask, word, old)
        s.constants.pop(index, None)

    def note_constant(self, s: State, index: int, i: Instruction, mask: Mask) -> None:
        """Note a constant or a special register that was just written for all lanes."""
        if mask is None:
            word = evaluate(lambda: self.special(i.rs1)) if i.mnemonic == "mov_sr" else i.imm
            s.constants[index] = np.asarray(word, np.uint32).reshape(np.shape(word) or (1, 1))

    def guard(self, s: State, instruction: Instruction, mask: Mask) -> Mask:
        """Return the lanes of a mask that an instruction's own predicate leaves."""
        guard = instruction.guard
        if guard is None:
            return mask
        if self.compat & Deviation.PREDICATE_ZERO and guard.register == 0 and not guard.negated:
            return mask
        return both(mask, self.flag(s, guard.register) ^ guard.negated)

    def lanes(self, i: Instruction, s: State, active: Mask) -> None:
        """Trace an instruction that works on each lane alone."""
        words: list[jax.Array] = []
        for operand in i.operation.operands:
            if operand.field == "rd":
                continue
            index = getattr(i, operand.field)
            if operand.form == "p":
                words.append(self.flag(s, index))
            words += [self.read(s, index + k) for k in range(operand.width)]
        if i.operation.event is Event.FLOAT:
            words = [word ^ self.nothing for word in words]
        options = {"deviation": self.deviation} if i.operation.deviates else {}
        assert i.operation.apply is not None
        constant = self._foresee(i, s, active)
        if self.fast and i.operation.fast is not None:
            result, doubt = i.operation.fast(*words)
            s.doubt = s.doubt | (doubt if active is None else doubt & active)
        else:
            result = i.operation.apply(*words, **options)
        if i.operation.kind is Kind.FLAG:
            old = self.flag(s, i.rd)
            s.flags[i.rd] = result if active is None else jnp.where(active, result, old)
            s.constant_flags.pop(i.rd, None)
            if constant is not None:
                s.constant_flags[i.rd] = constant
        elif i.operation.kind is Kind.PAIR:
            for k in (0, 1):
                self.write(s, i.rd + k, result[k], active)
        else:
            self.write(s, i.rd, result, active)
            if constant is not None:
                s.constants[i.rd] = constant

    def _foresee(self, i: Instruction, s: State, active: Mask) -> Constant | None:
        """Return the result of integer work on numbers that are known by now."""
        row = i.operation
        plain = row.event is not Event.FLOAT and row.kind in (Kind.WORD, Kind.FLAG)
        if active is not None or not plain or row.deviates or row.apply is None:
            return None
        fields = [operand.field for operand in row.operands if operand.field != "rd"]
        sources = [s.constants.get(getattr(i, name)) for name in fields]
        foreseen = [source for source in sources if source is not None]
        if len(foreseen) < len(sources):
            return None
        shape = np.broadcast_shapes(*(source.shape for source in foreseen))
        return evaluate(row.apply, *foreseen) if np.prod(shape) <= LARGEST else None

    def _everywhere(self, array: Mask) -> jax.Array:
        """Spread an array to an entry per lane, in one line: thread after thread of each group."""
        full = jnp.broadcast_to(jnp.ones((1, 1), bool) if array is None else array, self.full)
        return (full if self.thread_axis == 1 else full.T).reshape(-1)

    def _back(self, line: jax.Array) -> jax.Array:
        grid = line.reshape(self.groups, self.slots)
        return grid if self.thread_axis == 1 else grid.T

    def wave(self, i: Instruction, s: State, active: Mask) -> None:
        """Trace an instruction in which the lanes of a wave talk to each other."""
        reads_flag = i.mnemonic in ("wave_ballot", "wave_any", "wave_all")
        lane = self.thread % self.launch.wave_width
        width = jnp.int32(self.launch.wave_width)
        batch = Batch(*[jnp.int32(0)] * len(Batch._fields))

        def line(array: Mask) -> jax.Array:
            """One entry per lane, filled up to whole waves of the greatest width."""
            flat = self._everywhere(array)
            return jnp.pad(flat, (0, -flat.size % MAX_WIDTH))

        lanes = Lanes(
            word=line(self.read(s, i.rs1)),
            other=line(self.read(s, i.rs2)),
            flag=line(self.flag(s, i.rs1 if reads_flag else 0)),
            active=line(both(active, self.alive)),
            lane=line(lane),
            batch=batch._replace(width=width, deviation=self.deviation),
        )
        count = self.groups * self.slots
        word = self._back(WAVE_FUNCTIONS[i.mnemonic](lanes)[:count])
        if i.mnemonic in ("wave_any", "wave_all"):
            old = self.flag(s, i.rd)
            s.flags[i.rd] = word != 0 if active is None else jnp.where(active, word != 0, old)
        else:
            self.write(s, i.rd, word.astype(jnp.uint32), active)

    # --- memory ---------------------------------------------------------------------------------

    def _constant_words(self, i: Instruction, s: State, active: Mask) -> Constant | None:
        """Return the words that all lanes address, if they are known and none of them is faulty."""
        place = s.constants.get(i.rs1)
        width = i.operation.bytes_moved
        limit = self.local_bytes if i.operation.is_local else 4 * self.words
        if place is None or active is not None:
            return None
        bytes_ = place.astype(np.int64)
        if bytes_.max() + width > limit or (bytes_ % min(width, 4)).any():
            return None
        return bytes_ // 4

    def _check(self, i: Instruction, s: State, place: jax.Array, active: Mask) -> None:
        width = i.operation.bytes_moved
        limit = self.local_bytes if i.operation.is_local else 4 * self.words
        bad = (place > limit - width) if limit >= width else jnp.ones((1, 1), bool)
        bad |= place % min(width, 4) != 0
        s.fault |= (bad if active is None else bad & active).any()

    def load(self, i: Instruction, s: State, active: Mask) -> None:
        """Trace a load from either memory."""
        place = self.read(s, i.rs1)
        foreseen = self._constant_words(i, s, active)
        if foreseen is None:
            self._check(i, s, place, active)
        width = i.operation.bytes_moved
        for k in range(max(width // 4, 1)):
            at = (place >> 2).astype(jnp.int32) + k
            now = None if foreseen is None else foreseen + k
            if i.operation.is_local:
                word = self._local_row(s, at, now)
            else:
                word = self._device(s, at, active, now)
            if width < 4:
                word = (word >> ((place & 3) * 8)) & (0xFF if width == 1 else 0xFFFF)
            self.write(s, i.rd + k, word, active)

    def _local_row(self, s: State, at: jax.Array, now: Constant | None) -> jax.Array:
        """Words of local memory; an address that all workgroups share reads whole rows."""
        if now is not None and now.shape[1] == 1:
            return take_rows(s.local, now[:, 0])
        at = jnp.clip(at, 0, s.local.shape[0] - 1)
        if at.shape[1] == 1:
            return s.local[at[:, 0]]
        return jnp.take_along_axis(s.local, at, axis=0)

    def _device(self, s: State, at: jax.Array, active: Mask, now: Constant | None) -> jax.Array:
        """Words of device memory; a coalesced load of all lanes is one slice."""
        count = self.full[0] * self.full[1]
        if now is not None and now.shape == self.full:
            order = now if self.thread_axis == 1 else now.T
            if (start := run_start(order.reshape(-1))) is not None:
                return self._back(s.device[start : start + count])
        if now is None:
            at = jnp.clip(at, 0, s.device.shape[0] - 1)
        if at.shape != self.full or self.thread_axis == 0 or count > s.device.shape[0]:
            return s.device.at[at].get(mode="promise_in_bounds")
        line = at - jnp.arange(count, dtype=jnp.int32).reshape(self.full)
        lowest = jnp.where(True if active is None else active, line, 2**31 - 1).min()
        agrees = line == lowest
        straight = (agrees if active is None else agrees | ~active).all()
        straight &= (lowest >= 0) & (lowest + count <= s.device.shape[0])
        return jax.lax.cond(
            straight,
            lambda: jax.lax.dynamic_slice_in_dim(s.device, lowest, count).reshape(self.full),
            lambda: s.device[at],
        )

    def store(self, i: Instruction, s: State, active: Mask) -> None:
        """Trace a store to either memory, or an atomic."""
        place = self.read(s, i.rs1)
        active = both(active, self.alive)
        foreseen = self._constant_words(i, s, active)
        if foreseen is None:
            self._check(i, s, place, active)
        width = i.operation.bytes_moved
        is_atomic = i.operation.kind is Kind.ATOMIC
        for k in range(max(width // 4, 1)):
            at = (place >> 2).astype(jnp.int32) + k
            value = self.read(s, i.rs2 + k)
            now = None if foreseen is None or width < 4 or is_atomic else foreseen + k
            if now is not None and self._store_constant(i, s, now, value):
                continue
            shared = at.shape[1] == 1 and (active is None or active.shape[1] == 1)
            if shared and i.operation.is_local and width == 4 and not is_atomic:
                self._store_rows(s, at, value, active)
                continue
            memory = s.local.reshape(-1) if i.operation.is_local else s.device
            if i.operation.is_local:
                at = at * self.groups + self.group.astype(jnp.int32)
            access = Access(
                at=self._everywhere(at),
                shift=self._everywhere((place & 3) * 8),
                value=self._everywhere(value),
                active=self._everywhere(active),
                width=min(width, 4),
            )
            if is_atomic:
                third = self._everywhere(self.read(s, i.rs3))
                wanted = jnp.bool_(i.rd != 0)
                memory, old = atomic(memory, access, jnp.int32(i.operation.modifier), third, wanted)
                if i.rd:
                    self.write(s, i.rd, self._back(old), active)
            else:
                memory = store(memory, access)
            if i.operation.is_local:
                s.local = memory.reshape(s.local.shape)
            else:
                s.device = memory

    def _store_constant(self, i: Instruction, s: State, now: Constant, value: jax.Array) -> bool:
        """Store words of all lanes that fill a known range as the update of one slice."""
        if i.operation.is_local:
            if now.shape != (self.slots, 1):
                return False
            words, rows = now[:, 0], jnp.broadcast_to(value, self.full)
        else:
            if now.shape != self.full:
                return False
            words = (now if self.thread_axis == 1 else now.T).reshape(-1)
            rows = self._everywhere(value)
        found = arrangement(words)
        if found is None:
            return False
        start, lane = found
        if not np.array_equal(lane, np.arange(lane.size)):
            rows = rows[lane]
        if i.operation.is_local:
            s.local = s.local.at[start : start + lane.size].set(rows)
        else:
            s.device = s.device.at[start : start + lane.size].set(rows)
        return True

    def _store_rows(self, s: State, at: jax.Array, value: jax.Array, active: Mask) -> None:
        """Store to addresses that all workgroups share: rows, in one slice where they follow."""
        line = jnp.broadcast_to(at, (self.slots, 1))[:, 0]
        rows = jnp.broadcast_to(value, self.full)
        awake = True if active is None else jnp.broadcast_to(active, (self.slots, 1))[:, 0]
        target = jnp.where(awake, line, s.local.shape[0])
        start = line[0]
        straight = (target == start + jnp.arange(self.slots, dtype=jnp.int32)).all()
        straight &= start + self.slots <= s.local.shape[0]
        if self.slots <= s.local.shape[0]:
            s.local = when(
                straight,
                lambda m: jax.lax.dynamic_update_slice(m, rows, (start, jnp.int32(0))),
                s.local,
            )
        else:
            straight = jnp.bool_(False)
        s.local = when(~straight, lambda m: m.at[target].set(rows, mode="drop"), s.local)
