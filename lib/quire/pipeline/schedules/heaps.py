"""Binary heaps inside stretches of one array, for compiled event loops.

A heap occupies ``heap[base : base + size]``. ``push_*`` returns the new size; after ``pop_*`` the
caller counts one less.
"""

from __future__ import annotations

from typing import no_type_check

from numba import njit


@njit(cache=True, nogil=True)
@no_type_check
def push_least(heap, base, size, value):
    """Add an integer to a heap whose top is the least."""
    k = size
    while k > 0:
        parent = (k - 1) >> 1
        if heap[base + parent] <= value:
            break
        heap[base + k] = heap[base + parent]
        k = parent
    heap[base + k] = value
    return size + 1


@njit(cache=True, nogil=True)
@no_type_check
def pop_least(heap, base, size):
    """Remove and return the least integer."""
    top, last, size = heap[base], heap[base + size - 1], size - 1
    k = 0
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and heap[base + child + 1] < heap[base + child]:
            child += 1
        if heap[base + child] >= last:
            break
        heap[base + k] = heap[base + child]
        k = child
    heap[base + k] = last
    return top


@njit(cache=True, nogil=True)
@no_type_check
def _sooner(a, b, when, key):
    return when[a] < when[b] or (when[a] == when[b] and key[a] < key[b])


@njit(cache=True, nogil=True)
@no_type_check
def push_soonest(heap, base, size, item, when, key):
    """Add an item to a heap ordered by ``when[item]``, ties by ``key[item]``."""
    k = size
    while k > 0:
        parent = (k - 1) >> 1
        if not _sooner(item, heap[base + parent], when, key):
            break
        heap[base + k] = heap[base + parent]
        k = parent
    heap[base + k] = item
    return size + 1


@njit(cache=True, nogil=True)
@no_type_check
def pop_soonest(heap, base, size, when, key):
    """Remove and return the item that comes soonest."""
    top, last, size = heap[base], heap[base + size - 1], size - 1
    k = 0
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and _sooner(heap[base + child + 1], heap[base + child], when, key):
            child += 1
        if not _sooner(heap[base + child], last, when, key):
            break
        heap[base + k] = heap[base + child]
        k = child
    heap[base + k] = last
    return top
