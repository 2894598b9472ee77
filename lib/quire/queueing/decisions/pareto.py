"""The trade-off between servers and response time, and how far a policy is from it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from quire.checks import real_array
from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import DecisionModel, free_cancel_model
from quire.queueing.decisions.stationary import evaluate_decisions
from quire.queueing.farm import Costs, Farm
from quire.signatures import checked

Curve = Float[np.ndarray, " corners"]


@dataclass(frozen=True)
class TradeOff:
    """Corners of the lower convex hull of (price of servers, response time) over all policies."""

    servers: Curve  # rising: E[a + gamma s] (plus the allocation fees, in units of c)
    response_time: Curve  # falling
    delay: Curve  # a weight w at which the corner is optimal

    def time_at(self, servers: float) -> float:
        """Return the least response time for this spending; between corners by randomising.

        Raises
        ------
        ValueError
            Outside the computed part of the hull, which says nothing there.
        """
        low, high = float(self.servers[0]), float(self.servers[-1])
        if not low - 1e-9 <= servers <= high + 1e-9:
            raise ValueError(f"servers = {servers:.6g}: must lie in {low:.6g} to {high:.6g}")
        return float(np.interp(servers, self.servers, self.response_time))


def lower_hull(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Return indices of the lower left convex hull, by rising ``x`` (Andrew's monotone chain).

    Raises
    ------
    ValueError
        When an entry is not finite, or the two differ in length.
    """
    x, y = real_array("x", x, 1), real_array("y", y, 1)
    if len(x) != len(y):
        raise ValueError(f"y = {len(y)} numbers: must be {len(x)}, as many as x")
    chain: list[int] = []
    for i in np.lexsort((y, x)):
        if chain and y[i] >= y[chain[-1]]:
            continue
        while len(chain) > 1:
            o, b = chain[-2], chain[-1]
            if (x[b] - x[o]) * (y[i] - y[o]) - (y[b] - y[o]) * (x[i] - x[o]) > 0:
                break
            chain.pop()
        chain.append(int(i))
    return np.array(chain)


@checked
def trade_off(
    farm: Farm,
    costs: Costs,
    levels: int,
    delays: Float[np.ndarray, " weights"],
    build: Callable[[Farm, Costs, int], DecisionModel] = free_cancel_model,
) -> TradeOff:
    """Solve for each delay weight, warm-started along the way, and keep the convex hull.

    By Lagrangian duality the corners are optimal among all policies, randomised ones between them.

    Parameters
    ----------
    farm, costs, levels
        The farm, its prices (``costs.delay`` is ignored) and the truncation of its model.
    delays
        Positive weights, ascending. Those so small that the optimum would rather lose arrivals at
        the last level are left out.
    build
        Which decision model.

    Raises
    ------
    ValueError
        When no weight remains.
    """
    taken = None
    spent: list[float] = []
    times: list[float] = []
    kept: list[float] = []
    for weight in real_array("delays", delays, 1, above=0):
        model = build(farm, replace(costs, delay=float(weight)), levels)
        best = policy_iteration(model, start=taken)
        taken = best.taken
        seen = evaluate_decisions(model, taken)
        if seen.lost > 1e-9:
            continue  # so cheap a delay that the optimum hides behind the last level
        kept.append(weight)
        times.append(seen.response_time)
        spent.append((seen.cost - weight * seen.requests) / costs.server)
    if not kept:
        raise ValueError(
            f"levels = {levels} is too few for every weight; take more or larger weights"
        )
    corners = lower_hull(np.array(spent), np.array(times))
    return TradeOff(np.array(spent)[corners], np.array(times)[corners], np.array(kept)[corners])
