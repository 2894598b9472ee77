"""Local search on orders: exchange operations on the critical path, re-evaluate what changes.

The neighbourhood is that of job-shop scheduling: reversing two operations that are adjacent on a
rank and on a longest path keeps the order acyclic, and no other exchange of neighbours can shorten
that path. Annealed, compiled, seeded (ours).

The paper's step emulator is said to reuse subgraphs in space and time; how is not public. Here an
exchange leaves the ends before it as they are (time) and, after it, re-evaluates only operations
one of whose inputs has moved (space). Turned off, every operation is evaluated anew, with the same
result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from quire import checks
from quire.pipeline.emulator import emulate
from quire.pipeline.schedule import Schedule, finite_limit, violations
from quire.signatures import checked


@njit(cache=True, nogil=True)
@no_type_check
def _critical_pairs(rank, prev, last, duration, dep_ptr, dep, lag, end, offset, pairs):
    """Second operations of rank neighbours that follow each other on a longest path."""
    worst, i = -np.inf, -1
    for r in range(last.shape[0]):
        if last[r] >= 0 and end[last[r]] - offset[r] > worst:
            worst, i = end[last[r]] - offset[r], last[r]
    found = 0
    while i >= 0:
        start = end[i] - duration[i]
        slack = 1e-12 * start
        tight, latest = -1, -1.0
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            t = end[dep[a]] + lag[a]
            if t >= start - slack and t > latest:
                latest, tight = t, dep[a]
        before = prev[i]
        if before >= 0 and end[before] >= start - slack and tight != before:
            pairs[found] = i
            found += 1
            i = before
        else:
            i = tight
    return found


@njit(cache=True, nogil=True)
@no_type_check
def _exchange(a, b, order, place, prev, dep_ptr, dep, stamp, moved):
    """Reorder the stretch from ``a`` to ``b`` such that ``b`` comes first; False if it cannot.

    What waits for ``a`` within the stretch moves behind it. ``moved`` keeps the old stretch.
    """
    low, high = place[a], place[b]
    stamp[a] = True
    marked, free = 0, True
    for k in range(low + 1, high + 1):
        x = order[k]
        waits = x != b and prev[x] >= 0 and stamp[prev[x]]
        for d in range(dep_ptr[x], dep_ptr[x + 1]):
            waits = waits or stamp[dep[d]]
        stamp[x] = waits
        if waits:
            marked += 1
            free = free and x != b
    for k in range(low, high + 1):
        moved[k] = order[k]
    if free:
        front, back = low, high - marked + 1
        for k in range(low + 1, high + 1):
            x = moved[k]
            if stamp[x]:
                order[back], place[x] = x, back
                back += 1
            else:
                order[front], place[x] = x, front
                front += 1
        order[front], place[a] = a, front
    for k in range(low, high + 1):
        stamp[moved[k]] = False
    return free


@njit(cache=True, nogil=True)
@no_type_check
def _link(a, b, rank, prev, next_, last):
    """On their rank, put ``b`` directly before ``a``, which it followed."""
    before, after = prev[a], next_[b]
    prev[b], next_[b], prev[a], next_[a] = before, a, b, after
    if before >= 0:
        next_[before] = b
    if after >= 0:
        prev[after] = a
    else:
        last[rank[a]] = a


@njit(cache=True, nogil=True)
@no_type_check
def _propagate(
    low, high, after, reuse, order, place, prev, next_, duration, dep_ptr, dep, lag, succ_ptr,
    succ, end, dirty, log, old,
):  # fmt: skip
    """Re-evaluate what the exchange of ``order[low:high + 1]`` moves; log what it changes.

    ``after`` follows the exchanged two on their rank (−1: nothing does), so it has a new input.
    Returns how many operations were evaluated and how many of them changed.
    """
    n = order.shape[0]
    waiting = 0
    for k in range(low if reuse else 0, high + 1 if reuse else n):
        dirty[order[k]] = True
        waiting += 1
    if after >= 0 and not dirty[after]:
        dirty[after] = True
        waiting += 1
    evaluated, changed = 0, 0
    for k in range(low if reuse else 0, n):
        if waiting == 0:
            break
        i = order[k]
        if not dirty[i]:
            continue
        dirty[i] = False
        waiting -= 1
        evaluated += 1
        t = end[prev[i]] if prev[i] >= 0 else 0.0
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            t = max(t, end[dep[a]] + lag[a])
        t += duration[i]
        if t != end[i]:
            log[changed], old[changed] = i, end[i]
            changed += 1
            end[i] = t
            j = next_[i]
            if j >= 0 and not dirty[j]:
                dirty[j] = True
                waiting += 1
            for a in range(succ_ptr[i], succ_ptr[i + 1]):
                if not dirty[succ[a]]:
                    dirty[succ[a]] = True
                    waiting += 1
    return evaluated, changed


@njit(cache=True, nogil=True)
@no_type_check
def _anneal(
    order, rank, ranks, duration, acquired, released, dep_ptr, dep, lag, succ_ptr, succ, limit,
    offset, iterations, heat, target, reuse, rng,
):  # fmt: skip
    """Anneal ``order`` in place to the best seen; return its cost, trials and evaluations."""
    n = order.shape[0]
    best_order = order.copy()
    place, pairs = np.empty(n, np.int64), np.empty(n, np.int64)
    prev, next_ = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    last = np.full(ranks, -1, np.int64)
    end, level, used = np.empty(n), np.empty(n), np.zeros(ranks)
    dirty, stamp = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    log, old, moved = np.empty(n, np.int64), np.empty(n), np.empty(n, np.int64)
    for k in range(n):
        i = order[k]
        r = rank[i]
        place[i], prev[i], level[i] = k, last[r], used[r]
        if last[r] >= 0:
            next_[last[r]] = i
        t = end[last[r]] if last[r] >= 0 else 0.0
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            t = max(t, end[dep[a]] + lag[a])
        end[i] = t + duration[i]
        last[r] = i
        used[r] += acquired[i] - released[i]
    cost = -np.inf
    for r in range(ranks):
        if last[r] >= 0:
            cost = max(cost, end[last[r]] - offset[r])
    best, trials, updates, found, fresh = cost, 0, 0, 0, True
    for step in range(iterations):
        if best <= target * (1 + 1e-12):
            break
        if fresh:
            found = _critical_pairs(
                rank, prev, last, duration, dep_ptr, dep, lag, end, offset, pairs
            )
            fresh = False
        if found == 0:
            break
        b = pairs[rng.integers(0, found)]
        a = prev[b]
        r = rank[a]
        behind = level[a] + acquired[b] - released[b]
        if level[a] + acquired[b] > limit[r] or behind + acquired[a] > limit[r]:
            continue
        low, high = place[a], place[b]
        if not _exchange(a, b, order, place, prev, dep_ptr, dep, stamp, moved):
            continue
        _link(a, b, rank, prev, next_, last)
        evaluated, changed = _propagate(
            low, high, next_[a], reuse, order, place, prev, next_, duration, dep_ptr, dep, lag,
            succ_ptr, succ, end, dirty, log, old,
        )  # fmt: skip
        trials += 1
        updates += evaluated
        new = -np.inf
        for s in range(ranks):
            if last[s] >= 0:
                new = max(new, end[last[s]] - offset[s])
        temperature = heat * (1.0 - step / iterations)
        if new <= cost or rng.random() < np.exp((cost - new) / max(temperature, 1e-300)):
            level[b], level[a] = level[a], behind
            cost, fresh = new, True
            if cost < best:
                best = cost
                best_order[:] = order
            continue
        for k in range(changed):
            end[log[k]] = old[k]
        _link(b, a, rank, prev, next_, last)
        for k in range(low, high + 1):
            order[k] = moved[k]
            place[moved[k]] = k
    order[:] = best_order
    return best, trials, updates


@dataclass(frozen=True)
class Annealed:
    """What annealing found and what it took.

    ``trials`` counts orders evaluated, ``updates`` operations evaluated for them; a full pass for
    every order would have taken ``trials`` times the operations of the program.
    """

    schedule: Schedule
    trials: int
    updates: int


@checked
def anneal_order(
    schedule: Schedule,
    *,
    iterations: int,
    seed: int,
    memory_limit: Float[np.ndarray, " ranks"] | None = None,
    spans: bool = False,
    target: float = 0.0,
    reuse: bool = True,
) -> Annealed:
    """Anneal the rank orders of ``schedule``; the result is never worse.

    ``spans`` minimises the longest rank span (first start to last end of a rank) instead of the
    makespan; ``target`` seconds stop the search early. The temperature falls linearly from a fifth
    of the mean operation to zero. Without ``reuse`` every trial evaluates every operation; the
    result is the same.

    Raises
    ------
    ValueError
        If ``iterations`` is negative, the memory limit is not one finite number per rank, or the
        schedule breaks it (or any other rule).
    """
    iterations = checks.integer("iterations", iterations, 0)
    program = schedule.program
    limit = np.full(program.ranks, np.inf)
    if memory_limit is not None:
        limit = finite_limit(memory_limit, program.ranks) * (1 + 1e-9)
    broken = violations(schedule, None if memory_limit is None else limit)
    if broken:
        raise ValueError(f"schedule = one that is not valid: {broken[0]}")
    offset = np.zeros(program.ranks)
    if spans:
        np.minimum.at(offset := np.full(program.ranks, np.inf), program.rank, schedule.start)
    order = schedule.order.astype(np.int64)
    _, trials, updates = _anneal(
        order, program.rank, program.ranks, program.duration, program.acquired, program.released,
        program.dep_ptr, program.dep, program.lag, program.succ_ptr, program.succ, limit, offset,
        iterations, 0.2 * float(program.duration.mean()), target, reuse,
        np.random.default_rng(checks.integer("seed", seed, 0)),
    )  # fmt: skip
    found = emulate(program, order)
    better = _objective(found, offset) < _objective(schedule, offset)
    return Annealed(found if better else schedule, int(trials), int(updates))


def _objective(schedule: Schedule, offset: Float[np.ndarray, " ranks"]) -> float:
    last = np.full(schedule.program.ranks, -np.inf)
    np.maximum.at(last, schedule.program.rank, schedule.end)
    return float((last - offset).max())
