"""Waiting in M/M/c and, by Kimura's factor, in M/G/c: the formulas that size a pool.

The planner's pools have tens of thousands of servers (slots), so Erlang's formula is summed from
the largest term down: with B the loss probability, 1/B = 1 + c/a + c(c-1)/a^2 + ..., all terms
positive. A pool that is too small is a result here, infinite waiting, and no error.
(`quire.queueing.erlang_c` is the same function for small c, by Erlang's recursion; the tests hold
the two together.)
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit
from scipy.special import gammaincc, gammaln

from quire.checks import between, integer, non_negative, positive

MOST_SERVERS = 10**8
QUANTILE = 0.01
"""The waiting time that one request in a hundred exceeds."""


def erlang_c(servers: Any, load: Any) -> float:
    """Return the probability of waiting in M/M/c; 1 where the load is the servers or more.

    Parameters
    ----------
    servers
        c, 1 or more.
    load
        lambda / mu, zero or more, in servers.
    """
    c, a = integer("servers", servers, 1, MOST_SERVERS), non_negative("load", load)
    if a == 0:
        return 0.0
    if a >= c:
        return 1.0
    # Erlang B = pmf(c) / cdf(c) of a Poisson number with mean a
    log_b = c * math.log(a) - a - gammaln(c + 1) - math.log(gammaincc(c + 1, a))
    spare = (c - a) / c
    if log_b < -700:  # B / (1 - rho), the rest is below double precision
        return math.exp(log_b - math.log(spare)) if log_b > -745 else 0.0
    b = math.exp(log_b)
    return b / (spare + (1 - spare) * b)


def p99_wait(servers: Any, rate: Any, service_rate: Any, cv2: Any = 1.0) -> float:
    """Return the waiting time in M/G/c that one request in a hundred exceeds, in seconds.

    0 where at most one in a hundred waits at all; infinite where the servers do not suffice.
    (Kimura: the exponential tail of M/M/c with its rate 2 (c mu - lambda) / (1 + cv2).)

    Parameters
    ----------
    servers
        c.
    rate
        Arrivals a second.
    service_rate
        Requests a second that one server can serve.
    cv2
        Squared coefficient of variation of the service time.
    """
    c = integer("servers", servers, 1, MOST_SERVERS)
    lam, mu = positive("rate", rate), positive("service_rate", service_rate)
    spread = non_negative("cv2", cv2)
    load = lam / mu
    if load >= c:
        return math.inf
    waits = erlang_c(c, load)
    if waits <= QUANTILE:
        return 0.0
    spare = c * mu - lam
    if spare <= 0:  # the load is the servers, to a rounding
        return math.inf
    return math.log(waits / QUANTILE) / (2 * spare / (1 + spread))


def least_gpus(
    rate: Any, gpu_rate: Any, slo_s: Any, cv2: Any = 1.0, *, slots: Any = 1, rho_max: Any = 0.85
) -> int:
    """Return the least number of GPUs whose P99 wait meets ``slo_s`` at a utilisation below a cap.

    Above 5,000 GPUs the upstream planner stops early and forgets its cap; this one does not.

    Parameters
    ----------
    rate
        Arrivals a second; 1 GPU where there are none.
    gpu_rate
        Requests a second that one GPU can serve, all its slots together.
    slo_s
        Limit of the P99 wait, in seconds.
    cv2
        Squared coefficient of variation of the service time.
    slots
        Of one GPU; each is a server.
    rho_max
        Cap of the utilisation, between 0 and 1.

    Raises
    ------
    ValueError
        When an argument is outside what is allowed.
    """
    lam, mu = non_negative("rate", rate), positive("gpu_rate", gpu_rate)
    limit, spread = non_negative("slo_s", slo_s), non_negative("cv2", cv2)
    each, cap = integer("slots", slots), between("rho_max", rho_max, 0, 1)
    if lam / mu > 1e7:
        raise ValueError(f"rate = {lam:g}: needs more than ten million GPUs of {mu:g} a second")
    return int(least_gpus_kernel(lam, mu, limit, spread, each, cap))


@njit(cache=True, nogil=True)
@no_type_check
def _waits(c, load, enough):
    """Erlang's C; or, from the fewest terms that tell, a value between it and ``enough``."""
    spare = (c - load) / c
    total, term = 1.0, 1.0
    b = 1.0
    for k in range(c):
        term *= (c - k) / load
        total += term
        # B <= 1 / total, and C grows with B
        b = 1.0 / total
        if b <= enough * (spare + (1 - spare) * b):
            return min(enough, b / (spare + (1 - spare) * b))
        if term < total * 1e-17:
            break
    return b / (spare + (1 - spare) * b)


@njit(cache=True, nogil=True)
@no_type_check
def meets(c, load, mu, lam, cv2, limit):
    """Whether the P99 wait of c servers is at most ``limit``."""
    if load >= c:
        return False
    decay = 2 * (c * mu - lam) / (1 + cv2)
    # ln(C / 0.01) <= limit * decay; beyond 700 any C will do
    enough = QUANTILE * math.exp(min(limit * decay, 700.0))
    if enough >= 1.0:
        return True
    return _waits(c, load, enough) <= enough


@njit(cache=True, nogil=True)
@no_type_check
def least_gpus_kernel(lam, mu, limit, cv2, slots, rho_max):
    """`least_gpus` in compiled code."""
    if lam <= 0:
        return 1
    each = mu / slots
    load = lam * (1.0 / each)
    least = max(1, math.ceil(lam / mu) + 1, math.ceil(lam / (mu * rho_max)))
    while not meets(least * slots, load, each, lam, cv2, limit):
        least += 1
    return least


@njit(cache=True, nogil=True)
@no_type_check
def p99_wait_kernel(c, lam, mu, cv2):
    """`p99_wait` in compiled code."""
    load = lam / mu
    if load >= c:
        return np.inf
    waits = _waits(c, load, QUANTILE)
    if waits <= QUANTILE:
        return 0.0
    if c * mu <= lam:
        return np.inf
    return math.log(waits / QUANTILE) / (2 * (c * mu - lam) / (1 + cv2))
