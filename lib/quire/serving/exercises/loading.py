"""The checks of chapter 11's exercises: a bottleneck that moves, a deadlock, a shared link."""

from typing import Any

import numpy as np

from quire.answers import called, is_near
from quire.serving.loading import (
    ComputeCost,
    Deadlock,
    Engine,
    LoadingCosts,
    Requests,
    capacity,
    serve,
)

DEVICE = ComputeCost(0.0, 25e-6, 0.0, 0.0, 0.0)
"""Of the exercise on bottlenecks: 25 microseconds a token, nothing else."""


def capacity_gain(answer: Any) -> bool:
    """Whether the answer is a function of three rows of stage times that returns the gain.

    Network and copy share one link, so that they do not overlap with one another.
    """
    if not callable(answer):
        return False
    rng = np.random.default_rng(11)
    for k in range(4):
        times = rng.exponential(1.0, (3, 50)) * np.roll([1.0, 3.0, 0.5], k)[:, None]
        means = times.mean(axis=1)
        right = float(means.sum() / max(means[0] + means[1], means[2]))
        if not is_near(called(answer, *times), right, rel=1e-6):
            return False
    return True


def bottleneck_moves(answer: Any) -> bool:
    """Whether the answer is the network's GB/s at which the device becomes the bottleneck.

    12,000 cached tokens of 131,072 bytes, 2,000 to compute at 25 microseconds each, a fast copy.
    """
    requests = Requests(np.zeros(1), [12_000], [2_000])
    stages = capacity(requests, LoadingCosts(1e9, 1e12, compute=DEVICE))
    return is_near(answer, stages.net_s / stages.compute_s, rel=5e-3)


def deadlock_room(answer: Any) -> bool:
    """Whether the answer is the least room, in tokens, that excludes a standstill of the two.

    Two requests load 1,000 tokens each, a quantum of 100 in turn, and take room by the quantum.
    """
    two = Requests(np.zeros(2), [1000, 1000], [10, 10])
    kappa = LoadingCosts().kv_bytes_per_token
    for room in range(1000, 2001, 100):
        tight = Engine(quantum_tokens=100, staging_bytes=room * kappa, room_by_quantum=True)
        try:
            serve(two, LoadingCosts(), tight, "sharing")
        except Deadlock:
            continue
        return is_near(answer, room)
    return False


def shared_link(answer: Any) -> bool:
    """Whether the answer is the pair of mean ends, in seconds, of two loads: in a row, and shared.

    Loads of 1 and 3 GB come together, the shorter one first, on a link of 1 GB/s.
    """
    try:
        one, other = answer
    except Exception:  # a reader's object may do anything
        return False
    in_a_row, shared = (1.0 + 4.0) / 2, (2.0 + 4.0) / 2
    return is_near(one, in_a_row, rel=1e-3) and is_near(other, shared, rel=1e-3)
