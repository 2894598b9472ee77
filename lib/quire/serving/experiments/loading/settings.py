"""Workloads, rates and deadlines of the chapter's experiments, and intervals over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from quire.checks import integer, non_negative, positive
from quire.serving.loading import Capacity, LoadingCosts, Requests, capacity, requests_from
from quire.serving.workload.mooncake import PrefixTrace


@dataclass(frozen=True)
class Case:
    """A workload on a system.

    Attributes
    ----------
    name
        For tables.
    requests
        In the trace's order; times of arrival are given by `arrivals`.
    costs
        Of the stages.
    factor, floor_s
        A request is due after ``factor`` times its time alone, after ``floor_s`` at least.
    """

    name: str
    requests: Requests
    costs: LoadingCosts
    factor: float | int = 5.0
    floor_s: float | int = 1.0

    def __post_init__(self) -> None:
        positive("factor", self.factor)
        non_negative("floor_s", self.floor_s)

    @property
    def capacity(self) -> Capacity:
        """Mean stages, and the rates at which engines saturate."""
        return capacity(self.requests, self.costs)

    def arrivals(self, load: float | int, seed: int) -> Requests:
        """Return the requests with exponential gaps at ``load`` of the decoupled capacity."""
        rate = positive("load", load) * self.capacity.decoupled
        return self.requests.retimed(rate, seed).due_after(self.costs, self.factor, self.floor_s)


def chosen(trace: PrefixTrace, least_hit: float | int, count: int) -> Requests:
    """Return the first ``count`` requests of which at least that share is cached.

    What is cached is counted on the whole trace, by the requests before each, without a limit.

    Raises
    ------
    ValueError
        When no request has that share.
    """
    every = requests_from(trace)
    share = every.loaded / trace.n_in
    able = np.flatnonzero(share >= non_negative("least_hit", least_hit))
    if not able.size:
        raise ValueError(f"least_hit = {least_hit}: no request has so much cached")
    return every.select(able[: integer("count", count)])


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % interval (Student's t)."""
    found = np.asarray(values, dtype=np.float64)
    mean = float(found.mean())
    if found.size < 2 or np.ptp(found) == 0:
        return mean, mean, mean
    half = float(stats.t.ppf(0.975, found.size - 1) * stats.sem(found))
    return mean, mean - half, mean + half
