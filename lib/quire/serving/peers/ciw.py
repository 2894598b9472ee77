"""ciw as an independent queue: stages of loading in a row, and a pool's slots as servers."""

from typing import Any

import numpy as np

from quire.checks import integer, real_array
from quire.serving.loading.costs import LoadingCosts
from quire.serving.loading.requests import Requests


def serve_tandem(requests: Requests, costs: LoadingCosts) -> np.ndarray:
    """Return when each request leaves the last of three nodes, seconds.

    Gaps and services are given to ciw as sequences; clock, queues and servers are its own. Nobody
    overtakes, so that the k-th service at a node is the k-th request's.

    Raises
    ------
    ValueError
        When a request loads nothing: a row of nodes has no way around one.
    """
    import ciw

    if (requests.remote <= 0).any():
        raise ValueError("remote = 0: every request of a row of nodes loads something")
    service = requests.stage_s(costs)
    gaps = np.diff(requests.arrival_s, prepend=0.0)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps.tolist(), 1e18]), None, None],
        service_distributions=[ciw.dists.Sequential(row.tolist()) for row in service],
        routing=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
        number_of_servers=[1, 1, 1],
    )
    run = ciw.Simulation(network)
    run.simulate_until_max_customers(len(requests), method="Finish")
    ends = [r.service_end_date for r in run.get_all_records() if r.node == 3]
    return np.sort(np.asarray(ends))[: len(requests)]


def waits_by_ciw(arrival: Any, service: Any, servers: Any) -> np.ndarray:
    """Return how long each request waits, first come first served, by ciw.

    Parameters
    ----------
    arrival
        Times, rising, above 0.
    service
        How long each holds its server.
    servers
        How many.
    """
    import ciw

    at, held = real_array("arrival", arrival, 1, above=0.0), real_array("service", service, 1)
    gaps = [float(g) for g in np.diff(at, prepend=0.0)]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps, float("inf")])],
        service_distributions=[ciw.dists.Sequential([float(s) for s in held])],
        number_of_servers=[integer("servers", servers)],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(float(at[-1] + held.sum() + 1))
    records = sorted(simulation.get_all_records(), key=lambda r: r.arrival_date)
    return np.array([r.waiting_time for r in records])
