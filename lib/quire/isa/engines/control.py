"""The mask stack: what control micro-operations do to sleeping lanes and program counters.

A lane is awake (0) or sleeps until a certain end of a certain block: its ``sleep`` is
``8 * depth + reason``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from quire.isa.deviations import Deviation
from quire.isa.engines.datapath import Batch, Slots, column, spread, wave_any
from quire.isa.engines.microcode import Control
from quire.isa.structure import MAX_CALL_DEPTH

AWAKE, FAILED, DONE_THEN, CONTINUED, BROKE, RETURNED = range(6)  # why a lane sleeps
DEAD = 255
READY, WAITING, HALTED = 0, 1, 2
# error codes
OUTSIDE, CROOKED, SPLIT_BARRIER, STUCK, RACE = 1, 2, 3, 4, 5
# counters beyond the six classes of events
USEFUL, SLOTS, FALSE_LANES, DIVERGENT, BARRIERS, ATOMIC_LANES, ZERO_DIVISIONS = range(6, 13)
COUNTERS = 13


class Turn(NamedTuple):
    """What the control branches look at and change."""

    sleep: jax.Array
    left: jax.Array
    pc: jax.Array
    status: jax.Array
    span: jax.Array
    calls: jax.Array
    bases: jax.Array
    called: jax.Array
    flags: jax.Array
    counters: jax.Array
    error: jax.Array


class Context(NamedTuple):
    """The micro-operation of this turn and the lanes that are there."""

    here: jax.Array  # row number
    chosen: jax.Array  # per group
    lanes: jax.Array  # chosen, per lane
    active: jax.Array
    flag: jax.Array
    row: jax.Array
    batch: Batch
    place: Slots


def _base(t: Turn) -> jax.Array:
    """The depth at which the current function starts, per group."""
    top = jnp.maximum(t.called - 1, 0)
    base = jnp.take_along_axis(t.bases, top[None], 0)[0]
    return jnp.where(t.called > 0, base, 0)


def _code(t: Turn, c: Context, name: str, reason: int) -> jax.Array:
    """What a lane sleeps on: the end of a block at a depth."""
    depth = spread(_base(t)) + column(c.row, name)
    return (8 * depth + reason).astype(jnp.uint8)


def _wake(t: Turn, c: Context, codes: tuple[jax.Array, ...]) -> jax.Array:
    back = jnp.zeros(t.sleep.shape, bool)
    for code in codes:
        back |= t.sleep == code
    return jnp.where(back & c.lanes, 0, t.sleep).astype(jnp.uint8)


def _go(t: Turn, c: Context, next_: jax.Array) -> jax.Array:
    return jnp.where(c.chosen, next_, t.pc)


def _skip(t: Turn, c: Context, next_: jax.Array) -> jax.Array:
    """Jump over a block if no lane is awake and the batch skips; waves without lanes halt."""
    awake = wave_any(t.sleep == 0, c.batch.width)
    return _go(t, c, jnp.where(awake | (c.batch.skip == 0), next_, column(c.row, "jump")))


def fall_through(t: Turn, c: Context) -> Turn:
    """On to the next row."""
    return t._replace(pc=_go(t, c, c.here + 1))


def _if(t: Turn, c: Context) -> Turn:
    fail = c.lanes & (t.sleep == 0) & ~(c.active & c.flag)
    sides = wave_any(fail, c.batch.width), wave_any(c.active & c.flag, c.batch.width)
    per_wave = c.batch.width // 8
    t = t._replace(sleep=jnp.where(fail, _code(t, c, "depth", FAILED), t.sleep))
    counters = t.counters.at[FALSE_LANES].add((sides[0] & c.chosen).sum() // per_wave)
    both = (sides[0] & sides[1] & c.chosen).sum() // per_wave
    t = t._replace(counters=counters.at[DIVERGENT].add(both))
    return t._replace(pc=_skip(t, c, c.here + 1))


def _else(t: Turn, c: Context) -> Turn:
    failed, done = _code(t, c, "depth", FAILED), _code(t, c, "depth", DONE_THEN)
    was_awake = c.lanes & (t.sleep == 0)
    t = t._replace(sleep=_wake(t, c, (failed,)))
    t = t._replace(sleep=jnp.where(was_awake, done, t.sleep))
    return t._replace(pc=_skip(t, c, c.here + 1))


def _endif(t: Turn, c: Context) -> Turn:
    codes = (_code(t, c, "depth", FAILED), _code(t, c, "depth", DONE_THEN))
    t = t._replace(sleep=_wake(t, c, codes))
    return t._replace(pc=_skip(t, c, c.here + 1))


def _loop(t: Turn, c: Context) -> Turn:
    return t._replace(pc=_skip(t, c, c.here + 1))


def _leave_loop(t: Turn, c: Context, gone: jax.Array, reason: int) -> Turn:
    return t._replace(sleep=jnp.where(gone, _code(t, c, "loop_depth", reason), t.sleep))


def _break(t: Turn, c: Context) -> Turn:
    gone = c.active & c.flag
    t = _leave_loop(t, c, gone, BROKE)
    # the reference gives the lane back at the endif and lets it go at the endloop
    strange = (c.batch.deviation & Deviation.BREAK_IN_IF != 0) & (column(c.row, "if_depth") >= 0)
    bit = jnp.uint32(1) << column(c.row, "loop_depth").astype(jnp.uint32)
    late = gone & strange
    t = t._replace(
        sleep=jnp.where(late, _code(t, c, "if_depth", DONE_THEN), t.sleep),
        left=jnp.where(late, t.left | bit, t.left),
    )
    return t._replace(pc=_skip(t, c, c.here + 1))


def _continue(t: Turn, c: Context) -> Turn:
    gone = c.active & c.flag
    t = _leave_loop(t, c, gone, CONTINUED)
    strange = c.batch.deviation & Deviation.CONTINUE != 0
    back = wave_any(gone, c.batch.width) | ~wave_any(t.sleep == 0, c.batch.width)
    back &= strange
    return t._replace(pc=jnp.where(back & c.chosen, column(c.row, "imm"), _skip(t, c, c.here + 1)))


def _endloop(t: Turn, c: Context) -> Turn:
    bit = jnp.uint32(1) << column(c.row, "depth").astype(jnp.uint32)
    broke, continued = _code(t, c, "depth", BROKE), _code(t, c, "depth", CONTINUED)
    late = c.lanes & (t.sleep == 0) & (t.left & bit != 0)
    t = t._replace(sleep=jnp.where(late, broke, t.sleep))
    t = t._replace(sleep=_wake(t, c, (continued,)))
    again = wave_any(t.sleep == 0, c.batch.width)
    over = c.lanes & spread(~again)
    sleep = jnp.where(over & (t.sleep == broke), 0, t.sleep).astype(jnp.uint8)
    t = t._replace(sleep=sleep, left=jnp.where(over, t.left & ~bit, t.left))
    onward = _skip(t, c, c.here + 1)
    return t._replace(pc=jnp.where(again & c.chosen, column(c.row, "target") + 1, onward))


def _call(t: Turn, c: Context) -> Turn:
    frame = jnp.arange(MAX_CALL_DEPTH)[:, None] == t.called[None]
    new = frame & c.chosen[None]
    base = _base(t) + column(c.row, "depth") + 1
    t = t._replace(
        calls=jnp.where(new, c.here + 1, t.calls),
        bases=jnp.where(new, base[None], t.bases),
        called=jnp.where(c.chosen, t.called + 1, t.called),
    )
    return t._replace(pc=_go(t, c, column(c.row, "target")))


def _return(t: Turn, c: Context) -> Turn:
    """Lanes that return early sleep until the function's last return; at top level they end."""
    inside = t.called > 0
    code = (8 * (spread(_base(t)) - 1) + RETURNED).astype(jnp.uint8)
    last = inside & (column(c.row, "jump") == c.here)
    gone = jnp.where(spread(inside), code, DEAD).astype(jnp.uint8)
    t = t._replace(sleep=jnp.where(c.active, gone, t.sleep))
    back = c.lanes & spread(last) & (t.sleep == code)
    t = t._replace(sleep=jnp.where(back, 0, t.sleep).astype(jnp.uint8))
    home = jnp.take_along_axis(t.calls, jnp.maximum(t.called - 1, 0)[None], 0)[0]
    onward = _skip(t, c, c.here + 1)
    return t._replace(
        pc=jnp.where(last & c.chosen, home, onward),
        called=jnp.where(last & c.chosen, t.called - 1, t.called),
    )


def _halt(t: Turn, c: Context) -> Turn:
    t = t._replace(sleep=jnp.where(c.active, DEAD, t.sleep).astype(jnp.uint8))
    return t._replace(pc=_skip(t, c, c.here + 1))


def _barrier(t: Turn, c: Context) -> Turn:
    """Wait for all waves of the workgroup; the last one to come releases them."""
    missing = c.lanes & (t.sleep != DEAD) & ~c.active
    some = spread(wave_any(c.active, c.batch.width))
    split = missing & some
    groups = t.pc.shape[0]
    team = jnp.arange(groups, dtype=jnp.int32) * 8 // c.batch.stride
    status = jnp.where(c.chosen, WAITING, t.status)
    waiting = jnp.zeros(groups, jnp.int32).at[team].add((status == WAITING).astype(jnp.int32))
    free = (waiting[team] == c.batch.stride // 8) & (status == WAITING)
    # of each released workgroup the first group counts
    first = free & (jnp.arange(groups) * 8 % c.batch.stride == 0)
    error = jnp.where(
        split.any() & (t.error[0] == 0),
        jnp.array([SPLIT_BARRIER, 0, 0]).at[1].set(c.here).at[2].set(jnp.argmax(split)),
        t.error,
    )
    return t._replace(
        pc=_go(t, c, c.here + 1),
        status=jnp.where(free, READY, status).astype(jnp.uint8),
        span=t.span + free,
        counters=t.counters.at[BARRIERS].add(first.sum()),
        error=error.astype(jnp.int32),
    )


def _jump_if_any(t: Turn, c: Context) -> Turn:
    again = wave_any(c.flag & c.lanes, c.batch.width)
    return t._replace(pc=_go(t, c, jnp.where(again, column(c.row, "target"), c.here + 1)))


CONTROLS = {
    Control.NONE: fall_through,
    Control.IF: _if,
    Control.ELSE: _else,
    Control.ENDIF: _endif,
    Control.LOOP: _loop,
    Control.BREAK: _break,
    Control.CONTINUE: _continue,
    Control.ENDLOOP: _endloop,
    Control.CALL: _call,
    Control.RETURN: _return,
    Control.HALT: _halt,
    Control.BARRIER: _barrier,
    Control.JUMP_IF_ANY: _jump_if_any,
}
