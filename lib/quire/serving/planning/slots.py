"""The judge "slot": every slot a server, one queue, first come first served, in compiled code.

The waiting times of G/G/c by Kiefer and Wolfowitz: a request takes the slot that is free first.
With the same arrivals and service times nobody waits longer when there are more slots, so that the
least number that passes is found by bisection, and one fewer is known to fail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from numba import njit

from quire.checks import integer, non_negative, positive, real_array
from quire.serving.planning.gpus import GpuProfile
from quire.serving.planning.lengths import split
from quire.serving.planning.pools import Pool

WARM_UP = 0.2
"""Share of the first requests that no statistic counts."""


@dataclass(frozen=True)
class Verdict:
    """What a simulation saw of one pool.

    Attributes
    ----------
    utilisation
        Slot seconds taken over slot seconds there were, from the end of the warm-up to the last
        arrival.
    expected
        lambda E[S] / c of the same requests.
    wait_p50_ms, wait_p99_ms, ttft_p99_ms
        Percentiles over the requests after the warm-up, milliseconds.
    """

    utilisation: float | int
    expected: float | int
    wait_p50_ms: float | int
    wait_p99_ms: float | int
    ttft_p99_ms: float | int


@njit(cache=True, nogil=True)
@no_type_check
def _sift(heap, value):
    """Replace the least entry of a heap."""
    at, size = 0, heap.size
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


@njit(cache=True, nogil=True)
@no_type_check
def _waits(arrival, service, servers):
    heap = np.full(servers, -np.inf)
    out = np.empty(arrival.size)
    for r in range(arrival.size):
        start = max(heap[0], arrival[r])
        out[r] = start - arrival[r]
        _sift(heap, start + service[r])
    return out


def waits(arrival: Any, service: Any, servers: Any) -> np.ndarray:
    """Return how long each request waits for a server.

    Parameters
    ----------
    arrival
        Times, never falling.
    service
        How long each holds its server, zero or more.
    servers
        c, 1 or more.

    Raises
    ------
    ValueError
        For times that fall, or arrays of different lengths.
    """
    at = real_array("arrival", arrival, 1)
    held = real_array("service", service, 1, least=0.0)
    if (np.diff(at) < 0).any():
        raise ValueError("arrival falls: requests must stand in the order of their arrival")
    if at.size != held.size:
        raise ValueError(f"service = {held.size} numbers: must be {at.size}, as arrivals")
    return _waits(at, held, integer("servers", servers, 1, 10**8))


def judge_slots(
    arrival: Any,
    service: Any,
    servers: Any,
    prefill: Any = 0.0,
    *,
    warm_up: Any = WARM_UP,
    stationary: bool = True,
) -> Verdict:
    """Return what requests meet in a pool of ``servers`` slots.

    Parameters
    ----------
    arrival, service
        Seconds.
    servers
        Slots of all GPUs.
    prefill
        Seconds from the slot to the first token, of each request or of all.
    warm_up
        Share of the first requests that does not count.
    stationary
        Whether lambda E[S] slots are taken at the start by requests that have been served for a
        while (a pool of slots takes minutes to fill: one request may hold its slot that long);
        else it starts empty.

    Raises
    ------
    ValueError
        When the warm-up leaves nothing.
    """
    at, held = real_array("arrival", arrival, 1), real_array("service", service, 1, least=0.0)
    if np.ndim(prefill) == 0:
        extra = np.full(at.shape, non_negative("prefill", prefill))
    else:
        extra = real_array("prefill", prefill, 1, least=0.0)
    if not at.size == held.size == extra.size:
        raise ValueError(
            f"service, prefill = {held.size} and {extra.size} numbers: must be {at.size}, as "
            "arrivals"
        )
    share = real_array("warm_up", [warm_up], 1, least=0.0)[0]
    if share >= 1 or at.size < 2 or at[-1] <= at[0]:
        raise ValueError(f"warm_up = {share:g}: must leave requests and time, of {at.size}")
    if at[-1] <= at[int(at.size * share)]:
        raise ValueError(f"warm_up = {share:g}: leaves no time between arrivals, of {at.size}")
    old = _residuals(at, held) if stationary else np.zeros(0)
    wait = waits(
        np.concatenate([np.full(old.size, at[0]), at]), np.concatenate([old, held]), servers
    )
    before, wait = wait[: old.size], wait[old.size :]
    first = int(at.size * share)
    begin, end = at[first], at[-1]
    start = np.concatenate([at[0] + before, at + wait])
    stop = start + np.concatenate([old, held])
    inside = np.clip(np.minimum(stop, end) - np.maximum(start, begin), 0, None).sum()
    span = end - begin
    rate = (at.size - first - 1) / span
    kept, whole = wait[first:], (wait + extra)[first:]
    return Verdict(
        float(inside / (int(servers) * span)),
        float(rate * held[first:].mean() / int(servers)),
        float(np.percentile(kept, 50) * 1e3),
        float(np.percentile(kept, 99) * 1e3),
        float(np.percentile(whole, 99) * 1e3),
    )


def _residuals(at: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return what is left of the requests that a stationary pool without waiting holds.

    As many as rate x E[S], each chosen with a chance that grows with its service time, at a time
    uniform within it (the equilibrium of M/G/infinity).

    Raises
    ------
    ValueError
        For service times that would keep more than 1e8 requests at once.
    """
    count = round((at.size - 1) / (at[-1] - at[0]) * float(held.mean()))
    if not count or held.sum() <= 0:
        return np.zeros(0)
    if count > 10**8:
        raise ValueError(f"service: {count:.3g} requests would be served at once, 1e8 at most")
    rng = np.random.default_rng(808)
    chosen = np.searchsorted(np.cumsum(held), rng.random(count) * held.sum(), side="right")
    return held[np.minimum(chosen, held.size - 1)] * rng.random(count)


def freed_early(service: Any, slots: Any) -> np.ndarray:
    """Return the service times after which the upstream event simulator frees a slot: S / slots.

    (``core/instance.py``, ``s_eff = s_raw_full / self.n_slots``, beside ``n_slots`` slots that run
    at once: the pool serves ``slots`` times what it can.)
    """
    return real_array("service", service, 1, least=0.0) / integer("slots", slots)


@dataclass(frozen=True)
class Requests:
    """A stream of requests to one pool.

    Attributes
    ----------
    arrival_s
        Times.
    n_in, n_out
        Tokens.
    """

    arrival_s: np.ndarray
    n_in: np.ndarray
    n_out: np.ndarray

    def service_s(self, gpu: GpuProfile, window: int) -> np.ndarray:
        """Return how long each holds a slot."""
        return np.asarray(gpu.service_s(self.n_in, self.n_out, window))

    def prefill_s(self, gpu: GpuProfile) -> np.ndarray:
        """Return the seconds of each prompt alone on a GPU."""
        return -(-self.n_in // gpu.chunk) * gpu.step_s(1)

    def select(self, which: np.ndarray) -> "Requests":
        """Return some of them."""
        return Requests(self.arrival_s[which], self.n_in[which], self.n_out[which])


def poisson_requests(
    pool: Pool, count: Any, seed: Any, *, cv2: Any = 1.0, shortest: int = 1
) -> Requests:
    """Return requests as a pool's plan assumes them.

    Parameters
    ----------
    pool
        With its rate and lengths.
    count
        How many.
    seed
        Of the random numbers.
    cv2
        Squared coefficient of variation of the times between arrivals: 1 for Poisson arrivals, more
        for bursts (a mixture of two exponentials with balanced means).
    shortest
        No request is shorter (the long pool's edge).

    Raises
    ------
    ValueError
        When the pool has no requests.
    """
    if pool.lengths is None:
        raise ValueError("pool: has no requests")
    n, start = integer("count", count, 2), integer("seed", seed, 0)
    rng = np.random.default_rng([start, 8])
    gaps = intervals(n, pool.rate, cv2, rng)
    lengths, p = pool.lengths.weights(shortest, pool.window)
    n_in, n_out = split(rng.choice(lengths, size=n, p=p))
    return Requests(np.cumsum(gaps), n_in, n_out)


def intervals(n: int, rate: Any, cv2: Any, rng: np.random.Generator) -> np.ndarray:
    """Return times between arrivals: exponential, or hyperexponential with a larger spread.

    Raises
    ------
    ValueError
        For a spread below 1.
    """
    lam, spread = positive("rate", rate), positive("cv2", cv2)
    if spread < 1:
        raise ValueError(f"cv2 = {spread:g}: must be 1 (Poisson) or more (bursts)")
    p = 0.5 * (1 + np.sqrt((spread - 1) / (spread + 1)))
    fast = rng.random(n) < p
    mean = np.where(fast, 1 / (2 * p * lam), 1 / (2 * (1 - p) * lam))
    return rng.exponential(1.0, n) * mean


def least_passing(passes: Callable[[int], bool], low: Any, high: Any = 10**6) -> int:
    """Return the least n for which a monotone test passes, by doubling and bisection.

    Parameters
    ----------
    passes
        False up to some n, True from there on.
    low
        Where to begin, 1 or more; fewer are tried where this passes.
    high
        Where to give up.

    Raises
    ------
    ValueError
        When nothing up to ``high`` passes.
    """
    start, most = integer("low", low), integer("high", high)
    bad, good, step = 0, min(start, most), 1
    if passes(good):
        while good > 1:  # fewer than where it began may do
            less = max(1, good - step)
            if not passes(less):
                bad = less
                break
            good, step = less, 2 * step
    else:
        while True:
            if good >= most:
                raise ValueError(f"high = {high}: nothing up to here passes")
            bad, good = good, min(2 * good, most)
            if passes(good):
                break
    while good - bad > 1:
        middle = (good + bad) // 2
        bad, good = (bad, middle) if passes(middle) else (middle, good)
    return good
