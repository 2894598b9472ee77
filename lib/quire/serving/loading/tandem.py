"""Queues in a row, first come first served: a recursion that is linear in (max, plus).

With S(k, i) the service of request i at stage k and D(0, i) its arrival::

    D(k, i) = max(D(k - 1, i), D(k, i - 1)) + S(k, i)

A request maps the vector of the stages' last departures by a matrix over (max, plus); products of
matrices are associative, so that a whole trace is one scan.
"""

from functools import partial
from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numba import njit

from quire.checks import real_array


def tandem(arrival_s: Any, service_s: Any) -> Float[np.ndarray, "stages requests"]:
    """Return when each request leaves each stage, one after another.

    Parameters
    ----------
    arrival_s
        Seconds, never falling, shape (n,).
    service_s
        Seconds at each stage, shape (stages, n).

    Raises
    ------
    ValueError
        When arrivals fall, or the shapes do not fit.
    """
    return _departures(*_checked(arrival_s, service_s))


def tandem_scan(arrival_s: Any, service_s: Any) -> Float[np.ndarray, "stages requests"]:
    """Return what `tandem` returns, by an associative scan of matrices over (max, plus).

    In single precision unless JAX is told otherwise.

    Raises
    ------
    ValueError
        When arrivals fall, or the shapes do not fit.
    """
    arrival, service = _checked(arrival_s, service_s)
    return np.asarray(_scan(jnp.asarray(arrival), jnp.asarray(service)))


def coupled(arrival_s: Any, service_s: Any) -> Float[np.ndarray, " requests"]:
    """Return when each request ends if a stage starts only when all of the one before is done.

    One server whose service is the sum of the stages: engine E0 in closed form.

    Raises
    ------
    ValueError
        When arrivals fall, or the shapes do not fit.
    """
    arrival, service = _checked(arrival_s, service_s)
    return _departures(arrival, service.sum(axis=0, keepdims=True))[0]


def _checked(arrival_s: Any, service_s: Any) -> tuple[np.ndarray, np.ndarray]:
    arrival = real_array("arrival_s", arrival_s, 1, least=0.0)
    service = real_array("service_s", service_s, 2, least=0.0)
    if (np.diff(arrival) < 0).any():
        raise ValueError("arrival_s falls: requests must stand in the order of their arrival")
    if service.shape[1] != arrival.size:
        raise ValueError(
            f"service_s = {service.shape[1]} requests: must be as many as arrivals, {arrival.size}"
        )
    return arrival, service


@njit(cache=True, nogil=True)
@no_type_check
def _departures(arrival, service):
    stages, n = service.shape
    left = np.zeros((stages, n))
    for i in range(n):
        before = arrival[i]
        for k in range(stages):
            if i > 0 and left[k, i - 1] > before:
                before = left[k, i - 1]
            before += service[k, i]
            left[k, i] = before
    return left


@partial(jax.jit)
def _scan(
    arrival: Float[Array, " n"], service: Float[Array, "stages n"]
) -> Float[Array, "stages n"]:
    stages = service.shape[0]
    # Row k: the departure from stage k is the largest of last[j] + S(j..k), and arrival + S(1..k).
    upto = jnp.cumsum(service, axis=0)
    before = upto - service
    j, k = jnp.arange(stages)[None, :], jnp.arange(stages)[:, None]
    paths = upto.T[:, :, None] - before.T[:, None, :]
    square = jnp.where(j <= k, paths, -jnp.inf)
    offset = arrival[:, None] + upto.T

    def joined(one: Any, two: Any) -> Any:
        (a, x), (b, y) = one, two
        product = (b[..., :, :, None] + a[..., None, :, :]).max(axis=-2)
        return product, jnp.maximum((b + x[..., None, :]).max(axis=-1), y)

    _, left = jax.lax.associative_scan(joined, (square, offset))
    return left.T
