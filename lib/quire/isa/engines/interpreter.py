"""The array interpreter: fetch, decode, execute for all waves of a batch at once.

Divergence is a mask stack, kept the way Apple's hardware keeps it: not as masks but as one number
per lane. A lane is awake (0) or sleeps until a certain end of a certain block: its ``sleep`` is
``8 * depth + reason``. The masks of the stack can be read off at any time (`stack_masks`). Since
every sleeping lane has exactly one place where it wakes, this is the mask stack of the
specification's section 5 with every lane that left a loop taken out of all inner frames.

One step runs one micro-operation: the smallest program counter among the waves that the schedule
puts first, for all waves that stand there. A lockstep schedule puts every wave first; a random one
draws an order of the waves of each workgroup between barriers, or anew every few steps.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Int64, UInt8, UInt32

from quire.isa.engines.control import (
    ATOMIC_LANES,
    CONTROLS,
    COUNTERS,
    CROOKED,
    DEAD,
    HALTED,
    OUTSIDE,
    RACE,
    READY,
    SLOTS,
    USEFUL,
    ZERO_DIVISIONS,
    Context,
    Turn,
)
from quire.isa.engines.datapath import (
    Batch,
    Operands,
    Slots,
    branches,
    column,
    spread,
    wave_any,
)
from quire.isa.engines.memory import Access, access, apply_memory, faults, when
from quire.isa.engines.microcode import ACTIONS, Control
from quire.isa.engines.races import Touched, touch, untouched
from quire.isa.structure import MAX_CALL_DEPTH

PREDICATE_ROWS = 112


class State(NamedTuple):
    """Everything that changes while a batch runs."""

    registers: UInt32[Array, "rows lanes"]
    flags: Bool[Array, "predicates lanes"]
    sleep: UInt8[Array, " lanes"]
    left: UInt32[Array, " lanes"]  # loops left, one bit per depth (for one deviation)
    pc: Int32[Array, " groups"]
    status: UInt8[Array, " groups"]
    span: Int32[Array, " groups"]  # barriers passed
    calls: Int32[Array, "frames groups"]
    bases: Int32[Array, "frames groups"]
    called: Int32[Array, " groups"]  # depth of the call stack
    local: UInt32[Array, " local"]
    device: UInt32[Array, " device"]
    local_touched: Touched
    device_touched: Touched
    counters: Int64[Array, " counters"]
    error: Int32[Array, "3"]  # code, row, slot
    steps: Int64[Array, ""]
    row: Int32[Array, ""]  # the micro-operation of the last step
    active: Bool[Array, " lanes"]  # and the lanes that ran it
    word: UInt32[Array, " lanes"]  # what they computed, and where it belongs
    place: UInt32[Array, " lanes"]
    pending: Int32[Array, ""]  # the store or atomic that has not reached memory yet


@partial(jax.jit, static_argnames=("rows", "local_words", "device_words", "checked"))
def start(
    batch: Batch, place: Slots, rows: int, local_words: int, device_words: int, checked: bool
) -> State:
    """The state before the first step: registers and local memory are zero.

    Device memory is empty until it is put in its place (`State._replace`), so that it need not be
    copied. Without ``checked`` the records of the race detector are kept empty.
    """
    lanes = place.lane.shape[0]
    groups = lanes // 8
    zeros = jnp.zeros(groups, jnp.int32)
    flags = jnp.zeros((PREDICATE_ROWS, lanes), bool).at[4].set(True)
    wave = place.alive.reshape(groups, 8).any(1)
    return State(
        registers=jnp.zeros((rows, lanes), jnp.uint32),
        flags=flags.at[6].set(place.alive),
        sleep=jnp.where(place.alive, 0, DEAD).astype(jnp.uint8),
        left=jnp.zeros(lanes, jnp.uint32),
        pc=zeros,
        status=jnp.where(spread_wave(wave, batch.width), READY, HALTED).astype(jnp.uint8),
        span=zeros,
        calls=jnp.zeros((MAX_CALL_DEPTH, groups), jnp.int32),
        bases=jnp.zeros((MAX_CALL_DEPTH, groups), jnp.int32),
        called=zeros,
        local=jnp.zeros(local_words, jnp.uint32),
        device=jnp.zeros(0, jnp.uint32),
        local_touched=untouched(local_words if checked else 1),
        device_touched=untouched(device_words if checked else 1),
        counters=jnp.zeros(COUNTERS, jnp.int64),
        error=jnp.zeros(3, jnp.int32),
        steps=jnp.int64(0),
        row=jnp.int32(0),
        active=jnp.zeros(lanes, bool),
        word=jnp.zeros(lanes, jnp.uint32),
        place=jnp.zeros(lanes, jnp.uint32),
        pending=jnp.int32(0),
    )


def spread_wave(groups: Bool[Array, " groups"], width: jax.Array) -> Bool[Array, " groups"]:
    """A flag of any group of eight lanes, given to all groups of its wave."""
    return wave_any(jnp.repeat(groups, 8), width)


def _mix(number: jax.Array) -> UInt32[Array, "..."]:
    """A 32-bit hash (the finaliser of MurmurHash3)."""
    number = number.astype(jnp.uint32)
    number = (number ^ (number >> 16)) * jnp.uint32(0x85EBCA6B)
    number = (number ^ (number >> 13)) * jnp.uint32(0xC2B2AE35)
    return number ^ (number >> 16)


def draw(steps: jax.Array, span: jax.Array, batch: Batch, ready: jax.Array) -> jax.Array:
    """Of each workgroup the ready wave that a random schedule puts first, per group of lanes."""
    groups = span.shape[0]
    at = jnp.arange(groups, dtype=jnp.int32) * 8
    team = at // batch.stride
    wave = at // batch.width
    turn = (steps.astype(jnp.uint32) >> batch.quantum.astype(jnp.uint32)) ^ batch.seed
    key = _mix(_mix(wave ^ _mix(turn).astype(jnp.int32)) + span.astype(jnp.uint32))
    key = jnp.where(ready, key | 1, 0)
    best = jnp.zeros(groups, jnp.uint32).at[team].max(key)
    return ready & (key == best[team])


def count(flags: Bool[Array, " lanes"]) -> Int32[Array, ""]:
    """How many flags are set; eight at a time, since a plain sum of booleans is slow on CPUs."""
    eights = jax.lax.bitcast_convert_type(flags.astype(jnp.uint8).reshape(-1, 8), jnp.uint64)
    return ((eights * jnp.uint64(0x0101010101010101)) >> 56).astype(jnp.int32).sum(dtype=jnp.int32)


def _step(s: State, code: jax.Array, batch: Batch, place: Slots, checked: bool) -> State:
    ready = s.status == READY
    drawn = jax.lax.cond(
        batch.scatter != 0, lambda: draw(s.steps, s.span, batch, ready), lambda: ready
    )
    here = jnp.where(drawn, s.pc, 2**30).min()
    chosen = drawn & (s.pc == here)
    lanes = spread(chosen)
    row = jax.lax.dynamic_index_in_dim(code, here, 0, keepdims=False)

    guard = jax.lax.dynamic_index_in_dim(s.flags, column(row, "guard"), 0, keepdims=False)
    awake = lanes & (s.sleep == 0)
    active = awake & (guard ^ (column(row, "negate") == 1))
    flag = jax.lax.dynamic_index_in_dim(s.flags, column(row, "flag"), 0, keepdims=False)
    at = jnp.clip(column(row, "imm"), 0, PREDICATE_ROWS - 1)
    second = jax.lax.dynamic_index_in_dim(s.flags, at, 0, keepdims=False)
    x = Operands(s.registers, s.local, s.device, flag, second, active, row)
    word, aux = jax.lax.switch(column(row, "action"), branches(batch, place), x)

    # a faulty access changes nothing
    found = jax.lax.cond(
        column(row, "width") > 0,
        lambda: _check(aux, active, row, batch, here),
        lambda: jnp.zeros(3, jnp.int32),
    )
    near = access(aux, word, active, row, place.group * batch.local_words)
    far = access(aux, word, active, row, 0)
    local_touched, device_touched = s.local_touched, s.device_touched
    if checked:
        found, local_touched, device_touched = jax.lax.cond(
            (column(row, "width") > 0) & (found[0] == 0),
            lambda: _race(s, near, far, row, batch, here),
            lambda: (found, s.local_touched, s.device_touched),
        )
    written = active & (found[0] == 0)
    to, flag_to = column(row, "to"), column(row, "flag_to")
    kept = jax.lax.dynamic_index_in_dim(s.registers, to, 0, keepdims=False)
    registers = jax.lax.dynamic_update_index_in_dim(
        s.registers, jnp.where(written & (column(row, "memory") == 0), word, kept), to, 0
    )
    kept = jax.lax.dynamic_index_in_dim(s.flags, flag_to, 0, keepdims=False)
    flags = jax.lax.dynamic_update_index_in_dim(
        s.flags, jnp.where(written, word != 0, kept), flag_to, 0
    )

    waves = chosen.sum(dtype=jnp.int32) // (batch.width // 8)
    awake_lanes = count(active)
    event, counted = column(row, "event"), column(row, "event") >= 0
    divides = (column(row, "action") == ACTIONS["idiv"]) | (
        column(row, "action") == ACTIONS["imod"]
    )
    zeros = jax.lax.cond(
        divides, lambda: jnp.where(active, aux, 0).sum(dtype=jnp.int32), lambda: jnp.int32(0)
    )
    gains = {
        USEFUL: jnp.where(counted, awake_lanes, 0),
        SLOTS: jnp.where(counted, waves * batch.width, 0),
        ATOMIC_LANES: jnp.where(column(row, "memory") >= 3, awake_lanes, 0),
        ZERO_DIVISIONS: zeros,
    }
    gained = jnp.stack([gains.get(i, jnp.int32(0)) for i in range(COUNTERS)])
    gained += jnp.where((jnp.arange(COUNTERS) == event) & counted, waves, 0)
    counters = s.counters + gained

    turn = Turn(
        *(s.sleep, s.left, s.pc, s.status, s.span, s.calls, s.bases, s.called),
        *(s.flags[0], counters, jnp.where(s.error[0] == 0, found, s.error)),
    )
    context = Context(here, chosen, lanes, active, flag, row, batch, place)

    def structured(turn: Turn) -> Turn:
        kinds = [partial(CONTROLS[kind], turn, context) for kind in Control]
        t = jax.lax.switch(column(row, "control"), kinds)
        alive = wave_any(t.sleep != DEAD, batch.width)
        return t._replace(status=jnp.where(alive, t.status, HALTED).astype(jnp.uint8))

    plain = column(row, "control") == 0
    turn = turn._replace(pc=jnp.where(chosen & plain, here + 1, turn.pc))
    t = when(~plain, structured, turn)
    return State(
        registers=registers,
        flags=flags,
        sleep=t.sleep,
        left=t.left,
        pc=t.pc,
        status=t.status,
        span=t.span,
        calls=t.calls,
        bases=t.bases,
        called=t.called,
        local=s.local,
        device=s.device,
        local_touched=local_touched,
        device_touched=device_touched,
        counters=t.counters,
        error=t.error,
        steps=s.steps + 1,
        row=here.astype(jnp.int32),
        active=active,
        word=word,
        place=aux,
        pending=jnp.where(t.error[0] == 0, column(row, "memory"), 0),
    )


def _settle(s: State, code: jax.Array, batch: Batch, place: Slots) -> State:
    """Let the store or atomic of the last step reach memory, and its old words the registers."""
    row = jax.lax.dynamic_index_in_dim(code, s.row, 0, keepdims=False)
    near = access(s.place, s.word, s.active, row, place.group * batch.local_words)
    far = access(s.place, s.word, s.active, row, 0)
    local, device, old = apply_memory(s.local, s.device, near, far, s.registers[-1], row, s.pending)
    to = column(row, "to")
    kept = jax.lax.dynamic_index_in_dim(s.registers, to, 0, keepdims=False)
    new = jnp.where(s.active & (column(row, "old") == 1), old, kept)
    registers = jax.lax.dynamic_update_index_in_dim(s.registers, new, to, 0)
    return s._replace(local=local, device=device, registers=registers, pending=jnp.int32(0))


def _check(
    place: jax.Array, active: jax.Array, row: jax.Array, batch: Batch, here: jax.Array
) -> jax.Array:
    """The first lane whose access is out of bounds or misaligned, as an error triple."""
    outside, crooked = faults(place, active, row, batch)
    kind = jnp.where(outside.any(), OUTSIDE, jnp.where(crooked.any(), CROOKED, 0))
    return jnp.stack([kind, here, jnp.argmax(outside | crooked)]).astype(jnp.int32)


def _race(
    s: State, near: Access, far: Access, row: jax.Array, batch: Batch, here: jax.Array
) -> tuple[jax.Array, Touched, Touched]:
    """The first lane that races, as an error triple, and the new records."""
    memory, action = column(row, "memory"), column(row, "action")
    kind = jnp.where(memory == 0, 0, jnp.where(memory < 3, 1, 2))
    is_local = (memory == 1) | (memory == 3) | (action == ACTIONS["load_local"])
    waves = batch.stride // batch.width
    slot = jnp.arange(s.sleep.shape[0], dtype=jnp.int32)
    wave = slot // batch.width + batch.first * waves
    span = spread(s.span)
    # the side that is not touched sees no active lane
    near = near._replace(active=near.active & is_local)
    far = far._replace(active=far.active & ~is_local)
    local, race = touch(s.local_touched, near, wave, span, waves, kind)
    device, other = touch(s.device_touched, far, wave, span, waves, kind)
    race |= other
    code = jnp.where(race.any(), RACE, 0)
    return jnp.stack([code, here, jnp.argmax(race)]).astype(jnp.int32), local, device


@partial(jax.jit, static_argnames=("checked",), donate_argnums=0)
def advance(
    s: State, code: Int32[Array, "rows columns"], batch: Batch, place: Slots, checked: bool
) -> State:
    """Run until every wave halts or waits, a fault happens, or ``batch.until`` steps are done.

    The given state is used up: its arrays become those of the result.

    ``checked`` adds the race detector.
    """

    def go_on(s: State) -> Bool[Array, ""]:
        return (s.status == READY).any() & (s.error[0] == 0) & (s.steps < batch.until)

    def until_store(s: State) -> State:
        """Steps that only read the memories: an inner loop, so that XLA need not copy them."""
        return jax.lax.while_loop(
            lambda s: go_on(s) & (s.pending == 0),
            lambda s: _step(s, code, batch, place, checked),
            s,
        )

    return jax.lax.while_loop(go_on, lambda s: _settle(until_store(s), code, batch, place), s)
