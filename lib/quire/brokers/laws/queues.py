"""Waiting in a queue: Erlang C, Allen-Cunneen, and Lindley's recursion in three ways.

``W_{k+1} = max(0, W_k + S_k - A_k)`` is linear in max-plus algebra: in turn, as a prefix minimum of
the walk ``S - A``, or as an associative scan of pairs (a, b), ``x -> max(x + a, b)``.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from quire.checks import integer, non_negative, positive, real_array


def erlang_c(servers: int, load: float) -> float:
    """Return the probability to wait in M/M/c, for a load ``lambda / mu``; one from c on.

    Raises
    ------
    ValueError
        For no servers, more than ten million, or a negative load.
    """
    servers = integer("servers", servers, 1, 10_000_000)
    load = non_negative("load", load)
    if load >= servers:
        return 1.0
    if load == 0:
        return 0.0
    blocked = 1.0  # Erlang B, by its recursion, which neither overflows nor cancels
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    share = load / servers
    return blocked / (1 - share + share * blocked)


def mean_wait(
    rate_per_s: float,
    service_s: float,
    servers: int = 1,
    *,
    arrival_scv: float = 1.0,
    service_scv: float = 1.0,
) -> float:
    """Return the mean wait in G/G/c by Allen and Cunneen; infinite from saturation on.

    ``(C_a^2 + C_s^2) / 2 * E_c / (c mu - lambda)``, exact for M/G/1 and M/M/c.

    Raises
    ------
    ValueError
        For a rate or a service that is not positive, or negative variation.
    """
    rate = positive("rate_per_s", rate_per_s)
    service = positive("service_s", service_s)
    servers = integer("servers", servers)
    variation = non_negative("arrival_scv", arrival_scv) + non_negative("service_scv", service_scv)
    spare = servers / service - rate
    if spare <= 0:
        return float("inf")
    return variation / 2 * erlang_c(servers, rate * service) / spare


def waits(service_s: ArrayLike, gaps_s: ArrayLike) -> Float[np.ndarray, " n"]:
    """Return the wait of each message at one server, from its prefix minimum.

    Parameters
    ----------
    service_s
        Service time of each message.
    gaps_s
        Time from each arrival to the next; the last is not used.

    Raises
    ------
    ValueError
        For negative times or arrays of different lengths.
    """
    service, gaps = _times(service_s, gaps_s)
    walk = np.concatenate([[0.0], np.cumsum(service - gaps)[:-1]])
    return walk - np.minimum.accumulate(walk)


def waits_in_turn(service_s: ArrayLike, gaps_s: ArrayLike) -> Float[np.ndarray, " n"]:
    """Return the same by the recursion itself, one message after the other.

    Raises
    ------
    ValueError
        For negative times or arrays of different lengths.
    """
    service, gaps = _times(service_s, gaps_s)
    found = np.zeros(service.size)
    for k in range(1, service.size):
        found[k] = max(0.0, found[k - 1] + service[k - 1] - gaps[k - 1])
    return found


def waits_by_scan(service_s: ArrayLike, gaps_s: ArrayLike) -> Float[np.ndarray, " n"]:
    """Return the same by JAX's associative scan of max-plus maps, in logarithmic depth.

    Raises
    ------
    ValueError
        For negative times or arrays of different lengths.
    """
    service, gaps = _times(service_s, gaps_s)
    steps = np.concatenate([[0.0], (service - gaps)[:-1]])
    return np.asarray(_scan(steps))


def _scan(steps: Float[np.ndarray, " n"]) -> Any:
    global _compiled
    if _compiled is None:
        import jax
        import jax.numpy as jnp

        def join(first: Any, second: Any) -> Any:
            a, b = first
            c, d = second
            return a + c, jnp.maximum(b + c, d)

        def run(steps: Any) -> Any:
            _, floor = jax.lax.associative_scan(join, (steps, jnp.zeros_like(steps)))
            return floor

        _compiled = jax.jit(run)
    return _compiled(steps)


_compiled: Any = None


def _times(
    service_s: ArrayLike, gaps_s: ArrayLike
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    service = real_array("service_s", service_s, 1, least=0.0)
    gaps = real_array("gaps_s", gaps_s, 1, least=0.0)
    if service.shape != gaps.shape:
        raise ValueError(f"gaps_s = {gaps.size} entries: must be {service.size}")
    return service, gaps
