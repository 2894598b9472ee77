"""M/M/k with setup solved exactly on infinitely many levels (no truncation).

For ``n >= k`` requests the number of active servers only rises, so the rate matrix of the
matrix-geometric solution is upper triangular with an explicit diagonal.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.queueing.farm import Farm, decay_ratio
from quire.signatures import checked

MOST_PHASES = 600
"""Servers up to which the recursion, which takes their cube in time, is run."""


@dataclass(frozen=True)
class SetupQueue:
    """Stationary measures of M/M/k with setup, where every request waits for a server."""

    requests: float  # E[n]
    response_time: float  # E[T], by Little's law
    active: float  # E[a]; equals lambda/mu by rate conservation
    in_setup: float  # E[s]
    decay: Float[np.ndarray, " phases"]  # eta_b, the diagonal of the rate matrix
    boundary: Float[np.ndarray, "levels phases"]  # pi(n, a) for n = 0..k (a up to min(n, k))
    rate_matrix: Float[np.ndarray, "phases phases"]  # R: pi(n+1, .) = pi(n, .) R for n >= k


def _setups(n: int, a: int, k: int, staggered: bool) -> int:
    wanted = min(n, k) - a
    return min(wanted, 1) if staggered else wanted


def _rate_matrix(farm: Farm, staggered: bool) -> Float[np.ndarray, "phases phases"]:
    lam, mu, alpha, k = farm.arrival_rate, farm.service_rate, farm.setup_rate, farm.servers
    rise = np.array([_setups(k, b, k, staggered) * alpha for b in range(k + 1)])
    serve = mu * np.arange(k + 1)
    total = lam + serve + rise
    rates = np.zeros((k + 1, k + 1))
    rates[0, 0] = lam / total[0]
    for b in range(1, k + 1):
        rates[b, b] = decay_ratio(lam, serve[b], rise[b])
    rates[k, k] = farm.load
    # A0 + R A1 + R^2 A2 = 0, entry (i, j), i < j, one diagonal after the other
    for width in range(1, k + 1):
        for i in range(k + 1 - width):
            j = i + width
            inner = rates[i, i + 1 : j] @ rates[i + 1 : j, j]
            entry = rates[i, j - 1] * rise[j - 1] + serve[j] * inner
            rates[i, j] = entry / (total[j] - serve[j] * (rates[i, i] + rates[j, j]))
    return rates


@checked
def setup_queue(farm: Farm, *, staggered: bool = False) -> SetupQueue:
    """Return the stationary law of M/M/k/setup, or of its staggered variant, without truncation.

    On-off allocation: one server is set up for each waiting request (``staggered``: at most one
    at a time), surplus setups are cancelled, idle servers released at once. Levels below ``k``
    by block elimination, levels above by the rate matrix (Neuts; Gandhi et al. 2014 and
    Phung-Duc 2014 solve the same chain in other ways).

    Raises
    ------
    ValueError
        For more than 600 servers.
    """
    if farm.servers > MOST_PHASES:
        raise ValueError(f"servers = {farm.servers}: at most {MOST_PHASES} are solved exactly")
    lam, mu, alpha, k = farm.arrival_rate, farm.service_rate, farm.setup_rate, farm.servers
    rates = _rate_matrix(farm, staggered)
    # pi_{n} = pi_{n-1} F_n for n = 1..k, phases of level n are a = 0..min(n, k)
    forward: list[np.ndarray] = [np.zeros((0, 0))] * (k + 1)
    upward = rates  # pi_{n+1} = pi_n upward
    for n in range(k, 0, -1):
        size = n + 1
        local = np.zeros((size, size))
        for a in range(size):
            rise = _setups(n, a, k, staggered) * alpha
            local[a, a] = lam + a * mu + rise
            if a < n:
                local[a, a + 1] -= rise
        # from level n+1 down: phase a stays a, or is capped at n (the idle server is released)
        width = min(n + 1, k) + 1
        down = np.zeros((width, size))
        for a in range(width):
            down[a, min(a, n)] += min(a, n + 1) * mu
        local -= upward[:size, :width] @ down
        arrive = np.zeros((n, size))
        np.fill_diagonal(arrive, lam)
        forward[n] = arrive @ np.linalg.inv(local)
        upward = forward[n]
    boundary = np.zeros((k + 1, k + 1))
    boundary[0, 0] = 1.0
    for n in range(1, k + 1):
        boundary[n, : n + 1] = boundary[n - 1, :n] @ forward[n]
    leave = np.eye(k + 1) - rates
    leave[k, k] = (k * mu - lam) / (k * mu)  # 1 - rho, with all its digits near full load
    tail = np.linalg.inv(leave)
    above = boundary[k] @ rates @ tail  # sum over n > k
    mass = boundary.sum() + above.sum()
    boundary /= mass
    above = above / mass
    levels = np.arange(k + 1)
    excess = (boundary[k] @ rates @ tail @ tail).sum()  # sum over n > k of (n - k) pi_n
    requests = float(levels @ boundary.sum(axis=1) + k * above.sum() + excess)
    phases = boundary.sum(axis=0) + above
    active = float(levels @ phases)
    in_setup = float(
        sum(_setups(n, a, k, staggered) * boundary[n, a] for n in range(k) for a in range(n + 1))
        + sum(_setups(k, a, k, staggered) * (boundary[k, a] + above[a]) for a in range(k + 1))
    )
    return SetupQueue(
        requests=requests,
        response_time=requests / lam,
        active=active,
        in_setup=in_setup,
        decay=np.diag(rates).copy(),
        boundary=boundary,
        rate_matrix=rates,
    )
