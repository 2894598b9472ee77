"""KV blocks in compiled code: a free list by age, an index of full blocks, a tier below.

A block that is given back keeps its content and goes to the end of the free list; taking it from
the front erases the content. So the oldest free content is lost first, and a request gives its
blocks back last block first, that its beginning lives longest. (vLLM 0.19, ``block_pool.py``.)
"""

from typing import no_type_check

import numpy as np
from numba import njit

from quire.serving.engine.state import (
    BLOCK,
    N_FREE,
    RECALLED,
    WRITTEN,
)


@njit(cache=True, nogil=True)
@no_type_check
def take(pool, counts):
    """Take the block that was free longest, and forget what it held."""
    end = pool.content.size
    block = pool.following[end]
    unlink(pool, counts, block)
    held = pool.content[block]
    if held >= 0:
        if pool.lookup[held] == block:
            pool.lookup[held] = -1
        pool.content[block] = -1
    pool.holders[block] = 1
    return block


@njit(cache=True, nogil=True)
@no_type_check
def unlink(pool, counts, block):
    """Take a block out of the free list."""
    before, after = pool.previous[block], pool.following[block]
    pool.following[before] = after
    pool.previous[after] = before
    counts[N_FREE] -= 1


@njit(cache=True, nogil=True)
@no_type_check
def give_back(pool, counts, requests, r):
    """Release all blocks of a request, the last one first; their content stays findable."""
    end = pool.content.size
    start = requests.table_start[r]
    for i in range(requests.held[r] - 1, -1, -1):
        block = requests.table[start + i]
        pool.holders[block] -= 1
        if pool.holders[block] == 0:
            last = pool.previous[end]
            pool.following[last] = block
            pool.previous[block] = last
            pool.following[block] = end
            pool.previous[end] = block
            counts[N_FREE] += 1
    requests.held[r] = 0
    requests.cached[r] = -1


@njit(cache=True, nogil=True)
@no_type_check
def hits(pool, requests, r):
    """Return how many leading blocks of a request are in the pool, its last token left out."""
    start = requests.hash_start[r]
    most = min(requests.hash_start[r + 1] - start, (requests.reached[r] - 1) // BLOCK)
    found = 0
    while found < most and pool.lookup[requests.hashes[start + found]] >= 0:
        found += 1
    return found


@njit(cache=True, nogil=True)
@no_type_check
def tier_hits(tier, requests, r, found):
    """Return the chunks of a lower tier beyond ``found`` blocks, and the tokens that they add."""
    if tier.slots.size == 0:
        return 0, 0
    chunk = tier.factor * BLOCK
    known = found * BLOCK
    whole = (requests.reached[r] - 1) // chunk  # the last token is computed, whatever is known
    if whole * chunk - known < chunk:
        return 0, 0
    start = requests.hash_start[r]
    size = requests.hash_start[r + 1] - start
    first = known // chunk
    chunks = 0
    while first + chunks < whole:
        at = tier.factor * (first + chunks) + tier.factor - 1
        if at >= size or tier.lookup[requests.hashes[start + at]] < 0:
            break
        chunks += 1
    gained = (first + chunks) * chunk - known
    if chunks == 0 or gained < chunk:
        return 0, 0
    return chunks, gained


@njit(cache=True, nogil=True)
@no_type_check
def needed(pool, requests, r, tokens, found):
    """Return how many free blocks it takes that a request holds ``tokens`` in all."""
    blocks = (tokens + BLOCK - 1) // BLOCK
    if requests.cached[r] >= 0:
        return max(blocks - requests.held[r], 0)
    start = requests.hash_start[r]
    idle = 0
    for i in range(found):
        if pool.holders[pool.lookup[requests.hashes[start + i]]] == 0:
            idle += 1
    return max(blocks - found - requests.held[r], 0) + idle


@njit(cache=True, nogil=True)
@no_type_check
def allocate(pool, tier, counts, requests, r, tokens, computed, found, chunks, caching):
    """Give a request blocks for ``computed + tokens``; False, and nothing changed, if they lack."""
    total = computed + tokens
    if needed(pool, requests, r, total, found) > counts[N_FREE]:
        return False
    start, table = requests.hash_start[r], requests.table_start[r]
    if found > 0 or chunks > 0:
        for i in range(found):
            block = pool.lookup[requests.hashes[start + i]]
            if pool.holders[block] == 0:
                unlink(pool, counts, block)
            pool.holders[block] += 1
            requests.table[table + i] = block
        requests.held[r] = found
        requests.cached[r] = found
        counts[RECALLED] += chunks
    blocks = (total + BLOCK - 1) // BLOCK
    while requests.held[r] < blocks:
        requests.table[table + requests.held[r]] = take(pool, counts)
        requests.held[r] += 1
    if caching:
        index_full(pool, tier, counts, requests, r, min(total, requests.reached[r]))
    return True


@njit(cache=True, nogil=True)
@no_type_check
def index_full(pool, tier, counts, requests, r, tokens):
    """Make the full blocks among the first ``tokens`` findable, and write whole chunks below."""
    start = requests.hash_start[r]
    known = max(requests.cached[r], 0)
    full = min(tokens // BLOCK, requests.hash_start[r + 1] - start)
    if known >= full:
        return
    table = requests.table_start[r]
    for i in range(known, full):
        block = requests.table[table + i]
        if pool.content[block] < 0:
            name = requests.hashes[start + i]
            pool.content[block] = name
            pool.lookup[name] = block
    requests.cached[r] = full
    if tier.slots.size:
        for chunk in range(known // tier.factor, full // tier.factor):
            name = requests.hashes[start + tier.factor * chunk + tier.factor - 1]
            if tier.lookup[name] < 0:
                slot = tier.written[0] % tier.slots.size
                if tier.slots[slot] >= 0:
                    tier.lookup[tier.slots[slot]] = -1
                tier.slots[slot] = name
                tier.lookup[name] = slot
                tier.written[0] += 1
                counts[WRITTEN] += 1


def free_list(blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the links of a list in which all blocks are free, in their order; its ends meet."""
    ring = np.arange(blocks + 1, dtype=np.int64)
    return np.roll(ring, 1), np.roll(ring, -1)
