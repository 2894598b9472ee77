"""One step of vLLM's scheduler (V1, 0.19), in compiled code: who computes how many tokens.

A. Whoever runs, in the order of admission, computes what it lacks of the length it has reached, as
   far as the budget of tokens goes. If blocks lack, the one admitted last gives its own back and
   goes to the front of those who wait.
B. Unless somebody was put back, those who wait are admitted in their order while there are budget
   and seats: the prefix that is cached counts as computed, and (the gate) blocks for the whole
   length must be free. Nobody is put back for an admission.
C. When the step ends, whoever has caught up produces a token.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from quire.serving.engine.blocks import (
    allocate,
    give_back,
    hits,
    needed,
    tier_hits,
)
from quire.serving.engine.state import (
    BLOCK,
    CHUNK,
    FINISHED,
    HEAD,
    LENGTHS,
    LONGEST,
    N_DECODE,
    N_FOUND_AGAIN,
    N_FREE,
    N_GENERATED,
    N_HIT,
    N_PREEMPTED,
    N_RECOMPUTED,
    N_RUNNING,
    N_SCHEDULED,
    N_TIER_HIT,
    PREEMPTED_NOW,
    PREFILL_KV,
    RUNNING,
    SEQUENCES,
    SHORTEST,
    SQUARES,
    TAIL,
    TOKENS,
    WAITING,
)
from quire.serving.profiles.costs import step_ns


@njit(cache=True, nogil=True)
@no_type_check
def enqueue(requests, queues, r):
    """Put a request among those who wait, before the first of a larger priority value."""
    counts, waiting = queues.counts, queues.waiting
    at = counts[TAIL]
    while at > counts[HEAD]:
        other = waiting[at - 1]
        if requests.preempted[other] > 0 or requests.priority[other] <= requests.priority[r]:
            break
        waiting[at] = other
        at -= 1
    waiting[at] = r
    counts[TAIL] += 1
    requests.state[r] = WAITING


@njit(cache=True, nogil=True)
@no_type_check
def _put_back(pool, requests, queues, r):
    give_back(pool, queues.counts, requests, r)
    requests.computed[r] = 0
    requests.preempted[r] += 1
    requests.state[r] = WAITING
    queues.counts[HEAD] -= 1
    queues.waiting[queues.counts[HEAD]] = r
    queues.counts[N_PREEMPTED] += 1


@njit(cache=True, nogil=True)
@no_type_check
def schedule(rules, requests, pool, tier, queues, step, now):
    """Fill ``step``; return how many requests it holds."""
    counts, running, waiting = queues.counts, queues.running, queues.waiting
    budget, chosen, i = rules.budget, 0, 0
    put_back = False
    while i < counts[N_RUNNING] and budget > 0:
        r = running[i]
        k = requests.reached[r] - requests.computed[r]
        if 0 < rules.chunk_limit < k:
            k = rules.chunk_limit
        k = min(k, budget)
        total = requests.computed[r] + k
        # fifteen decodes of sixteen neither open a block nor fill one
        given = (
            total <= requests.held[r] * BLOCK and total // BLOCK == requests.computed[r] // BLOCK
        )
        while not given:
            if allocate(
                pool, tier, counts, requests, r, k, requests.computed[r], 0, 0, rules.caching
            ):
                given = True
                break
            counts[N_RUNNING] -= 1
            victim = running[counts[N_RUNNING]]
            _put_back(pool, requests, queues, victim)
            put_back = True
            if victim == r:
                break
        if not given:
            break
        step.requests[chosen] = r
        step.tokens[chosen] = k
        step.before[chosen] = requests.computed[r]
        requests.computed[r] += k
        chosen += 1
        budget -= k
        i += 1
    while not put_back and counts[HEAD] < counts[TAIL] and budget > 0:
        if counts[N_RUNNING] >= rules.max_sequences:
            break
        r = waiting[counts[HEAD]]
        found, chunks, gained = 0, 0, 0
        computed = requests.computed[r]
        if computed == 0 and rules.caching:
            found = hits(pool, requests, r)
            chunks, gained = tier_hits(tier, requests, r, found)
            computed = found * BLOCK + gained
        k = requests.reached[r] - computed
        if 0 < rules.chunk_limit < k:
            k = rules.chunk_limit
        if not rules.chunked and k > budget:
            break
        k = min(k, budget)
        if k <= 0:
            break
        if rules.gate:
            whole = max(requests.reached[r], computed)
            if needed(pool, requests, r, whole, found) > counts[N_FREE]:
                break
        if not allocate(pool, tier, counts, requests, r, k, computed, found, chunks, rules.caching):
            break
        counts[HEAD] += 1
        if requests.preempted[r] > 0:
            counts[N_RECOMPUTED] += max(0, requests.reached[r] - computed)
        requests.computed[r] = computed
        requests.hit[r] = found * BLOCK + gained
        requests.recalled[r] = gained
        if requests.preempted[r] == 0:
            counts[N_HIT] += found * BLOCK
        else:
            counts[N_FOUND_AGAIN] += found * BLOCK
        counts[N_TIER_HIT] += gained
        requests.state[r] = RUNNING
        running[counts[N_RUNNING]] = r
        counts[N_RUNNING] += 1
        if requests.scheduled[r] < 0:
            requests.scheduled[r] = now
        step.requests[chosen] = r
        step.tokens[chosen] = k
        step.before[chosen] = computed
        requests.computed[r] += k
        chosen += 1
        budget -= k
    counts[N_SCHEDULED] = chosen
    counts[PREEMPTED_NOW] = 1 if put_back else 0
    _summarise(step, chosen)
    return chosen


@njit(cache=True, nogil=True)
@no_type_check
def _summarise(step, chosen):
    s = step.summary
    s[:] = 0
    s[SHORTEST] = np.iinfo(np.int64).max
    for i in range(chosen):
        k, before = step.tokens[i], step.before[i]
        s[TOKENS] += k
        s[SQUARES] += k * k
        if k > 1:
            s[CHUNK] += k
            s[PREFILL_KV] += before
        else:
            s[N_DECODE] += 1
            s[LENGTHS] += before
            s[LONGEST] = max(s[LONGEST], before)
            s[SHORTEST] = min(s[SHORTEST], before)
    s[SEQUENCES] = chosen
    if s[N_DECODE] == 0:
        s[SHORTEST] = 0


@njit(cache=True, nogil=True)
@no_type_check
def duration(costs, summary, tokens, sequences):
    """Return a step's nanoseconds, padded to ``tokens`` and ``sequences`` by its peers."""
    n = summary[N_DECODE]
    mean = summary[LENGTHS] // n if n > 0 else 0
    return step_ns(
        costs,
        tokens,
        sequences,
        summary[CHUNK],
        summary[PREFILL_KV],
        n,
        mean,
        summary[LONGEST],
        summary[SHORTEST],
        np.sqrt(summary[SQUARES]),
    )


@njit(cache=True, nogil=True)
@no_type_check
def complete(rules, requests, pool, tier, queues, step, now):
    """End a step at time ``now``; return how many requests finished, listed in ``step``."""
    counts = queues.counts
    finished = 0
    for i in range(counts[N_SCHEDULED]):
        r = step.requests[i]
        if requests.computed[r] < requests.reached[r]:
            continue
        requests.reached[r] += 1
        counts[N_GENERATED] += 1
        if requests.first[r] < 0:
            requests.first[r] = now
        done = requests.reached[r] >= requests.n_in[r] + requests.n_out[r]
        if rules.prefill_only or done:
            give_back(pool, counts, requests, r)
            requests.last[r] = now
            requests.state[r] = FINISHED
            step.finished[finished] = r
            finished += 1
    if finished:
        kept = 0
        for i in range(counts[N_RUNNING]):
            r = queues.running[i]
            if requests.state[r] == RUNNING:
                queues.running[kept] = r
                kept += 1
        counts[N_RUNNING] = kept
    return finished
