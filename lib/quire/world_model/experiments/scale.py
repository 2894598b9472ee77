"""Many nano models: time against number, an eighth against all, steps a second with hashes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.checks import integer, integers
from quire.world_model.determinism import state_hash
from quire.world_model.nano.population import random_population


@dataclass(frozen=True)
class Size:
    """A population's time for a step (us), all models and the active ones, with bytes touched."""

    models: int
    step_us: float
    active_us: float
    active: int
    megabytes: float
    differing: int


@dataclass(frozen=True)
class Scaling:
    """Sizes, and per round the slope from 1,000 models on and the ratio of times at the largest."""

    sizes: list[Size]
    slopes: Float[np.ndarray, " rounds"]
    ratios: Float[np.ndarray, " rounds"]


def scaling(
    numbers: list[int], rounds: int, seed: int, cone: float = 0.125, work: int = 2_000_000
) -> Scaling:
    """Return processor times of populations; each measurement does about as many model steps.

    Rounds go through all sizes in turn, so that a slow moment strikes every size alike.
    """
    counts = sorted(integers("numbers", numbers, 10))
    made = [random_population(n, seed, cone) for n in counts]
    parts = [
        p.ancestors(np.array([max(1, round(cone * n)) - 1]))
        for p, n in zip(made, counts, strict=True)
    ]
    steps = [max(2, work // n) for n in counts]
    made[0].run(1)
    whole = np.zeros((integer("rounds", rounds), len(counts)))
    some = np.zeros_like(whole)
    differing = []
    for k in range(rounds):
        for j, (p, part, count) in enumerate(zip(made, parts, steps, strict=True)):
            started = time.process_time()
            dense = p.run(count)
            whole[k, j] = (time.process_time() - started) / count
            started = time.process_time()
            sparse = p.run(count, active=part)
            some[k, j] = (time.process_time() - started) / count
            if k == 0:
                differing.append(int(np.sum(dense[part] != sparse[part])))
    sizes = [
        Size(
            n,
            1e6 * float(np.median(whole[:, j])),
            1e6 * float(np.median(some[:, j])),
            len(parts[j]),
            n * 72 / 1e6,
            differing[j],
        )
        for j, n in enumerate(counts)
    ]
    large = [j for j, n in enumerate(counts) if n >= 1000]
    logs = np.log([counts[j] for j in large])
    slopes = (
        np.array([np.polyfit(logs, np.log(row[large]), 1)[0] for row in whole])
        if len(large) > 1
        else np.full(rounds, np.nan)
    )
    return Scaling(sizes, slopes, some[:, -1] / whole[:, -1])


def hashed_rate(
    models: int, steps: int, rounds: int, seed: int, every: int = 64
) -> Float[np.ndarray, " rounds"]:
    """Return millions of model steps a second in each round, hashed every ``every`` steps."""
    made = random_population(models, seed)
    made.run(1)
    found = []
    for _ in range(integer("rounds", rounds)):
        started = time.process_time()
        for _ in range(max(1, steps // every)):
            state_hash(made.run(every))
        found.append(
            models * max(1, steps // every) * every / (time.process_time() - started) / 1e6
        )
    return np.array(found)
