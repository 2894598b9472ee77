"""The farm of servers and what it costs: the data every other file works on."""

import math
from dataclasses import dataclass

from quire.checks import between, integer, non_negative, positive
from quire.queueing.errors import UnstableSystem
from quire.signatures import checked

MOST_SERVERS = 10_000_000
"""Servers up to which the closed forms, which take time in proportion, are computed."""

MOST_LEVELS = 1_000_000
"""The longest queue that a truncated chain may hold; more levels would never be solved."""


@dataclass(frozen=True)
class Farm:
    """Poisson arrivals to ``servers`` servers that need an exponential setup before they serve.

    Rates are per unit of time; with ``service_rate = 1`` the unit is one mean service. Requests
    wait in one first-come-first-served queue. A rate that is not positive and finite, or a number
    of servers that is not a whole number from 1 up, is refused with a ``ValueError``.
    (Carlsson and Eager 2025, introduction; notation ours.)

    Raises
    ------
    UnstableSystem
        When even all servers together cannot keep up with the arrivals.
    """

    arrival_rate: float  # lambda, requests per unit of time
    setup_rate: float  # alpha, 1 / mean time to allocate a server
    servers: int  # K, servers that may be allocated
    service_rate: float = 1.0  # mu, requests per unit of time and busy server

    def __post_init__(self) -> None:
        for name in ("arrival_rate", "setup_rate", "service_rate"):
            object.__setattr__(self, name, positive(name, getattr(self, name)))
        object.__setattr__(self, "servers", integer("servers", self.servers, 1, MOST_SERVERS))
        if self.load >= 1:
            raise UnstableSystem(self.load)

    @classmethod
    def at_load(cls, load: float, setup_rate: float, servers: int) -> "Farm":
        """Return the farm whose servers are busy a share ``load`` of the time (mean service 1)."""
        amount = positive("load", load) * integer("servers", servers, 1, MOST_SERVERS)
        return cls(arrival_rate=amount, setup_rate=setup_rate, servers=servers)

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
    delay weight is per request in the system. A price that is negative or not finite is refused
    with a ``ValueError``.
    """

    server: float = 1.0  # c, price of a server per unit of time
    setup_share: float = 1.0  # gamma, share of that price that a server in setup costs
    delay: float = 1.0  # w, price of a request's presence per unit of time
    allocation: float = 0.0  # C_a, fee for each allocation

    def __post_init__(self) -> None:
        for name in ("server", "setup_share", "delay", "allocation"):
            object.__setattr__(self, name, non_negative(name, getattr(self, name)))


@checked
def slowest_decay(farm: Farm) -> float:
    """Return the largest geometric ratio ``eta_max`` of on-off allocation's queue-length tail.

    With ``b`` servers active and all others in setup the number of requests decays with ratio
    ``eta_b``, ``eta_0 = lambda/(lambda + K alpha)`` and ``eta_K = rho`` (Gandhi et al. 2014;
    explicit diagonal re-derived).
    """
    lam, mu, alpha, k = farm.arrival_rate, farm.service_rate, farm.setup_rate, farm.servers
    ratios = [lam / (lam + k * alpha), farm.load]
    ratios += [decay_ratio(lam, b * mu, (k - b) * alpha) for b in range(1, k)]
    return max(ratios)


def decay_ratio(arrive: float, serve: float, rise: float) -> float:
    """Return the smaller root of ``serve x^2 - (arrive + serve + rise) x + arrive``.

    Without cancellation: the discriminant is a sum of three squares and products that are never
    negative, and the root is taken from the larger one. ``serve`` and ``arrive`` are positive.
    """
    spread = math.sqrt((arrive - serve) ** 2 + rise**2 + 2 * rise * (arrive + serve))
    return 2 * arrive / (arrive + serve + rise + spread)


@checked
def truncation_level(farm: Farm, tail: float = 1e-12) -> int:
    """Return the number of requests beyond which on-off allocation has probability about ``tail``.

    ``N = K + ceil(log(tail) / log(eta_max))`` and at least ``K + 10`` (ours). ``tail`` lies
    strictly between 0 and 1.

    Raises
    ------
    ValueError
        When the load or the setup is so extreme that more than a million levels would be needed.
    """
    tail = between("tail", tail, 0, 1)
    decay = slowest_decay(farm)
    beyond = math.log(tail) / math.log(decay) if decay < 1 else math.inf
    if beyond > MOST_LEVELS:
        raise ValueError(
            f"tail = {tail!r}: needs {beyond:.3g} levels at load {farm.load:.12g}, more than "
            f"{MOST_LEVELS}; use the exact tail of setup_queue"
        )
    return farm.servers + max(10, math.ceil(beyond))
