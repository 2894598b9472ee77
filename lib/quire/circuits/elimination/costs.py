"""What the methods should take: operations, and the model of time on threads.

An operation is one addition or one multiplication. One right side is assumed.
"""

import math

from quire import checks
from quire.signatures import checked


def full_flops(n: int) -> float:
    """Return the operations of Gauss-Jordan elimination of n unknowns: about n^3."""
    n = checks.integer("n", n)
    return float(sum(2 * (n - 1) * (n - k + 1) + (n - k + 1) for k in range(n)))


def reduced_flops(n: int, m: int, *, coupled: bool) -> float:
    """Return the operations of one reduced solve.

    m^3 for the elimination; 2 m k (m + 1) for V_p W and V_p c, the first of which is spared where
    the pivot columns do not change; 2 k m for the unknowns that were eliminated.
    """
    m = checks.integer("m", m)
    k = checks.integer("n", n, m) - m
    coupling = 2.0 * m * k * (m + 1) if coupled else 2.0 * m * k
    return full_flops(m) + coupling + 2.0 * k * m


def reduction_flops(n: int, m: int) -> float:
    """Return the operations of reducing once, the transform of the right side included.

    Each of k steps updates k - 1 rows of n + k entries.
    """
    m = checks.integer("m", m)
    k = checks.integer("n", n, m) - m
    return 2.0 * k * max(k - 1, 0) * (n + k) + 2.0 * m * m * k


@checked
def break_even(n: int, m: int, *, coupled: bool) -> float:
    """Return the number of solves after which reducing has paid, infinite if it never does."""
    gained = full_flops(n) - reduced_flops(n, m, coupled=coupled)
    return reduction_flops(n, m) / gained if gained > 0 else math.inf


def crossover(flop: float, barrier: float) -> float:
    """Return the order n at which two threads become faster than one: sqrt(2 barrier / flop).

    One thread takes n^3 flop; two take half of it and n barriers.

    Parameters
    ----------
    flop
        Seconds an operation, from runs of one thread.
    barrier
        Seconds of an empty parallel region.
    """
    return math.sqrt(2 * checks.positive("barrier", barrier) / checks.positive("flop", flop))


def threads_time(n: int, threads: int, flop: float, barrier: float) -> float:
    """Return the model's seconds of one elimination: n^3 flop / p + n barrier, none for p = 1."""
    n, p = checks.integer("n", n), checks.integer("threads", threads)
    alone = n**3 * checks.positive("flop", flop)
    return alone if p == 1 else alone / p + n * checks.positive("barrier", barrier)
