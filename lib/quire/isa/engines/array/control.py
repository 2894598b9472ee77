"""The mask stack: what control micro-operations do to sleeping lanes and program counters.

A lane is awake (0) or sleeps until a certain end of a certain block: its ``sleep`` is
``8 * depth + reason``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from quire.isa.engines.array.datapath import Batch, Slots, column, spread, wave_any
from quire.isa.engines.array.microcode import Control
from quire.isa.engines.array.reductions import count, somewhere

AWAKE, FAILED, DONE_THEN, CONTINUED, BROKE, RETURNED = range(6)  # why a lane sleeps
DEAD = 255
READY, WAITING, HALTED = 0, 1, 2
# error codes
OUTSIDE, MISALIGNED, SPLIT_BARRIER, STUCK, RACE = 1, 2, 3, 4, 5
# counters beyond the six classes of events
USEFUL, SLOTS, FALSE_LANES, DIVERGENT, BARRIERS, ATOMIC_LANES, ZERO_DIVISIONS = range(6, 13)
COUNTERS = 13


class Turn(NamedTuple):
    """What the usual control branches look at and change: per lane, per group of eight, scalars."""

    sleep: jax.Array
    pc: jax.Array
    status: jax.Array
    span: jax.Array
    counters: jax.Array
    error: jax.Array


class Past(NamedTuple):
    """What only calls and the deviations of the reference change."""

    left: jax.Array  # per lane: loops left, one bit per depth
    calls: jax.Array  # per frame and group of eight: the row to return to
    bases: jax.Array  # and the depth at which the function starts
    called: jax.Array  # per group: frames in use
    base: jax.Array  # the depth at which the current function starts


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
    base: jax.Array  # per lane: the depth at which the current function starts


def sleep_code(c: Context, name: str, reason: int) -> jax.Array:
    """Return what a lane sleeps on: the end of a block at a depth."""
    return (8 * (c.base + column(c.row, name)) + reason).astype(jnp.uint8)


def wake(t: Turn, c: Context, codes: tuple[jax.Array, ...]) -> jax.Array:
    """Return what lanes sleep on after those with one of the codes have woken."""
    back = jnp.zeros(t.sleep.shape, bool)
    for code in codes:
        back |= t.sleep == code
    return jnp.where(back & c.lanes, 0, t.sleep).astype(jnp.uint8)


def go(t: Turn, c: Context, next_: jax.Array) -> jax.Array:
    """Program counters after the chosen waves went to a row."""
    return jnp.where(c.chosen, next_, t.pc)


def skip_to(t: Turn, c: Context, next_: jax.Array) -> jax.Array:
    """Jump over a block if no lane is awake and the batch skips; waves without lanes halt."""

    def skip() -> jax.Array:
        awake = wave_any(t.sleep == 0, c.batch.width)
        return go(t, c, jnp.where(awake, next_, column(c.row, "jump")))

    return jax.lax.cond(c.batch.skip != 0, skip, lambda: go(t, c, next_))


def fall_through(t: Turn, c: Context) -> Turn:
    """On to the next row."""
    return t._replace(pc=go(t, c, c.here + 1))


def _if(t: Turn, c: Context) -> Turn:
    fail = c.lanes & (t.sleep == 0) & ~(c.active & c.flag)
    sides = wave_any(fail, c.batch.width), wave_any(c.active & c.flag, c.batch.width)
    per_wave = c.batch.width // 8
    t = t._replace(sleep=jnp.where(fail, sleep_code(c, "depth", FAILED), t.sleep))
    counters = t.counters.at[FALSE_LANES].add(count(sides[0] & c.chosen) // per_wave)
    both = count(sides[0] & sides[1] & c.chosen) // per_wave
    t = t._replace(counters=counters.at[DIVERGENT].add(both))
    return t._replace(pc=skip_to(t, c, c.here + 1))


def _else(t: Turn, c: Context) -> Turn:
    failed, done = sleep_code(c, "depth", FAILED), sleep_code(c, "depth", DONE_THEN)
    was_awake = c.lanes & (t.sleep == 0)
    t = t._replace(sleep=wake(t, c, (failed,)))
    t = t._replace(sleep=jnp.where(was_awake, done, t.sleep))
    return t._replace(pc=skip_to(t, c, c.here + 1))


def _endif(t: Turn, c: Context) -> Turn:
    codes = (sleep_code(c, "depth", FAILED), sleep_code(c, "depth", DONE_THEN))
    t = t._replace(sleep=wake(t, c, codes))
    return t._replace(pc=skip_to(t, c, c.here + 1))


def _loop(t: Turn, c: Context) -> Turn:
    return t._replace(pc=skip_to(t, c, c.here + 1))


def leave(t: Turn, c: Context, reason: int) -> Turn:
    """Active lanes with the predicate sleep on their loop."""
    gone = c.active & c.flag
    return t._replace(sleep=jnp.where(gone, sleep_code(c, "loop_depth", reason), t.sleep))


def _break(t: Turn, c: Context) -> Turn:
    t = leave(t, c, BROKE)
    return t._replace(pc=skip_to(t, c, c.here + 1))


def _continue(t: Turn, c: Context) -> Turn:
    t = leave(t, c, CONTINUED)
    return t._replace(pc=skip_to(t, c, c.here + 1))


def _endloop(t: Turn, c: Context) -> Turn:
    t = t._replace(sleep=wake(t, c, (sleep_code(c, "depth", CONTINUED),)))
    again = wave_any(t.sleep == 0, c.batch.width)
    over = c.lanes & spread(~again) & (t.sleep == sleep_code(c, "depth", BROKE))
    t = t._replace(sleep=jnp.where(over, 0, t.sleep).astype(jnp.uint8))
    onward = skip_to(t, c, c.here + 1)
    return t._replace(pc=jnp.where(again & c.chosen, column(c.row, "target") + 1, onward))


def _halt(t: Turn, c: Context) -> Turn:
    t = t._replace(sleep=jnp.where(c.active, DEAD, t.sleep).astype(jnp.uint8))
    return halt_empty_waves(t._replace(pc=skip_to(t, c, c.here + 1)), c)


def halt_empty_waves(t: Turn, c: Context) -> Turn:
    """Waves without living lanes halt."""
    alive = wave_any(t.sleep != DEAD, c.batch.width)
    return t._replace(status=jnp.where(alive, t.status, HALTED).astype(jnp.uint8))


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
        somewhere(split) & (t.error[0] == 0),
        jnp.array([SPLIT_BARRIER, 0, 0]).at[1].set(c.here).at[2].set(jnp.argmax(split)),
        t.error,
    )
    return t._replace(
        pc=go(t, c, c.here + 1),
        status=jnp.where(free, READY, status).astype(jnp.uint8),
        span=t.span + free,
        counters=t.counters.at[BARRIERS].add(first.sum()),
        error=error.astype(jnp.int32),
    )


def _jump_if_any(t: Turn, c: Context) -> Turn:
    again = wave_any(c.flag & c.lanes, c.batch.width)
    return t._replace(pc=go(t, c, jnp.where(again, column(c.row, "target"), c.here + 1)))


# The usual branches, by their number; those that see more are in `calls`.
CONTROLS = {
    Control.NONE: fall_through,
    Control.IF: _if,
    Control.ELSE: _else,
    Control.ENDIF: _endif,
    Control.LOOP: _loop,
    Control.BREAK: _break,
    Control.CONTINUE: _continue,
    Control.ENDLOOP: _endloop,
    Control.HALT: _halt,
    Control.BARRIER: _barrier,
    Control.JUMP_IF_ANY: _jump_if_any,
}
