"""Whole replays in compiled code: step by step, and from event to event.

Between two events (an arrival that can be admitted, a request that ends, a block that lacks) a
batch of decodes stays the same and all its lengths grow by one a step. `run` with ``compressed``
then adds such steps up without touching the requests: their sum is an arithmetic series inside each
cell of the attention table, or, where nanoseconds are whole, one look-up a step. Both loops hand
out and index the same blocks in the same order.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from quire.serving.engine.blocks import allocate
from quire.serving.engine.scheduler import complete, duration, enqueue, schedule
from quire.serving.engine.state import (
    BLOCK,
    HEAD,
    N_DECODE,
    N_FREE,
    N_GENERATED,
    N_RUNNING,
    PREEMPTED_NOW,
    RECALLED,
    SEQUENCES,
    TAIL,
    TOKENS,
)
from quire.serving.profiles.costs import GRID, alpha_of, grid_ns

DONE, STUCK = 0, 1
LOG_COLUMNS = ("begin", "end", "tokens", "sequences", "generated", "running", "waiting", "free")
"""One row a step, or a stretch of steps: nanoseconds, tokens and sequences of the step (or all
tokens of the stretch), tokens produced so far; then who runs, who waits, and what is free."""


@njit(cache=True, nogil=True)
@no_type_check
def run(rules, costs, requests, pool, tier, queues, step, recall_ns, compressed, log):
    """Replay all requests, numbered by arrival; return (state, end, steps, events, rows of log).

    ``log`` has a row for each step or event while it has room.
    """
    counts, arrival = queues.counts, requests.arrival
    now, come, finished, steps, events, rows = 0.0, 0, 0, 0, 0, 0
    count = arrival.size
    while finished < count:
        while come < count and arrival[come] <= now:
            enqueue(requests, queues, come)
            come += 1
        chosen = schedule(rules, requests, pool, tier, queues, step, now)
        if chosen == 0:
            if come == count:
                return STUCK, now, steps, events, rows
            if counts[N_RUNNING] > 0 or counts[PREEMPTED_NOW] > 0:
                return STUCK, now, steps, events, rows
            now = max(now, np.float64(arrival[come]))
            continue
        s = step.summary
        begin = now
        now += duration(costs, s, s[TOKENS], s[SEQUENCES])
        if counts[RECALLED] > 0:
            now += counts[RECALLED] * recall_ns
            counts[RECALLED] = 0
        finished += complete(rules, requests, pool, tier, queues, step, now)
        steps += 1
        events += 1
        if rows < log.shape[0]:
            _write(log, rows, begin, now, s[TOKENS], s[SEQUENCES], queues)
            rows += 1
        if (
            compressed
            and s[N_DECODE] == s[SEQUENCES]
            and counts[N_RUNNING] == s[SEQUENCES]
            and counts[PREEMPTED_NOW] == 0
            and costs.kind == GRID
        ):
            until = np.float64(arrival[come]) if come < count else np.inf
            begin = now
            m, now = _stretch(rules, costs, requests, pool, tier, queues, now, until)
            steps += m
            if m > 0 and rows < log.shape[0]:
                _write(log, rows, begin, now, m * counts[N_RUNNING], counts[N_RUNNING], queues)
                rows += 1
            if m > 0:
                events += 1
    return DONE, now, steps, events, rows


@njit(cache=True, nogil=True)
@no_type_check
def _write(log, row, begin, now, tokens, sequences, queues):
    counts = queues.counts
    log[row, 0] = begin
    log[row, 1] = now
    log[row, 2] = tokens
    log[row, 3] = sequences
    log[row, 4] = counts[N_GENERATED]
    log[row, 5] = counts[N_RUNNING]
    log[row, 6] = counts[TAIL] - counts[HEAD]
    log[row, 7] = counts[N_FREE]


@njit(cache=True, nogil=True)
@no_type_check
def _quiet(rules, requests, pool, queues):
    """Whether nobody who waits can be admitted before somebody who runs ends.

    The step before ended with everybody running and, if somebody waits, with a front that was
    refused.
    """
    counts = queues.counts
    n = counts[N_RUNNING]
    if n >= rules.max_sequences or n >= rules.budget:
        return True
    if counts[HEAD] == counts[TAIL]:
        return False
    # Blocked at the front by blocks that lack. More of its prefix may become findable only through
    # a running request that has the very block it misses.
    r = queues.waiting[counts[HEAD]]
    start = requests.hash_start[r]
    most = min(requests.hash_start[r + 1] - start, (requests.reached[r] - 1) // BLOCK)
    at = 0
    while at < most and pool.lookup[requests.hashes[start + at]] >= 0:
        at += 1
    if at < most and rules.caching:
        for i in range(n):
            other = queues.running[i]
            begin = requests.hash_start[other]
            inside = begin + at < requests.hash_start[other + 1]
            if inside and requests.hashes[begin + at] == requests.hashes[start + at]:
                return False
    return True


@njit(cache=True, nogil=True)
@no_type_check
def _stretch(rules, costs, requests, pool, tier, queues, now, until):
    """Decode the same batch as long as nothing can happen; return the steps and the time."""
    counts, running = queues.counts, queues.running
    n = counts[N_RUNNING]
    if n == 0 or n > rules.budget:
        return 0, now
    blocked = _quiet(rules, requests, pool, queues)
    if not blocked and counts[HEAD] < counts[TAIL]:
        return 0, now
    least = np.iinfo(np.int64).max
    lengths, longest, shortest = 0, 0, least
    for i in range(n):
        r = running[i]
        if requests.reached[r] - requests.computed[r] != 1 or requests.first[r] < 0:
            return 0, now
        least = min(least, requests.n_in[r] + requests.n_out[r] - requests.reached[r])
        c = requests.computed[r]
        lengths += c
        longest = max(longest, c)
        shortest = min(shortest, c)
    most = least - 1
    if most < 1:
        return 0, now
    stop = np.inf if blocked else until
    mean = lengths // n
    fixed = costs.token_ns[n] + costs.sequence_ns[n] + costs.host_ns
    done = 0
    begin = now
    # Buckets of requests by where they stand in their block: who needs a block at which step.
    first_of = np.full(BLOCK, -1, np.int64)
    next_of = np.full(n, -1, np.int64)
    for i in range(n - 1, -1, -1):
        place = requests.computed[running[i]] % BLOCK
        next_of[i] = first_of[place]
        first_of[place] = i
    while done < most and now < stop:
        if costs.rounded:
            m, now = _whole(
                costs,
                fixed,
                n,
                mean + done,
                longest + done,
                shortest + done,
                most - done,
                now,
                stop,
            )
        else:
            m, now = _series(
                costs,
                fixed,
                n,
                mean + done,
                longest + done,
                shortest + done,
                most - done,
                now,
                stop,
            )
        ended = False
        for j in range(done, done + m):
            if not _blocks_of_step(rules, requests, pool, tier, queues, first_of, next_of, j):
                # the step cannot be made: time again up to it
                now = _elapsed(costs, fixed, n, mean, longest, shortest, j, begin)
                done = j
                ended = True
                break
        if ended:
            break
        done += m
    if done > 0:
        for i in range(n):
            r = running[i]
            requests.computed[r] += done
            requests.reached[r] += done
        counts[N_GENERATED] += n * done
    return done, now


@njit(cache=True, nogil=True)
@no_type_check
def _blocks_of_step(rules, requests, pool, tier, queues, first_of, next_of, j):
    """Hand out and index what step j of a stretch needs; False, nothing changed, if it lacks."""
    counts, running = queues.counts, queues.running
    start = first_of[(BLOCK - j % BLOCK) % BLOCK]
    wanted = 0
    i = start
    while i >= 0:
        r = running[i]
        if (requests.computed[r] + j) // BLOCK + 1 > requests.held[r]:
            wanted += 1
        i = next_of[i]
    if wanted > counts[N_FREE]:
        return False
    # In the order of admission: those that open a block, and those that fill one.
    fills = first_of[(BLOCK - 1 - j % BLOCK) % BLOCK] if rules.caching else -1
    i, k = start, fills
    while i >= 0 or k >= 0:
        if k < 0 or (i >= 0 and i < k):
            at, i = i, next_of[i]
        else:
            at, k = k, next_of[k]
        r = running[at]
        was = requests.reached[r]
        requests.reached[r] = requests.computed[r] + j + 1
        allocate(pool, tier, counts, requests, r, 1, requests.computed[r] + j, 0, 0, rules.caching)
        requests.reached[r] = was
    return True


@njit(cache=True, nogil=True)
@no_type_check
def _layer(costs, n, mean, longest, shortest):
    """Attention of one layer of a batch of decodes."""
    near = grid_ns(costs, 0, 0, n, mean)
    if costs.skewed and n > 1 and longest != mean:
        alpha = alpha_of(costs, 0, 0, n, mean, longest, shortest)
        if alpha != 0.0:
            far = grid_ns(costs, 0, 0, n, longest)
            if far > near:
                near += alpha * (far - near)
    if costs.rounded:
        return max(1.0, np.rint(near))
    return near


@njit(cache=True, nogil=True)
@no_type_check
def _whole(costs, fixed, n, mean, longest, shortest, most, now, stop):
    """Add steps of whole nanoseconds one by one."""
    m = 0
    while m < most and now < stop:
        now += fixed + costs.layers * _layer(costs, n, mean + m, longest + m, shortest + m)
        m += 1
    return m, now


@njit(cache=True, nogil=True)
@no_type_check
def _room(axis, length):
    """Return how many steps a length has until the next point of an axis, that point included."""
    at = np.searchsorted(axis, length, side="right")
    if at >= axis.size:
        return np.iinfo(np.int64).max
    return np.int64(np.ceil(axis[at])) - length


@njit(cache=True, nogil=True)
@no_type_check
def _series(costs, fixed, n, mean, longest, shortest, most, now, stop):
    """Add the steps of one cell of the table in closed form, those that begin before ``stop``."""
    m = min(most, _room(costs.decode_kv, mean) + 1)
    if costs.skewed:
        m = min(m, _room(costs.decode_kv, longest) + 1)
        # an end of a bin belongs to the bin
        at = np.searchsorted(costs.longest_edges, longest, side="left")
        if at < costs.longest_edges.size:
            m = min(m, np.int64(np.floor(costs.longest_edges[at])) - longest + 1)
    m = max(m, 1)
    first = costs.layers * _layer(costs, n, mean, longest, shortest) + fixed
    if m == 1:
        return 1, now + first
    last = costs.layers * _layer(costs, n, mean + m - 1, longest + m - 1, shortest + m - 1) + fixed
    if costs.skewed and n > 1 and longest != mean:
        # max(0, far - near) may bend inside the cell
        low = grid_ns(costs, 0, 0, n, longest) - grid_ns(costs, 0, 0, n, mean)
        high = grid_ns(costs, 0, 0, n, longest + m - 1) - grid_ns(costs, 0, 0, n, mean + m - 1)
        if (low > 0) != (high > 0):
            return 1, now + first
    slope = (last - first) / (m - 1)
    # steps j = 0 .. m-1 begin at now + j first + slope j (j-1)/2
    low, high = 1, m
    while low < high:
        middle = (low + high + 1) // 2
        j = middle - 1
        if now + j * first + slope * j * (j - 1) / 2 < stop:
            low = middle
        else:
            high = middle - 1
    m = low
    return m, now + m * first + slope * m * (m - 1) / 2


@njit(cache=True, nogil=True)
@no_type_check
def _elapsed(costs, fixed, n, mean, longest, shortest, steps, now):
    """Return the time after the first ``steps`` of a stretch."""
    done = 0
    while done < steps:
        if costs.rounded:
            m, now = _whole(
                costs,
                fixed,
                n,
                mean + done,
                longest + done,
                shortest + done,
                steps - done,
                now,
                np.inf,
            )
        else:
            m, now = _series(
                costs,
                fixed,
                n,
                mean + done,
                longest + done,
                shortest + done,
                steps - done,
                now,
                np.inf,
            )
        done += m
    return now
