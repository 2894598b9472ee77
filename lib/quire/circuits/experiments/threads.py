"""One thread and two: timed by the wall, in rounds in which no thread had to wait for a core.

Linux counts the nanoseconds in which a thread was ready and no core was free. A round in which they
are more than 2 % of its time says nothing about threads and is not kept; so what is judged was
measured on two idle cores, whatever the load was a moment before.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, no_type_check

import numba
import numpy as np
from numba import njit, prange

from quire.circuits.elimination import costs
from quire.circuits.elimination.gauss_jordan import augmented
from quire.circuits.elimination.threads import barrier_seconds, eliminate
from quire.circuits.experiments.elimination import alone, grid_matrix, ratio_interval

SHARE = 0.2  # of the rows vary in the reduced systems
_WAITING = 0.02  # of a round, beyond which it is not kept
_LEAST = 5  # rounds


@dataclass(frozen=True)
class Threaded:
    """One and two threads at one size, whole or reduced: milliseconds by the wall."""

    n: int
    m: int  # rows eliminated: n, or those that vary
    kept: int  # rounds in which no thread waited
    one: float
    two: float
    speedup: float
    low: float
    high: float
    model: float  # speed-up by the model, predicted before


@njit(cache=True)
@no_type_check
def _couple_row(out, free, pivots, weights, i):
    """Write row i of V_f - V_p W."""
    out[i, :] = free[i, :]
    for k in range(weights.shape[0]):
        factor = pivots[i, k]
        if factor != 0.0:
            for j in range(weights.shape[1]):
                out[i, j] -= factor * weights[k, j]


@njit(cache=True)
@no_type_check
def _couple_alone(out, free, pivots, weights):
    for i in range(free.shape[0]):
        _couple_row(out, free, pivots, weights, i)


@njit(cache=True, parallel=True)
@no_type_check
def _couple_together(out, free, pivots, weights, workers):
    for worker in prange(workers):
        for i in range(worker, free.shape[0], workers):
            _couple_row(out, free, pivots, weights, i)


def couple(free: Any, pivots: Any, weights: Any, threads: int) -> Any:
    """Return V_f - V_p W with its rows shared by threads; every row is computed alike."""
    out = np.empty_like(free)
    if threads == 1:
        _couple_alone(out, free, pivots, weights)
        return out
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        _couple_together(out, free, pivots, weights, threads)
    finally:
        numba.set_num_threads(before)
    return out


def waited_seconds() -> float | None:
    """Return the seconds that threads here were ready without a core, None if unknown."""
    total = 0
    try:
        for task in Path("/proc/self/task").iterdir():
            total += int((task / "schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return 1e-9 * total


def threaded_rows(
    sizes: Sequence[int], rounds: int, seed: int, budget: float = 40.0
) -> list[Threaded]:
    """Time whole and reduced eliminations of grids on one thread and on two, in turn.

    Parameters
    ----------
    sizes
        Unknowns n; first those of whole systems are timed, then systems reduced to a fifth.
    rounds
        To keep at every size; three times as many are tried, within the budget of seconds.
    seed
        Of the grids.
    budget
        Seconds in all; sizes that no time is left for have no rounds.
    """
    start = time.perf_counter()
    barrier, flop = barrier_seconds(2, 200), _flop_seconds(min(max(sizes), 128), seed)
    rows = []
    for n in sorted(sizes):
        for reduced in (False, True):
            if time.perf_counter() - start > budget:
                continue
            run, m, model = _case(n, reduced, seed, flop, barrier)
            pairs = _rounds(run, rounds, start + budget)
            rows.append(_row(n, m, pairs, model))
    return rows


def _case(
    n: int, reduced: bool, seed: int, flop: float, barrier: float
) -> tuple[Callable[[int], None], int, float]:
    a = grid_matrix(n, seed)
    rng = np.random.default_rng([seed, n])
    b = rng.standard_normal(n)
    if not reduced:
        whole = np.ascontiguousarray(augmented(a, b))
        model = costs.threads_time(n, 1, flop, barrier) / costs.threads_time(n, 2, flop, barrier)
        return lambda p: _discard(eliminate(whole.copy(), p)), n, model
    m = max(2, round(SHARE * n))
    varying = np.zeros(n, bool)
    varying[rng.choice(n, m, replace=False)] = True
    # constant nodes as pivots: the block of a grid's nodes is definite, so that none is zero
    weights = np.ascontiguousarray(
        np.linalg.solve(a[~varying][:, ~varying], a[~varying][:, varying])
    )
    part = a[varying]
    pivots, free = (np.ascontiguousarray(part[:, which]) for which in (~varying, varying))
    right = b[varying]

    def run(p: int) -> None:
        small = np.ascontiguousarray(np.column_stack([couple(free, pivots, weights, p), right]))
        eliminate(small, p)

    product = 2.0 * m * np.count_nonzero(pivots) * flop
    times = [costs.threads_time(m, p, flop, barrier) + product / p for p in (1, 2)]
    return run, m, times[0] / (times[1] + barrier)


def _discard(_: Any) -> None:
    return None


def _rounds(run: Callable[[int], None], rounds: int, until: float) -> list[tuple[float, float]]:
    """Return seconds of one and two threads in every round in which no thread waited."""
    for p in (1, 2):
        run(p)
    found: list[tuple[float, float]] = []
    for tried in range(3 * rounds):
        if len(found) >= rounds or time.perf_counter() > until or (tried >= _LEAST and not found):
            break
        times = []
        for p in (1, 2):
            before, start = waited_seconds(), time.perf_counter()
            run(p)
            took, after = time.perf_counter() - start, waited_seconds()
            if before is None or after is None:
                quiet = hasattr(os, "getloadavg") and os.getloadavg()[0] < 0.5
            else:
                quiet = after - before <= _WAITING * took
            if not quiet:
                break
            times.append(took)
        if len(times) == 2:
            found.append((times[0], times[1]))
    return found


def _row(n: int, m: int, pairs: Sequence[tuple[float, float]], model: float) -> Threaded:
    if len(pairs) < _LEAST:
        nan = math.nan
        return Threaded(n, m, len(pairs), nan, nan, nan, nan, nan, model)
    one, two = zip(*pairs, strict=True)
    return Threaded(
        n, m, len(pairs), 1e3 * statistics.median(one), 1e3 * statistics.median(two),
        *ratio_interval(one, two), model,
    )  # fmt: skip


def _flop_seconds(n: int, seed: int) -> float:
    """Return the seconds of an operation on one thread, the best of five runs."""
    m = np.ascontiguousarray(augmented(grid_matrix(n, seed), np.ones(n)))
    eliminate(m.copy(), 1)
    best = math.inf
    for _ in range(5):
        work = m.copy()
        start = time.process_time()
        eliminate(work, 1)
        best = min(best, time.process_time() - start)
    return best / n**3


@dataclass(frozen=True)
class Judged:
    """What the threads' claims need; None where too few rounds were undisturbed."""

    rows: tuple[Threaded, ...]
    largest: Threaded | None  # the whole system of the largest size
    medium: tuple[float, float, float] | None  # efficiency after over before, and its interval
    big: tuple[float, float, float] | None
    crossing: float | None  # unknowns at which two threads begin to win, where that was seen
    predicted: float  # the same by the model


def judge_threads(sizes: Sequence[int], rounds: int, seed: int) -> Judged:
    """Time one and two threads and hold efficiencies before and after reduction side by side.

    Medium is the size nearest to 256, big the largest. The crossing lies between the last size at
    which one thread is faster and the next, by the logarithm of n; it is None where either all or
    none of the sizes have two threads ahead.
    """
    return judged(alone("threads", sizes=list(sizes), rounds=rounds, seed=seed), sizes)


def judged(rows: Sequence[Threaded], sizes: Sequence[int]) -> Judged:
    """Return what the rows say."""
    whole = {row.n: row for row in rows if row.m == row.n and row.kept >= _LEAST}
    less = {row.n: row for row in rows if row.m < row.n and row.kept >= _LEAST}

    def ratio(n: int) -> tuple[float, float, float] | None:
        if n not in whole or n not in less:
            return None
        before, after = whole[n], less[n]
        return (
            after.speedup / before.speedup, after.low / before.high, after.high / before.low,
        )  # fmt: skip

    medium, big = min(sizes, key=lambda n: abs(n - 256)), max(sizes)
    every = {row.n: row for row in rows if row.m == row.n}
    seen, predicted = _crossing(whole, lambda r: r.speedup), _crossing(every, lambda r: r.model)
    return Judged(
        tuple(rows), whole.get(big), ratio(medium), ratio(big), seen, predicted or math.nan
    )


def _crossing(rows: dict[int, Threaded], speedup: Callable[[Threaded], float]) -> float | None:
    ordered = sorted(rows)
    behind = [n for n in ordered if speedup(rows[n]) < 1]
    ahead = [n for n in ordered if speedup(rows[n]) >= 1]
    if not behind or not ahead or max(behind) > min(ahead):
        return None
    first, last = (math.log(n) for n in (max(behind), min(ahead)))
    low, high = (math.log(speedup(rows[n])) for n in (max(behind), min(ahead)))
    return math.exp(first + (last - first) * -low / (high - low))
