"""The trace compiler: one kernel becomes one JAX function, with execution masks in plain sight.

Control flow of a kernel is structured, so it can be walked once while JAX traces: an if becomes two
masked blocks, a loop a ``while_loop`` over "does any lane remain", which is what a compiler does
that manages an EXEC mask (AMD). XLA then fuses straight-line code.

A register is an array of two axes, threads of a workgroup and workgroups, each of size 1 where the
value does not depend on it. Uniform values, loop counters and addresses within a tile are therefore
computed once and not per lane, and local memory is read in whole rows of workgroups.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.isa.deviations import Deviation, deviations
from quire.isa.engines.blocks import Call, If, Loop, Node, flatten, tree
from quire.isa.engines.datapath import WAVE_FUNCTIONS, Batch, Lanes
from quire.isa.engines.memory import Access, atomic, store, when
from quire.isa.errors import OutOfBounds
from quire.isa.machine import LOCKSTEP, STEP_LIMIT, Memory, Schedule, prepare
from quire.isa.program import Instruction, Kernel, Launch
from quire.isa.table import SPECIAL_REGISTERS, Kind

Mask = jax.Array | None  # None: every lane of this block
_UNCOMPILED = Deviation.BREAK_IN_IF | Deviation.CONTINUE


@dataclass
class _Frame:
    """A loop or a function while its body is traced."""

    kind: str
    late: Mask | bool = False  # lanes that continued, or that returned early


@dataclass
class _State:
    """What the traced kernel has at one point."""

    registers: dict[int, jax.Array]
    flags: dict[int, jax.Array]
    local: jax.Array
    device: jax.Array
    fault: jax.Array
    ended: jax.Array
    frames: list[_Frame] = field(default_factory=list)


def _both(a: Mask, b: Mask) -> Mask:
    if a is None or b is None:
        return b if a is None else a
    return a & b


class _Tracer:
    """Walks the blocks of one kernel for one launch."""

    def __init__(self, kernel: Kernel, launch: Launch, local: int, words: int, compat: Deviation):
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
        self.thread = self._along(self.thread_axis, self.slots)
        self.group = self._along(1 - self.thread_axis, self.groups)
        self.alive: Mask = self.thread < launch.threads if launch.threads < self.slots else None

    def _along(self, axis: int, count: int) -> jax.Array:
        line = jnp.arange(count, dtype=jnp.uint32)
        return line[:, None] if axis == 0 else line[None, :]

    def _special(self, index: int) -> jax.Array:
        launch = self.launch

        def axes(linear: jax.Array, sizes: tuple[int, int, int]) -> list[jax.Array]:
            x, y, z = sizes
            zero = jnp.zeros((1, 1), jnp.uint32)
            return [
                (linear % x) if x > 1 else zero,
                (linear // x % y) if y > 1 else zero,
                (linear // (x * y)) if z > 1 else zero,
            ]

        values = [
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

    def _read(self, s: _State, index: int) -> jax.Array:
        return s.registers.get(index, jnp.zeros((1, 1), jnp.uint32))

    def _flag(self, s: _State, index: int) -> jax.Array:
        return s.flags.get(index, jnp.zeros((1, 1), bool))

    def _write(self, s: _State, index: int, word: jax.Array, mask: Mask) -> None:
        old = self._read(s, index)
        s.registers[index] = word if mask is None else jnp.where(mask, word, old)

    def _guard(self, s: _State, instruction: Instruction, mask: Mask) -> Mask:
        guard = instruction.guard
        if guard is None:
            return mask
        if self.compat & Deviation.PREDICATE_ZERO and guard.register == 0 and not guard.negated:
            return mask
        return _both(mask, self._flag(s, guard.register) ^ guard.negated)

    # --- blocks --------------------------------------------------------------------------------

    def block(self, nodes: tuple[Node, ...], s: _State, mask: Mask) -> Mask:
        """Trace some blocks; returns the lanes that reach their end."""
        for node in nodes:
            if isinstance(node, If):
                mask = self._if(node, s, mask)
            elif isinstance(node, Loop):
                mask = self._loop(node, s, mask)
            elif isinstance(node, Call):
                mask = self._call(node, s, mask)
            else:
                mask = self._instruction(node, s, mask)
        return mask

    def _if(self, node: If, s: _State, mask: Mask) -> Mask:
        takes = self._guard(s, node.head, self._flag(s, node.head.rs1))
        assert takes is not None
        then = self.block(node.then, s, _both(mask, takes))
        other = self.block(node.otherwise, s, _both(mask, ~takes))
        leaves = {"break", "continue", "return", "halt"}
        if not any(i.mnemonic in leaves for i in flatten((node,))):
            return mask  # everybody who came is back
        assert then is not None and other is not None
        return then | other

    def _call(self, node: Call, s: _State, mask: Mask) -> Mask:
        s.frames.append(_Frame("call"))
        reached = self.block(node.body, s, mask)
        late = s.frames.pop().late
        return reached if late is False or reached is None else reached | late  # type: ignore[operator]

    def _leave(self, s: _State, kind: str, gone: jax.Array) -> None:
        """Lanes that wait for the end of the innermost loop or function."""
        frame = next(f for f in reversed(s.frames) if f.kind == kind)
        frame.late = gone if frame.late is False else frame.late | gone  # type: ignore[operator]

    def _loop(self, node: Loop, s: _State, mask: Mask) -> Mask:
        written = [i for i in flatten(node.body)]
        if (head := self._uniform_head(node, s, mask)) is not None:
            return self._counted(node, head, s, mask, written)
        live = jnp.ones((1, 1), bool) if mask is None else mask
        ended_before = s.ended

        def body(s: _State, live: jax.Array) -> jax.Array:
            s.frames.append(_Frame("loop"))
            # one entry for all lanes means that this round is for all of them
            inside = mask if live.shape == (1, 1) else live
            reached = self.block(node.body, s, inside)
            late = s.frames.pop().late
            reached = jnp.ones((1, 1), bool) if reached is None else reached
            reached = reached if late is False else reached | late  # type: ignore[operator]
            return reached & ~s.ended

        self._repeat(s, written, live, body, lambda s, live: live.any())
        gone = s.ended & ~ended_before
        halts = any(i.mnemonic in ("halt", "return") for i in written)
        return _both(mask, ~gone) if halts else mask

    def _uniform_head(self, node: Loop, s: _State, mask: Mask) -> int | None:
        """Where the only break of a loop is, if all lanes take it together before any store.

        Such a loop needs no masks: its condition is the break's, and its body runs for everybody.
        """
        inside = flatten(node.body)
        exits = [i for i in inside if i.mnemonic in ("break", "continue", "return", "halt")]
        if len(exits) != 1 or exits[0].mnemonic != "break" or exits[0].guard is not None:
            return None
        if not any(node_ is exits[0] for node_ in node.body):
            return None
        at = next(i for i, node_ in enumerate(node.body) if node_ is exits[0])
        before = node.body[:at]
        if any(not isinstance(n, Instruction) or n.operation.kind in _EFFECTS for n in before):
            return None

        def uniform(s: _State) -> jax.Array:
            self.block(before, s, mask)
            return self._flag(s, exits[0].rs1)

        keys = self._written(inside)
        probe = _copy(s)
        shapes = self._settled_shapes(probe, keys, node.body, at, mask)
        flag = jax.eval_shape(lambda packed: uniform(self._unpack(s, keys, packed)), shapes)
        return at if flag.shape == (1, 1) else None

    def _counted(
        self, node: Loop, at: int, s: _State, mask: Mask, inside: list[Instruction]
    ) -> Mask:
        head = node.body[at]
        assert isinstance(head, Instruction)
        before, after = node.body[:at], node.body[at + 1 :]

        def goes_on(s: _State, live: jax.Array) -> jax.Array:
            self.block(before, s, mask)
            return ~self._flag(s, head.rs1)[0, 0] & live[0, 0]

        def body(s: _State, live: jax.Array) -> jax.Array:
            self.block(before, s, mask)
            self.block(after, s, mask)
            return live

        live = jnp.ones((1, 1), bool) if mask is None else mask.any()[None, None]
        self._repeat(s, inside, live, body, goes_on)
        self.block(before, s, mask)
        return mask

    # --- loops as while_loop: what is carried, and in which shapes --------------------------------

    def _written(self, instructions: list[Instruction]) -> tuple[set[int], set[int], bool, bool]:
        registers, flags = set(), set()
        near = far = False
        for i in instructions:
            for operand in i.operation.operands:
                if operand.field == "rd":
                    start = i.rd
                    (flags if operand.form == "p" else registers).update(
                        range(start, start + max(operand.width, 1))
                    )
            if i.operation.kind in (Kind.STORE, Kind.ATOMIC):
                near |= i.operation.is_local
                far |= not i.operation.is_local
        return registers, flags, near, far

    def _pack(self, s: _State, keys: tuple[set[int], set[int], bool, bool]) -> dict[str, Any]:
        registers, flags, near, far = keys
        packed: dict[str, Any] = {
            "registers": {k: self._read(s, k) for k in sorted(registers)},
            "flags": {k: self._flag(s, k) for k in sorted(flags)},
            "fault": s.fault,
            "ended": s.ended,
        }
        if near:
            packed["local"] = s.local
        if far:
            packed["device"] = s.device
        return packed

    def _unpack(
        self, s: _State, keys: tuple[set[int], set[int], bool, bool], packed: dict[str, Any]
    ) -> _State:
        fresh = _copy(s)
        fresh.registers.update(packed["registers"])
        fresh.flags.update(packed["flags"])
        fresh.fault, fresh.ended = packed["fault"], packed["ended"]
        fresh.local = packed.get("local", s.local)
        fresh.device = packed.get("device", s.device)
        return fresh

    def _grow(self, step: Callable[[Any], Any], carried: Any) -> Any:
        """Widen the carried arrays until one round gives the same shapes back."""
        while True:
            after = jax.eval_shape(step, carried)
            target = jax.tree.map(
                lambda a, b: np.broadcast_shapes(a.shape, b.shape), carried, after
            )
            same = jax.tree.map(lambda a, t: a.shape == t, carried, target)
            if all(jax.tree.leaves(same)):
                return carried
            carried = jax.tree.map(_widen, carried, target)

    def _settled_shapes(
        self, s: _State, keys: Any, body: tuple[Node, ...], at: int, mask: Mask
    ) -> Any:
        def step(packed: Any) -> Any:
            inner = self._unpack(s, keys, packed)
            self.block(body[:at] + body[at + 1 :], inner, mask)
            return self._pack(inner, keys)

        return self._grow(step, self._pack(s, keys))

    def _repeat(
        self,
        s: _State,
        inside: list[Instruction],
        live: jax.Array,
        body: Callable[[_State, jax.Array], jax.Array],
        goes_on: Callable[[_State, jax.Array], jax.Array],
    ) -> None:
        keys = self._written(inside)

        def step(carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
            inner = self._unpack(s, keys, carry[0])
            live = body(inner, carry[1])
            return self._pack(inner, keys), live

        def fitted(carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
            return jax.tree.map(lambda a, b: _widen(a, b.shape), step(carry), carry)

        carry = self._grow(step, (self._pack(s, keys), live))
        packed, _ = jax.lax.while_loop(
            lambda c: goes_on(self._unpack(s, keys, c[0]), c[1]), fitted, carry
        )
        after = self._unpack(s, keys, packed)
        s.registers, s.flags = after.registers, after.flags
        s.local, s.device, s.fault, s.ended = after.local, after.device, after.fault, after.ended

    # --- instructions -------------------------------------------------------------------------

    def _instruction(self, i: Instruction, s: _State, mask: Mask) -> Mask:
        active = self._guard(s, i, mask)
        kind = i.operation.kind
        if kind is Kind.CONTROL:
            return self._control(i, s, mask, active)
        if kind in (Kind.WORD, Kind.FLAG, Kind.SELECT, Kind.PAIR):
            self._lanes(i, s, active)
        elif kind is Kind.MOVE:
            constant = jnp.full((1, 1), i.imm, jnp.uint32)
            word = constant if i.mnemonic == "mov_imm" else self._special(i.rs1)
            self._write(s, i.rd, word, active)
        elif kind is Kind.WAVE:
            self._wave(i, s, active)
        elif kind is Kind.LOAD:
            self._load(i, s, active)
        else:
            self._store(i, s, active)
        return mask

    def _control(self, i: Instruction, s: _State, mask: Mask, active: Mask) -> Mask:
        if i.mnemonic in ("break", "continue"):
            gone = _both(active, self._flag(s, i.rs1))
            assert gone is not None
            if i.mnemonic == "continue":
                self._leave(s, "loop", gone)
            return _both(mask, ~gone)
        if i.mnemonic in ("halt", "return"):
            gone = jnp.ones((1, 1), bool) if active is None else active
            if i.mnemonic == "return" and any(f.kind == "call" for f in s.frames):
                self._leave(s, "call", gone)
            else:
                s.ended = s.ended | gone
            return _both(mask, ~gone)
        return mask  # barriers and fences: every lane is in step already

    def _lanes(self, i: Instruction, s: _State, active: Mask) -> None:
        words: list[jax.Array] = []
        for operand in i.operation.operands:
            if operand.field == "rd":
                continue
            index = getattr(i, operand.field)
            if operand.form == "p":
                words.append(self._flag(s, index))
            words += [self._read(s, index + k) for k in range(operand.width)]
        options = {"deviation": self.deviation} if i.operation.deviates else {}
        assert i.operation.apply is not None
        result = i.operation.apply(*words, **options)
        if i.operation.kind is Kind.FLAG:
            old = self._flag(s, i.rd)
            s.flags[i.rd] = result if active is None else jnp.where(active, result, old)
        elif i.operation.kind is Kind.PAIR:
            for k in (0, 1):
                self._write(s, i.rd + k, result[k], active)
        else:
            self._write(s, i.rd, result, active)

    def _everywhere(self, array: Mask) -> jax.Array:
        """An array with an entry per lane, as one line: thread after thread of each workgroup."""
        full = jnp.broadcast_to(jnp.ones((1, 1), bool) if array is None else array, self.full)
        return (full if self.thread_axis == 1 else full.T).reshape(-1)

    def _back(self, line: jax.Array) -> jax.Array:
        square = line.reshape(self.groups, self.slots)
        return square if self.thread_axis == 1 else square.T

    def _wave(self, i: Instruction, s: _State, active: Mask) -> None:
        reads_flag = i.mnemonic in ("wave_ballot", "wave_any", "wave_all")
        lane = self.thread % self.launch.wave_width
        width = jnp.int32(self.launch.wave_width)
        batch = Batch(*[jnp.int32(0)] * len(Batch._fields))
        lanes = Lanes(
            word=self._everywhere(self._read(s, i.rs1)),
            other=self._everywhere(self._read(s, i.rs2)),
            flag=self._everywhere(self._flag(s, i.rs1 if reads_flag else 0)),
            active=self._everywhere(_both(active, self.alive)),
            lane=self._everywhere(lane),
            batch=batch._replace(width=width, deviation=self.deviation),
        )
        word = self._back(WAVE_FUNCTIONS[i.mnemonic](lanes))
        if i.mnemonic in ("wave_any", "wave_all"):
            old = self._flag(s, i.rd)
            s.flags[i.rd] = word != 0 if active is None else jnp.where(active, word != 0, old)
        else:
            self._write(s, i.rd, word.astype(jnp.uint32), active)

    # --- memory ---------------------------------------------------------------------------------

    def _check(self, i: Instruction, s: _State, place: jax.Array, active: Mask) -> None:
        width = i.operation.bytes_moved
        limit = self.local_bytes if i.operation.is_local else 4 * self.words
        bad = (place > limit - width) if limit >= width else jnp.ones((1, 1), bool)
        bad |= place % min(width, 4) != 0
        s.fault |= (bad if active is None else bad & active).any()

    def _load(self, i: Instruction, s: _State, active: Mask) -> None:
        place = self._read(s, i.rs1)
        self._check(i, s, place, active)
        width = i.operation.bytes_moved
        for k in range(max(width // 4, 1)):
            at = (place >> 2).astype(jnp.int32) + k
            word = self._local_row(s, at) if i.operation.is_local else self._device(s, at, active)
            if width < 4:
                word = (word >> ((place & 3) * 8)) & (0xFF if width == 1 else 0xFFFF)
            self._write(s, i.rd + k, word, active)

    def _local_row(self, s: _State, at: jax.Array) -> jax.Array:
        """Words of local memory; an address that all workgroups share reads whole rows."""
        at = jnp.clip(at, 0, s.local.shape[0] - 1)
        if at.shape[1] == 1:
            return s.local[at[:, 0]]
        return jnp.take_along_axis(s.local, at, axis=0)

    def _device(self, s: _State, at: jax.Array, active: Mask) -> jax.Array:
        """Words of device memory; a coalesced load of all lanes is one slice."""
        at = jnp.clip(at, 0, s.device.shape[0] - 1)
        count = self.full[0] * self.full[1]
        if at.shape != self.full or self.thread_axis == 0 or count > s.device.shape[0]:
            return s.device[at]
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

    def _store(self, i: Instruction, s: _State, active: Mask) -> None:
        place = self._read(s, i.rs1)
        active = _both(active, self.alive)
        self._check(i, s, place, active)
        width = i.operation.bytes_moved
        is_atomic = i.operation.kind is Kind.ATOMIC
        for k in range(max(width // 4, 1)):
            at = (place >> 2).astype(jnp.int32) + k
            value = self._read(s, i.rs2 + k)
            if i.operation.is_local and width == 4 and not is_atomic and at.shape[1] == 1:
                if active is None or active.shape[1] == 1:
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
                width=jnp.int32(min(width, 4)),
            )
            if is_atomic:
                third = self._everywhere(self._read(s, i.rs3))
                wanted = jnp.bool_(i.rd != 0)
                memory, old = atomic(memory, access, jnp.int32(i.operation.modifier), third, wanted)
                if i.rd:
                    self._write(s, i.rd, self._back(old), active)
            else:
                memory = store(memory, access)
            if i.operation.is_local:
                s.local = memory.reshape(s.local.shape)
            else:
                s.device = memory

    def _store_rows(self, s: _State, at: jax.Array, value: jax.Array, active: Mask) -> None:
        """A store to addresses that all workgroups share: rows, in one slice where they follow."""
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


_EFFECTS = (Kind.STORE, Kind.ATOMIC, Kind.WAVE, Kind.CONTROL)


def _copy(s: _State) -> _State:
    return _State(
        *(dict(s.registers), dict(s.flags), s.local, s.device, s.fault, s.ended, list(s.frames))
    )


def _widen(array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.broadcast_to(array, shape)


@lru_cache(maxsize=64)
def compile_kernel(
    kernel: Kernel, launch: Launch, words: int, compat: Deviation = Deviation.NONE
) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
    """One JAX function from device memory to (device memory, whether an access was faulty).

    The function is jitted and kept, so that a second call with the same arguments costs nothing.
    """
    local = prepare(kernel, launch, np.zeros(words, np.uint32))
    if compat & _UNCOMPILED:
        raise ValueError(
            "the trace compiler has no mask stack to mistreat: run BREAK_IN_IF and CONTINUE on the"
            " interpreter"
        )
    nodes = tree(kernel)

    def function(device: jax.Array) -> tuple[jax.Array, jax.Array]:
        tracer = _Tracer(kernel, launch, local, words, compat)
        s = _State(
            registers={},
            flags={},
            local=jnp.zeros((max(tracer.local_words, 1), tracer.groups), jnp.uint32),
            device=device,
            fault=jnp.bool_(False),
            ended=jnp.zeros((1, 1), bool),
        )
        tracer.block(nodes, s, tracer.alive)
        return s.device, s.fault

    return jax.jit(function)


def run(
    kernel: Kernel,
    launch: Launch,
    memory: Memory,
    *,
    schedule: Schedule = LOCKSTEP,
    compat: Deviation | str | None = None,
    limit: int = STEP_LIMIT,
) -> Memory:
    """Compile and run a kernel; the device memory after it.

    Arguments as in `quire.isa.machine.run`; only the lockstep schedule exists, ``limit`` has no
    meaning in compiled code, and a faulty access raises `OutOfBounds` without naming the place.
    """
    if schedule != LOCKSTEP:
        raise ValueError("compiled code has one schedule, lockstep: use the interpreter for others")
    function = compile_kernel(kernel, launch, memory.size, deviations(compat))
    device, fault = function(jnp.asarray(memory))
    if bool(fault):
        raise OutOfBounds(f"kernel {kernel.name!r} accesses memory out of bounds or crookedly")
    return np.asarray(device)
