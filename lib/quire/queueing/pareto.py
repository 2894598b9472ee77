"""The trade-off between servers and response time, and how far a policy is from it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from quire.queueing.decision import DecisionModel, free_cancel_model
from quire.queueing.policy_iteration import policy_iteration
from quire.queueing.stationary import evaluate_decisions
from quire.queueing.system import Costs, Farm

Curve = Float[np.ndarray, " corners"]


@dataclass(frozen=True)
class TradeOff:
    """Corners of the lower convex hull of (price of servers, response time) over all policies."""

    servers: Curve  # rising: E[a + gamma s] (plus the allocation fees, in units of c)
    response_time: Curve  # falling
    delay: Curve  # a weight w at which the corner is optimal

    def gap(self, servers: float, response_time: float) -> float:
        """Vertical distance of a policy above the hull, in time; it may not be below it.

        Raises ``ValueError`` left of the hull, where no policy is.
        """
        if servers < self.servers[0] - 1e-9:
            raise ValueError(
                f"servers = {servers:.6g}: no policy needs less than {self.servers[0]:.6g}"
            )
        return response_time - float(np.interp(servers, self.servers, self.response_time))


def lower_hull(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> np.ndarray:
    """Indices of the lower left convex hull, by rising ``x`` (Andrew's monotone chain)."""
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


def trade_off(
    farm: Farm,
    costs: Costs,
    levels: int,
    delays: Float[np.ndarray, " weights"],
    build: Callable[[Farm, Costs, int], DecisionModel] = free_cancel_model,
) -> TradeOff:
    """Solve for each delay weight, warm-started along the way, and keep the convex hull.

    The weights should be ascending; ``costs.delay`` is ignored. By Lagrangian duality the corners
    are optimal among all policies, randomised ones between them. Weights
    so small that the optimum would rather lose arrivals at the last level are left out;
    ``ValueError`` if none remains.
    """
    taken = None
    spent: list[float] = []
    times: list[float] = []
    kept: list[float] = []
    for weight in delays:
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
