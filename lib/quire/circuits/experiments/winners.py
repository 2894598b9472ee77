"""Which solver wins where: n unknowns, m that vary, a batch of systems; every rival at its best.

The matrix of every system differs in the m entries of its devices. Rivals: Gauss-Jordan elimination
in blocks; LAPACK's LU, one call for the whole batch; KLU with one analysis for all, either with its
pivots kept and values refactored, or all systems in one call, whichever is faster; the reduced
system by LAPACK, products for the whole batch in one call; and by elimination with lanes side by
side. Right sides differ too. Reducing itself is left out, as KLU's analysis is: both are done once.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.circuits.batched.reduced import gauss_jordan_lanes
from quire.circuits.elimination.gauss_jordan import gauss_jordan_blocked
from quire.circuits.elimination.reduction import reduce_constant_rows
from quire.circuits.experiments.elimination import grid_matrix, in_turn, ratio_interval

UNDECIDED = "undecided"
NAMES = {
    "blocked": "Gauss-Jordan, whole", "lapack": "LAPACK, whole", "klu": "KLU, whole",
    "reduced": "reduced, LAPACK", "lanes": "reduced, Gauss-Jordan in lanes",
}  # fmt: skip
_ONE_BY_ONE = 2  # systems of a batch that elimination in blocks solves, one after the other
_MOST_LANES = 32  # unknowns beyond which unrolled elimination compiles too long


@dataclass(frozen=True)
class Winner:
    """One cell of the map: microseconds a system by method, and who is fastest, if anybody."""

    n: int
    m: int
    batch: int
    blocked: float
    lapack: float
    klu: float
    reduced: float
    lanes: float
    fastest: str
    winner: str  # the fastest, or undecided where the interval of its lead holds 1
    lead: float  # the second's time over the fastest's, and its interval over rounds
    low: float
    high: float
    error: float  # largest difference from LAPACK over the largest entry


def winners(
    sizes: Sequence[int], kept: Sequence[int], batches: Sequence[int], rounds: int, seed: int
) -> tuple[Winner, ...]:
    """Time every method in every cell; processor seconds, rivals in turn within a round."""
    return tuple(
        _cell(n, m, batch, rounds, seed) for n in sizes for m in kept if m < n for batch in batches
    )


def _cell(n: int, m: int, batch: int, rounds: int, seed: int) -> Winner:
    a = grid_matrix(n, seed)
    rng = np.random.default_rng([seed, n, m, batch])
    at = np.sort(rng.choice(n, m, replace=False))
    change = rng.uniform(0.1, 1.0, (batch, m))
    rights = rng.standard_normal((batch, n))
    stack = np.repeat(a[None], batch, axis=0)
    stack[:, at, at] += change
    few = min(batch, _ONE_BY_ONE)  # elimination takes as long for each: it need not solve them all
    runners: dict[str, Callable[[], Any]] = {
        "blocked": lambda: [
            gauss_jordan_blocked(whole, b, 32).x
            for whole, b in zip(stack[:few], rights[:few], strict=True)
        ],
        "lapack": lambda: np.linalg.solve(stack, rights[..., None])[..., 0],
        **_klu(a, stack, rights),
        **_reduced(a, at, change, rights),
    }
    right = runners["lapack"]()
    found = (np.asarray(run()) for run in runners.values())
    error = max(float(np.abs(x - right[: len(x)]).max() / np.abs(right).max()) for x in found)
    timed = in_turn(runners, rounds)
    timed["blocked"] = [seconds * batch / few for seconds in timed["blocked"]]
    ways = [timed.pop(way) for way in ("refactored", "klu in one call") if way in timed]
    if ways:
        timed["klu"] = min(ways, key=statistics.median)
    middle = {name: 1e6 * statistics.median(found) / batch for name, found in timed.items()}
    first, second = sorted(middle, key=lambda name: middle[name])[:2]
    lead = ratio_interval(timed[second], timed[first])
    blocked, lapack, klu, reduced, lanes = (middle.get(key, float("nan")) for key in NAMES)
    return Winner(
        n, m, batch, blocked, lapack, klu, reduced, lanes, NAMES[first],
        NAMES[first] if lead[1] > 1 else UNDECIDED, *lead, error,
    )  # fmt: skip


def _klu(a: Any, stack: Any, rights: Any) -> dict[str, Callable[[], Any]]:
    """Return KLU in two ways: values refactored one system after the other, or all in one call."""
    try:
        import klujax

        from quire.circuits.peers.klujax import pattern
    except ImportError:
        return {}
    rows, columns, _ = pattern(a != 0)
    entries = np.ascontiguousarray(stack[:, rows, columns])
    symbolic = klujax.analyze(rows, columns, len(a))
    numeric = klujax.factor(rows, columns, entries[0], symbolic)
    values, given = [jnp.asarray(e) for e in entries], [jnp.asarray(b) for b in rights]

    def one_by_one() -> Any:
        return [
            klujax.refactor_and_solve(rows, columns, e, b, numeric, symbolic)[0]
            for e, b in zip(values, given, strict=True)
        ]

    every, right = jnp.asarray(entries), jnp.asarray(rights)[..., None]

    def together() -> Any:
        return np.asarray(klujax.solve_with_symbol(rows, columns, every, right, symbolic))[..., 0]

    return {"refactored": one_by_one, "klu in one call": together}


def _reduced(a: Any, at: Any, change: Any, rights: Any) -> dict[str, Callable[[], Any]]:
    n, m = len(a), len(at)
    varying = np.zeros(n, bool)
    varying[at] = True
    r = reduce_constant_rows(a, varying, varying)
    order = np.argsort(np.argsort(r.free))  # device k: varying row k, free column of its node
    batch = len(change)
    added = np.zeros((batch, m, m))
    added[:, np.arange(m), order] = change
    V_p = r.V0[:, r.pivots]

    def left(b: Any) -> tuple[Any, Any]:
        c = b[:, r.constant] @ r.transform.T
        return c, b[:, r.varying] - c @ V_p.T

    def spread(c: Any, free: Any) -> Any:
        x = np.empty((batch, n))
        x[:, r.free], x[:, r.pivots] = free, c - free @ r.W.T
        return x

    def by_lapack() -> Any:
        c, right = left(rights)
        return spread(c, np.linalg.solve(r.S0 + added, right[..., None])[..., 0])

    found: dict[str, Callable[[], Any]] = {"reduced": by_lapack}
    if m <= _MOST_LANES:
        moved, constant = jnp.asarray(np.moveaxis(added, 0, -1)), jnp.asarray(r.S0)

        def side_by_side() -> Any:
            c, right = left(rights)
            return spread(c, np.asarray(_lanes(moved, right.T, constant)).T)

        found["lanes"] = side_by_side
    return found


@jax.jit
def _lanes(added: Any, right: Any, S0: Any) -> Any:
    return gauss_jordan_lanes(S0[..., None] + added, right)
