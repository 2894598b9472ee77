"""The slow units: stores and atomics, control, and loads that are faulty or watched for races."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from quire.isa.engines.array.calls import WITH_CALLS
from quire.isa.engines.array.control import (
    ATOMIC_LANES,
    CONTROLS,
    COUNTERS,
    MISALIGNED,
    OUTSIDE,
    RACE,
    SLOTS,
    USEFUL,
    Context,
    Turn,
    fall_through,
)
from quire.isa.engines.array.datapath import (
    Batch,
    Operands,
    Slots,
    address,
    column,
    fetch_active,
    gather,
    register,
    spread,
)
from quire.isa.engines.array.memory import Access, access, apply_memory, faults, when
from quire.isa.engines.array.microcode import ACTIONS, Control
from quire.isa.engines.array.races import Touched, touch
from quire.isa.engines.array.reductions import count, somewhere


class There(NamedTuple):
    """Which micro-operation is due, for whom, and what was fixed when the engine was compiled."""

    choice: Any  # the row and the waves (`interpreter.Choice`)
    true: int  # row of the predicate that always holds
    checked: bool  # whether the race detector runs


def perform(s: Any, code: jax.Array, batch: Batch, place: Slots, there: There) -> Any:
    """One micro-operation that is not plain."""
    here, chosen = there.choice.here, there.choice.chosen
    row = jax.lax.dynamic_index_in_dim(code, here, 0, keepdims=False)
    active = fetch_active(s.file, row, there.choice.awake, there.true)
    s = _count(s, row, active, chosen, batch)
    s = when(
        column(row, "width") > 0,
        lambda s: _memory(s, row, active, batch, place, there),
        s,
    )
    s = s._replace(steps=s.steps + 1)
    lanes = spread(chosen)
    flag = jax.lax.dynamic_index_in_dim(s.file, column(row, "flag"), 0, keepdims=False) != 0
    base = spread(s.past.base)
    context = Context(here, chosen, lanes, active, flag, row, batch, place, base)
    control = column(row, "control")

    def usual(s: Any) -> Any:
        turn = Turn(s.sleep, s.pc, s.status, s.span, s.counters, s.error)
        kinds = [partial(CONTROLS.get(kind, fall_through), turn, context) for kind in Control]
        return _settle(s, jax.lax.switch(control, kinds))

    def rare(s: Any) -> Any:
        turn = Turn(s.sleep, s.pc, s.status, s.span, s.counters, s.error)
        number = sum((control == kind) * at for at, kind in enumerate(WITH_CALLS))
        kinds = [partial(kind, turn, s.past, context) for kind in WITH_CALLS.values()]
        turn, past = jax.lax.switch(number, kinds)
        return _settle(s, turn)._replace(past=past)

    needs_calls = jnp.stack([control == kind for kind in WITH_CALLS]).any()
    return when(needs_calls, rare, when(~needs_calls, usual, s))


def _settle(s: Any, turn: Turn) -> Any:
    return s._replace(**turn._asdict())


def _count(s: Any, row: jax.Array, active: jax.Array, chosen: jax.Array, batch: Batch) -> Any:
    waves = count(chosen) // (batch.width // 8)
    lanes = count(active)
    event = column(row, "event")
    counted = event >= 0
    gains = {
        USEFUL: jnp.where(counted, lanes, 0),
        SLOTS: jnp.where(counted, waves * batch.width, 0),
        ATOMIC_LANES: jnp.where(column(row, "memory") >= 3, lanes, 0),
    }
    gained = jnp.stack([gains.get(i, jnp.int32(0)) for i in range(COUNTERS)])
    gained += jnp.where((jnp.arange(COUNTERS) == event) & counted, waves, 0)
    return s._replace(counters=s.counters + gained)


def _memory(
    s: Any, row: jax.Array, active: jax.Array, batch: Batch, place: Slots, there: There
) -> Any:
    """Do a store, an atomic, or a load that is faulty or watched; a faulty one changes nothing."""
    x = Operands(s.file, s.local, s.device, active, there.choice.awake, row, s.first)
    at, value = address(x), register(x, "b")
    here = there.choice.here
    own = place.group * batch.local_words
    outside, misaligned = faults(at, active, row, batch)
    found = jax.lax.cond(
        somewhere(outside | misaligned),
        lambda: _first_fault(outside, misaligned, here),
        lambda: jnp.zeros(3, jnp.int32),
    )
    near, far = access(at, value, active, row, own), access(at, value, active, row, 0)
    if there.checked:
        found, near_seen, far_seen = jax.lax.cond(
            found[0] == 0,
            lambda: _race(s, near, far, row, batch, here),
            lambda: (found, s.local_touched, s.device_touched),
        )
        s = s._replace(local_touched=near_seen, device_touched=far_seen)
    s = s._replace(error=jnp.where(s.error[0] == 0, found, s.error))
    fine = found[0] == 0
    third = s.file[there.true - 5]  # the scratch register, before the predicates
    memory = jnp.where(fine, column(row, "memory"), 0)
    local, device, old = apply_memory(s.local, s.device, near, far, third, row, memory)
    s = s._replace(local=local, device=device)
    if there.checked:  # loads come here as well
        is_local = column(row, "action") == ACTIONS["load_local"]
        old = jax.lax.cond(
            column(row, "memory") > 0,
            lambda: old,
            lambda: jax.lax.cond(
                is_local,
                lambda: gather(x, x.local, own, batch.local_bytes)[0],
                lambda: gather(x, x.device, 0, batch.device_bytes)[0],
            ),
        )
    writes = (column(row, "old") == 1) | (column(row, "memory") == 0)
    return when(fine & writes, lambda s: _write(s, column(row, "dest"), old, active), s)


def _first_fault(outside: jax.Array, misaligned: jax.Array, here: jax.Array) -> jax.Array:
    """Kind, row and lane of the first faulty access."""
    kind = jnp.where(somewhere(outside), OUTSIDE, MISALIGNED)
    return jnp.stack([kind, here, jnp.argmax(outside | misaligned)]).astype(jnp.int32)


def _write(s: Any, to: jax.Array, word: jax.Array, active: jax.Array) -> Any:
    kept = jax.lax.dynamic_index_in_dim(s.file, to, 0, keepdims=False)
    new = jnp.where(active, word, kept)
    return s._replace(file=jax.lax.dynamic_update_index_in_dim(s.file, new, to, 0))


def _race(
    s: Any, near: Access, far: Access, row: jax.Array, batch: Batch, here: jax.Array
) -> tuple[jax.Array, Touched, Touched]:
    """Return the first lane that races, as an error triple, and the new records."""
    memory, action = column(row, "memory"), column(row, "action")
    kind = jnp.where(memory == 0, 0, jnp.where(memory < 3, 1, 2))
    is_local = (memory == 1) | (memory == 3) | (action == ACTIONS["load_local"])
    waves = batch.stride // batch.width
    slot = jnp.arange(s.sleep.shape[0], dtype=jnp.int32)
    wave = slot // batch.width + s.first * waves
    span = spread(s.span)
    # the side that is not touched sees no active lane
    near = near._replace(active=near.active & is_local)
    far = far._replace(active=far.active & ~is_local)
    local, race = touch(s.local_touched, near, wave, span, waves, kind)
    device, other = touch(s.device_touched, far, wave, span, waves, kind)
    race |= other
    code = jnp.where(somewhere(race), RACE, 0)
    return jnp.stack([code, here, jnp.argmax(race)]).astype(jnp.int32), local, device
