"""The farm of servers and what it costs: the data every other file works on."""

import math
from dataclasses import dataclass

from quire.queueing.errors import UnstableSystem


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} = {value!r} must be a positive finite number")


@dataclass(frozen=True)
class Farm:
    """Poisson arrivals to ``servers`` servers that need an exponential setup before they serve.

    Rates are per unit of time; with ``service_rate = 1`` the unit is one mean service. Requests
    wait in one first-come-first-served queue. Raises ``ValueError`` for a rate that is not
    positive or a number of servers that is not a positive integer, ``UnstableSystem`` when even
    all servers together cannot keep up. (Carlsson and Eager 2025, introduction; notation ours.)
    """

    arrival_rate: float  # lambda, requests per unit of time
    setup_rate: float  # alpha, 1 / mean time to allocate a server
    servers: int  # K, servers that may be allocated
    service_rate: float = 1.0  # mu, requests per unit of time and busy server

    def __post_init__(self) -> None:
        _positive("arrival_rate", self.arrival_rate)
        _positive("setup_rate", self.setup_rate)
        _positive("service_rate", self.service_rate)
        if isinstance(self.servers, bool) or int(self.servers) != self.servers or self.servers < 1:
            raise ValueError(f"servers = {self.servers!r} must be a positive integer")
        if self.load >= 1:
            raise UnstableSystem(self.load)

    @classmethod
    def at_load(cls, load: float, setup_rate: float, servers: int) -> "Farm":
        """The farm whose servers are busy a share ``load`` of the time (mean service time 1)."""
        return cls(arrival_rate=load * servers, setup_rate=setup_rate, servers=servers)

    @property
    def load(self) -> float:
        """``rho = lambda / (K mu)``, the utilisation with every server allocated."""
        return self.arrival_rate / (self.servers * self.service_rate)

    @property
    def offered_load(self) -> float:
        """``R = lambda / mu``, the mean number of busy servers under any stable policy."""
        return self.arrival_rate / self.service_rate


@dataclass(frozen=True)
class Costs:
    """What is paid: per server and time, per request and time, and per allocation.

    The cost rate is ``server * (active + setup_share * in_setup) + delay * requests`` and each
    allocation adds ``allocation``. By Little's law ``delay * E[n] = delay * lambda * E[T]``: the
    delay weight is per request in the system. Raises ``ValueError`` for a negative price.
    """

    server: float = 1.0  # c, price of a server per unit of time
    setup_share: float = 1.0  # gamma, share of that price that a server in setup costs
    delay: float = 1.0  # w, price of a request's presence per unit of time
    allocation: float = 0.0  # C_a, fee for each allocation

    def __post_init__(self) -> None:
        for name in ("server", "setup_share", "delay", "allocation"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} = {value!r} must be a finite number, zero or more")


def slowest_decay(farm: Farm) -> float:
    """The largest geometric ratio ``eta_max`` of the queue-length tail of on-off allocation.

    With ``b`` servers active and all others in setup the number of requests decays with ratio
    ``eta_b``, ``eta_0 = lambda/(lambda + K alpha)`` and ``eta_K = rho`` (Gandhi et al. 2014;
    explicit diagonal re-derived).
    """
    lam, mu, alpha, k = farm.arrival_rate, farm.service_rate, farm.setup_rate, farm.servers
    ratios = [lam / (lam + k * alpha), farm.load]
    for b in range(1, k):
        total = lam + b * mu + (k - b) * alpha
        ratios.append((total - math.sqrt(total**2 - 4 * lam * b * mu)) / (2 * b * mu))
    return max(ratios)


def truncation_level(farm: Farm, tail: float = 1e-12) -> int:
    """The number of requests ``N`` beyond which on-off allocation has probability about ``tail``.

    ``N = K + ceil(log(tail) / log(eta_max))`` and at least ``K + 10`` (ours).
    """
    if not 0 < tail < 1:
        raise ValueError(f"tail = {tail!r} must lie strictly between 0 and 1")
    beyond = math.ceil(math.log(tail) / math.log(slowest_decay(farm)))
    return farm.servers + max(10, beyond)
