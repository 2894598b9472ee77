"""Where weight gradients go, given the order of forwards and backwards.

Nothing waits for a weight gradient except memory and the end of the step, so it goes where a rank
would idle. A gap shorter than the weight gradient is left idle while the rank's idle budget lasts
and filled (delaying what follows) after that; a forward that does not fit the memory limit forces
weight gradients out first. Budgets that grow with the idlest rank follow the automatic schedules of
the zero-bubble literature; the code, the settings and the search over them are ours.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Int
from numba import njit

from quire.pipeline.program import WEIGHT, Program

BY_RULE, FILL, WAIT = 0, 1, 2


@njit(cache=True, nogil=True)
@no_type_check
def place_weight_gradients(
    order, rank, kind_of, duration, acquired, released, dep_ptr, dep, lag, weight_of, limit, base,
    budget, follow, share, choice, idle, end, sequence,
):  # fmt: skip
    """Emulate a topological order of forwards and backwards, placing weight gradients between.

    ``weight_of[i]`` is the weight gradient of backward ``i``. ``budget[r]`` is the idle seconds
    that rank ``r`` may leave; with ``follow`` it may idle as long as the idlest rank so far.
    ``share[kind_of[i]]`` is the least share of a weight gradient that a gap before ``i`` must last
    to be filled when the budget is spent; ``choice[i]`` overrules the rule: one weight gradient or
    none. ``sequence[base[r] : base[r + 1]]`` receives rank ``r``'s operations, ``idle`` its idle
    seconds. Returns the longest rank span, infinity where the memory limit cannot be kept.
    """
    ranks = base.shape[0] - 1
    free, used = np.zeros(ranks), np.zeros(ranks)
    idle[:] = 0.0
    begin = np.full(ranks, -1.0)
    put = base[:-1].copy()
    pending = np.empty(sequence.shape[0], np.int64)  # weight gradients not yet run, rank by rank
    first, last = base[:-1].copy(), base[:-1].copy()
    idlest = 0.0
    for i in order:
        r = rank[i]
        arrival = 0.0
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            arrival = max(arrival, end[dep[a]] + lag[a])
        chosen = choice[i] == FILL
        allowed = max(budget[r], idlest) if follow else budget[r]
        shortest = share[kind_of[i]]
        while first[r] < last[r]:
            j = pending[first[r]]
            gap = arrival - free[r]
            short = gap > shortest * duration[j] and idle[r] + gap > allowed
            if not (
                used[r] + acquired[i] > limit[r]
                or chosen
                or gap >= duration[j]
                or (short and choice[i] != WAIT)
            ):
                break
            chosen = False
            free[r] += duration[j]
            end[j] = free[r]
            used[r] -= released[j]
            sequence[put[r]] = j
            put[r] += 1
            first[r] += 1
        if used[r] + acquired[i] > limit[r]:
            return np.inf
        start = max(free[r], arrival)
        if begin[r] < 0.0:
            begin[r] = start
        else:
            idle[r] += start - free[r]
            idlest = max(idlest, idle[r])
        free[r] = start + duration[i]
        end[i] = free[r]
        used[r] += acquired[i] - released[i]
        sequence[put[r]] = i
        put[r] += 1
        if weight_of[i] >= 0:
            pending[last[r]] = weight_of[i]
            last[r] += 1
    longest = 0.0
    for r in range(ranks):
        while first[r] < last[r]:
            j = pending[first[r]]
            free[r] += duration[j]
            end[j] = free[r]
            sequence[put[r]] = j
            put[r] += 1
            first[r] += 1
        longest = max(longest, free[r] - begin[r])
    return longest


@njit(cache=True, nogil=True)
@no_type_check
def anneal_choices(
    order, rank, kind_of, duration, acquired, released, dep_ptr, dep, lag, weight_of, limit, base,
    budget, follow, share, best_choice, idle, end, sequence, iterations, heat, target, rng,
):  # fmt: skip
    """Overrule the rule here and there; ``best_choice`` becomes the best seen."""
    choice = best_choice.copy()
    best = cost = place_weight_gradients(
        order, rank, kind_of, duration, acquired, released, dep_ptr, dep, lag, weight_of, limit,
        base, budget, follow, share, choice, idle, end, sequence,
    )  # fmt: skip
    for step in range(iterations):
        if best <= target * (1 + 1e-12):
            break
        i = order[rng.integers(0, order.shape[0])]
        old = choice[i]
        choice[i] = (old + 1 + rng.integers(0, 2)) % 3
        new = place_weight_gradients(
            order, rank, kind_of, duration, acquired, released, dep_ptr, dep, lag, weight_of, limit,
            base, budget, follow, share, choice, idle, end, sequence,
        )  # fmt: skip
        temperature = heat * (1.0 - step / iterations)
        if new <= cost or rng.random() < np.exp((cost - new) / max(temperature, 1e-300)):
            cost = new
            if cost < best:
                best = cost
                best_choice[:] = choice
        else:
            choice[i] = old
    return best


def weight_gradients(program: Program) -> Int[np.ndarray, " n"]:
    """Look up the weight gradient of each backward, −1 elsewhere."""
    partner = np.full(program.operations, -1, dtype=np.int64)
    weights = np.flatnonzero(program.kind == WEIGHT)
    partner[program.dep[program.dep_ptr[weights]]] = weights
    return partner
