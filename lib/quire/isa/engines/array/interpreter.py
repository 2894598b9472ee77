"""The array interpreter: fetch, decode, execute for all waves of a batch at once.

Divergence is a mask stack, kept the way Apple's hardware keeps it: not as masks but as one number
per lane. A lane is awake (0) or sleeps until a certain end of a certain block: its ``sleep`` is
``8 * depth + reason``. The masks of the stack can be read off at any time (`stack_masks`). Since
every sleeping lane has exactly one place where it wakes, this is the mask stack of the
specification's section 5 with every lane that left a loop taken out of all inner frames.

The schedule chooses waves that stand at one program counter. They *sprint* (`_sprint`) over
micro-operations that change nothing but their registers, one switch and one written row each, up to
a control instruction, a store, or the place where other waves wait; `_turn` does the rest. A
lockstep schedule puts every wave first; a random one draws an order of the waves of each workgroup
between barriers, or anew every few steps.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Int64, UInt8, UInt32

from quire.isa.engines.array import units
from quire.isa.engines.array.control import (
    BARRIERS,
    CONTINUED,
    COUNTERS,
    DEAD,
    HALTED,
    READY,
    SLOTS,
    USEFUL,
    ZERO_DIVISIONS,
    Past,
)
from quire.isa.engines.array.datapath import (
    STOP,
    Batch,
    Operands,
    Slots,
    branches,
    column,
    fetch_active,
    spread,
    wave_any,
)
from quire.isa.engines.array.memory import when
from quire.isa.engines.array.microcode import MASKS, TRUE, Plain
from quire.isa.engines.array.races import Touched, untouched
from quire.isa.engines.array.reductions import count, least, somewhere
from quire.isa.engines.protocol import QUICKLY
from quire.isa.structure import MAX_CALL_DEPTH

FAR = 2**30
SMALL = 1024  # lanes up to which an engine is made to compile soon


class State(NamedTuple):
    """Everything that changes while a launch runs, batch after batch."""

    file: UInt32[Array, "rows lanes"]  # registers, the scratch register, predicates
    sleep: UInt8[Array, " lanes"]
    pc: Int32[Array, " groups"]
    status: UInt8[Array, " groups"]
    span: Int32[Array, " groups"]  # barriers passed
    past: Past
    local: UInt32[Array, " local"]
    device: UInt32[Array, " device"]
    local_touched: Touched | None  # None: races are not watched for
    device_touched: Touched | None
    counters: Int64[Array, " counters"]
    error: Int32[Array, "3"]  # code, row, slot
    first: Int32[Array, ""]  # the batch's first workgroup
    steps: Int64[Array, ""]
    began: Int64[Array, ""]  # steps when the batch began


@dataclass(frozen=True)
class Made:
    """What is fixed when an engine is compiled.

    ``registers`` is how many rows of the file are registers, ``checked`` adds the race detector,
    ``every`` the operations that few kernels use.
    """

    registers: int
    checked: bool
    every: bool


class Program(NamedTuple):
    """A lowered kernel: its matrix, and the rows of the file to clear before each batch."""

    code: Int32[Array, "program columns"]
    clear: Int32[Array, " rows"]
    clears: Int32[Array, ""]


@partial(jax.jit, static_argnames=("rows", "registers", "local_words", "device_words", "checked"))
def start(
    batch: Batch,
    place: Slots,
    rows: int,
    registers: int,
    local_words: int,
    device_words: int,
    checked: bool,
) -> State:
    """Return the state before the first step: registers, predicates and local memory are zero.

    Device memory is empty until it is put in its place (`State._replace`), so that it need not be
    copied.
    """
    lanes = place.lane.shape[0]
    groups = lanes // 8
    zeros = jnp.zeros(groups, jnp.int32)
    frames = jnp.zeros((MAX_CALL_DEPTH, groups), jnp.int32)
    alive, sleep, status = _population(batch, place, jnp.int32(0))
    row = jnp.arange(rows)[:, None] - registers
    return State(
        file=((row == TRUE) | (row == MASKS) & alive).astype(jnp.uint32),
        sleep=sleep,
        pc=zeros,
        status=status,
        span=zeros,
        past=Past(jnp.zeros(lanes, jnp.uint32), frames, frames, zeros, zeros),
        local=jnp.zeros(local_words, jnp.uint32),
        device=jnp.zeros(0, jnp.uint32),
        local_touched=untouched(local_words) if checked else None,
        device_touched=untouched(device_words) if checked else None,
        counters=jnp.zeros(COUNTERS, jnp.int64),
        error=jnp.zeros(3, jnp.int32),
        first=jnp.int32(0),
        steps=jnp.int64(0),
        began=jnp.int64(0),
    )


def _population(
    batch: Batch, place: Slots, first: jax.Array
) -> tuple[Bool[Array, " lanes"], UInt8[Array, " lanes"], UInt8[Array, " groups"]]:
    """Which lanes live in the batch that starts at a workgroup, asleep or not, ready or not."""
    alive = place.inside & (place.group < batch.total - first)
    status = jnp.where(wave_any(alive, batch.width), READY, HALTED)
    return alive, jnp.where(alive, 0, DEAD).astype(jnp.uint8), status.astype(jnp.uint8)


def _next_batch(s: State, program: Program, batch: Batch, place: Slots, registers: int) -> State:
    """Return the state with the next workgroups in place of those that have ended."""
    first = s.first + batch.each
    alive, sleep, status = _population(batch, place, first)
    none = jnp.zeros(place.lane.shape, jnp.uint32)

    def wipe(number: jax.Array, file: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_index_in_dim(file, none, program.clear[number], 0)

    file = jax.lax.fori_loop(0, program.clears, wipe, s.file)
    piece = min(4096, s.local.shape[0])
    empty = jnp.zeros(piece, jnp.uint32)

    def empty_piece(number: jax.Array, local: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_slice_in_dim(local, empty, number * piece, 0)

    used = batch.each * batch.local_words
    return s._replace(
        file=file.at[registers + MASKS].set(alive.astype(jnp.uint32)),
        sleep=sleep,
        pc=jnp.zeros_like(s.pc),
        status=status,
        span=jnp.zeros_like(s.span),
        past=s.past._replace(left=none, called=jnp.zeros_like(s.pc), base=jnp.zeros_like(s.pc)),
        local=jax.lax.fori_loop(0, (used + piece - 1) // piece, empty_piece, s.local),
        local_touched=None if s.local_touched is None else untouched(s.local.shape[0]),
        first=first,
        began=s.steps,
    )


def _mix(number: jax.Array) -> UInt32[Array, "..."]:
    """Return a 32-bit hash (the finaliser of MurmurHash3)."""
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


class Choice(NamedTuple):
    """Who runs next: the row, the waves that stand there, and where they meet others."""

    here: jax.Array
    chosen: Bool[Array, " groups"]
    meets: jax.Array  # the row where the next waves of this schedule stand
    awake: Bool[Array, " lanes"]


def choose(s: State, batch: Batch) -> Choice:
    """Return the smallest program counter among the waves that the schedule puts first."""
    ready = s.status == READY
    drawn = jax.lax.cond(
        batch.scatter != 0,
        lambda: draw(s.steps - s.began, s.span, batch, ready),
        lambda: ready,
    )
    here = least(jnp.where(drawn, s.pc, FAR))
    chosen = drawn & (s.pc == here)
    meets = least(jnp.where(drawn & ~chosen, s.pc, FAR))
    return Choice(here, chosen, meets, spread(chosen) & (s.sleep == 0))


class _Sprint(NamedTuple):
    file: jax.Array
    pc: jax.Array
    steps: jax.Array
    tally: Int32[Array, " classes"]  # micro-operations per class of events, the last uncounted
    useful: jax.Array
    zeros: jax.Array  # lanes that divided by zero
    met: Int32[Array, ""]  # barriers passed
    stopped: Bool[Array, ""]  # at a faulty load, or a test in which lanes disagree


def _allowed(
    s: State, batch: Batch, place: Slots, choice: Choice, checked: bool
) -> Bool[Array, " kinds"]:
    """Per kind of micro-operation (`Plain`), whether a sprint of these waves may run it."""
    lanes = spread(choice.chosen)
    awake_waves = wave_any(choice.awake, batch.width)
    peopled = ~somewhere(choice.chosen & ~awake_waves)
    full = ~somewhere(lanes & (s.sleep != 0) & (s.sleep != DEAD))
    continued = somewhere(lanes & (s.sleep & 7 == CONTINUED) & (s.sleep != DEAD))
    here = place.group.reshape(-1, 8)[:, 0] < jnp.minimum(batch.each, batch.total - s.first)
    everyone = ~somewhere(choice.chosen != here) & (batch.scatter == 0)
    kinds = {
        Plain.NEVER: jnp.bool_(False),
        Plain.ALWAYS: jnp.bool_(True),
        Plain.LOAD: jnp.bool_(not checked),
        Plain.TEST: peopled | (batch.skip == 0),
        Plain.ENDIF: full,
        Plain.ENDLOOP: peopled & ~continued,
        Plain.BARRIER: full & everyone,
    }
    return jnp.stack([kinds[kind] for kind in Plain])


def _sprint(
    s: State,
    program: Program,
    batch: Batch,
    place: Slots,
    choice: Choice,
    made: Made,
) -> tuple[State, Int32[Array, ""], Bool[Array, ""]]:
    """Run plain micro-operations; the state, the row reached, and whether `_turn` must do it."""
    age = s.steps - s.began
    until = jnp.minimum(batch.until, s.began + batch.limit)
    redraw = ((age >> batch.quantum) + 1) << batch.quantum
    until = jnp.where(batch.scatter != 0, jnp.minimum(until, s.began + redraw), until)
    awake_lanes = count(choice.awake)
    true = made.registers + TRUE
    table = branches(batch, place, made.every)
    allowed = _allowed(s, batch, place, choice, made.checked)

    def fetch(c: _Sprint) -> jax.Array:
        return jax.lax.dynamic_index_in_dim(program.code, c.pc, 0, keepdims=False)

    def may_run(c: _Sprint) -> jax.Array:
        return (c.pc < choice.meets) & (c.steps < until)

    def goes_on(c: _Sprint) -> jax.Array:
        return allowed[column(fetch(c), "plain")] & may_run(c) & ~c.stopped

    def step(c: _Sprint) -> _Sprint:
        row = fetch(c)
        active = fetch_active(c.file, row, choice.awake, true)
        x = Operands(c.file, s.local, s.device, active, choice.awake, row, s.first)
        word, note = jax.lax.switch(column(row, "action"), table, x)
        stops = note == STOP
        to = column(row, "dest")
        kept = jax.lax.dynamic_index_in_dim(c.file, to, 0, keepdims=False)
        new = jnp.where(active & ~stops, word, kept)
        own = column(row, "guard") == true
        lanes = jax.lax.cond(own, lambda: awake_lanes, lambda: count(active))
        event, kind = column(row, "event"), column(row, "plain")
        onward = jnp.where(stops, 0, 1)
        after = jnp.where(kind == Plain.ENDLOOP, column(row, "target"), c.pc) + 1
        return _Sprint(
            jax.lax.dynamic_update_index_in_dim(c.file, new, to, 0),
            jnp.where(stops, c.pc, after),
            c.steps + onward,
            c.tally.at[event].add(onward),
            c.useful + jnp.where((event >= 0) & ~stops, lanes, 0),
            c.zeros + jnp.maximum(note, 0),
            c.met + jnp.where((kind == Plain.BARRIER) & ~stops, 1, 0),
            stops,
        )

    none = jnp.int64(0)
    begin = _Sprint(
        *(s.file, choice.here, s.steps, jnp.zeros(7, jnp.int32), none, none, jnp.int32(0)),
        jnp.bool_(False),
    )
    c = jax.lax.while_loop(goes_on, step, begin)
    waves = count(choice.chosen) // (batch.width // 8)
    gained = jnp.zeros(COUNTERS, jnp.int64).at[:6].set(c.tally[:6].astype(jnp.int64) * waves)
    gained = gained.at[USEFUL].set(c.useful).at[ZERO_DIVISIONS].set(c.zeros)
    gained = gained.at[SLOTS].set(c.tally[:6].sum().astype(jnp.int64) * waves * batch.width)
    gained = gained.at[BARRIERS].set(c.met * jnp.minimum(batch.each, batch.total - s.first))
    s = s._replace(
        file=c.file,
        pc=jnp.where(choice.chosen, c.pc, s.pc),
        span=jnp.where(choice.chosen, s.span + c.met, s.span),
        steps=c.steps,
        counters=s.counters + gained,
    )
    return s, c.pc, may_run(c) & (c.stopped | ~allowed[column(fetch(c), "plain")])


def _turn(s: State, program: Program, batch: Batch, place: Slots, made: Made) -> State:
    """Sprint, then do the control instruction, store or faulty load that ended the sprint."""
    choice = choose(s, batch)
    s, here, due = _sprint(s, program, batch, place, choice, made)
    there = units.There(choice._replace(here=here), made.registers + TRUE, made.checked)
    return when(due, lambda s: units.perform(s, program.code, batch, place, there), s)


def _advance(s: State, program: Program, batch: Batch, place: Slots, made: Made) -> State:
    """Run until every workgroup has ended, waves wait for ever, a fault happens or steps run out.

    The given state is used up: its arrays become those of the result.
    """

    def go_on(s: State) -> Bool[Array, ""]:
        in_time = (s.steps < batch.until) & (s.steps - s.began < batch.limit)
        return somewhere(s.status == READY) & (s.error[0] == 0) & in_time

    def turn(s: State) -> State:
        s = _turn(s, program, batch, place, made)
        over = ~somewhere(s.status != HALTED) & (s.first + batch.each < batch.total)
        return when(over, lambda s: _next_batch(s, program, batch, place, made.registers), s)

    return jax.lax.while_loop(go_on, turn, s)


_jit = partial(jax.jit, static_argnames="made", donate_argnums=0)
_small, _large = _jit(_advance, compiler_options=dict(QUICKLY)), _jit(_advance)


def advance(s: State, program: Program, batch: Batch, place: Slots, made: Made) -> State:
    """Run as `_advance` does; an engine of few lanes is compiled quickly, and not for speed."""
    small = place.lane.shape[0] <= SMALL
    return (_small if small else _large)(s, program, batch, place, made)


@partial(jax.jit, static_argnames="registers")
def peek(
    s: State, program: Program, batch: Batch, registers: int
) -> tuple[Int32[Array, ""], Bool[Array, " lanes"], UInt32[Array, " lanes"]]:
    """Tell the next step: its row, its active lanes, and the words of its first source."""
    choice = choose(s, batch)
    row = program.code[choice.here]
    active = fetch_active(s.file, row, choice.awake, registers + TRUE)
    return choice.here, active, s.file[column(row, "a")]
