"""Queues with a formula: the anchors every numerical method here is held to."""

import math
from dataclasses import dataclass

from scipy.special import gammainc, gammaln

from quire.checks import integer, non_negative, positive
from quire.queueing.errors import UnstableSystem
from quire.queueing.farm import MOST_SERVERS, Costs, Farm
from quire.signatures import checked


def erlang_b(servers: int, offered_load: float) -> float:
    """Return Erlang's loss probability of M/M/k/k with ``offered_load = lambda/mu``.

    A negative number of servers or load is refused with a ``ValueError``.
    """
    servers = integer("servers", servers, 0, MOST_SERVERS)
    load = non_negative("offered_load", offered_load)
    blocking = 1.0
    for k in range(1, int(servers) + 1):
        blocking = load * blocking / (k + load * blocking)
    return blocking


def erlang_c(servers: int, offered_load: float) -> float:
    """Return Erlang's probability of waiting in M/M/k.

    Raises
    ------
    UnstableSystem
        At a load of one or more per server.
    """
    servers = integer("servers", servers, 1, MOST_SERVERS)
    offered_load = non_negative("offered_load", offered_load)
    load = offered_load / servers
    if load >= 1:
        raise UnstableSystem(load, f"M/M/{servers}")
    return _waiting(servers, offered_load, erlang_b(servers, offered_load))


def _waiting(servers: int, offered_load: float, blocking: float) -> float:
    """Return Erlang C from Erlang B."""
    spare = (servers - offered_load) / servers
    return blocking / (spare + (1 - spare) * blocking)


def mmk_response_time(servers: int, arrival_rate: float, service_rate: float = 1.0) -> float:
    """Return ``E[T] = 1/mu + C(k, R)/(k mu - lambda)`` of M/M/k (Erlang).

    Rates that are not positive are refused with a ``ValueError``, a load of one or more with
    ``UnstableSystem``.
    """
    lam, mu = positive("arrival_rate", arrival_rate), positive("service_rate", service_rate)
    return 1 / mu + erlang_c(servers, lam / mu) / (servers * mu - lam)


@checked
def static_cost(servers: int, farm: Farm, costs: Costs) -> float:
    """Return the average cost of keeping ``servers`` servers, from 1 to K, allocated for ever.

    Too few for the load are refused with ``UnstableSystem``.
    """
    servers = integer("servers", servers, 1, farm.servers)
    time = mmk_response_time(servers, farm.arrival_rate, farm.service_rate)
    return costs.server * servers + costs.delay * farm.arrival_rate * time


@checked
def best_static(farm: Farm, costs: Costs) -> tuple[int, float]:
    """Return the cheapest constant number of servers and its average cost."""
    load, blocking = farm.offered_load, 1.0
    best, least = farm.servers, math.inf
    for k in range(1, farm.servers + 1):
        blocking = load * blocking / (k + load * blocking)
        if k <= load:
            continue
        requests = load + _waiting(k, load, blocking) * load / (k - load)
        cost = costs.server * k + costs.delay * requests
        if cost < least:
            best, least = k, cost
    return best, least


def mm1_setup_response_time(
    arrival_rate: float, setup_rate: float, service_rate: float = 1.0
) -> float:
    """Return ``E[T] = 1/(mu - lambda) + 1/alpha`` of M/M/1/setup (Welch 1964).

    Raises
    ------
    UnstableSystem
        When the arrival rate is not below the service rate.
    """
    lam, mu = positive("arrival_rate", arrival_rate), positive("service_rate", service_rate)
    alpha = positive("setup_rate", setup_rate)
    if lam >= mu:
        raise UnstableSystem(lam / mu, "M/M/1/setup")
    return 1 / (mu - lam) + 1 / alpha


@checked
def staggered_response_time(farm: Farm) -> float:
    """Return ``E[T]`` of M/M/K plus ``1/alpha``: at most one server is in setup at a time.

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
    """Return E[J] and E[T]: busy servers are Poisson, and independent of ``J`` in setup.

    ``P(J=j)`` is proportional to ``t_j = prod_{l=1..j} lambda/(lambda + l alpha)`` and
    ``E[T] = 1/mu + E[J]/lambda`` (Gandhi, Harchol-Balter and Adan 2010). With
    ``x = lambda/alpha`` the terms obey ``(x + j) t_j = x t_{j-1}``; summed over j this gives
    ``E[J] = x / sum_j t_j``, and the sum is ``Gamma(x+1) (e/x)^x P(x, x)`` with the regularised
    incomplete gamma function P (ours): no series, whatever the rates.
    """
    lam, mu = positive("arrival_rate", arrival_rate), positive("service_rate", service_rate)
    x = lam / positive("setup_rate", setup_rate)
    # ln Gamma(x+1) + x - x ln x; its terms cancel for large x, where Stirling's series is exact
    if x < 1000:
        log_sum = float(gammaln(x + 1)) + x - x * math.log(x)
    else:
        log_sum = 0.5 * math.log(2 * math.pi * x) + 1 / (12 * x) - 1 / (360 * x**3)
    in_setup = x / (math.exp(log_sum) * float(gammainc(x, x)))
    return UnlimitedSetup(in_setup, 1 / mu + in_setup / lam)


@dataclass(frozen=True)
class NPolicyQueue:
    """M/M/1 that starts its server when ``threshold`` requests wait and stops it when empty."""

    requests: float  # E[L], mean number in system
    cycle_rate: float  # allocations per unit of time
    off: float  # probability that the server is neither active nor in setup
    in_setup: float  # probability that it is in setup
    active: float  # probability that it serves


@checked
def n_policy(farm: Farm, threshold: int, variability: float = 1.0) -> NPolicyQueue:
    """Return the averages of Heyman's N-policy with setup on one server.

    ``E[L] = rho/(1-rho) + [N(N-1)/2 + N lambda D + lambda^2 E[D^2]/2] / (N + lambda D)`` where the
    setup has mean ``D = 1/alpha``, any law, and ``E[D^2] = (1 + variability) D^2``; cycles per unit
    of time ``lambda (1-rho)/(N + lambda D)`` (Heyman 1968, with setup re-derived).

    Parameters
    ----------
    farm
        A farm of one server.
    threshold
        N, from 1 up.
    variability
        The squared coefficient of variation of the setup time: 1 for an exponential one, 0 for a
        constant.

    Raises
    ------
    ValueError
        For a farm of several servers.
    """
    if farm.servers != 1:
        raise ValueError(f"servers = {farm.servers}: the N-policy is for a farm of one server")
    threshold = integer("threshold", threshold, 1)
    second = 1 + non_negative("variability", variability)
    lam, rho, mean = farm.arrival_rate, farm.load, 1 / farm.setup_rate
    n = float(threshold)
    span = n + lam * mean
    waiting = n * (n - 1) / 2 + n * lam * mean + second * (lam * mean) ** 2 / 2
    cycle = lam * (1 - rho) / span
    return NPolicyQueue(
        requests=rho / (1 - rho) + waiting / span,
        cycle_rate=cycle,
        off=(1 - rho) * n / span,
        in_setup=cycle * mean,
        active=rho,
    )


@checked
def n_policy_cost(farm: Farm, costs: Costs, threshold: int) -> float:
    """Return the average cost of the N-policy under ``costs`` (from :func:`n_policy`)."""
    queue = n_policy(farm, threshold)
    return (
        costs.server * (queue.active + costs.setup_share * queue.in_setup)
        + costs.delay * queue.requests
        + costs.allocation * queue.cycle_rate
    )


@checked
def best_n_policy(farm: Farm, costs: Costs) -> tuple[int, float]:
    """Return the threshold of least average cost, the smallest of equals, and that cost.

    With ``m = lambda D`` and ``y = N + m`` the cost is ``w y/2 + [w (m^2 + m)/2 + B]/y`` plus a
    constant, ``B = lambda (1-rho)(C_a + gamma c D)``: convex, least at
    ``y = sqrt(m^2 + m + 2 B/w)`` (Heyman 1968; without setup ``sqrt(2 lambda (1-rho) C_a / w)``).

    Raises
    ------
    ValueError
        When waiting is free or all but free: no threshold is large enough.
    """
    if costs.delay == 0:
        raise ValueError("delay = 0: with free waiting no threshold is the best")
    m = farm.arrival_rate / farm.setup_rate
    fee = costs.allocation + costs.setup_share * costs.server / farm.setup_rate
    each = farm.arrival_rate * (1 - farm.load) * fee
    turning = math.sqrt(m * m + m + 2 * each / costs.delay) - m
    if not turning < 2**53:
        raise ValueError(f"delay = {costs.delay!r}: the best threshold exceeds every whole number")
    near = max(1, math.floor(turning))
    return min(
        ((n, n_policy_cost(farm, costs, n)) for n in (near, near + 1)), key=lambda pair: pair[1]
    )
