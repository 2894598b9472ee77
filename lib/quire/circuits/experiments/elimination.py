"""Elimination and reduction on matrices of circuits, in a process of its own with one BLAS thread.

`alone` starts the process, `main` is what runs in it. Times are of the processor: waiting for a
core is left out, but other work that shares caches, memory and clock still slows what is timed.
Runners take turns within a round, so that it slows them alike. Threads: `experiments.threads`.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from quire import checks
from quire.circuits.elimination import costs
from quire.circuits.elimination.gauss_jordan import gauss_jordan, gauss_jordan_blocked
from quire.circuits.elimination.low_rank import LowRank
from quire.circuits.elimination.reduction import reduce_constant_rows, solve_reduced

NEVER_PAID = 1e3
_RUN = "import sys; from quire.circuits.experiments.elimination import main; main(sys.argv[1])"


@dataclass(frozen=True)
class Gain:
    """A reduced solve against a whole one: n unknowns, m rows that vary; milliseconds."""

    n: int
    m: int
    whole: float
    reduced: float
    gain: float
    low: float
    high: float
    plain_gain: float  # against a reduced solve that computes V_p W anew
    plain_low: float
    plain_high: float
    counted: float  # ratio of operations
    fair_gain: float  # LAPACK's LU on both sides, and its interval
    fair_low: float
    fair_high: float
    once: float  # milliseconds of reducing
    predicted: float  # solves after which it has paid, by operations
    measured: float  # by these times
    paid_low: float  # interval of measured, over the rounds
    paid_high: float
    error: float  # largest difference of the solutions over the largest entry
    weight: float  # largest entry of W
    low_rank: (
        float  # milliseconds of Woodbury's formula with m / 2 two-terminal devices, rounded up
    )
    low_rank_gain: float  # reduced over low rank
    low_rank_low: float
    low_rank_high: float
    modelled: float = math.nan  # gain by operations and a cost a step, see `modelled_gains`


def prediction_factor(row: Gain) -> tuple[float, tuple[float, float]]:
    """Return the factor between predicted and measured break-even, 1 or more, and its interval.

    Where a reduction never pays by the clock, no factor is large enough: 1,000 stands for it.
    """

    def factor(paid: float) -> float:
        ratio = row.predicted / paid
        return min(max(ratio, 1 / ratio if ratio > 0 else NEVER_PAID), NEVER_PAID)

    low, high = row.paid_low, row.paid_high
    found = [factor(paid) for paid in (low, row.measured, high)]
    least = 1.0 if low <= row.predicted <= high else min(found)
    return found[1], (min(least, found[1]), max(found))


@dataclass(frozen=True)
class Blocked:
    """Blocked elimination against LAPACK's LU at one size, milliseconds of processor time."""

    n: int
    rows: float
    blocked: float
    lapack: float
    ratio: float
    low: float
    high: float


def grid_matrix(n: int, seed: int) -> Any:
    """Return the nodal matrix of a grid of resistors near one ohm, a kilohm at every node.

    Parameters
    ----------
    n
        Nodes; the grid is as square as n allows, its last row cut off.
    seed
        Of the resistances, uniform in [0.5, 2).
    """
    n = checks.integer("n", n, 2)
    side = math.ceil(math.sqrt(n))
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    a = np.eye(n) * 1e-3
    for k in range(n):
        for other in (k + 1 if (k + 1) % side else n, k + side):
            if other < n:
                g = 1 / rng.uniform(0.5, 2.0)
                a[[k, other], [k, other]] += g
                a[[k, other], [other, k]] -= g
    return a


def alone(task: str, timeout: float = 560.0, **request: Any) -> Any:
    """Run a task of this module in a process of its own and return its rows.

    Parameters
    ----------
    task
        ``gains``, ``blocked``, ``threads`` or ``winners``.
    timeout
        Seconds allowed.
    **request
        What the task takes.

    Raises
    ------
    RuntimeError
        When the process fails, with the last line it wrote.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    extra = {"OMP_WAIT_POLICY": "passive", "NUMBA_NUM_THREADS": "2"}
    asked = json.dumps({"task": task, **request})
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, asked], capture_output=True, text=True, timeout=timeout,
            env=os.environ | threads | extra, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"timeout = {timeout} s: the timed process needs more time") from late
    if done.returncode:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        raise RuntimeError(f"the timed process ended with status {done.returncode}: {last}")
    rows = json.loads(done.stdout.splitlines()[-1])
    return tuple(_task(task)[1](**row) for row in rows)


def main(request: str) -> None:
    """Run a task and print its rows as JSON."""
    asked = json.loads(request)
    rows = _task(asked.pop("task"))[0](**asked)
    print(json.dumps([asdict(row) for row in rows]))


def reduction_gains(
    sizes: Sequence[int], fractions: Sequence[float], rounds: int, seed: int
) -> list[Gain]:
    """Time whole and reduced solves of grids in which diodes to ground sit at m of n nodes."""
    rows = []
    for n in sizes:
        a = grid_matrix(n, seed)
        rows += [_gain(a, max(2, round(n * fraction)), rounds, seed) for fraction in fractions]
    return rows


def incidences(n: int, at: Any) -> Any:
    """Return two-terminal devices that touch the given nodes, each once.

    Neighbours are joined in pairs; where their number is odd, the last has a device to ground.
    """
    m = len(at)
    u = np.zeros((n, (m + 1) // 2))
    u[at[::2], range(u.shape[1])] = 1.0
    u[at[1::2], range(m // 2)] = -1.0
    return u


def modelled_gains(rows: Sequence[Gain]) -> tuple[Gain, ...]:
    """Return the rows with the gain that two numbers predict, both from whole solves alone.

    A step of elimination by rows takes a + b n^2 seconds; a and b follow from the whole solves of
    the smallest and the largest n, relative errors weighed alike. The reduced solve is taken to be
    m such steps.
    """
    by = {row.n: row.whole / row.n for row in rows}
    n, step = (np.array(x, dtype=float) for x in (list(by), list(by.values())))
    a, b = (
        np.linalg.lstsq(np.column_stack([1 / step, n**2 / step]), np.ones(len(n)), rcond=None)[0]
        if len(by) > 1
        else (0.0, step[0] / n[0] ** 2)
    )

    def seconds(order: int) -> float:
        return max(order * (a + b * order**2), 1e-12)

    return tuple(replace(row, modelled=seconds(row.n) / seconds(row.m)) for row in rows)


def model_factor(rows: Sequence[Gain]) -> tuple[float, tuple[float, float]]:
    """Return the largest factor between modelled and measured gain, and its interval."""

    def factor(row: Gain, gain: float) -> float:
        return max(row.modelled / gain, gain / row.modelled)

    worst = max(rows, key=lambda row: factor(row, row.gain))
    ends = [factor(worst, gain) for gain in (worst.low, worst.gain, worst.high)]
    return ends[1], (min(ends), max(ends))


def _gain(a: Any, m: int, rounds: int, seed: int) -> Gain:
    n = len(a)
    rng = np.random.default_rng([seed, n, m])
    at = np.sort(rng.choice(n, m, replace=False))
    varying = np.zeros(n, bool)
    varying[at] = True
    b = rng.standard_normal(n)
    reduction = reduce_constant_rows(a, varying, varying)
    changed = a.copy()
    changed[at, at] += rng.uniform(0.1, 1.0, m)
    part = changed[varying]
    W, T, S0, V0 = reduction.W, reduction.transform, reduction.S0, reduction.V0[:, reduction.free]

    def lapack_reduced() -> Any:
        c = T @ b[reduction.constant]
        schur = S0 + (part[:, reduction.free] - V0)
        x = np.linalg.solve(schur, b[varying] - part[:, reduction.pivots] @ c)
        return c - W @ x

    u = incidences(n, at)
    low_rank, g = LowRank(a, u, u), rng.uniform(0.1, 1.0, u.shape[1])
    plain = replace(reduction, coupled=True)
    timed = in_turn(
        {
            "whole": lambda: gauss_jordan(changed, b),
            "reduced": lambda: solve_reduced(reduction, part, b),
            "plain": lambda: solve_reduced(plain, part, b),
            "lapack": lambda: np.linalg.solve(changed, b),
            "lapack reduced": lapack_reduced,
            "once": lambda: reduce_constant_rows(a, varying, varying),
            "low rank": lambda: low_rank.solve(g, b),
        },
        rounds,
    )
    gains = ratio_interval(timed["whole"], timed["reduced"])
    fair = ratio_interval(timed["lapack"], timed["lapack reduced"])
    median = {name: statistics.median(values) for name, values in timed.items()}
    right = np.linalg.solve(changed, b)
    error = np.abs(solve_reduced(reduction, part, b) - right).max() / np.abs(right).max()
    saved = median["whole"] - median["reduced"]
    each = [w - r for w, r in zip(timed["whole"], timed["reduced"], strict=True)]
    paid = ratio_interval(timed["once"], each)[1:] if min(each) > 0 else (math.inf, math.inf)
    return Gain(
        n, m, 1e3 * median["whole"], 1e3 * median["reduced"], *gains,
        *ratio_interval(timed["whole"], timed["plain"]),
        costs.full_flops(n) / costs.reduced_flops(n, m, coupled=False), *fair,
        1e3 * median["once"], costs.break_even(n, m, coupled=False),
        median["once"] / saved if saved > 0 else math.inf, *paid, float(error),
        reduction.largest_weight, 1e3 * median["low rank"],
        *ratio_interval(timed["reduced"], timed["low rank"]),
    )  # fmt: skip


def blocked_rows(sizes: Sequence[int], rounds: int, seed: int) -> list[Blocked]:
    """Time elimination by rows, by blocks, and LAPACK's LU on grids."""
    rows = []
    for n in sizes:
        a = grid_matrix(n, seed)
        b = np.random.default_rng(seed).standard_normal(n)
        runners: dict[str, Callable[[], Any]] = {
            "rows": partial(gauss_jordan, a, b),
            "blocked": partial(gauss_jordan_blocked, a, b, 32),
            "lapack": partial(np.linalg.solve, a, b),
        }
        timed = in_turn(runners, rounds)
        middle = {name: 1e3 * statistics.median(values) for name, values in timed.items()}
        ratio = ratio_interval(timed["blocked"], timed["lapack"])
        rows.append(Blocked(n, middle["rows"], middle["blocked"], middle["lapack"], *ratio))
    return rows


@dataclass(frozen=True)
class Pivoting:
    """Errors of two pivot rules on one divider, over the largest entry of the right answer."""

    ohms: str
    partial: float
    zero_only: float
    growth: float


def divider_pivoting(small: float = 1e-12, large: float = 1e12) -> Pivoting:
    """Solve a divider with a very small and a very large resistance by both rules for pivots.

    9 V feed 300 ohms, then ``small`` and ``large`` in parallel. Unknowns are the currents through
    small, 300 ohms and large; rows are two loops and the junction. The first pivot is ``small``,
    which is not zero.
    """
    small, large = checks.positive("small", small), checks.positive("large", large)
    a = np.array([[small, 300.0, 0.0], [small, 0.0, -large], [-1.0, 1.0, -1.0]])
    b = np.array([9.0, 0.0, 0.0])
    right = _exact(a, b)
    found = [gauss_jordan(a, b, pivoting=rule) for rule in ("partial", "zero-only")]
    scale = np.abs(right).max()
    errors = [float(np.abs(f.x - right).max() / scale) for f in found]
    # an error of nothing counts as one unit in the last place
    rounding = float(np.finfo(float).eps)
    return Pivoting(
        f"{small:g} and {large:g}", max(errors[0], rounding), errors[1], found[1].growth
    )


def _exact(a: Any, b: Any) -> Any:
    """Solve a small system in fractions, without rounding."""
    from fractions import Fraction

    m = [[Fraction(float(x)) for x in (*row, y)] for row, y in zip(a, b, strict=True)]
    n = len(m)
    for k in range(n):
        p = next(i for i in range(k, n) if m[i][k])
        m[k], m[p] = m[p], m[k]
        m[k] = [x / m[k][k] for x in m[k]]
        for i in range(n):
            if i != k:
                m[i] = [x - m[i][k] * y for x, y in zip(m[i], m[k], strict=True)]
    return np.array([float(row[n]) for row in m])


def in_turn(runners: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return processor seconds of every runner in every round; short ones are repeated."""
    repeats = {}
    for name, runner in runners.items():
        runner()
        start = time.process_time()
        runner()
        took = max(time.process_time() - start, 1e-7)
        repeats[name] = max(1, min(200, int(5e-3 / took)))
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(checks.integer("rounds", rounds, 5)):
        for name, runner in runners.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                runner()
            seconds[name].append((time.process_time() - start) / repeats[name])
    return seconds


def ratio_interval(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return the median ratio of rounds and an interval of order statistics (95 %)."""
    ratios = sorted(a / b for a, b in zip(first, second, strict=True))
    below = special.bdtr(np.arange(len(ratios) + 1), len(ratios), 0.5)  # of a fair coin
    trim = max(0, int(np.searchsorted(below, 0.025)) - 1)
    return statistics.median(ratios), ratios[trim], ratios[-1 - trim]


def _task(name: str) -> tuple[Any, type]:
    """Return a task and the kind of its rows."""
    if name == "winners":
        from quire.circuits.experiments.winners import Winner, winners

        return winners, Winner
    if name == "threads":
        from quire.circuits.experiments.threads import Threaded, threaded_rows

        return threaded_rows, Threaded
    tasks: dict[str, tuple[Any, type]] = {
        "gains": (reduction_gains, Gain), "blocked": (blocked_rows, Blocked),
    }  # fmt: skip
    return tasks[name]
