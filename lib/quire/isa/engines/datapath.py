"""What a micro-operation does to lanes, registers and memories; all array engines share it.

Lanes lie in one array, waves side by side, workgroup after workgroup; the wave width is a value and
not a shape, so that one compiled engine serves every width from 8 to 64.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Shaped, UInt32

from quire.isa.deviations import Deviation
from quire.isa.engines.microcode import COLUMNS, EXTRA, LANE_ROWS, Memory
from quire.isa.table import Kind, Operation

Row = Callable[[str], jax.Array]
MAX_WIDTH = 64


class Batch(NamedTuple):
    """What one batch of workgroups has in common; every entry is a scalar, or three."""

    width: jax.Array  # lanes per wave
    threads: jax.Array  # threads per workgroup
    stride: jax.Array  # slots per workgroup: threads rounded up to whole waves
    groups: jax.Array  # workgroups in this batch
    first: jax.Array  # linear index of the first of them
    workgroup: jax.Array  # sizes x, y, z
    grid: jax.Array  # sizes x, y, z
    local_bytes: jax.Array
    local_words: jax.Array  # words set aside per workgroup
    device_bytes: jax.Array
    seed: jax.Array  # of the wave schedule
    scatter: jax.Array  # all ones for a random schedule, 0 for lockstep
    quantum: jax.Array  # steps (log 2) after which a random schedule draws again
    skip: jax.Array  # whether a wave without lanes jumps over a block
    deviation: jax.Array
    until: jax.Array  # steps after which to stop


class Slots(NamedTuple):
    """Per slot of the lane array: who runs there."""

    lane: UInt32[Array, " lanes"]
    thread: UInt32[Array, " lanes"]
    group: Int32[Array, " lanes"]  # index in the batch
    alive: Bool[Array, " lanes"]


@partial(jax.jit, static_argnames="count")
def slots(batch: Batch, count: int) -> Slots:
    """Lay the threads of a batch out over ``count`` slots."""
    slot = jnp.arange(count, dtype=jnp.int32)
    group = slot // batch.stride
    thread = slot % batch.stride
    return Slots(
        (thread % batch.width).astype(jnp.uint32),
        thread.astype(jnp.uint32),
        group,
        (thread < batch.threads) & (group < batch.groups),
    )


def special_word(index: jax.Array, batch: Batch, place: Slots) -> UInt32[Array, " lanes"]:
    """The special register ``index`` of every lane."""
    thread, group = place.thread.astype(jnp.int32), place.group + batch.first
    shape = place.lane.shape

    def axis(linear: jax.Array, sizes: jax.Array, number: int) -> jax.Array:
        x, y = sizes[0], sizes[1]
        return (linear % x, (linear // x) % y, linear // (x * y))[number]

    waves = (batch.threads + batch.width - 1) // batch.width
    # division is slow: every value is computed only where it is asked for
    values: list[Callable[[], jax.Array]] = [
        *(partial(axis, thread, batch.workgroup, number) for number in range(3)),
        *(lambda: thread // batch.width, lambda: place.lane.astype(jnp.int32)),
        *(partial(axis, group, batch.grid, number) for number in range(3)),
        *(partial(jnp.take, batch.workgroup, number) for number in range(3)),
        *(partial(jnp.take, batch.grid, number) for number in range(3)),
        *(lambda: batch.width, lambda: waves),
        lambda: jnp.int32(0),  # the matrix registers read 0: no such capability
    ]
    forms = [lambda v=v: jnp.broadcast_to(v(), shape).astype(jnp.uint32) for v in values]
    return jax.lax.switch(index, forms)


# --- lanes of one wave -------------------------------------------------------------------------


def swap(values: Shaped[Array, " lanes"], distance: int) -> Shaped[Array, " lanes"]:
    """Every lane's partner at ``lane xor distance``."""
    return values.reshape(-1, 2, distance)[:, ::-1, :].reshape(values.shape)


def butterfly(
    values: Shaped[Array, " lanes"],
    width: jax.Array,
    combine: Callable[[jax.Array, jax.Array], jax.Array],
    unit: int = 1,
) -> Shaped[Array, " lanes"]:
    """``combine`` over all lanes of each wave, given back to every lane.

    ``unit`` is how many lanes one entry stands for (8 for the array of groups of eight).
    """
    distance = 1
    while distance * unit < MAX_WIDTH:
        joined = combine(values, swap(values, distance))
        values = jnp.where(distance * unit < width, joined, values)
        distance *= 2
    return values


def wave_any(flags: Bool[Array, " lanes"], width: jax.Array) -> Bool[Array, " groups"]:
    """Per group of eight lanes, whether any lane of their wave has the flag."""
    return butterfly(flags.reshape(-1, 8).any(1), width, jnp.logical_or, 8)


def spread(groups: Shaped[Array, " groups"]) -> Shaped[Array, " lanes"]:
    """A value per group of eight lanes, given to each lane."""
    return jnp.repeat(groups, 8)


class Lanes(NamedTuple):
    """What a wave operation sees."""

    word: UInt32[Array, " lanes"]
    other: UInt32[Array, " lanes"]
    flag: Bool[Array, " lanes"]
    active: Bool[Array, " lanes"]
    lane: UInt32[Array, " lanes"]
    batch: Batch


def _from_lane(x: Lanes, source: jax.Array, exists: jax.Array) -> jax.Array:
    """The word of another lane of the wave; 0 if that lane does not exist or is not active."""
    slot = jnp.arange(x.word.shape[0], dtype=jnp.int32)
    at = slot - x.lane.astype(jnp.int32) + jnp.where(exists, source, 0).astype(jnp.int32)
    return jnp.where(exists & x.active[at], x.word[at], 0)


def _shuffle(x: Lanes) -> jax.Array:
    return _from_lane(x, x.other, x.other < x.batch.width.astype(jnp.uint32))


def _shuffle_up(x: Lanes) -> jax.Array:
    return _from_lane(x, x.lane - x.other, x.other <= x.lane)


def _shuffle_down(x: Lanes) -> jax.Array:
    width = x.batch.width.astype(jnp.uint32)
    return _from_lane(x, x.lane + x.other, (x.other < width) & (x.lane + x.other < width))


def _shuffle_xor(x: Lanes) -> jax.Array:
    source = x.lane ^ x.other
    return _from_lane(x, source, source < x.batch.width.astype(jnp.uint32))


def _broadcast(x: Lanes) -> jax.Array:
    first = butterfly(jnp.where(x.active, x.lane, MAX_WIDTH), x.batch.width, jnp.minimum)
    wanted = _from_lane(x._replace(word=x.other), first, first < MAX_WIDTH)
    return _from_lane(x, wanted, wanted < x.batch.width.astype(jnp.uint32))


def _ballot(x: Lanes) -> jax.Array:
    bit = jnp.where(x.lane < 32, jnp.uint32(1) << (x.lane & 31), 0)
    return butterfly(jnp.where(x.active & x.flag, bit, 0), x.batch.width, jnp.bitwise_or)


def _any(x: Lanes) -> jax.Array:
    return spread(wave_any(x.active & x.flag, x.batch.width)).astype(jnp.uint32)


def _all(x: Lanes) -> jax.Array:
    return spread(~wave_any(x.active & ~x.flag, x.batch.width)).astype(jnp.uint32)


def _prefix_sum(x: Lanes) -> jax.Array:
    own = jnp.where(x.active, x.word, 0)
    total = own
    for step in (1, 2, 4, 8, 16, 32):
        total = total + jnp.where(x.lane >= step, jnp.roll(total, step), 0)
    return total - own


def _reduce_add(x: Lanes) -> jax.Array:
    return butterfly(jnp.where(x.active, x.word, 0), x.batch.width, jnp.add)


def _extreme(
    x: Lanes, combine: Callable[[jax.Array, jax.Array], jax.Array], worst: int
) -> jax.Array:
    """Signed words, moved so that an unsigned comparison orders them; the reference does not."""
    shift = jnp.where(x.batch.deviation & Deviation.UNSIGNED_REDUCE, 0, 0x80000000)
    shift = shift.astype(jnp.uint32)
    moved = jnp.where(x.active, x.word ^ shift, jnp.uint32(worst))
    return butterfly(moved, x.batch.width, combine) ^ shift


def _reduce_min(x: Lanes) -> jax.Array:
    return _extreme(x, jnp.minimum, 0xFFFFFFFF)


def _reduce_max(x: Lanes) -> jax.Array:
    return _extreme(x, jnp.maximum, 0)


WAVE_FUNCTIONS: dict[str, Callable[[Lanes], jax.Array]] = {
    "wave_shuffle": _shuffle,
    "wave_shuffle_up": _shuffle_up,
    "wave_shuffle_down": _shuffle_down,
    "wave_shuffle_xor": _shuffle_xor,
    "wave_broadcast": _broadcast,
    "wave_ballot": _ballot,
    "wave_any": _any,
    "wave_all": _all,
    "wave_prefix_sum": _prefix_sum,
    "wave_reduce_add": _reduce_add,
    "wave_reduce_min": _reduce_min,
    "wave_reduce_max": _reduce_max,
}


# --- one word per lane -------------------------------------------------------------------------


class Operands(NamedTuple):
    """What the branches of the datapath may look at."""

    registers: UInt32[Array, "rows lanes"]
    local: UInt32[Array, " local"]
    device: UInt32[Array, " device"]
    flag: Bool[Array, " lanes"]  # the predicate that the micro-operation reads
    second: Bool[Array, " lanes"]  # and the other one of a mask operation
    active: Bool[Array, " lanes"]
    row: Int32[Array, " columns"]


# What a branch gives back: the word that each lane writes, and its address where there is one
# (for divisions: whether the divisor is zero).
Result = tuple[UInt32[Array, " lanes"], UInt32[Array, " lanes"]]


def column(row: jax.Array, name: str) -> jax.Array:
    """One field of a fetched micro-operation."""
    return row[COLUMNS[name]]


def register(x: Operands, name: str, offset: int = 0) -> UInt32[Array, " lanes"]:
    """The register row that a field names."""
    at = column(x.row, name) + offset
    return jax.lax.dynamic_index_in_dim(x.registers, at, 0, keepdims=False)


def _lane_branch(row: Operation, batch: Batch, zeros: jax.Array) -> Callable[[Operands], Result]:
    apply = row.apply
    assert apply is not None
    if row.kind is Kind.SELECT:
        return lambda x: (apply(x.flag, register(x, "a"), register(x, "b")), zeros)
    sources = [operand for operand in row.operands if operand.field != "rd"]

    def branch(x: Operands) -> Result:
        words = []
        for name, operand in zip("abcd", sources, strict=False):
            words += [register(x, name, offset) for offset in range(operand.width)]
        options = {"deviation": batch.deviation} if row.deviates else {}
        result = apply(*words, **options)
        if row.kind is Kind.PAIR:
            return jnp.where(column(x.row, "half") == 1, result[1], result[0]), zeros
        if row.mnemonic in ("idiv", "imod"):
            return result, (words[1] == 0).astype(jnp.uint32)
        return result.astype(jnp.uint32), zeros

    return branch


def _address(x: Operands) -> UInt32[Array, " lanes"]:
    is_atomic = column(x.row, "memory") >= Memory.ATOMIC_LOCAL
    offset = jnp.where(is_atomic, 0, column(x.row, "imm"))  # an atomic's immediate is its kind
    return register(x, "a") + offset.astype(jnp.uint32)


def _store(x: Operands) -> Result:
    """The memory unit does the rest."""
    return register(x, "b"), _address(x)


def _gather(x: Operands, memory: jax.Array, base: jax.Array) -> Result:
    place, width = _address(x), column(x.row, "width")
    at = jnp.where(x.active, base + (place >> 2).astype(jnp.int32), 0)
    word = memory.at[at].get(mode="clip") >> ((place & 3) * 8)
    keep = jnp.where(width == 4, 0xFFFFFFFF, jnp.where(width == 2, 0xFFFF, 0xFF))
    return word & keep.astype(jnp.uint32), place


def _load_device(x: Operands) -> Result:
    """Coalesced loads, where lane after lane reads word after word, are one slice."""
    place, width = _address(x), column(x.row, "width")
    lanes = place.shape[0]
    start = (place >> 2).astype(jnp.int32) - jnp.arange(lanes, dtype=jnp.int32)
    lowest = jnp.where(x.active, start, 2**31 - 1).min()
    straight = (jnp.where(x.active, start, lowest) == lowest).all() & (width == 4)
    straight &= (lowest >= 0) & (lowest + lanes <= x.device.shape[0])
    if x.device.shape[0] < lanes:
        return _gather(x, x.device, jnp.int32(0))
    word = jax.lax.cond(
        straight,
        lambda: jax.lax.dynamic_slice_in_dim(x.device, lowest, lanes),
        lambda: _gather(x, x.device, jnp.int32(0))[0],
    )
    return word, place


def branches(batch: Batch, place: Slots) -> list[Callable[[Operands], Result]]:
    """One function per action, from operands to the word that each lane writes."""
    own = place.group * batch.local_words
    zeros = jnp.zeros(place.lane.shape, jnp.uint32)

    def wave(name: str) -> Callable[[Operands], Result]:
        def branch(x: Operands) -> Result:
            lanes = Lanes(register(x, "a"), register(x, "b"), x.flag, x.active, place.lane, batch)
            return WAVE_FUNCTIONS[name](lanes).astype(jnp.uint32), zeros

        return branch

    extra: dict[str, Callable[[Operands], Result]] = {
        "nothing": lambda x: (zeros, zeros),
        "immediate": lambda x: (zeros + column(x.row, "imm").astype(jnp.uint32), zeros),
        "special": lambda x: (special_word(column(x.row, "imm"), batch, place), zeros),
        "load_local": lambda x: _gather(x, x.local, own),
        "load_device": _load_device,
        "store": _store,
        "mask_and": lambda x: ((x.flag & x.second).astype(jnp.uint32), zeros),
        "mask_and_not": lambda x: ((x.flag & ~x.second).astype(jnp.uint32), zeros),
        **{name: wave(name) for name in WAVE_FUNCTIONS},
    }
    lanes = [_lane_branch(row, batch, zeros) for row in LANE_ROWS]
    return [*lanes, *(extra[name] for name in EXTRA)]
