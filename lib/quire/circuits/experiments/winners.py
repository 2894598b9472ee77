"""Which solver wins where: one system or many, whole or reduced, dense or sparse."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.circuits.batched.reduced import gauss_jordan_lanes
from quire.circuits.elimination.gauss_jordan import gauss_jordan_blocked
from quire.circuits.elimination.reduction import reduce_constant_rows, solve_reduced
from quire.circuits.experiments.elimination import grid_matrix


@dataclass(frozen=True)
class Winner:
    """Milliseconds a solve by method, and the fastest for one system and for a batch."""

    n: int
    m: int
    dense: float  # blocked Gauss-Jordan elimination of the whole system
    lapack: float
    sparse: float  # KLU where it is here, else SuperLU
    reduced: float
    lanes: float  # a reduced system among 256 solved side by side
    one: str
    many: str


def winners(
    sizes: Sequence[int], kept: Sequence[int], rounds: int, seed: int
) -> tuple[Winner, ...]:
    """Time every method on grids of n nodes of which m vary; processor time, medians of rounds."""
    rows = []
    for n in sizes:
        a = grid_matrix(n, seed)
        b = np.random.default_rng(seed).standard_normal(n)
        whole: dict[str, Callable[[], Any]] = {
            "dense": partial(gauss_jordan_blocked, a, b, 32),
            "lapack": partial(np.linalg.solve, a, b),
            "sparse": _sparse(a, b),
        }
        shared = {name: _median(runner, rounds) for name, runner in whole.items()}
        rows += [_row(a, b, n, m, shared, rounds) for m in kept if m < n]
    return tuple(rows)


def _row(a: Any, b: Any, n: int, m: int, shared: dict[str, float], rounds: int) -> Winner:
    varying = np.zeros(n, bool)
    varying[np.linspace(0, n - 1, m).astype(int)] = True
    reduction = reduce_constant_rows(a, varying, varying)
    part = a[varying]
    reduced = _median(lambda: solve_reduced(reduction, part, b), rounds)
    lanes = 256
    stacked = jnp.asarray(np.repeat(reduction.S0[:, :, None], lanes, axis=2))
    right = jnp.ones((m, lanes))
    W, free = jnp.asarray(reduction.W), jax.jit(lambda s, r, w: w @ gauss_jordan_lanes(s, r))
    side = _median(lambda: free(stacked, right, W).block_until_ready(), rounds) / lanes
    ones = shared | {"reduced": reduced}
    many = ones | {"lanes": side}
    return Winner(
        n, m, shared["dense"], shared["lapack"], shared["sparse"], reduced, side,
        _NAMES[min(ones, key=lambda k: ones[k])], _NAMES[min(many, key=lambda k: many[k])],
    )  # fmt: skip


_NAMES = {
    "dense": "Gauss-Jordan", "lapack": "LAPACK", "sparse": "sparse", "reduced": "reduced",
    "lanes": "in a batch",
}  # fmt: skip


def _sparse(a: Any, b: Any) -> Callable[[], Any]:
    try:
        from quire.circuits.peers import klujax

        rows, columns, entries = klujax.pattern(a)
        klujax.solve_pattern(rows, columns, entries, b)
        return lambda: klujax.solve_pattern(rows, columns, entries, b)
    except ImportError:
        from quire.circuits.analyses.linear_solvers import sparse_lu

        return lambda: sparse_lu(a, b)


def _median(runner: Callable[[], Any], rounds: int) -> float:
    """Return the median milliseconds of processor time; short runs are repeated."""
    runner()
    start = time.process_time()
    runner()
    repeats = max(1, min(100, int(3e-3 / max(time.process_time() - start, 1e-6))))
    found = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeats):
            runner()
        found.append((time.process_time() - start) / repeats)
    return 1e3 * statistics.median(found)
