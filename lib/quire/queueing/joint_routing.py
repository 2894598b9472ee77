"""Routing and allocation of two sites decided together: the optimum that no local rule can beat."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.queueing.errors import ConvergenceError, UnstableSystem
from quire.queueing.system import Costs, Farm


@dataclass(frozen=True)
class JointOptimum:
    """Two-sided bounds on the average cost of the best joint policy, and its relative values."""

    cost: float
    lower: float
    upper: float
    values: Float[np.ndarray, "n1 a1 n2 a2"]
    iterations: int


def _site_terms(
    h: np.ndarray, site: int, farm: Farm, costs: Costs, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Service and setup terms of one site (axes ``2 site`` and ``2 site + 1``)."""
    moved = np.moveaxis(h, (2 * site, 2 * site + 1), (0, 1))
    n = np.arange(levels + 1)[:, None]
    a = np.arange(farm.servers + 1)[None, :]
    below = np.concatenate([moved[:1], moved[:-1]])
    busy = (np.minimum(n, a) * farm.service_rate)[:, :, None, None]
    service = busy * (below - moved)
    gain = np.zeros_like(moved)
    gain[:, :-1] = moved[:, 1:] - moved[:, :-1] + costs.allocation
    worth = costs.setup_share * costs.server + farm.setup_rate * gain
    setup = (farm.servers - a)[:, :, None, None] * np.minimum(worth, 0)
    back = (0, 1), (2 * site, 2 * site + 1)
    return np.moveaxis(service, *back), np.moveaxis(setup, *back)


def _release(h: np.ndarray, site: int, farm: Farm) -> np.ndarray:
    """The least value after releasing any number of idle servers at one site."""
    moved = np.moveaxis(h, (2 * site, 2 * site + 1), (0, 1)).copy()
    for a in range(1, farm.servers + 1):
        moved[:a, a] = np.minimum(moved[:a, a], moved[:a, a - 1])
    return np.moveaxis(moved, (0, 1), (2 * site, 2 * site + 1))


def joint_optimum(
    farm: Farm,
    arrival_rate: float,
    costs: Costs,
    levels: int,
    *,
    tolerance: float = 1e-7,
    max_iterations: int = 100_000,
) -> JointOptimum:
    """Optimal routing and allocation of two sites like ``farm`` fed at ``arrival_rate`` together.

    Free-cancel model, relative value iteration on (n1, a1, n2, a2); an arrival that finds both
    sites at ``levels`` requests is lost, as in :func:`~quire.queueing.routing.route`. Raises
    ``ValueError`` for more than 3 servers per site, ``UnstableSystem``, ``ConvergenceError`` with
    both bounds.
    """
    if farm.servers > 3:
        raise ValueError(f"servers = {farm.servers}: the joint model is for at most 3 per site")
    k = farm.servers
    if arrival_rate >= 2 * k * farm.service_rate:
        raise UnstableSystem(arrival_rate / (2 * k * farm.service_rate), "the system of sites")
    rate = 1.01 * (arrival_rate + 2 * k * (farm.service_rate + farm.setup_rate))
    n1, a1, n2, a2 = np.indices((levels + 1, k + 1, levels + 1, k + 1))
    price = costs.server * (a1 + a2) + costs.delay * (n1 + n2)
    h = np.zeros(price.shape)
    bounds = (-np.inf, np.inf)
    for iteration in range(1, max_iterations + 1):
        drift = price.astype(float)
        offers = []
        for site in (0, 1):
            service, setup = _site_terms(h, site, farm, costs, levels)
            drift += service + setup
            up = np.full_like(h, np.inf)
            target = [slice(None)] * 4
            source = [slice(None)] * 4
            target[2 * site], source[2 * site] = slice(None, -1), slice(1, None)
            up[tuple(target)] = h[tuple(source)]
            offers.append(up)
        arrival = np.minimum(*offers)
        drift += arrival_rate * np.where(np.isfinite(arrival), arrival - h, 0)
        following = h + drift / rate
        following = _release(_release(following, 0, farm), 1, farm)
        change = (following - h) * rate
        bounds = (max(bounds[0], float(change.min())), min(bounds[1], float(change.max())))
        h = following - following[0, 0, 0, 0]
        if bounds[1] - bounds[0] < tolerance:
            return JointOptimum(sum(bounds) / 2, *bounds, h, iteration)
    raise ConvergenceError(bounds, max_iterations)
