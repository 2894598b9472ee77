"""Whom a stage serves next, in compiled code: heaps of keys, and what the policies' keys are.

The functions that take `Work` are inlined: a call would count references to each of its arrays.
"""

from typing import no_type_check

from numba import njit

from quire.serving.loading.policies import (
    EDF,
    FIFO,
    HYBRID,
    LINEAR,
    LSTF_COMPUTE,
    LSTF_TOTAL,
    SHARING,
    SJF_BOTTLENECK,
    SJF_COMPUTE,
    SJF_TOTAL,
    SRPT_TOTAL,
)

LATE = 1e10
"""Added to the key of a request that can not be on time any more; the others stay below half."""


@njit(cache=True, nogil=True)
@no_type_check
def push(keys, ids, sizes, h, key, i):
    """Put request i into heap h; equal keys stand in the order of arrival."""
    at = sizes[h]
    sizes[h] += 1
    while at > 0:
        up = (at - 1) // 2
        if keys[h, up] < key or (keys[h, up] == key and ids[h, up] < i):
            break
        keys[h, at], ids[h, at] = keys[h, up], ids[h, up]
        at = up
    keys[h, at], ids[h, at] = key, i


@njit(cache=True, nogil=True)
@no_type_check
def pop(keys, ids, sizes, h):
    """Take the first request out of heap h."""
    top = ids[h, 0]
    sizes[h] -= 1
    n = sizes[h]
    key, i = keys[h, n], ids[h, n]
    at = 0
    while True:
        low = 2 * at + 1
        if low >= n:
            break
        right = low + 1
        if right < n and (
            keys[h, right] < keys[h, low]
            or (keys[h, right] == keys[h, low] and ids[h, right] < ids[h, low])
        ):
            low = right
        if key < keys[h, low] or (key == keys[h, low] and i < ids[h, low]):
            break
        keys[h, at], ids[h, at] = keys[h, low], ids[h, low]
        at = low
    keys[h, at], ids[h, at] = key, i
    return top


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def remaining(work, left, i, slow):
    """Return what the scheduler believes is left of the three stages of request i."""
    net = work.estimate[0, i] * slow * (left[0, i] / work.remote[i]) if left[0, i] > 0 else 0.0
    copy = work.estimate[1, i] * (left[1, i] / work.loaded[i]) if left[1, i] > 0 else 0.0
    device = work.estimate[2, i] * (left[2, i] / work.uncached[i]) if left[2, i] > 0 else 0.0
    return net, copy, device


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def key_of(rules, work, left, i, now, slow):
    """Return the key of request i; ``slow`` is how slow the network is believed to be."""
    p = rules.policy
    e = work.estimate
    if p == FIFO:
        key = work.arrival[i]
    elif p == SJF_COMPUTE:
        key = e[2, i]
    elif p == SJF_TOTAL:
        key = e[0, i] * slow + e[1, i] + e[2, i]
    elif p == SJF_BOTTLENECK:
        key = max(e[0, i] * slow, e[1, i], e[2, i])
    elif p == EDF:
        key = work.deadline[i]
    elif p == SHARING:
        key = now
    elif p == LINEAR:
        w = rules.weights
        key = w[0] * e[0, i] * slow + w[1] * e[1, i] + w[2] * e[2, i]
        if w[3] > 0:
            key += w[3] * (work.deadline[i] - work.arrival[i])
    else:
        net, copy, device = remaining(work, left, i, slow)
        if p == SRPT_TOTAL:
            key = net + copy + device
        elif p == LSTF_COMPUTE:
            key = work.deadline[i] - device
        elif p == LSTF_TOTAL:
            key = work.deadline[i] - (net + copy + device)
        else:
            rest = net + copy + device
            if now + rest > work.deadline[i]:
                key = LATE + rest
            else:
                key = min(work.deadline[i] + rules.weight * rest, LATE / 2)
    return key + rules.aging * work.arrival[i]


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def best(rules, work, left, keys, ids, sizes, h, now, slow):
    """Take the first of heap h; under ``hybrid`` those that became late go back behind."""
    while True:
        top = keys[h, 0]
        i = pop(keys, ids, sizes, h)
        if rules.policy == HYBRID and top < LATE:
            key = key_of(rules, work, left, i, now, slow)
            if key >= LATE:
                push(keys, ids, sizes, h, key, i)
                continue
        return i
