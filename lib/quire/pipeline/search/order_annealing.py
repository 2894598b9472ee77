"""Local search on rank orders: exchange operations on the critical path (ours).

The neighbourhood is that of job-shop scheduling: reversing two operations that are adjacent on a
rank and on a longest path keeps the order acyclic, and no other exchange of neighbours can shorten
that path. Weight gradients, which nothing waits for, may also jump. Annealed, compiled, seeded.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from quire.pipeline.emulator import emulate_ranks
from quire.pipeline.program import WEIGHT
from quire.pipeline.schedule import Schedule


@njit(cache=True, nogil=True)
@no_type_check
def _evaluate(rank_ptr, seq, duration, dep_ptr, dep, lag, end, head, free):
    """Ends under per-rank sequences; returns False if they deadlock."""
    ranks = rank_ptr.shape[0] - 1
    end[:] = -1.0
    head[:] = rank_ptr[:-1]
    free[:] = 0.0
    left = seq.shape[0]
    moved = True
    while moved and left > 0:
        moved = False
        for r in range(ranks):
            while head[r] < rank_ptr[r + 1]:
                i = seq[head[r]]
                t = free[r]
                ready = True
                for a in range(dep_ptr[i], dep_ptr[i + 1]):
                    e = end[dep[a]]
                    if e < 0.0:
                        ready = False
                        break
                    t = max(t, e + lag[a])
                if not ready:
                    break
                end[i] = t + duration[i]
                free[r] = end[i]
                head[r] += 1
                left -= 1
                moved = True
    return left == 0


@njit(cache=True, nogil=True)
@no_type_check
def _fits(seq, lo, hi, acquired, released, limit):
    """Whether the sequence ``seq[lo:hi]`` of one rank stays within its limit."""
    used = 0.0
    for k in range(lo, hi):
        used += acquired[seq[k]]
        if used > limit:
            return False
        used -= released[seq[k]]
    return True


@njit(cache=True, nogil=True)
@no_type_check
def _cost(rank_ptr, free, offset):
    worst = -np.inf
    at = 0
    for r in range(free.shape[0]):
        if rank_ptr[r + 1] > rank_ptr[r] and free[r] - offset[r] > worst:
            worst = free[r] - offset[r]
            at = r
    return worst, at


@njit(cache=True, nogil=True)
@no_type_check
def _critical_pairs(rank_ptr, seq, place, at, duration, dep_ptr, dep, lag, end, pairs):
    """Positions ``k`` such that ``seq[k], seq[k + 1]`` follow each other on a longest path."""
    ranks = rank_ptr.shape[0] - 1
    i = seq[rank_ptr[at + 1] - 1]
    found = 0
    while True:
        start = end[i] - duration[i]
        k = place[i]
        on_rank = -1
        for r in range(ranks):
            if rank_ptr[r] < k < rank_ptr[r + 1]:
                on_rank = k - 1
        tight = -1
        best = -1.0
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            t = end[dep[a]] + lag[a]
            if t >= start - 1e-12 * start and t > best:
                best, tight = t, dep[a]
        if on_rank >= 0 and end[seq[on_rank]] >= start - 1e-12 * start and tight != seq[on_rank]:
            pairs[found] = on_rank
            found += 1
            i = seq[on_rank]
        elif tight >= 0:
            i = tight
        else:
            return found


@njit(cache=True, nogil=True)
@no_type_check
def _anneal(
    rank_ptr, best_seq, duration, kind, acquired, released, dep_ptr, dep, lag, limit, offset,
    weight_kind, iterations, heat, target, rng,
):  # fmt: skip
    n, ranks = best_seq.shape[0], rank_ptr.shape[0] - 1
    seq, trial = best_seq.copy(), best_seq.copy()
    end, trial_end = np.empty(n), np.empty(n)
    head, free = np.empty(ranks, np.int64), np.empty(ranks)
    place, pairs = np.empty(n, np.int64), np.empty(n, np.int64)
    owner = np.empty(n, np.int64)
    for r in range(ranks):
        owner[rank_ptr[r] : rank_ptr[r + 1]] = r
    _evaluate(rank_ptr, seq, duration, dep_ptr, dep, lag, end, head, free)
    cost, at = _cost(rank_ptr, free, offset)
    best = cost
    fresh = True
    found = 0
    for step in range(iterations):
        if best <= target * (1 + 1e-12):
            break
        if fresh:
            for k in range(n):
                place[seq[k]] = k
            found = _critical_pairs(
                rank_ptr, seq, place, at, duration, dep_ptr, dep, lag, end, pairs
            )
            fresh = False
        if found == 0:
            break
        k = pairs[rng.integers(0, found)]
        r = owner[k]
        a, b = rank_ptr[r], rank_ptr[r + 1]
        trial[a:b] = seq[a:b]
        to = k + 1
        if kind[seq[k]] == weight_kind and rng.random() < 0.5:
            to = k + 1 + rng.integers(0, min(12, b - k - 1))
        moved = seq[k]
        for q in range(k, to):
            trial[q] = trial[q + 1]
        trial[to] = moved
        ok = _fits(trial, a, b, acquired, released, limit[r])
        if ok:
            ok = _evaluate(rank_ptr, trial, duration, dep_ptr, dep, lag, trial_end, head, free)
        if ok:
            new, new_at = _cost(rank_ptr, free, offset)
            temperature = heat * (1.0 - step / iterations)
            if new <= cost or rng.random() < np.exp((cost - new) / max(temperature, 1e-300)):
                seq[a:b] = trial[a:b]
                end[:] = trial_end
                cost, at, fresh = new, new_at, True
                if cost < best:
                    best = cost
                    best_seq[:] = seq
                continue
        trial[a:b] = seq[a:b]
    return best


def refine(
    schedule: Schedule,
    *,
    iterations: int,
    seed: int,
    memory_limit: Float[np.ndarray, " ranks"] | None = None,
    spans: bool = False,
    target: float = 0.0,
) -> Schedule:
    """Anneal the rank orders of ``schedule``; the result is never worse.

    ``spans`` minimises the longest rank span (first start to last end of a rank) instead of the
    makespan; ``target`` seconds stop the search early. The temperature falls linearly from a fifth
    of the mean operation to zero.

    Raises
    ------
    ValueError
        If ``iterations`` is negative.
    """
    if iterations < 0:
        raise ValueError(f"iterations = {iterations}: give zero or more")
    program = schedule.program
    orders = [schedule.rank_order(rank) for rank in range(program.ranks)]
    sequence = np.concatenate(orders)
    rank_ptr = np.concatenate([[0], np.cumsum([len(order) for order in orders])])
    limit = np.full(program.ranks, np.inf) if memory_limit is None else memory_limit * (1 + 1e-9)
    offset = np.zeros(program.ranks)
    if spans:
        for rank, order in enumerate(orders):
            offset[rank] = schedule.start[order].min(initial=0.0)
    before = _objective(schedule, offset)
    _anneal(
        rank_ptr, sequence, program.duration, program.kind, program.acquired, program.released,
        program.dep_ptr, program.dep, program.lag, limit, offset, WEIGHT, iterations,
        0.2 * float(program.duration.mean()), target, np.random.default_rng(seed),
    )  # fmt: skip
    refined = emulate_ranks(program, np.split(sequence, rank_ptr[1:-1]))
    return refined if _objective(refined, offset) < before else schedule


def _objective(schedule: Schedule, offset: Float[np.ndarray, " ranks"]) -> float:
    last = np.full(schedule.program.ranks, -np.inf)
    np.maximum.at(last, schedule.program.rank, schedule.end)
    return float((last - offset).max())
