"""What a micro-operation does to lanes, registers and memories; all array engines share it.

Lanes lie in one array, waves side by side, workgroup after workgroup; the wave width is a value and
not a shape, so that one compiled engine serves every width from 8 to 64.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, Shaped, UInt32

from quire.isa.deviations import Deviation
from quire.isa.engines.array.microcode import COLUMNS, EXTRA, LANE_ROWS, SELDOM, Memory
from quire.isa.engines.array.reductions import any_of_eight, count, greatest, somewhere
from quire.isa.table import Kind, Operation

Row = Callable[[str], jax.Array]
MAX_WIDTH = 64


class Batch(NamedTuple):
    """What all batches of workgroups of one launch have in common: scalars, or three sizes."""

    width: jax.Array  # lanes per wave
    threads: jax.Array  # threads per workgroup
    stride: jax.Array  # slots per workgroup: threads rounded up to whole waves
    each: jax.Array  # workgroups per batch
    total: jax.Array  # workgroups of the launch
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
    limit: jax.Array  # steps that one batch may take
    until: jax.Array  # steps after which to stop


class Slots(NamedTuple):
    """Per slot of the lane array: who runs there, in every batch of a launch."""

    lane: UInt32[Array, " lanes"]
    thread: UInt32[Array, "axes lanes"]  # x, y, z
    wave: UInt32[Array, " lanes"]
    group: Int32[Array, " lanes"]  # workgroup, counted in the batch
    inside: Bool[Array, " lanes"]  # a thread of a workgroup, not the rest of its last wave


@partial(jax.jit, static_argnames="count")
def slots(batch: Batch, count: int) -> Slots:
    """Lay the threads of a batch out over ``count`` slots."""
    slot = jnp.arange(count, dtype=jnp.int32)
    group = slot // batch.stride
    thread = slot % batch.stride
    axes = jnp.stack(_axes(thread, batch.workgroup))
    return Slots(
        (thread % batch.width).astype(jnp.uint32),
        axes.astype(jnp.uint32),
        (thread // batch.width).astype(jnp.uint32),
        group,
        (thread < batch.threads) & (group < batch.each),
    )


def _axes(linear: jax.Array, sizes: jax.Array) -> list[jax.Array]:
    x, y = sizes[0], sizes[1]
    return [linear % x, (linear // x) % y, linear // (x * y)]


def special_word(
    index: jax.Array, batch: Batch, place: Slots, first: jax.Array
) -> UInt32[Array, " lanes"]:
    """Read special register ``index`` of every lane; ``first`` is the batch's first workgroup."""
    shape = place.lane.shape
    # division is slow: once per eight lanes, which always belong to one workgroup
    eights = place.group.reshape(-1, 8)[:, 0] + first
    waves = (batch.threads + batch.width - 1) // batch.width
    values: list[Callable[[], jax.Array]] = [
        *(partial(jnp.take, place.thread, axis, axis=0) for axis in range(3)),
        *(lambda: place.wave, lambda: place.lane),
        *(lambda axis=axis: spread(_axes(eights, batch.grid)[axis]) for axis in range(3)),
        *(partial(jnp.take, batch.workgroup, number) for number in range(3)),
        *(partial(jnp.take, batch.grid, number) for number in range(3)),
        *(lambda: batch.width, lambda: waves),
        lambda: jnp.int32(0),  # the matrix registers read 0: no such capability
    ]
    forms = [lambda v=v: jnp.broadcast_to(v(), shape).astype(jnp.uint32) for v in values]
    return jax.lax.switch(index, forms)


# --- lanes of one wave -------------------------------------------------------------------------


def _of_eights(
    values: Shaped[Array, " lanes"], combine: Callable[[jax.Array, jax.Array], jax.Array]
) -> Shaped[Array, "waves 8"]:
    """``combine`` over every eight lanes; the eights of a widest wave lie in one row."""
    lanes = values.reshape(-1, MAX_WIDTH // 8, 8)
    parts = [lanes[:, :, k] for k in range(8)]
    while len(parts) > 1:
        parts = [combine(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def over_wave(
    values: Shaped[Array, " lanes"],
    width: jax.Array,
    combine: Callable[[jax.Array, jax.Array], jax.Array],
) -> Shaped[Array, " lanes"]:
    """``combine`` (which commutes) over all lanes of each wave, given back to every lane."""
    eights = _of_eights(values, combine)

    def join(level: jax.Array, totals: jax.Array) -> jax.Array:
        partner = jnp.arange(totals.shape[1]) ^ (1 << level)
        return combine(totals, totals[:, partner])

    # a loop, lest XLA compute the eights anew for every level
    levels = jnp.where(width > 8, jnp.where(width > 16, jnp.where(width > 32, 3, 2), 1), 0)
    totals = jax.lax.fori_loop(0, levels, join, eights)
    return jnp.repeat(totals.reshape(-1), 8)


# per distance in bytes: the bytes of a word of eight that have their partner above them
_LOWER = {1: 0x00FF00FF00FF00FF, 2: 0x0000FFFF0000FFFF, 4: 0x00000000FFFFFFFF}


def wave_any(flags: Bool[Array, " lanes"], width: jax.Array) -> Bool[Array, " groups"]:
    """Per group of eight lanes, whether any lane of their wave has the flag."""
    eights = any_of_eight(flags).astype(jnp.uint8)
    words = jax.lax.bitcast_convert_type(eights.reshape(-1, 8), jnp.uint64)
    for distance, lower in _LOWER.items():
        shift, mask = 8 * distance, jnp.uint64(lower)
        other = ((words & mask) << shift) | ((words >> shift) & mask)
        words = jnp.where(8 * distance < width, words | other, words)
    return jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(-1) != 0


def spread(groups: Shaped[Array, " groups"]) -> Shaped[Array, " lanes"]:
    """Return a value per group of eight lanes, given to each lane."""
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
    """Fetch the word of another lane of the wave; 0 if it does not exist or is not active."""
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
    first = over_wave(jnp.where(x.active, x.lane, MAX_WIDTH), x.batch.width, jnp.minimum)
    wanted = _from_lane(x._replace(word=x.other), first, first < MAX_WIDTH)
    return _from_lane(x, wanted, wanted < x.batch.width.astype(jnp.uint32))


def _ballot(x: Lanes) -> jax.Array:
    bit = jnp.where(x.lane < 32, jnp.uint32(1) << (x.lane & 31), 0)
    return over_wave(jnp.where(x.active & x.flag, bit, 0), x.batch.width, jnp.bitwise_or)


def _any(x: Lanes) -> jax.Array:
    return spread(wave_any(x.active & x.flag, x.batch.width)).astype(jnp.uint32)


def _all(x: Lanes) -> jax.Array:
    return spread(~wave_any(x.active & ~x.flag, x.batch.width)).astype(jnp.uint32)


def _prefix_sum(x: Lanes) -> jax.Array:
    own = jnp.where(x.active, x.word, 0)

    def double(level: jax.Array, total: jax.Array) -> jax.Array:
        step = (1 << level).astype(jnp.uint32)
        below = jnp.roll(total, step.astype(jnp.int32))
        return total + jnp.where(x.lane >= step, below, 0)

    return jax.lax.fori_loop(0, 6, double, own) - own


def _reduce_add(x: Lanes) -> jax.Array:
    return over_wave(jnp.where(x.active, x.word, 0), x.batch.width, jnp.add)


def _extreme(
    x: Lanes, combine: Callable[[jax.Array, jax.Array], jax.Array], worst: int
) -> jax.Array:
    """Signed words, moved so that an unsigned comparison orders them; the reference does not."""
    shift = jnp.where(x.batch.deviation & Deviation.UNSIGNED_REDUCE, 0, 0x80000000)
    shift = shift.astype(jnp.uint32)
    moved = jnp.where(x.active, x.word ^ shift, jnp.uint32(worst))
    return over_wave(moved, x.batch.width, combine) ^ shift


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

    file: UInt32[Array, "rows lanes"]
    local: UInt32[Array, " local"]
    device: UInt32[Array, " device"]
    active: Bool[Array, " lanes"]
    awake: Bool[Array, " lanes"]  # active but for the instruction's own predicate
    row: Int32[Array, " columns"]
    first: Int32[Array, ""]  # first workgroup of the batch


# What a branch gives back: the word that each lane writes, and a number: -1 if this cannot be done
# in a sprint (a faulty load, lanes that disagree); how many divisors are zero; else 0.
Result = tuple[UInt32[Array, " lanes"], Int32[Array, ""]]
QUIET = np.int32(0)
STOP = np.int32(-1)


def column(row: jax.Array, name: str) -> jax.Array:
    """One field of a fetched micro-operation."""
    return row[COLUMNS[name]]


def register(x: Operands, name: str, offset: int = 0) -> UInt32[Array, " lanes"]:
    """Return the row of the file that a field names."""
    at = column(x.row, name) + offset
    return jax.lax.dynamic_index_in_dim(x.file, at, 0, keepdims=False)


def flag(x: Operands, name: str = "flag") -> Bool[Array, " lanes"]:
    """Return the predicate that a field names."""
    return register(x, name) != 0


def _lane_branch(row: Operation, batch: Batch) -> Callable[[Operands], Result]:
    apply, fast = row.apply, row.fast
    assert apply is not None
    if row.kind is Kind.SELECT:
        return lambda x: (apply(flag(x), register(x, "a"), register(x, "b")), jnp.int32(QUIET))
    sources = [operand for operand in row.operands if operand.field != "rd"]

    def branch(x: Operands) -> Result:
        words = []
        for name, operand in zip("abcd", sources, strict=False):
            words += [register(x, name, offset) for offset in range(operand.width)]
        options = {"deviation": batch.deviation} if row.deviates else {}
        if fast is not None:
            result, doubt = fast(*words)
            unsure = somewhere(doubt & x.active)
            result = jax.lax.cond(unsure, lambda: apply(*words, **options), lambda: result)
            return result, jnp.int32(QUIET)
        result = apply(*words, **options)
        if row.kind is Kind.PAIR:
            result = jnp.where(column(x.row, "half") == 1, result[1], result[0])
        if row.mnemonic in ("idiv", "imod"):
            return result, count((words[1] == 0) & x.active)
        return result.astype(jnp.uint32), jnp.int32(QUIET)

    return branch


def address(x: Operands) -> UInt32[Array, " lanes"]:
    """Add a memory instruction's register and the offset of a later word: a byte address."""
    is_atomic = column(x.row, "memory") >= Memory.ATOMIC_LOCAL
    offset = jnp.where(is_atomic, 0, column(x.row, "imm"))  # an atomic's immediate is its kind
    return register(x, "a") + offset.astype(jnp.uint32)


def _is_faulty(place: jax.Array, x: Operands, limit: jax.Array) -> jax.Array:
    """Whether an active lane's address is out of bounds or misaligned: one pass over them."""
    width = column(x.row, "width").astype(jnp.uint32)
    last = jnp.where(place & (width - 1) != 0, jnp.uint32(0xFFFFFFFF), place + width)
    last = jnp.where(last < width, jnp.uint32(0xFFFFFFFF), last)  # past the end of all addresses
    return greatest(jnp.where(x.active, last, 0)) > limit


def _cut(word: jax.Array, place: jax.Array, width: jax.Array) -> jax.Array:
    """Return the bytes of a word that a load of ``width`` bytes wants."""
    keep = jnp.where(width == 4, 0xFFFFFFFF, jnp.where(width == 2, 0xFFFF, 0xFF))
    return (word >> ((place & 3) * 8)) & keep.astype(jnp.uint32)


def gather(x: Operands, memory: jax.Array, base: jax.Array | int, limit: jax.Array) -> Result:
    """Fetch the word at each active lane's address; ``base`` is its memory's first word."""
    place = address(x)
    bad = _is_faulty(place, x, limit.astype(jnp.uint32))
    at = jnp.where(x.active & ~bad, base + (place >> 2).astype(jnp.int32), 0)
    word = memory.at[at].get(mode="promise_in_bounds")
    return _cut(word, place, column(x.row, "width")), jnp.where(bad, STOP, QUIET)


def run_of_words(
    place: UInt32[Array, " lanes"], active: Bool[Array, " lanes"], limit: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Whether lane after lane addresses word after word of ``limit`` bytes; lane 0's word.

    A yes is certain; a no may come from a lane 0 that is not active, or a run that ends before the
    last lane does.
    """
    lanes = place.shape[0]
    ahead = place - 4 * jnp.arange(lanes, dtype=jnp.uint32)
    astray = somewhere(active & (ahead != ahead[0]))
    end = place[0].astype(jnp.uint64) + 4 * lanes
    fits = (place[0] & 3 == 0) & (end <= limit.astype(jnp.uint64))
    return active[0] & ~astray & fits, (place[0] >> 2).astype(jnp.int32)


def _load_device(x: Operands, limit: jax.Array) -> Result:
    """Coalesced loads, where lane after lane reads word after word, are one slice."""
    lanes, words = x.active.shape[0], x.device.shape[0]
    if words < lanes:
        return gather(x, x.device, 0, limit)
    straight, start = run_of_words(address(x), x.active, limit)
    return jax.lax.cond(
        straight & (column(x.row, "width") == 4),
        lambda: (jax.lax.dynamic_slice_in_dim(x.device, start, lanes), jnp.int32(QUIET)),
        lambda: gather(x, x.device, 0, limit),
    )


def branches(batch: Batch, place: Slots, every: bool) -> list[Callable[[Operands], Result]]:
    """One function per action, from operands to the word that each lane writes.

    Without ``every`` the operations in `SELDOM` do nothing: no program of that engine has them.
    """
    own = place.group * batch.local_words
    zeros = jnp.zeros(place.lane.shape, jnp.uint32)

    def quiet(make: Callable[[Operands], jax.Array]) -> Callable[[Operands], Result]:
        return lambda x: (make(x).astype(jnp.uint32), jnp.int32(QUIET))

    def wave(name: str) -> Callable[[Operands], Result]:
        def make(x: Operands) -> jax.Array:
            return WAVE_FUNCTIONS[name](
                Lanes(register(x, "a"), register(x, "b"), flag(x), x.active, place.lane, batch)
            )

        return quiet(make)

    def alike(odd: Callable[[Operands], jax.Array]) -> Callable[[Operands], Result]:
        """Return a test of control that a sprint passes if no awake lane is odd."""
        return lambda x: (zeros, jnp.where(somewhere(x.awake & odd(x)), STOP, QUIET))

    extra: dict[str, Callable[[Operands], Result]] = {
        "nothing": quiet(lambda x: zeros),
        "immediate": quiet(lambda x: zeros + column(x.row, "imm").astype(jnp.uint32)),
        "special": quiet(lambda x: special_word(column(x.row, "imm"), batch, place, x.first)),
        "load_local": lambda x: gather(x, x.local, own, batch.local_bytes),
        "load_device": lambda x: _load_device(x, batch.device_bytes),
        "store": quiet(lambda x: zeros),  # the memory unit does that
        "mask_and": quiet(lambda x: flag(x) & flag(x, "second")),
        "mask_and_not": quiet(lambda x: flag(x) & ~flag(x, "second")),
        "all_of": alike(lambda x: ~(x.active & flag(x))),
        "none_of": alike(lambda x: x.active & flag(x)),
        "everyone": alike(lambda x: ~x.active),
        **{name: wave(name) for name in WAVE_FUNCTIONS},
    }
    lanes = [
        _lane_branch(row, batch) if every or row.mnemonic not in SELDOM else extra["nothing"]
        for row in LANE_ROWS
    ]
    return [*lanes, *(extra[name] for name in EXTRA)]


def fetch_active(
    file: jax.Array, row: jax.Array, awake: Bool[Array, " lanes"], true: int
) -> Bool[Array, " lanes"]:
    """Return the awake lanes that an instruction's own predicate leaves (row ``true``: all)."""
    at = column(row, "guard")

    def guarded() -> jax.Array:
        own = jax.lax.dynamic_index_in_dim(file, at, 0, keepdims=False)
        return awake & (own != column(row, "negate").astype(jnp.uint32))

    return jax.lax.cond(at == true, lambda: awake, guarded)
