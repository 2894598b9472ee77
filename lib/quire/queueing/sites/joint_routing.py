"""Routing and allocation of several sites decided together: the optimum no local rule can beat.

The free-cancel model on the product of the sites, by relative value iteration (Numba). In each
state ``(n_j, a_j)`` of every site the optimality operator routes the next arrival to the site of
least value, starts all or none of a site's spare servers (their worth is linear in their number)
and releases any number of its idle ones. Where all sites are alike, one state of those that an
exchange of sites makes of each other is computed, and the others take its value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from quire.checks import integer, non_negative, positive
from quire.queueing.errors import ConvergenceError
from quire.queueing.farm import Costs, Farm
from quire.queueing.sites.routing import check_sites
from quire.signatures import checked

MOST_STATES = 2_000_000
"""Joint states up to which value iteration is run."""


@dataclass(frozen=True)
class JointPolicy:
    """Two-sided bounds on the average cost of the best joint policy, and its relative values."""

    cost: float
    lower: float
    upper: float
    values: Float[np.ndarray, " states"]  # over (n_1, a_1, n_2, a_2, ...), the last fastest
    iterations: int


@njit(cache=True)
@no_type_check
def _sweep(
    h, following, twin, requests, active, step_n, step_a, servers, levels, rates, prices, price,
    total,
):  # fmt: skip
    """One application of the optimality operator; return least and largest change."""
    states = len(h)
    sites = len(step_n)
    uniform = rates[sites, 0]
    for x in range(states):
        if twin[x] < x:
            following[x] = following[twin[x]]
            continue
        here = h[x]
        drift = price[x]
        arrival = np.inf
        for j in range(sites):
            n, a = requests[j, x], active[j, x]
            busy = min(n, a)
            if busy > 0:
                drift += busy * rates[j, 0] * (h[x - step_n[j]] - here)
            if a < servers[j]:
                worth = prices[j, 0] + rates[j, 1] * (h[x + step_a[j]] - here)
                if worth < 0:
                    drift += (servers[j] - a) * worth
            if n < levels:
                arrival = min(arrival, h[x + step_n[j]] - here + prices[j, 1])
        if arrival < np.inf:
            drift += total * arrival
        following[x] = here + drift / uniform
    for j in range(sites):  # releasing: a ascends with x, so one step after the other is enough
        for x in range(states):
            if active[j, x] > requests[j, x]:
                following[x] = min(following[x], following[x - step_a[j]])
    low, high = np.inf, -np.inf
    for x in range(states):
        change = (following[x] - h[x]) * uniform
        low, high = min(low, change), max(high, change)
    origin = following[0]
    for x in range(states):
        h[x] = following[x] - origin
    return low, high


def checked_distances(distances: Sequence[float] | None, sites: int) -> list[float]:
    """Return one price per site, zero unless given.

    Raises
    ------
    ValueError
        When distances and sites differ in number.
    """
    far = [0.0] * sites if distances is None else list(distances)
    if len(far) != sites:
        raise ValueError(f"distances = {far}: must be one for each of {sites} sites")
    return [non_negative("distance", value) for value in far]


def checked_size(shape: Sequence[int], levels: int) -> int:
    """Return the number of joint states.

    Raises
    ------
    ValueError
        For more than two million.
    """
    count = int(np.prod([float(size) for size in shape]))
    if count > MOST_STATES:
        raise ValueError(f"levels = {levels}: {count} joint states are more than {MOST_STATES}")
    return count


def twins(farms: Sequence[Farm], distances: Sequence[float], count: int) -> np.ndarray:
    """Return for each of ``count`` joint states the first that an exchange of sites makes of it.

    Where all sites are alike the two have the same value. Otherwise each state stands for itself.
    """
    if len(set(zip(farms, distances, strict=True))) > 1:
        return np.arange(count)
    shape = (round(count ** (1 / len(farms))),) * len(farms)
    states = np.indices(shape).reshape(len(farms), count)
    return np.ravel_multi_index(tuple(np.sort(states, axis=0)), shape)


@checked
def joint_optimum(
    farms: Sequence[Farm],
    costs: Costs,
    levels: int,
    *,
    distances: Sequence[float] | None = None,
    tolerance: float = 1e-7,
    max_iterations: int = 100_000,
) -> JointPolicy:
    """Return the optimal routing and allocation of several sites in the free-cancel model.

    Parameters
    ----------
    farms
        Two or more sites; one dispatcher has the sum of their arrival rates.
    costs
        Prices, the same at every site.
    levels
        Most requests at one site; an arrival that finds every site full is lost, as in
        :func:`~quire.queueing.sites.routing.route`.
    distances
        Price of sending one request to each site; none unless given.
    tolerance
        Distance of the bounds at which the iteration stops.
    max_iterations
        Sweeps after which it gives up.

    Distances that are not one for each site, and more than two million joint states, are refused
    with a ``ValueError``.

    Raises
    ------
    ConvergenceError
        With both bounds, after ``max_iterations``.
    """
    total = check_sites(farms)
    far = checked_distances(distances, len(farms))
    tolerance = positive("tolerance", tolerance)
    max_iterations = integer("max_iterations", max_iterations, 1)
    levels = integer("levels", levels, max(farm.servers for farm in farms) + 1)
    shape = [size for farm in farms for size in (levels + 1, farm.servers + 1)]
    count = checked_size(shape, levels)
    places = np.indices(shape).reshape(len(shape), -1).astype(np.int32)
    requests, active = np.ascontiguousarray(places[::2]), np.ascontiguousarray(places[1::2])
    strides = np.append(np.cumprod(shape[:0:-1])[::-1], 1)
    rates = np.array([(farm.service_rate, farm.setup_rate) for farm in farms] + [(0.0, 0.0)])
    servers = np.array([farm.servers for farm in farms])
    rates[-1, 0] = 1.01 * (total + float((servers * rates[:-1].sum(axis=1)).sum()))
    prices = np.array(
        [
            (costs.setup_share * costs.server + costs.allocation * farm.setup_rate, distance)
            for farm, distance in zip(farms, far, strict=True)
        ]
    )
    price = costs.server * active.sum(axis=0) + costs.delay * requests.sum(axis=0)
    h, following = np.zeros(count), np.empty(count)
    sweep = partial(
        _sweep, h, following, twins(farms, far, count), requests, active,
        strides[::2].copy(), strides[1::2].copy(), servers, levels, rates, prices,
        price.astype(float), total,
    )  # fmt: skip
    return iterated(sweep, h, tolerance, max_iterations)


def iterated(
    sweep: Callable[[], tuple[float, float]], h: np.ndarray, tolerance: float, max_iterations: int
) -> JointPolicy:
    """Sweep until the bounds on the average cost meet: relative value iteration.

    ``sweep`` improves the relative values ``h`` in place and returns the least and the greatest
    change per time, between which the average cost lies.

    Raises
    ------
    ConvergenceError
        With both bounds, after ``max_iterations``.
    """
    bounds = (-np.inf, np.inf)
    for iteration in range(1, max_iterations + 1):
        low, high = sweep()
        bounds = (max(bounds[0], low), min(bounds[1], high))
        if bounds[1] - bounds[0] < tolerance:
            return JointPolicy(sum(bounds) / 2, *bounds, h, iteration)
    raise ConvergenceError(bounds, max_iterations)
