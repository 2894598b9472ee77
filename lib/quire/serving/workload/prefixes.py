"""An index of prefixes: which leading blocks of a request are kept, in a store of any size.

Names of blocks are chained: two requests share a name exactly where they agree in all tokens up to
there, so that a set of names is an index of prefixes (no tree is needed). A store that is full
loses the block that was used longest ago; a request uses its last block first, so that the
beginning of a prompt, which others may share, lives longest. Two other rules of loss stand beside
it for a whole trace: first in, first out, and the block whose next use lies farthest ahead, which
only a clairvoyant knows.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Int
from numba import njit

from quire.checks import integer
from quire.signatures import checked

EVICTIONS = ("lru", "fifo", "farthest")


class PrefixIndex:
    """Blocks that are kept, the least recently used lost first.

    Parameters
    ----------
    capacity
        Blocks at most; None for no limit.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = None if capacity is None else integer("capacity", capacity, 0)
        self._kept: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, block: Any) -> bool:
        return block in self._kept

    def match(self, blocks: Iterable[int]) -> int:
        """Return how many leading blocks are kept; nothing is touched."""
        count = 0
        for block in blocks:
            if int(block) not in self._kept:
                break
            count += 1
        return count

    def insert(self, blocks: Iterable[int]) -> list[int]:
        """Keep, and use, all blocks of a request; return those lost for it."""
        for block in reversed([int(each) for each in blocks]):
            self._kept[block] = None
            self._kept.move_to_end(block)
        lost: list[int] = []
        while self.capacity is not None and len(self._kept) > self.capacity:
            lost.append(self._kept.popitem(last=False)[0])
        return lost


@checked
def prefix_hits(
    block_start: Any,
    blocks: Any,
    capacity: int | None = None,
    eviction: str = "lru",
) -> Int[np.ndarray, " requests"]:
    """Return how many leading blocks of each request are kept when it comes.

    Requests come in the order given and leave all their blocks behind: nothing of the future is
    known. This is `PrefixIndex` for a whole trace, compiled.

    Parameters
    ----------
    block_start, blocks
        As in `Trace`: ``blocks[block_start[r]:block_start[r + 1]]`` are those of request r.
    capacity
        Blocks that the store holds; None for no limit.
    eviction
        Which block a full store loses: ``"lru"`` the one used longest ago, ``"fifo"`` the one that
        came first, ``"farthest"`` the one that is named again last or never.

    Raises
    ------
    ValueError
        For another eviction, or when ``block_start`` does not run from 0 to the number of blocks
        without falling.
    """
    if eviction not in EVICTIONS:
        raise ValueError(f"eviction = {eviction!r}: must be one of {', '.join(EVICTIONS)}")
    start, names = np.asarray(block_start), np.asarray(blocks)
    if start.ndim != 1 or start.dtype.kind not in "iu" or start.size < 2:
        raise ValueError("block_start: must be integers, one more than requests")
    if names.ndim != 1 or (names.size and names.dtype.kind not in "iu"):
        raise ValueError("blocks: must be a row of integers")
    if start[0] != 0 or start[-1] != names.size or (np.diff(start.astype(np.int64)) < 0).any():
        raise ValueError("block_start: must run from 0 to the number of blocks, never falling")
    if not names.size:
        return np.zeros(start.size - 1, np.int64)
    _, dense = np.unique(names, return_inverse=True)
    count = int(dense.max()) + 1
    limit = count if capacity is None else min(integer("capacity", capacity, 0), count)
    start, dense = start.astype(np.int64), dense.astype(np.int64)
    if eviction == "farthest" and limit < count:
        return _hits_farthest(start, dense, _urgency(start, dense), count, limit)
    return _hits(start, dense, count, limit, eviction == "lru")


@njit(cache=True, nogil=True)
@no_type_check
def _hits(start, blocks, count, capacity, renewed):
    # A ring of the kept blocks by last use (or, not `renewed`, by their coming); `count` is its
    # anchor, oldest next to it.
    older = np.full(count + 1, -1, np.int64)
    newer = np.full(count + 1, -1, np.int64)
    older[count] = newer[count] = count
    kept = 0
    hits = np.zeros(start.size - 1, np.int64)
    for r in range(start.size - 1):
        for i in range(start[r], start[r + 1]):
            if newer[blocks[i]] < 0:
                break
            hits[r] += 1
        for i in range(start[r + 1] - 1, start[r] - 1, -1):
            b = blocks[i]
            if newer[b] >= 0 and not renewed:
                continue
            if newer[b] >= 0:
                newer[older[b]] = newer[b]
                older[newer[b]] = older[b]
            else:
                kept += 1
            last = older[count]
            newer[last], older[b] = b, last
            newer[b], older[count] = count, b
        while kept > capacity:
            first = newer[count]
            newer[count] = newer[first]
            older[newer[first]] = count
            newer[first] = older[first] = -1
            kept -= 1
    return hits


def _urgency(start: Any, blocks: Any) -> Int[np.ndarray, " names"]:
    """Return for each place a number that is larger, the earlier its block is named again.

    Among blocks that the same request names again the first of its prompt is the most urgent; 0 for
    those that nobody names again.
    """
    place = np.arange(blocks.size)
    order = np.lexsort((place, blocks))
    following = np.full(blocks.size, blocks.size)
    again = blocks[order][1:] == blocks[order][:-1]
    following[order[:-1][again]] = order[1:][again]
    return blocks.size - following


@njit(cache=True, nogil=True)
@no_type_check
def _hits_farthest(start, blocks, urgency, count, capacity):
    # A heap of (urgency, block), the least urgent on top; entries that are not current are dropped.
    heap = [(np.int64(0), np.int64(0))]
    heap.pop()
    current = np.full(count, -1, np.int64)  # of a kept block; -1 for one that is not kept
    kept = 0
    hits = np.zeros(start.size - 1, np.int64)
    for r in range(start.size - 1):
        for i in range(start[r], start[r + 1]):
            if current[blocks[i]] < 0:
                break
            hits[r] += 1
        for i in range(start[r], start[r + 1]):
            b = blocks[i]
            if current[b] < 0:
                kept += 1
            current[b] = urgency[i]
            heapq.heappush(heap, (urgency[i], b))
        while kept > capacity:
            told, b = heapq.heappop(heap)
            if current[b] == told:
                current[b] = -1
                kept -= 1
    return hits
