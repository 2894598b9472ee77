"""Many farms: optimum with proof and every family tuned, in the model that is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from quire.queueing.batched._points import Points, points
from quire.queueing.batched.committed import committed_band_costs, committed_optimum
from quire.queueing.batched.free_cancel import OptimalPolicies, optimum
from quire.queueing.batched.tuning import (
    Tuned,
    tune_bands,
    tune_delayed_off,
    tune_dual,
    tune_static,
)

FAMILIES = ("static", "on-off", "floor", "spare", "band")
"""The families that are tuned in both models, simplest first."""

SIZE = 48
"""Farms in one call: every call has this shape, so that each program is compiled once."""

NEAR = 1e-4
"""Families within this share of the cheapest are as good; the simplest of them is named."""


@dataclass(frozen=True)
class Solved:
    """Farms with the proof of their optimum and the gap of each family at its best settings."""

    batch: Points
    cost: Float[np.ndarray, " points"]
    lower: Float[np.ndarray, " points"]
    upper: Float[np.ndarray, " points"]
    certified: np.ndarray
    gaps: dict[str, Float[np.ndarray, " points"]]  # per cent above the optimum
    band: Float[np.ndarray, "points three"]  # floor, start, keep of the tuned band

    @property
    def best_gap(self) -> Float[np.ndarray, " points"]:
        """Gap of the best simple policy, per cent."""
        return np.min(list(self.gaps.values()), axis=0)

    @property
    def best_family(self) -> list[str]:
        """Name of the simplest family that is as good as the best."""
        best = self.best_gap
        return [
            next(name for name, gap in self.gaps.items() if gap[i] <= best[i] + 100 * NEAR)
            for i in range(len(best))
        ]

    def columns(self) -> dict[str, Any]:
        """Return one array per column of a table."""
        batch = self.batch
        return {
            "servers": np.full(len(batch), batch.servers),
            "load": batch.load,
            "setup_rate": batch.setup_rate,
            "delay": batch.delay,
            "allocation": batch.allocation,
            "cost": self.cost,
            "lower": self.lower,
            "upper": self.upper,
            "certified": self.certified,
            "best": np.array(self.best_family),
            "gap": self.best_gap,
            **{f"gap of {name}": gap for name, gap in self.gaps.items()},
            **dict(zip(("floor", "start", "keep"), self.band.T.astype(int), strict=True)),
        }


def solve_farms(batch: Points, model: str, *, more_families: bool = False) -> Solved:
    """Solve every farm of ``batch`` and tune every family there.

    Parameters
    ----------
    batch
        The farms.
    model
        ``V1``, setups cancelled freely, or ``V2``, setups committed.
    more_families
        Also tune delayed-off and dual thresholds (V1 only).

    Raises
    ------
    ValueError
        For another model, or more families in V2.
    """
    if model not in ("V1", "V2") or (more_families and model != "V1"):
        raise ValueError(f"model = {model!r}: must be V1, or V2 without more families")
    parts = []
    for at in range(0, len(batch), SIZE):
        rows = np.arange(at, min(at + SIZE, len(batch)))
        padded = batch.take(np.concatenate([rows, np.full(SIZE - len(rows), rows[-1])]))
        parts.append((len(rows), *_solve_part(padded, model, more_families)))
    names = list(parts[0][2])
    cost = _cat([best.cost[:size] for size, best, _, _ in parts])
    gaps = {
        name: 100 * (_cat([costs[name][:size] for size, _, costs, _ in parts]) / cost - 1)
        for name in names
    }
    return Solved(
        batch=batch,
        cost=cost,
        lower=_cat([best.lower[:size] for size, best, _, _ in parts]),
        upper=_cat([best.upper[:size] for size, best, _, _ in parts]),
        certified=_cat([best.certified[:size] for size, best, _, _ in parts]),
        gaps=gaps,
        band=_cat([band[:size] for size, _, _, band in parts]),
    )


def _cat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays)


def _solve_part(
    batch: Points, model: str, more_families: bool
) -> tuple[OptimalPolicies, dict[str, np.ndarray], np.ndarray]:
    solve: Callable[[Points], OptimalPolicies] = optimum
    bands: list[Tuned]
    if model == "V1":
        bands = tune_bands(batch)
    else:
        solve, bands = committed_optimum, tune_bands(batch, cost_of=committed_band_costs)
    tuned = [tune_static(batch), *bands]
    if more_families:
        tuned += [tune_delayed_off(batch), tune_dual(batch)]
    return solve(batch), {f.family: f.cost for f in tuned}, bands[-1].settings


def farm_map(
    servers: int, loads: np.ndarray, setup_rates: np.ndarray, delays: list, fees: list
) -> Points:
    """Return the farms of a map: every load, setup rate, delay price and allocation fee."""
    axes = np.meshgrid(loads, setup_rates, delays, fees, indexing="ij")
    return points(servers, *(axis.ravel() for axis in axes))


@dataclass(frozen=True)
class FamilyRow:
    """How far one family, tuned at every farm, is from the optimum in V1 and V2, per cent."""

    family: str
    free_median: float
    free_worst: float
    median: float | None  # V2; None for a family that is tuned in V1 only
    nine_tenths: float | None
    worst: float | None
    best_at: int | None  # farms at which it is the simplest as good as the best, V2


def _above_proof(gap: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    """Return the gaps, zero where they are within the proof's width."""
    return np.where(gap < 1e-6, 0.0, gap)


def gap_summary(free: Solved, committed: Solved) -> list[FamilyRow]:
    """Return one row per family over the farms with a proof, and one for the best of them."""
    winners = np.array(committed.best_family)[committed.certified]
    rows = []
    for name, gap in (*free.gaps.items(), ("best of them", None)):
        here = free.best_gap if gap is None else gap
        there = committed.best_gap if gap is None else committed.gaps.get(name)
        freely = np.percentile(_above_proof(here[free.certified]), [50, 100]).tolist()
        bound: list = [None] * 4
        if there is not None:
            sure = _above_proof(there[committed.certified])
            bound = np.percentile(sure, [50, 90, 100]).tolist()
            count = len(winners) if gap is None else (winners == name).sum()
            bound.append(int(count))
        rows.append(FamilyRow(name, *freely, *bound))
    return rows


def median_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the median with the distribution-free interval of two order statistics.

    Farms are independent draws, so the number below the true median is binomial.
    """
    ordered = np.sort(values)
    low = int(stats.binom.ppf((1 - level) / 2, len(ordered), 0.5))
    high = min(len(ordered) - 1, len(ordered) - low)
    return float(np.median(ordered)), float(ordered[max(low - 1, 0)]), float(ordered[high])


@dataclass(frozen=True)
class SetupRow:
    """Farms whose setup takes about as long: median gaps, and what the optimum saves, per cent."""

    setup: str
    farms: int
    static: float  # median gap of the best constant number
    floor: float
    band: float
    best: float  # median gap of the best family
    best_low: float  # 95 % interval of that median
    best_high: float
    saving: float  # median saving of the optimum, of the cost of the best constant number
    low: float  # 95 % interval of that median
    high: float


FAST = "at most 1 service"
"""The group of farms whose setup takes at most one mean service, setup rate 1 or more."""


def gaps_by_setup(solved: Solved) -> list[SetupRow]:
    """Return the farms with a proof by the mean length of a setup: slow, medium, fast, and all."""
    gaps = {name: _above_proof(gap) for name, gap in solved.gaps.items()}
    best = _above_proof(solved.best_gap)
    saving = 100 * (1 - 1 / (1 + gaps["static"] / 100))
    rate = solved.batch.setup_rate
    groups = {
        "longer than 5 services": rate < 0.2,
        "1 to 5 services": (rate >= 0.2) & (rate < 1),
        FAST: rate >= 1,
        "all": rate > 0,
    }
    rows = []
    for name, group in groups.items():
        chosen = group & solved.certified
        if not chosen.any():
            continue
        static, floor, band = (
            float(np.median(gaps[family][chosen])) for family in ("static", "floor", "band")
        )
        best_gap, best_low, best_high = median_interval(best[chosen])
        saved, low, high = median_interval(saving[chosen])
        rows.append(
            SetupRow(
                setup=name,
                farms=int(chosen.sum()),
                static=static,
                floor=floor,
                band=band,
                best=best_gap,
                best_low=best_low,
                best_high=best_high,
                saving=saved,
                low=low,
                high=high,
            )
        )
    return rows


def fast_setups(solved: Solved) -> SetupRow | None:
    """Return the row of the farms with fast setup; None for fewer than 8, too few to judge."""
    rows = [row for row in gaps_by_setup(solved) if row.setup == FAST and row.farms >= 8]
    return rows[0] if rows else None


def commitment_cost(free: Solved, committed: Solved) -> Float[np.ndarray, " points"]:
    """Return by how many per cent commitment raises the optimal cost, where both are certified."""
    sure = free.certified & committed.certified
    return 100 * (committed.cost[sure] / free.cost[sure] - 1)
