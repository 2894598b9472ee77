"""Engines and policies on the same arrivals: shares on time, times to the first token, who wins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.checks import integer
from quire.serving.experiments.loading.settings import Case, mean_interval
from quire.serving.loading import POLICIES, Policy, engine, serve

SIDES = (("E0", "fifo"), ("E1", "fifo"), *(("E2", policy) for policy in POLICIES))
"""Engines and policies of the main table."""


@dataclass(frozen=True)
class Run:
    """One run: per cent on time, seconds to the first token."""

    case: str
    load: float
    engine: str
    policy: str
    seed: int
    on_time: float
    mean_s: float
    p99_s: float


@dataclass(frozen=True)
class Difference:
    """A side less another on the same arrivals, in points of the share on time."""

    case: str
    load: float
    mean: float
    low: float
    high: float
    ttft_ratio: float


@dataclass(frozen=True)
class Cell:
    """Means over seeds."""

    case: str
    load: float
    engine: str
    policy: str
    on_time: float
    mean_s: float
    p99_s: float


def runs(
    cases: Sequence[Case],
    loads: Sequence[float],
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
    sides: Sequence[tuple[str, str]] = SIDES,
) -> list[Run]:
    """Return a run for each case, load, seed and side.

    Parameters
    ----------
    cases, loads
        Workloads, and fractions of each one's decoupled capacity.
    seeds, seed
        How many, and the first one.
    quantum_tokens
        At whose borders a better request may overtake.
    sides
        Pairs of engine and policy.
    """
    rows = []
    for case in cases:
        for load in loads:
            for k in range(integer("seeds", seeds)):
                coming = case.arrivals(load, seed + k)
                for name, policy in sides:
                    made = engine(name, quantum_tokens=quantum_tokens)
                    served = serve(coming, case.costs, made, Policy(policy))
                    ttft = served.ttft_s
                    rows.append(
                        Run(case.name, load, name, policy, seed + k, served.attainment,
                            float(ttft.mean()), float(np.percentile(ttft, 99)))
                    )  # fmt: skip
    return rows


def cells(rows: Sequence[Run]) -> list[Cell]:
    """Return the means over seeds, in the order of the runs."""
    groups: dict[tuple[str, float, str, str], list[Run]] = {}
    for row in rows:
        groups.setdefault((row.case, row.load, row.engine, row.policy), []).append(row)
    return [
        Cell(*key, *(float(np.mean([getattr(r, n) for r in group]))
                     for n in ("on_time", "mean_s", "p99_s")))
        for key, group in groups.items()
    ]  # fmt: skip


def differences(
    rows: Sequence[Run], one: tuple[str, str], other: tuple[str, str]
) -> list[Difference]:
    """Return side ``one`` less side ``other`` for each case and load, paired over seeds."""
    sides: dict[tuple[str, float], dict[tuple[str, str], dict[int, Run]]] = {}
    for row in rows:
        place = sides.setdefault((row.case, row.load), {})
        place.setdefault((row.engine, row.policy), {})[row.seed] = row
    found = []
    for (case, load), both in sides.items():
        a, b = both[one], both[other]
        gaps = [a[k].on_time - b[k].on_time for k in a]
        ratio = float(np.mean([a[k].mean_s for k in a]) / np.mean([b[k].mean_s for k in a]))
        found.append(Difference(case, load, *mean_interval(gaps), ratio))
    return found


def smallest(found: Sequence[Difference]) -> Difference:
    """Return the difference whose mean is the smallest."""
    return min(found, key=lambda row: row.mean)
