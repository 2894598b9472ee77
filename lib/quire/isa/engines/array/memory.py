"""The memory unit: stores and atomics, and the checks of every access."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, UInt32

from quire.isa.engines.array.datapath import Batch, column, run_of_words
from quire.isa.engines.array.microcode import ACTIONS, Memory

Words = UInt32[Array, " words"]


class Access(NamedTuple):
    """The lanes of one memory micro-operation, as word indices into one memory."""

    at: Int32[Array, " lanes"]
    shift: UInt32[Array, " lanes"]
    value: UInt32[Array, " lanes"]
    active: Bool[Array, " lanes"]
    width: jax.Array | int  # 1, 2 or 4 bytes; a plain number if known beforehand


def access(
    place: UInt32[Array, " lanes"],
    value: UInt32[Array, " lanes"],
    active: Bool[Array, " lanes"],
    row: Int32[Array, " columns"],
    base: jax.Array | int,
) -> Access:
    """Return an access at byte addresses ``place``, ``base`` being the first word of the memory."""
    at = base + (place >> 2).astype(jnp.int32)
    return Access(at, (place & 3) * 8, value, active, column(row, "width"))


def _put(memory: Words, at: jax.Array, value: jax.Array, active: jax.Array) -> Words:
    # XLA applies a scatter's updates in order on CPUs: of two lanes at one word, the higher wins
    return memory.at[jnp.where(active, at, memory.shape[0])].set(value, mode="drop")


def when(condition: jax.Array, change: Callable[[Any], Any], carry: Any) -> Any:
    """``change(carry)`` if the condition holds: a loop of at most one round.

    XLA updates a loop's arrays in place, while it copies what a branch of a conditional passes on.
    """

    def turn(pair: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
        return jnp.bool_(False), change(pair[1])

    return jax.lax.while_loop(lambda pair: pair[0], turn, (condition, carry))[1]


def store(memory: Words, a: Access) -> Words:
    """Write a word, half word or byte per active lane; the highest lane wins.

    Stores where lane after lane writes word after word are one slice.
    """
    lanes = a.at.shape[0]
    size = jnp.uint32(4 * memory.shape[0])
    straight, start = run_of_words(a.at.astype(jnp.uint32) << 2, a.active, size)

    def coalesced(memory: Words) -> Words:
        old = jax.lax.dynamic_slice_in_dim(memory, start, lanes)
        new = jnp.where(a.active, a.value, old)
        return jax.lax.dynamic_update_slice_in_dim(memory, new, start, 0)

    def partial(memory: Words) -> Words:
        for byte in (0, 8, 16, 24):  # no two lanes change one word in the same round by accident
            mine = a.active & (a.shift == byte)
            keep = jnp.where(a.width == 2, jnp.uint32(0xFFFF), jnp.uint32(0xFF)) << byte
            old = memory.at[a.at].get(mode="clip")
            memory = _put(memory, a.at, (old & ~keep) | ((a.value << byte) & keep), mine)
        return memory

    if isinstance(a.width, int) and a.width < 4:
        return partial(memory)
    if memory.shape[0] >= lanes:
        memory = when((a.width == 4) & straight, coalesced, memory)
    else:
        straight = jnp.bool_(False)
    memory = when((a.width == 4) & ~straight, lambda m: _put(m, a.at, a.value, a.active), memory)
    return memory if isinstance(a.width, int) else when(a.width < 4, partial, memory)


def _combine(kind: jax.Array, old: jax.Array, value: jax.Array, third: jax.Array) -> jax.Array:
    """Return what an atomic leaves in memory; min and max are unsigned, as in the toolchain."""
    results = (
        *(old + value, old - value, jnp.minimum(old, value), jnp.maximum(old, value)),
        *(old & value, old | value, old ^ value, value, jnp.where(old == value, third, old)),
    )
    return jax.lax.select_n(kind, *results)


def atomic(
    memory: Words, a: Access, kind: jax.Array, third: jax.Array, wants_old: jax.Array
) -> tuple[Words, UInt32[Array, " lanes"]]:
    """Apply an atomic lane after lane; returns the memory and the old words.

    Sums, minima, maxima and exchanges whose old words nobody reads are one scatter.
    """
    lanes = a.at.shape[0]
    olds = jnp.zeros(lanes, jnp.uint32)

    def in_order(carry: tuple[Words, jax.Array]) -> tuple[Words, jax.Array]:
        def turn(lane: jax.Array, carry: tuple[Words, jax.Array]) -> tuple[Words, jax.Array]:
            memory, olds = carry
            at = jnp.clip(a.at[lane], 0, memory.shape[0] - 1)
            old = memory[at]
            new = _combine(kind, old, a.value[lane], third[lane])
            new = jnp.where(a.active[lane], new, old)
            return memory.at[at].set(new), olds.at[lane].set(old)

        return jax.lax.fori_loop(0, lanes, turn, carry)

    at = jnp.where(a.active, a.at, memory.shape[0])
    added = jnp.where(kind == 1, jnp.uint32(0) - a.value, a.value)
    simple = ~wants_old & jnp.array([1, 1, 1, 1, 0, 0, 0, 1, 0], bool)[kind]
    memory = when(simple & (kind <= 1), lambda m: m.at[at].add(added, mode="drop"), memory)
    memory = when(simple & (kind == 2), lambda m: m.at[at].min(a.value, mode="drop"), memory)
    memory = when(simple & (kind == 3), lambda m: m.at[at].max(a.value, mode="drop"), memory)
    memory = when(simple & (kind == 7), lambda m: m.at[at].set(a.value, mode="drop"), memory)
    return when(~simple, in_order, (memory, olds))


def apply_memory(
    local: UInt32[Array, " local"],
    device: UInt32[Array, " device"],
    near: Access,
    far: Access,
    third: UInt32[Array, " lanes"],
    row: Int32[Array, " columns"],
    memory: Int32[Array, ""],
) -> tuple[UInt32[Array, " local"], UInt32[Array, " device"], UInt32[Array, " lanes"]]:
    """Return the memories after a micro-operation, and the old words of an atomic.

    ``near`` and ``far`` are the same access seen as words of local and of device memory;
    ``memory`` says which of them is changed and how (`Memory`).
    """
    zeros = jnp.zeros(third.shape, jnp.uint32)
    kind = jnp.clip(column(row, "imm"), 0, 8)
    wants_old = column(row, "old") == 1
    # whens are loops of at most one round, cheap while their condition fails
    local = when(memory == Memory.STORE_LOCAL, lambda m: store(m, near), local)
    device = when(memory == Memory.STORE_DEVICE, lambda m: store(m, far), device)
    local, old = when(
        memory == Memory.ATOMIC_LOCAL,
        lambda c: atomic(c[0], near, kind, third, wants_old),
        (local, zeros),
    )
    device, old = when(
        memory == Memory.ATOMIC_DEVICE,
        lambda c: atomic(c[0], far, kind, third, wants_old),
        (device, old),
    )
    return local, device, old


def faults(
    place: UInt32[Array, " lanes"],
    active: Bool[Array, " lanes"],
    row: Int32[Array, " columns"],
    batch: Batch,
) -> tuple[Bool[Array, " lanes"], Bool[Array, " lanes"]]:
    """Per lane, whether its access is out of bounds, and whether it is misaligned."""
    width = column(row, "width").astype(jnp.uint32)
    kind = column(row, "memory")
    is_local = (kind == Memory.STORE_LOCAL) | (kind == Memory.ATOMIC_LOCAL)
    is_local |= column(row, "action") == ACTIONS["load_local"]
    limit = jnp.where(is_local, batch.local_bytes, batch.device_bytes).astype(jnp.uint32)
    outside = active & ((place > limit - width) | (limit < width))
    misaligned = active & (place & (width - 1) != 0)
    return outside, misaligned & ~outside
