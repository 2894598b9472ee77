"""Response time at equal spending: how much slower a simple policy is than any policy could be.

By Lagrangian duality no policy that spends ``S`` per unit of time on servers has fewer requests
present than ``max_w (g*(w) - S)/w``, where ``g*(w)`` is the optimal cost at delay price ``w``. With
a finite set of prices this is a lower bound on the requests, so that every excess printed is at
least the true one. Spending and requests of a setting are its costs at two sets of prices.
"""

from dataclasses import dataclass

import numpy as np

from quire.queueing.batched._points import points
from quire.queueing.batched.committed import committed_band_costs, committed_optimum
from quire.queueing.decisions.pareto import lower_hull
from quire.queueing.exact.closed_forms import mmk_response_time
from quire.queueing.experiments.many_farms import SIZE


@dataclass(frozen=True)
class ExcessRow:
    """The excess response time of one family at equal spending, per cent."""

    load: float
    family: str
    settings: int
    median: float
    worst: float


@dataclass(frozen=True)
class SpendingCurve:
    """Least response time against spending, for all policies and for each family."""

    load: float
    spending: np.ndarray
    least: np.ndarray  # no policy is faster
    families: dict[str, np.ndarray]


def _settings(servers: int) -> np.ndarray:
    """Return floor, start and keep of every band that is tried."""
    keeps = sorted({0, 1, 2, servers // 2, servers})
    grid = [
        (q, r, max(r, d))
        for q in range(servers + 1)
        for r in (-16, -12, -8, -5, -3, -2, -1, 0)
        for d in keeps
    ]
    return np.unique(np.array(grid, dtype=float), axis=0)


def spending_curves(
    loads: list[float], setup_rate: float, servers: int, *, grid: int = 25
) -> list[SpendingCurve]:
    """Return the trade-off of all policies and of each family in V2, one curve per load.

    ``grid`` amounts of spending run from what the optimum spends at a delay price of 0.5 to what it
    spends at 10. Like the optimum, a family may keep to one of two settings by the toss of a coin:
    its curve is the lower hull of its settings.
    """
    curves = []
    weights = np.logspace(-1.2, 1.6, SIZE)
    tried = _settings(servers)
    for load in loads:
        best = committed_optimum(points(servers, load, setup_rate, weights)).lower
        # envelope: what the optimum spends is g - w dg/dw
        spent = best - weights * np.gradient(best, weights)
        low, high = np.interp([0.5, 10.0], weights, spent)
        spending = np.linspace(low, high, grid)
        requests = ((best[:, None] - spending) / weights[:, None]).max(axis=0)
        two = points(servers, load, setup_rate, np.array([0.0, 1.0]), server=np.array([1.0, 0.0]))
        tables = [np.tile(column, (2, 1)) for column in tried.T]
        spent_there, present = committed_band_costs(two, *tables, patience=16)
        rate = load * servers
        constant = [k for k in range(1, servers + 1) if k > rate]
        options = {
            "static": (
                np.array(constant, dtype=float),
                np.array([rate * mmk_response_time(k, rate) for k in constant]),
            )
        }
        for family, chosen in {
            "floor": (tried[:, 1] == 0) & (tried[:, 2] == 0),
            "spare": tried[:, 2] == 0,
            "band": tried[:, 0] >= 0,
        }.items():
            options[family] = (spent_there[chosen], present[chosen])
        families = {}
        for family, (cost, n) in options.items():
            corners = lower_hull(cost, n)
            time = np.interp(spending, cost[corners], n[corners] / rate)
            families[family] = np.where(spending >= cost[corners[0]] - 1e-9, time, np.inf)
        curves.append(SpendingCurve(load, spending, requests / rate, families))
    return curves


def excess_at_equal_spending(curves: list[SpendingCurve]) -> list[ExcessRow]:
    """Return how much slower each family is at equal spending, infinite if it needs more."""
    rows = []
    for curve in curves:
        for family, time in curve.families.items():
            excess = 100 * (time / curve.least - 1)
            reached = np.isfinite(excess)
            middle = float(np.median(excess[reached])) if reached.any() else float("inf")
            rows.append(
                ExcessRow(curve.load, family, int(reached.sum()), middle, float(excess.max()))
            )
    return rows
