"""What the compiled loop is given: requests, and costs and switches as plain numbers."""

from typing import NamedTuple

import numpy as np

ADMISSION, NET, COPY, DEVICE = range(4)
"""Queues; the last three are the stages."""


class Work(NamedTuple):
    """Requests; tokens as doubles. ``estimate[k, i]`` is what the scheduler believes of stage k."""

    arrival: np.ndarray
    deadline: np.ndarray
    remote: np.ndarray
    loaded: np.ndarray
    context: np.ndarray
    uncached: np.ndarray
    n_out: np.ndarray
    estimate: np.ndarray


class Rules(NamedTuple):
    """Costs and switches (see `stages.Engine` and `costs`)."""

    net_s: float
    copy_s: float
    net_latency: float
    copy_latency: float
    fixed_s: float
    token_s: float
    pair_s: float
    sequence_s: float
    context_s: float
    policy: int
    aging: float
    weight: float
    window: int
    blocking: bool
    cut_through: bool
    recompute: bool
    by_quantum: bool
    decode: bool
    quantum: float
    budget: float
    seats: int
    staging: float
    memory: float
    half_life: float
    weights: tuple[float | int, ...]
    layers: int
    eager: bool
