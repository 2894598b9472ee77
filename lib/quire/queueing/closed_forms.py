"""Queues with a formula: the anchors every numerical method here is held to."""

import math
from dataclasses import dataclass

from quire.queueing.errors import UnstableSystem
from quire.queueing.system import Costs, Farm


def erlang_b(servers: int, offered_load: float) -> float:
    """Erlang's loss probability of M/M/k/k with ``offered_load = lambda/mu``."""
    blocking = 1.0
    for k in range(1, servers + 1):
        blocking = offered_load * blocking / (k + offered_load * blocking)
    return blocking


def erlang_c(servers: int, offered_load: float) -> float:
    """Erlang's probability of waiting in M/M/k; raises ``UnstableSystem`` at load one or more."""
    load = offered_load / servers
    if load >= 1:
        raise UnstableSystem(load, f"M/M/{servers}")
    blocking = erlang_b(servers, offered_load)
    return blocking / (1 - load * (1 - blocking))


def mmk_response_time(servers: int, arrival_rate: float, service_rate: float = 1.0) -> float:
    """``E[T] = 1/mu + C(k, R)/(k mu - lambda)`` of M/M/k (Erlang)."""
    waiting = erlang_c(servers, arrival_rate / service_rate)
    return 1 / service_rate + waiting / (servers * service_rate - arrival_rate)


def static_cost(servers: int, farm: Farm, costs: Costs) -> float:
    """The average cost of keeping ``servers`` servers allocated for ever.

    Raises ``UnstableSystem`` when that is too few and ``ValueError`` outside ``1..K``.
    """
    if not 1 <= servers <= farm.servers:
        raise ValueError(f"servers = {servers} must lie in 1..{farm.servers}")
    time = mmk_response_time(servers, farm.arrival_rate, farm.service_rate)
    return costs.server * servers + costs.delay * farm.arrival_rate * time


def best_static(farm: Farm, costs: Costs) -> tuple[int, float]:
    """The cheapest constant number of servers and its average cost."""
    least = math.floor(farm.offered_load) + 1
    return min(
        ((k, static_cost(k, farm, costs)) for k in range(least, farm.servers + 1)),
        key=lambda pair: pair[1],
    )


def mm1_setup_response_time(arrival_rate: float, setup_rate: float, service_rate: float) -> float:
    """``E[T] = 1/(mu - lambda) + 1/alpha`` of M/M/1/setup (Welch 1964)."""
    if arrival_rate >= service_rate:
        raise UnstableSystem(arrival_rate / service_rate, "M/M/1/setup")
    return 1 / (service_rate - arrival_rate) + 1 / setup_rate


def staggered_response_time(farm: Farm) -> float:
    """``E[T] = E[T] of M/M/K + 1/alpha`` when at most one server is in setup at a time.

    Gandhi, Harchol-Balter and Adan 2010 (decomposition).
    """
    full = mmk_response_time(farm.servers, farm.arrival_rate, farm.service_rate)
    return full + 1 / farm.setup_rate


@dataclass(frozen=True)
class UnlimitedSetup:
    """M/M/infinity with setup: every arrival starts a server of its own."""

    in_setup: float  # E[J], mean number of servers in setup
    response_time: float  # E[T]


def unlimited_servers_setup(
    arrival_rate: float, setup_rate: float, service_rate: float = 1.0
) -> UnlimitedSetup:
    """Busy servers are Poisson and independent of ``J``, ``P(J=j) ~ prod lambda/(lambda+l alpha)``.

    ``E[T] = 1/mu + E[J]/lambda`` (Gandhi, Harchol-Balter and Adan 2010).
    """
    term, total, mean, j = 1.0, 1.0, 0.0, 0
    while term > 1e-18 * total:
        j += 1
        term *= arrival_rate / (arrival_rate + j * setup_rate)
        total += term
        mean += j * term
    in_setup = mean / total
    return UnlimitedSetup(in_setup, 1 / service_rate + in_setup / arrival_rate)


@dataclass(frozen=True)
class NPolicyQueue:
    """M/M/1 that starts its server when ``threshold`` requests wait and stops it when empty."""

    requests: float  # E[L], mean number in system
    cycle_rate: float  # allocations per unit of time
    off: float  # probability that the server is neither active nor in setup
    in_setup: float  # probability that it is in setup
    active: float  # probability that it serves


def n_policy(farm: Farm, threshold: int) -> NPolicyQueue:
    """Heyman's N-policy with an exponential setup of mean ``D = 1/alpha``, one server.

    ``E[L] = rho/(1-rho) + [N(N-1)/2 + N lambda D + lambda^2 E[D^2]/2] / (N + lambda D)`` with
    ``E[D^2] = 2/alpha^2``; cycles per unit of time ``lambda (1-rho)/(N + lambda D)`` (Heyman 1968,
    with setup re-derived). Raises ``ValueError`` unless the farm has one server and ``N >= 1``.
    """
    if farm.servers != 1:
        raise ValueError(f"servers = {farm.servers}: the N-policy is for a farm of one server")
    if threshold < 1:
        raise ValueError(f"threshold = {threshold} must be 1 or more")
    lam, rho, mean = farm.arrival_rate, farm.load, 1 / farm.setup_rate
    span = threshold + lam * mean
    waiting = threshold * (threshold - 1) / 2 + threshold * lam * mean + lam**2 * mean**2
    cycle = lam * (1 - rho) / span
    return NPolicyQueue(
        requests=rho / (1 - rho) + waiting / span,
        cycle_rate=cycle,
        off=(1 - rho) * threshold / span,
        in_setup=cycle * mean,
        active=rho,
    )


def n_policy_cost(farm: Farm, costs: Costs, threshold: int) -> float:
    """The average cost of the N-policy under ``costs`` (from :func:`n_policy`)."""
    queue = n_policy(farm, threshold)
    return (
        costs.server * (queue.active + costs.setup_share * queue.in_setup)
        + costs.delay * queue.requests
        + costs.allocation * queue.cycle_rate
    )


def best_n_policy(farm: Farm, costs: Costs) -> tuple[int, float]:
    """The threshold of least average cost and that cost; the cost is convex in the threshold.

    Without setup it lies next to ``sqrt(2 lambda (1-rho) C_a / w)`` (Heyman 1968). Raises
    ``ValueError`` when waiting is free, for then no threshold is large enough.
    """
    if costs.delay == 0:
        raise ValueError("delay = 0: with free waiting no threshold is the best")
    best = 1
    cost = n_policy_cost(farm, costs, 1)
    while (following := n_policy_cost(farm, costs, best + 1)) < cost:
        best, cost = best + 1, following
    return best, cost
