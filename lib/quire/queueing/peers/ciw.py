"""M/M/k simulated by package ``ciw``."""

import numpy as np

from quire.queueing.exact.closed_forms import erlang_c
from quire.queueing.farm import Farm


def ciw_waiting_probability(farm: Farm, requests: int, seed: int) -> tuple[float, float]:
    """Return the share of requests that wait in M/M/K simulated by ciw, and Erlang's C formula."""
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(farm.arrival_rate)],
        service_distributions=[ciw.dists.Exponential(farm.service_rate)],
        number_of_servers=[farm.servers],
    )
    ciw.seed(seed)
    run = ciw.Simulation(network)
    run.simulate_until_max_customers(requests)
    waits = np.array([record.waiting_time for record in run.get_all_records()])
    return float((waits > 0).mean()), erlang_c(farm.servers, farm.offered_load)
