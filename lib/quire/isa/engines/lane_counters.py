"""A program counter per lane: the mechanism of hardware with independent threads (NVIDIA).

There is no mask. Every lane knows where it goes next; a wave runs the lanes that stand deepest in
calls and, among them, at the smallest counter. Since the code of a block lies before the code that
follows it, lanes meet again exactly at endif and endloop.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, Int64, UInt8, UInt32

from quire.isa.deviations import CONTROL_FLOW, Deviation
from quire.isa.engines.array.datapath import (
    Batch,
    Operands,
    Slots,
    address,
    branches,
    column,
    fetch_active,
    register,
    slots,
    spread,
    wave_any,
)
from quire.isa.engines.array.interpreter import draw
from quire.isa.engines.array.layout import batch_for, shape_for
from quire.isa.engines.array.memory import access, apply_memory, faults, when
from quire.isa.engines.array.microcode import PREDICATES, TRUE, Control, Micro, lower, matrix
from quire.isa.engines.array.reductions import least, somewhere
from quire.isa.engines.protocol import DEFAULTS, QUICKLY, Outcome, RunOptions, admit
from quire.isa.errors import Deadlock, InstructionLimit, OutOfBounds
from quire.isa.program import Kernel, Launch
from quire.isa.structure import MAX_CALL_DEPTH, analyse

RUNNING, WAITING, ENDED = 0, 1, 2
FAR = 2**30


class State(NamedTuple):
    """Everything that changes while a batch runs."""

    file: UInt32[Array, "rows lanes"]  # registers, the scratch register, predicates
    pc: Int32[Array, " lanes"]
    status: UInt8[Array, " lanes"]
    span: Int32[Array, " groups"]  # barriers passed
    calls: Int32[Array, "frames lanes"]
    called: Int32[Array, " lanes"]
    local: UInt32[Array, " local"]
    device: UInt32[Array, " device"]
    fault: Bool[Array, ""]
    steps: Int64[Array, ""]


def aim(kernel: Kernel, deviation: Deviation) -> list[Micro]:
    """Micro-operations whose ``target`` is where a lane goes that does not fall through."""
    rows = lower(kernel, deviation)
    structure = analyse(kernel.instructions)
    first: dict[int, int] = {}
    for number, row in enumerate(rows):
        first.setdefault(row.index, number)
    aimed = []
    for row in rows:
        partner = structure.partner[row.index]
        loop = structure.loop[row.index]
        target = row.target
        if row.control == Control.IF:
            skips = kernel.instructions[partner].mnemonic == "else"
            target = first[partner] + skips
        elif row.control == Control.ENDLOOP:
            target = first[partner] + 1
        elif row.control in (Control.BREAK, Control.CONTINUE):
            target = first[structure.partner[loop]] + (row.control == Control.BREAK)
        aimed.append(replace(row, target=target))
    return aimed


def _key(s: State) -> Int32[Array, " lanes"]:
    """Which lanes run first: deepest in calls, then the smallest counter."""
    return jnp.where(s.status == RUNNING, s.pc - s.called * 2**20, FAR)


def _step(
    s: State,
    code: jax.Array,
    batch: Batch,
    place: Slots,
    first: jax.Array,
    registers: int,
    every: bool,
) -> State:
    count = s.pc.shape[0]
    running = wave_any(s.status == RUNNING, batch.width)
    drawn = jax.lax.cond(
        batch.scatter != 0, lambda: draw(s.steps, s.span, batch, running), lambda: running
    )
    key = jnp.where(spread(drawn), _key(s), FAR)
    smallest = least(key)
    lanes = (key == smallest) & (key < FAR)
    here = s.pc[jnp.argmax(key == smallest)]
    row = jax.lax.dynamic_index_in_dim(code, here, 0, keepdims=False)

    active = fetch_active(s.file, row, lanes, registers + TRUE)
    x = Operands(s.file, s.local, s.device, active, lanes, row, first)
    word, _ = jax.lax.switch(column(row, "action"), branches(batch, place, every), x)
    flag = jax.lax.dynamic_index_in_dim(s.file, column(row, "flag"), 0, keepdims=False) != 0

    def memory(s: State) -> State:
        at, value = address(x), register(x, "b")
        outside, misaligned = faults(at, active, row, batch)
        fault = somewhere(outside | misaligned)
        near = access(at, value, active, row, place.group * batch.local_words)
        far = access(at, value, active, row, 0)
        kind = jnp.where(fault, 0, column(row, "memory"))
        third = s.file[registers - 1]
        local, device, old = apply_memory(s.local, s.device, near, far, third, row, kind)
        kept = s.file[column(row, "dest")]
        new = jnp.where(active & (column(row, "old") == 1) & ~fault, old, kept)
        file = s.file.at[column(row, "dest")].set(new)
        return s._replace(file=file, local=local, device=device, fault=s.fault | fault)

    to = column(row, "dest")
    kept = jax.lax.dynamic_index_in_dim(s.file, to, 0, keepdims=False)
    writes = active & (column(row, "memory") == 0)
    new = jnp.where(writes, word, kept)
    s = s._replace(file=jax.lax.dynamic_update_index_in_dim(s.file, new, to, 0))
    s = when(column(row, "width") > 0, memory, s)

    control = column(row, "control")
    is_ = {kind: control == kind for kind in Control}
    taken = active & flag
    jumps = is_[Control.IF] & ~taken
    jumps |= is_[Control.ELSE] | is_[Control.ENDLOOP] | is_[Control.CALL]
    jumps |= (is_[Control.BREAK] | is_[Control.CONTINUE]) & taken
    top = jnp.maximum(s.called - 1, 0)
    home = jnp.take_along_axis(s.calls, top[None], 0)[0]
    returns = is_[Control.RETURN] & active
    pc = jnp.where(jumps, column(row, "target"), here + 1)
    pc = jnp.where(lanes, jnp.where(returns & (s.called > 0), home, pc), s.pc)
    ends = active & (is_[Control.HALT] | (is_[Control.RETURN] & (s.called == 0)))
    status = jnp.where(ends, ENDED, jnp.where(active & is_[Control.BARRIER], WAITING, s.status))
    frame = (jnp.arange(MAX_CALL_DEPTH)[:, None] == s.called) & (lanes & is_[Control.CALL])
    called = s.called + (lanes & is_[Control.CALL]) - (returns & (s.called > 0))

    groups = count // 8
    team = jnp.arange(groups, dtype=jnp.int32) * 8 // batch.stride
    still = wave_any(status == RUNNING, batch.width)
    there = wave_any(status == WAITING, batch.width) & ~still
    arrived = jnp.zeros(groups, jnp.int32).at[team].add(there.astype(jnp.int32))
    free = there & (arrived[team] == batch.stride // 8)
    status = jnp.where(spread(free) & (status == WAITING), RUNNING, status).astype(jnp.uint8)
    return s._replace(
        pc=pc,
        status=status,
        span=s.span + free,
        calls=jnp.where(frame, here + 1, s.calls),
        called=called,
        steps=s.steps + 1,
    )


@partial(
    jax.jit,
    static_argnames=("rows", "registers", "local_words", "every"),
    compiler_options=dict(QUICKLY),
)
def advance(
    device: UInt32[Array, " device"],
    code: Int32[Array, "program columns"],
    batch: Batch,
    place: Slots,
    first: Int32[Array, ""],
    rows: int,
    registers: int,
    local_words: int,
    every: bool,
) -> State:
    """Run the batch that starts at workgroup ``first`` until no lane can go on."""
    count = place.lane.shape[0]
    alive = place.inside & (place.group < batch.total - first)
    zeros = jnp.zeros(count, jnp.int32)
    s = State(
        file=jnp.zeros((rows, count), jnp.uint32).at[registers + TRUE].set(1),
        pc=zeros,
        status=jnp.where(alive, RUNNING, ENDED).astype(jnp.uint8),
        span=jnp.zeros(count // 8, jnp.int32),
        calls=jnp.zeros((MAX_CALL_DEPTH, count), jnp.int32),
        called=zeros,
        local=jnp.zeros(local_words, jnp.uint32),
        device=device,
        fault=jnp.bool_(False),
        steps=jnp.int64(0),
    )

    def go_on(s: State) -> Bool[Array, ""]:
        return somewhere(s.status == RUNNING) & ~s.fault & (s.steps < batch.limit)

    def step(s: State) -> State:
        return _step(s, code, batch, place, first, registers, every)

    return jax.lax.while_loop(go_on, step, s)


class LaneCounters:
    """Independent threads: no masks, no counted events, faults without their place."""

    name = "lane counters"
    honours = frozenset({"schedule", "limit"})
    imitates = ~CONTROL_FLOW

    def run(
        self, kernel: Kernel, launch: Launch, memory: np.ndarray, options: RunOptions = DEFAULTS
    ) -> Outcome:
        """Run a launch; arguments as in `quire.isa.engines.protocol.Engine`.

        Raises `OutOfBounds`, `Deadlock` and `InstructionLimit` without naming the instruction: the
        mask stack does that.
        """
        local = admit(self, kernel, launch, memory, options)
        rows = aim(kernel, options.switches & ~CONTROL_FLOW)
        shape = shape_for(kernel, launch, rows, memory.size, local, options.lanes)
        code = jnp.asarray(matrix(rows, shape.program, shape.registers))
        device = jnp.asarray(np.pad(memory, (0, shape.device - memory.size)))
        batch = batch_for(launch, shape, local, memory.size, options)
        place = slots(batch, shape.lanes)
        sizes = (shape.registers + PREDICATES[0], shape.registers, shape.local, shape.every)
        for first in range(0, launch.workgroups, int(batch.each)):
            state = advance(device, code, batch, place, jnp.int32(first), *sizes)
            _raise_faults(state, kernel, options.limit)
            device = state.device
        return Outcome(np.asarray(device)[: memory.size])


def _raise_faults(state: State, kernel: Kernel, limit: int) -> None:
    status = np.asarray(state.status)
    if bool(state.fault):
        raise OutOfBounds(f"kernel {kernel.name!r}: an address is out of bounds or misaligned")
    if (status == RUNNING).any():
        raise InstructionLimit(f"kernel {kernel.name!r} did not end within {limit} steps")
    if (status == WAITING).any():
        raise Deadlock(f"kernel {kernel.name!r}: lanes wait at a barrier for ever")
