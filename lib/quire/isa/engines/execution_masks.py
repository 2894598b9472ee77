"""The trace compiler: one kernel becomes one JAX function, with execution masks in plain sight.

Control flow of a kernel is structured, so it can be walked once while JAX traces: an if becomes two
masked blocks, a loop a ``while_loop`` over "does any lane remain", which is what a compiler does
that manages an EXEC mask (AMD). XLA then fuses straight-line code. Values are the arrays of
`quire.isa.engines.compiled.lane_arrays`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.isa.deviations import CONTROL_FLOW, Deviation
from quire.isa.engines.compiled.blocks import Call, If, Loop, Node, flatten, tree
from quire.isa.engines.compiled.lane_arrays import Frame, LaneArrays, Mask, State, both, copy
from quire.isa.engines.protocol import DEFAULTS, QUICKLY, Outcome, RunOptions, admit
from quire.isa.errors import OutOfBounds
from quire.isa.program import Instruction, Kernel, Launch
from quire.isa.table import Kind

UNROLLED = 200  # instructions that a loop may become if it is traced round by round


class _Tracer(LaneArrays):
    """Walks the blocks of one kernel for one launch."""

    # --- blocks --------------------------------------------------------------------------------

    def block(self, nodes: tuple[Node, ...], s: State, mask: Mask) -> Mask:
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

    def _if(self, node: If, s: State, mask: Mask) -> Mask:
        foreseen = s.constant_flags.get(node.head.rs1)
        if (
            foreseen is not None
            and node.head.guard is None
            and (foreseen == foreseen.flat[0]).all()
        ):
            return self.block(node.then if foreseen.flat[0] else node.otherwise, s, mask)
        takes = self.guard(s, node.head, self.flag(s, node.head.rs1))
        assert takes is not None
        then = self.block(node.then, s, both(mask, takes))
        other = self.block(node.otherwise, s, both(mask, ~takes))
        leaves = {"break", "continue", "return", "halt"}
        if not any(i.mnemonic in leaves for i in flatten((node,))):
            return mask  # everybody who came is back
        assert then is not None and other is not None
        return then | other

    def _call(self, node: Call, s: State, mask: Mask) -> Mask:
        s.frames.append(Frame("call"))
        reached = self.block(node.body, s, mask)
        late = s.frames.pop().late
        return reached if late is False or reached is None else reached | late  # type: ignore[operator]

    def _leave(self, s: State, kind: str, gone: jax.Array) -> None:
        """Lanes that wait for the end of the innermost loop or function."""
        frame = next(f for f in reversed(s.frames) if f.kind == kind)
        frame.late = gone if frame.late is False else frame.late | gone  # type: ignore[operator]

    def _loop(self, node: Loop, s: State, mask: Mask) -> Mask:
        written = flatten(node.body)
        if (head := self._uniform_head(node, s, mask)) is not None:
            if self._unrolled(node, head, s, mask):
                return mask
            return self._counted(node, head, s, mask, written)
        live = jnp.ones((1, 1), bool) if mask is None else mask
        ended_before = s.ended

        def body(s: State, live: jax.Array) -> jax.Array:
            s.frames.append(Frame("loop"))
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
        return both(mask, ~gone) if halts else mask

    def _uniform_head(self, node: Loop, s: State, mask: Mask) -> int | None:
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

        def uniform(s: State) -> jax.Array:
            self.block(before, s, mask)
            return self.flag(s, exits[0].rs1)

        keys = self._written(inside)
        probe = copy(s)
        shapes = self._settled_shapes(probe, keys, node.body, at, mask)
        flag = jax.eval_shape(lambda packed: uniform(self._unpack(s, keys, packed)), shapes)
        return at if flag.shape == (1, 1) else None

    def _unrolled(self, node: Loop, at: int, s: State, mask: Mask) -> bool:
        """Trace a short loop round by round, if it is known when all lanes leave it."""
        head = node.body[at]
        assert isinstance(head, Instruction)
        ahead, size = copy(s), len(flatten(node.body))
        for _ in range(UNROLLED // size):
            self.block(node.body[:at], ahead, mask)
            leaves = ahead.constant_flags.get(head.rs1)
            if leaves is None:
                return False
            if leaves.all():
                vars(s).update(vars(ahead))
                return True
            if leaves.any():
                return False
            self.block(node.body[at + 1 :], ahead, mask)
        return False

    def _counted(
        self, node: Loop, at: int, s: State, mask: Mask, inside: list[Instruction]
    ) -> Mask:
        head = node.body[at]
        assert isinstance(head, Instruction)
        before, after = node.body[:at], node.body[at + 1 :]

        def goes_on(s: State, live: jax.Array) -> jax.Array:
            self.block(before, s, mask)
            return ~self.flag(s, head.rs1)[0, 0] & live[0, 0]

        def body(s: State, live: jax.Array) -> jax.Array:
            self.block(before, s, mask)
            self.block(after, s, mask)
            return live

        live = jnp.ones((1, 1), bool) if mask is None else mask.any()[None, None]
        self._repeat(s, inside, live, body, goes_on)
        self.block(before, s, mask)
        return mask

    # --- loops as while_loop: what is carried, and in which shapes --------------------------------

    def _written(self, instructions: list[Instruction]) -> tuple[set[int], set[int], bool, bool]:
        registers: set[int] = set()
        flags: set[int] = set()
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

    def _pack(self, s: State, keys: tuple[set[int], set[int], bool, bool]) -> dict[str, Any]:
        registers, flags, near, far = keys
        packed: dict[str, Any] = {
            "registers": {k: self.read(s, k) for k in sorted(registers)},
            "flags": {k: self.flag(s, k) for k in sorted(flags)},
            "fault": s.fault,
            "ended": s.ended,
            "doubt": s.doubt,
        }
        if near:
            packed["local"] = s.local
        if far:
            packed["device"] = s.device
        return packed

    def _unpack(
        self, s: State, keys: tuple[set[int], set[int], bool, bool], packed: dict[str, Any]
    ) -> State:
        registers, flags, _, _ = keys
        fresh = copy(s)
        fresh.registers.update(packed["registers"])
        fresh.flags.update(packed["flags"])
        fresh.fault, fresh.ended = packed["fault"], packed["ended"]
        fresh.doubt = packed["doubt"]
        for index in registers:
            fresh.constants.pop(index, None)
        for index in flags:
            fresh.constant_flags.pop(index, None)
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
        self, s: State, keys: Any, body: tuple[Node, ...], at: int, mask: Mask
    ) -> Any:
        def step(packed: Any) -> Any:
            inner = self._unpack(s, keys, packed)
            self.block(body[:at] + body[at + 1 :], inner, mask)
            return self._pack(inner, keys)

        return self._grow(step, self._pack(s, keys))

    def _repeat(
        self,
        s: State,
        inside: list[Instruction],
        live: jax.Array,
        body: Callable[[State, jax.Array], jax.Array],
        goes_on: Callable[[State, jax.Array], jax.Array],
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
        s.doubt, s.constants, s.constant_flags = after.doubt, after.constants, after.constant_flags

    # --- instructions -------------------------------------------------------------------------

    def _instruction(self, i: Instruction, s: State, mask: Mask) -> Mask:
        active = self.guard(s, i, mask)
        kind = i.operation.kind
        if kind is Kind.CONTROL:
            return self._control(i, s, mask, active)
        if kind in (Kind.WORD, Kind.FLAG, Kind.SELECT, Kind.PAIR):
            self.lanes(i, s, active)
        elif kind is Kind.MOVE:
            constant = jnp.full((1, 1), i.imm, jnp.uint32)
            word = constant if i.mnemonic == "mov_imm" else self.special(i.rs1)
            self.write(s, i.rd, word, active)
            self.note_constant(s, i.rd, i, active)
        elif kind is Kind.WAVE:
            self.wave(i, s, active)
        elif kind is Kind.LOAD:
            self.load(i, s, active)
        else:
            self.store(i, s, active)
        return mask

    def _control(self, i: Instruction, s: State, mask: Mask, active: Mask) -> Mask:
        if i.mnemonic in ("break", "continue"):
            gone = both(active, self.flag(s, i.rs1))
            assert gone is not None
            if i.mnemonic == "continue":
                self._leave(s, "loop", gone)
            return both(mask, ~gone)
        if i.mnemonic in ("halt", "return"):
            gone = jnp.ones((1, 1), bool) if active is None else active
            if i.mnemonic == "return" and any(f.kind == "call" for f in s.frames):
                self._leave(s, "call", gone)
            else:
                s.ended = s.ended | gone
            return both(mask, ~gone)
        return mask  # barriers and fences: every lane is in step already


_EFFECTS = (Kind.STORE, Kind.ATOMIC, Kind.WAVE, Kind.CONTROL)


def _widen(array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.broadcast_to(array, shape)


@dataclass(frozen=True)
class Compiled:
    """A kernel as JAX functions from device memory to (device memory, faulty, in doubt).

    ``fast`` trusts the host's single precision and says whether a lane was in doubt; ``exact``
    never is, and is compiled only when it is needed.
    """

    fast: Callable[[jax.Array], tuple[jax.Array, jax.Array, jax.Array]]
    exact: Callable[[jax.Array], tuple[jax.Array, jax.Array, jax.Array]]

    def __call__(self, device: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the device memory after a run, and whether an access was faulty."""
        memory, fault, doubt = self.fast(device)
        if bool(doubt):
            memory, fault, _ = self.exact(device)
        return memory, fault


@lru_cache(maxsize=64)
def compile_kernel(
    kernel: Kernel,
    launch: Launch,
    words: int,
    compat: Deviation = Deviation.NONE,
    quickly: bool = False,
) -> Compiled:
    """Return the kernel compiled for one launch and device memory of ``words`` words.

    ``quickly`` is for code that runs once: sooner compiled, and slower. The functions are jitted
    and kept, so that a second call with the same arguments costs nothing.
    The launch must have passed `quire.isa.engines.protocol.admit`.
    """
    local = kernel.local_bytes if launch.local_bytes is None else launch.local_bytes
    nodes = tree(kernel)

    def function(
        fast: bool, nothing: jax.Array, device: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        tracer = _Tracer(kernel, launch, local, words, compat, fast, nothing)
        nobody = jnp.zeros((1, 1), bool)
        s = State(
            registers={},
            flags={},
            local=jnp.zeros((max(tracer.local_words, 1), tracer.groups), jnp.uint32),
            device=device,
            fault=jnp.bool_(False),
            ended=nobody,
            doubt=nobody,
        )
        tracer.block(nodes, s, tracer.alive)
        return s.device, s.fault, s.doubt.any()

    options = dict(QUICKLY) if quickly else None
    fast, exact = (
        jax.jit(partial(function, trusting), compiler_options=options) for trusting in (True, False)
    )
    return Compiled(partial(fast, np.uint32(0)), partial(exact, np.uint32(0)))


class ExecutionMasks:
    """Compiled code: lockstep only, no limit of steps, no counted events.

    A faulty access raises `OutOfBounds` without its place.
    """

    name = "execution masks"
    honours: frozenset[str] = frozenset()
    imitates = ~CONTROL_FLOW

    def run(
        self, kernel: Kernel, launch: Launch, memory: np.ndarray, options: RunOptions = DEFAULTS
    ) -> Outcome:
        """Compile and run a launch; arguments as in `quire.isa.engines.protocol.Engine`.

        Raises
        ------
        OutOfBounds
            an access is out of bounds or misaligned.
        """
        admit(self, kernel, launch, memory, options)
        switches = options.switches & ~CONTROL_FLOW
        compiled = compile_kernel(kernel, launch, memory.size, switches, quickly=True)
        device, fault = compiled(jnp.asarray(memory))
        if bool(fault):
            raise OutOfBounds(f"kernel {kernel.name!r}: an address is out of bounds or misaligned")
        return Outcome(np.asarray(device))
