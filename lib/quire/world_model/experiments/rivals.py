"""Ours beside four packages of others, in the same run: processor time on equal tasks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer
from quire.world_model.kernel.ledger import GrowingTree
from quire.world_model.learning.statistics import solve, statistics
from quire.world_model.nano.population import Population, random_population

SECONDS, STEP_S = 8, 0.02
FLOPS = 16.0  # of one step of a nano model
GIGAFLOPS = 25.0  # of one core, eight lanes wide


@dataclass(frozen=True)
class Rival:
    """One task by ours and by a package.

    Attributes
    ----------
    task, package
        What is done, and by whom else.
    ours_ms, theirs_ms
        Median processor time.
    ratio, low, high
        Theirs over ours: median, least and largest over rounds.
    bound_ms
        What the task cannot take less than: its hashes, its products, its factors.
    """

    task: str
    package: str
    ours_ms: float
    theirs_ms: float
    ratio: float
    low: float
    high: float
    bound_ms: float


def rival(
    task: str,
    package: str,
    ours: Float[np.ndarray, " rounds"],
    theirs: Float[np.ndarray, " rounds"],
    bound_ms: float,
) -> Rival:
    """Return a row: both medians, and the ratio of every round, in the order of their times."""
    ratios = np.sort(theirs) / np.sort(ours)
    return Rival(
        task,
        package,
        float(np.median(ours)),
        float(np.median(theirs)),
        float(np.median(ratios)),
        float(ratios.min()),
        float(ratios.max()),
        bound_ms,
    )


@dataclass(frozen=True)
class Timed:
    """What was timed: processor ms per round, the bound, and what goes to the rival."""

    ms: Float[np.ndarray, " rounds"]
    bound_ms: float
    given: dict[str, Any]
    result: Any


def driven(models: int, rounds: int, seed: int) -> Timed:
    """Time many oscillators without wires under a drive that switches every second."""
    made = random_population(models, seed)
    alone = Population(
        made.parameters, np.full((models, 2), -1, dtype=np.int64), np.zeros((models, 2))
    )
    steps = round(SECONDS / STEP_S)
    ms, states = _timed(lambda: alone.run(steps, STEP_S), rounds)
    bound = models * steps * FLOPS / GIGAFLOPS / 1e6
    return Timed(ms, bound, {"parameters": made.parameters, "states": states}, states)


def fitted(rows: int, rounds: int, seed: int) -> Timed:
    """Time the exact statistics and the solve of nine features."""
    rng = np.random.default_rng(integer("seed", seed, 0))
    x = rng.normal(size=(rows, 9))
    y = x @ rng.normal(size=9) + 0.1 * rng.normal(size=rows)
    ms, theta = _timed(lambda: solve(statistics(x, y)), rounds)
    z = np.column_stack([x, y])
    products, _ = _timed(lambda: z.T @ z, rounds)
    return Timed(ms, float(np.median(products)), {"features": x, "targets": y}, theta)


def grown(entries: int, rounds: int, seed: int) -> Timed:
    """Time the growth of a Merkle tree, with its root after every entry."""
    rng = np.random.default_rng(integer("seed", seed, 0))
    data = [rng.bytes(120) for _ in range(integer("entries", entries))]

    def grow() -> str:
        tree = GrowingTree()
        for entry in data:
            tree.append(entry)
            root = tree.root()
        return root.hex()

    ms, root = _timed(grow, rounds)
    # one leaf an entry and, on average, one inner node that stays
    hashes, _ = _timed(
        lambda: [hashlib.sha256(e).digest() and hashlib.sha256(e[:65]).digest() for e in data],
        rounds,
    )
    return Timed(ms, float(np.median(hashes)), {"entries": [e.hex() for e in data]}, root)


def _timed(call: Callable[[], Any], rounds: int) -> tuple[Float[np.ndarray, " rounds"], Any]:
    found, result = [], call()
    for _ in range(integer("rounds", rounds)):
        started = time.process_time()
        result = call()
        found.append(1e3 * (time.process_time() - started))
    return np.array(found), result
