"""The race detector: per word, who touched it last, and in which span between barriers.

Two accesses of one word by different waves race if one of them writes, not both are atomic, and no
barrier of their common workgroup lies between. Workgroups never synchronise inside of a dispatch,
so any such pair from two workgroups races. Lanes of one wave are in program order (specification,
section 2.5); two lanes that store different words to one place in one instruction race as well.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from quire.isa.engines.array.memory import Access

NOBODY = 2**30


class Touched(NamedTuple):
    """Per word of one memory: smallest and largest wave that read, wrote or updated it, and when.

    Waves are numbered over the whole dispatch; ``…_span`` is the number of barriers that their
    workgroup had passed.
    """

    reader_low: Int32[Array, " words"]
    reader_high: Int32[Array, " words"]
    reader_span: Int32[Array, " words"]
    writer_low: Int32[Array, " words"]
    writer_high: Int32[Array, " words"]
    writer_span: Int32[Array, " words"]
    atomic_low: Int32[Array, " words"]
    atomic_high: Int32[Array, " words"]
    atomic_span: Int32[Array, " words"]


def untouched(words: int) -> Touched:
    """Nobody has been here."""
    low, high = jnp.full(words, NOBODY, jnp.int32), jnp.full(words, -1, jnp.int32)
    return Touched(*(low, high, high) * 3)


def _conflict(
    low: jax.Array,
    high: jax.Array,
    span: jax.Array,
    wave: jax.Array,
    now: jax.Array,
    waves: jax.Array,
) -> jax.Array:
    """Whether someone else was there without a barrier since."""
    somebody = high >= 0
    other = (low != wave) | (high != wave)
    same_group = (low // waves == wave // waves) & (high // waves == wave // waves)
    return somebody & other & (~same_group | (span == now))


def touch(
    touched: Touched,
    a: Access,
    wave: Int32[Array, " lanes"],
    span: Int32[Array, " lanes"],
    waves: jax.Array,
    kind: jax.Array,
) -> tuple[Touched, Bool[Array, " lanes"]]:
    """Record an access (kind 0 read, 1 write, 2 atomic) and say which lanes race.

    ``waves`` is the number of waves per workgroup.
    """
    words = touched.reader_low.shape[0]
    at = jnp.where(a.active, a.at, words)
    seen = Touched(*(field.at[at].get(mode="fill", fill_value=-1) for field in touched))
    race = jnp.zeros(a.active.shape, bool)
    for number, (low, high, then) in enumerate((seen[:3], seen[3:6], seen[6:])):
        harmful = jnp.where(kind == 0, number != 0, jnp.where(kind == 2, number != 2, True))
        race |= harmful & _conflict(low, high, then, wave, span, waves)
    fields = list(touched)
    for number in range(3):
        low, high, then = fields[3 * number : 3 * number + 3]
        # a later span of the same workgroup forgets the earlier one
        stale = (high >= 0) & (low // waves == high // waves)
        mine = jnp.where(kind == number, at, words)
        old = then.at[mine].get(mode="fill", fill_value=-1)
        fresh = stale.at[mine].get(mode="fill", fill_value=False) & (old < span)
        fresh &= low.at[mine].get(mode="fill", fill_value=0) // waves == wave // waves
        reset = jnp.where(fresh, mine, words)
        low = low.at[reset].set(NOBODY, mode="drop").at[mine].min(wave, mode="drop")
        high = high.at[reset].set(-1, mode="drop").at[mine].max(wave, mode="drop")
        then = then.at[mine].max(span, mode="drop")
        fields[3 * number : 3 * number + 3] = [low, high, then]
    touched = Touched(*fields)
    # two waves in this very step, or two lanes of one wave with different words
    after_low = touched.writer_low.at[at].get(mode="fill", fill_value=0)
    after_high = touched.writer_high.at[at].get(mode="fill", fill_value=0)
    race |= (kind == 1) & _conflict(after_low, after_high, span, wave, span, waves)
    readers = _conflict(seen.reader_low, seen.reader_high, seen.reader_span, wave, span, waves)
    race |= (kind == 1) & readers
    landed = jnp.zeros(words, jnp.uint32).at[at].set(a.value, mode="drop")
    race |= (kind == 1) & (a.width == 4) & (landed.at[at].get(mode="fill", fill_value=0) != a.value)
    return touched, race & a.active
