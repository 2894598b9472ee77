"""Response time at equal spending: how much slower a simple policy is than any policy could be.

By Lagrangian duality no policy that spends ``S`` per unit of time on servers has fewer requests
present than ``max_w (g*(w) - S)/w``, where ``g*(w)`` is the optimal cost at delay price ``w``. With
a finite set of prices this is a lower bound on the requests, so that every excess printed is at
least the true one. Spending and requests of a setting are its costs at two sets of prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from quire.queueing.batched._points import Points, points
from quire.queueing.batched.committed import committed_band_costs, committed_optimum
from quire.queueing.decisions.pareto import lower_hull
from quire.queueing.exact.closed_forms import mmk_response_time
from quire.queueing.experiments.many_farms import SIZE

Curve = Float[np.ndarray, " amounts"]

WEIGHTS = 16
"""Delay prices at which the optimum is computed, from 0.2 to 25; three farms fill a batch."""

PATIENCE = 16  # most waiting requests that a band tolerates
UNREACHED = 100.0  # per cent that count where no setting keeps to the spending
STEP = 1e-5  # relative step of the delay price over which an optimal policy stays the same
VARIES = 0.01  # servers; a range of spending narrower than this is none


@dataclass(frozen=True)
class SpendingCurve:
    """Least response time against spending on one farm, for all policies and for simple ones.

    ``single[family]`` is the fastest single setting that spends no more, ``mixed[family]`` the
    fastest mixture of two settings that spends as much on average; infinite where none does. The
    family ``optimal`` holds one optimal policy for each of the `WEIGHTS` delay prices.
    """

    load: float
    setup_rate: float
    spending: Curve
    least: Curve  # no policy is faster
    single: dict[str, Curve]
    mixed: dict[str, Curve]


@dataclass(frozen=True)
class ExcessRow:
    """The largest excess response time on one farm, per cent; 100 where spending is not met."""

    load: float
    setup_rate: float
    optimal: float  # the fastest single policy of those optimal at one of the delay prices
    static: float  # the fastest constant number of servers that spends no more
    single: float  # the fastest single band, constant numbers among them
    at: float  # the spending at which that excess is largest
    mixed: float  # mixtures of two bands
    static_mixed: float  # mixtures of two constant numbers
    void: bool  # spending does not vary: the optimum is the same at every delay price


def _settings(servers: int) -> Float[np.ndarray, "settings three"]:
    """Return floor, start and keep of every band that is tried."""
    starts = (-16, -12, -10, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2)
    keeps = sorted({0, 1, 2, 3, servers})
    grid = [
        (q, r, max(r, d)) for q, r, d in product(range(servers + 1), starts, keeps) if d <= servers
    ]
    return np.unique(np.array(grid, dtype=float), axis=0)


def _optimal_costs(
    farms: list[tuple[float, float]], servers: int, weights: Curve
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return per farm and weight the optimal cost, a lower bound on it, and its slope.

    The slope is the requests of a policy that stays optimal over a small step of the weight; the
    search there starts from the policies found before the step.
    """
    pairs = [(load, rate, w) for (load, rate), w in product(farms, weights)]
    count = len(pairs)
    pairs += [pairs[-1]] * (-count % SIZE)
    load, rate, delay = np.array(pairs).T
    found = []
    for at in range(0, len(pairs), SIZE):
        part = slice(at, at + SIZE)
        here = committed_optimum(points(servers, load[part], rate[part], delay[part]))
        step = delay[part] * STEP
        there = committed_optimum(
            points(servers, load[part], rate[part], delay[part] + step), start=here
        )
        found.append((here.cost, here.lower, (there.cost - here.cost) / step))
    cost, lower, slope = (
        np.concatenate(parts)[:count].reshape(len(farms), -1) for parts in zip(*found, strict=True)
    )
    return cost, lower, slope


def _spent_and_present(batch: Points, tried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what every setting spends and how many requests are present, per farm and setting."""
    none, one = np.zeros(len(batch)), np.ones(len(batch))
    columns = {name: np.concatenate([x, x]) for name, x in batch.columns().items()}
    columns |= {"server": np.concatenate([one, none]), "delay": np.concatenate([none, one])}
    both = Points(batch.servers, **columns)
    tables = [np.tile(column, (len(both), 1)) for column in tried.T]
    costs = committed_band_costs(both, *tables, patience=PATIENCE)
    return costs[: len(batch)], costs[len(batch) :]


def _fastest(spending: Curve, spent: np.ndarray, time: np.ndarray) -> Curve:
    """Return the least time among the settings that spend no more."""
    allowed = spent[None, :] <= spending[:, None] * (1 + 1e-9)
    return np.where(allowed, time[None, :], np.inf).min(axis=1)


def _mixed(spending: Curve, spent: np.ndarray, time: np.ndarray) -> Curve:
    """Return the least time of a mixture of two settings that spends as much on average."""
    corners = lower_hull(spent, time)
    mixture = np.interp(spending, spent[corners], time[corners])
    return np.where(spending >= spent[corners[0]] - 1e-9, mixture, np.inf)


def spending_curves(
    loads: Sequence[float], setup_rates: Sequence[float], servers: int, *, grid: int = 25
) -> list[SpendingCurve]:
    """Return the trade-off of all policies and of simple ones in V2, per load and setup rate.

    ``grid`` amounts of spending run from what the optimum spends at a delay price of 0.5 to what it
    spends at 10. Constant numbers of servers count as bands: they want the same in every state.
    """
    farms = list(product(loads, setup_rates))
    weights = np.geomspace(0.2, 25, WEIGHTS)
    cost, best, waiting = _optimal_costs(farms, servers, weights)
    load, rate = np.array(farms).T
    spent, present = _spent_and_present(points(servers, load, rate, 1.0), _settings(servers))
    curves = []
    for i, (rho, alpha) in enumerate(farms):
        arrivals = rho * servers
        # envelope: what the optimum spends is g - w dg/dw
        optimal = best[i] - weights * np.gradient(best[i], weights)
        low, high = np.interp([0.5, 10.0], weights, optimal)
        spending = np.linspace(low, high, grid)
        requests = ((best[i][:, None] - spending) / weights[:, None]).max(axis=0)
        kept = np.array([k for k in range(1, servers + 1) if k > arrivals], dtype=float)
        constant = np.array([mmk_response_time(int(k), arrivals) for k in kept])
        options = {
            "optimal": (cost[i] - weights * waiting[i], waiting[i] / arrivals),
            "static": (kept, constant),
            "band": (
                np.concatenate([kept, spent[i]]),
                np.concatenate([constant, present[i] / arrivals]),
            ),
        }
        curves.append(
            SpendingCurve(
                float(rho),
                float(alpha),
                spending,
                requests / arrivals,
                {name: _fastest(spending, *option) for name, option in options.items()},
                {name: _mixed(spending, *option) for name, option in options.items()},
            )
        )
    return curves


def excess_at_equal_spending(curves: Sequence[SpendingCurve]) -> list[ExcessRow]:
    """Return by how many per cent simple policies are slower at equal spending, one row a farm."""
    rows = []
    for curve in curves:

        def excess(time: Curve, least: Curve = curve.least) -> Curve:
            over = np.where(np.isfinite(time), 100 * (time / least - 1), UNREACHED)
            return np.where(over < 1e-4, 0.0, over)  # within the proof's width: none

        single = excess(curve.single["band"])
        rows.append(
            ExcessRow(
                curve.load,
                curve.setup_rate,
                optimal=float(excess(curve.single["optimal"]).max()),
                static=float(excess(curve.single["static"]).max()),
                single=float(single.max()),
                at=float(curve.spending[single.argmax()]),
                mixed=float(excess(curve.mixed["band"]).max()),
                static_mixed=float(excess(curve.mixed["static"]).max()),
                void=bool(np.ptp(curve.spending) < VARIES),
            )
        )
    return rows
