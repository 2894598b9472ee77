"""Calls, early returns, and the control flow of the reference.

These branches also see the call stack and the loops that lanes have left but not yet gone from.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from quire.isa.engines.array.control import (
    BROKE,
    CONTINUED,
    DEAD,
    DONE_THEN,
    RETURNED,
    Context,
    Past,
    Turn,
    go,
    halt_empty_waves,
    leave,
    skip_to,
    sleep_code,
    wake,
)
from quire.isa.engines.array.datapath import column, spread, wave_any
from quire.isa.engines.array.microcode import Control
from quire.isa.structure import MAX_CALL_DEPTH

Both = tuple[Turn, Past]


def _with_base(p: Past) -> Past:
    top = jnp.maximum(p.called - 1, 0)
    base = jnp.take_along_axis(p.bases, top[None], 0)[0]
    return p._replace(base=jnp.where(p.called > 0, base, 0))


def _call(t: Turn, p: Past, c: Context) -> Both:
    frame = jnp.arange(MAX_CALL_DEPTH)[:, None] == p.called[None]
    new = frame & c.chosen[None]
    base = p.base + column(c.row, "depth") + 1
    p = p._replace(
        calls=jnp.where(new, c.here + 1, p.calls),
        bases=jnp.where(new, base[None], p.bases),
        called=jnp.where(c.chosen, p.called + 1, p.called),
    )
    return t._replace(pc=go(t, c, column(c.row, "target"))), _with_base(p)


def _return(t: Turn, p: Past, c: Context) -> Both:
    """Lanes that return early sleep until the function's last return; at top level they end."""
    inside = p.called > 0
    code = (8 * (c.base - 1) + RETURNED).astype(jnp.uint8)
    last = inside & (column(c.row, "jump") == c.here)
    gone = jnp.where(spread(inside), code, DEAD).astype(jnp.uint8)
    t = t._replace(sleep=jnp.where(c.active, gone, t.sleep))
    back = c.lanes & spread(last) & (t.sleep == code)
    t = t._replace(sleep=jnp.where(back, 0, t.sleep).astype(jnp.uint8))
    home = jnp.take_along_axis(p.calls, jnp.maximum(p.called - 1, 0)[None], 0)[0]
    t = t._replace(pc=jnp.where(last & c.chosen, home, skip_to(t, c, c.here + 1)))
    called = jnp.where(last & c.chosen, p.called - 1, p.called)
    return halt_empty_waves(t, c), _with_base(p._replace(called=called))


def _bit(c: Context, name: str) -> jax.Array:
    return jnp.uint32(1) << column(c.row, name).astype(jnp.uint32)


def _break_late(t: Turn, p: Past, c: Context) -> Both:
    """Let the lane come back at the endif and go at the endloop; outside of an if at once."""
    gone = c.active & c.flag
    in_if = column(c.row, "if_depth") >= 0
    code = jnp.where(
        in_if, sleep_code(c, "if_depth", DONE_THEN), sleep_code(c, "loop_depth", BROKE)
    )
    t = t._replace(sleep=jnp.where(gone, code, t.sleep).astype(jnp.uint8))
    left = jnp.where(gone & in_if, p.left | _bit(c, "loop_depth"), p.left)
    return t._replace(pc=skip_to(t, c, c.here + 1)), p._replace(left=left)


def _endloop_late(t: Turn, p: Past, c: Context) -> Both:
    broke = sleep_code(c, "depth", BROKE)
    late = c.lanes & (t.sleep == 0) & (p.left & _bit(c, "depth") != 0)
    t = t._replace(sleep=jnp.where(late, broke, t.sleep))
    t = t._replace(sleep=wake(t, c, (sleep_code(c, "depth", CONTINUED),)))
    again = wave_any(t.sleep == 0, c.batch.width)
    over = c.lanes & spread(~again)
    sleep = jnp.where(over & (t.sleep == broke), 0, t.sleep).astype(jnp.uint8)
    t = t._replace(sleep=sleep)
    p = p._replace(left=jnp.where(over, p.left & ~_bit(c, "depth"), p.left))
    onward = skip_to(t, c, c.here + 1)
    return t._replace(pc=jnp.where(again & c.chosen, column(c.row, "target") + 1, onward)), p


def _continue_back(t: Turn, p: Past, c: Context) -> Both:
    gone = c.active & c.flag
    t = leave(t, c, CONTINUED)
    back = wave_any(gone, c.batch.width) | ~wave_any(t.sleep == 0, c.batch.width)
    onward = skip_to(t, c, c.here + 1)
    return t._replace(pc=jnp.where(back & c.chosen, column(c.row, "imm"), onward)), p


WITH_CALLS: dict[Control, Callable[[Turn, Past, Context], Both]] = {
    Control.CALL: _call,
    Control.RETURN: _return,
    Control.BREAK_LATE: _break_late,
    Control.ENDLOOP_LATE: _endloop_late,
    Control.CONTINUE_BACK: _continue_back,
}
