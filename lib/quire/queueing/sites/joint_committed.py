"""Routing and allocation of several sites decided together where setups are commitments (V2).

As :mod:`~quire.queueing.sites.joint_routing`, on the product of the states ``(n_j, a_j, s_j)``: a
site may start any number of spare servers, for a fee each, or release any number of its idle ones;
a setup that runs can not be cancelled. Sites decide independently of each other at one instant, so
the best joint decision is found one site after the other.
"""

from collections.abc import Sequence
from functools import partial
from typing import no_type_check

import numpy as np
from numba import njit

from quire.checks import integer, positive
from quire.queueing.farm import Costs, Farm
from quire.queueing.sites.joint_routing import (
    JointPolicy,
    checked_distances,
    checked_size,
    iterated,
    twins,
)
from quire.queueing.sites.routing import check_sites
from quire.signatures import checked


@njit(cache=True)
@no_type_check
def _sweep(
    h, after, released, twin, requests, phase, active, setups, step_n, step_p, down, done, servers,
    levels, rates, distances, fee, price, total,
):  # fmt: skip
    """One application of the optimality operator to ``h``; return least and largest change."""
    states = len(h)
    sites = len(step_n)
    uniform = rates[sites, 0]
    for x in range(states):
        if twin[x] < x:
            after[x] = after[twin[x]]
            continue
        here = h[x]
        drift = price[x]
        arrival = np.inf
        for j in range(sites):
            n, p = requests[j, x], phase[j, x]
            busy = min(n, active[j, p])
            if busy > 0:
                drift += busy * rates[j, 0] * (h[x - step_n[j]] - here)
            if setups[j, p] > 0:
                ready = h[x + (done[j, p] - p) * step_p[j]] - here
                drift += setups[j, p] * rates[j, 1] * ready
            if n < levels:
                arrival = min(arrival, h[x + step_n[j]] - here + distances[j])
        if arrival < np.inf:
            drift += total * arrival
        after[x] = here + drift / uniform
    for j in range(sites):
        for x in range(states):  # fewer active servers come earlier: one release after the other
            p = phase[j, x]
            released[x] = after[x]
            if active[j, p] > requests[j, x]:
                released[x] = min(after[x], released[x + (down[j, p] - p) * step_p[j]])
        for x in range(states - 1, -1, -1):  # one setup more comes next: one start after the other
            p = phase[j, x]
            if active[j, p] + setups[j, p] < servers[j]:
                after[x] = min(after[x], after[x + step_p[j]] + fee)
        for x in range(states):
            after[x] = min(after[x], released[x])
    low, high = np.inf, -np.inf
    for x in range(states):
        change = (after[x] - h[x]) * uniform
        low, high = min(low, change), max(high, change)
    origin = after[0]
    for x in range(states):
        h[x] = after[x] - origin
    return low, high


def _phases(servers: int, most: int) -> np.ndarray:
    """Return active, in setup, one fewer active, one setup done, per phase ``(a, s)``."""
    pairs = [(a, s) for a in range(servers + 1) for s in range(servers - a + 1)]
    where = {pair: i for i, pair in enumerate(pairs)}
    table = np.zeros((4, most), dtype=np.int64)
    for i, (a, s) in enumerate(pairs):
        table[:, i] = a, s, where.get((a - 1, s), i), where.get((a + 1, s - 1), i)
    return table


@checked
def committed_joint_optimum(
    farms: Sequence[Farm],
    costs: Costs,
    levels: int,
    *,
    distances: Sequence[float] | None = None,
    tolerance: float = 1e-7,
    max_iterations: int = 100_000,
) -> JointPolicy:
    """Return the optimal routing and allocation of several sites in V2, setups committed.

    Parameters
    ----------
    farms
        Two or more sites; one dispatcher has the sum of their arrival rates.
    costs
        Prices, the same at every site; the fee is paid when a setup starts.
    levels
        Most requests at one site; an arrival that finds every site full is lost.
    distances
        Price of sending one request to each site; none unless given.
    tolerance
        Distance of the bounds at which the iteration stops.
    max_iterations
        Sweeps after which it gives up.

    Returns
    -------
    JointPolicy
        ``values`` run over ``(n_1, p_1, n_2, p_2, ...)``, the last fastest, where ``p`` counts the
        phases ``(a, s)`` by ``a``, then ``s``.

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
    servers = np.array([farm.servers for farm in farms])
    counts = (servers + 1) * (servers + 2) // 2
    shape = [size for count in counts for size in (levels + 1, int(count))]
    count = checked_size(shape, levels)
    places = np.indices(shape).reshape(len(shape), -1).astype(np.int32)
    requests, phase = np.ascontiguousarray(places[::2]), np.ascontiguousarray(places[1::2])
    strides = np.append(np.cumprod(shape[:0:-1])[::-1], 1)
    tables = np.stack([_phases(int(k), int(counts.max())) for k in servers], axis=1)
    active, setups, down, done = (np.ascontiguousarray(table) for table in tables)
    rates = np.array([(farm.service_rate, farm.setup_rate) for farm in farms] + [(0.0, 0.0)])
    rates[-1, 0] = 1.01 * (total + float((servers * rates[:-1].sum(axis=1)).sum()))
    held = active + costs.setup_share * setups
    price = costs.delay * requests.sum(axis=0).astype(float)
    for row, at in zip(held, phase, strict=True):
        price = price + costs.server * row[at]
    h, after, released = np.zeros(count), np.empty(count), np.empty(count)
    sweep = partial(
        _sweep, h, after, released, twins(farms, far, count), requests, phase, active, setups,
        strides[::2].copy(), strides[1::2].copy(), down, done, servers, levels, rates,
        np.array(far), float(costs.allocation), price, total,
    )  # fmt: skip
    return iterated(sweep, h, tolerance, max_iterations)
