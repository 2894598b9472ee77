"""A simulated root-cause analysis whose truth is known: services, faults, tools, and agents.

Services stand in three tiers and call those of the next. A fault is one reason at one service;
callers show it, weaker with distance. A tool looks at one service and returns one of four outcomes
with a known likelihood, so an agent's belief is exact Bayes. What a tool returns depends on the
seed, the incident and the tool alone: a replay sees what the run saw.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.checks import integer, whole_array

REASONS = (
    "cpu load",
    "memory load",
    "disk read load",
    "disk space",
    "network delay",
    "network loss",
    "process kill",
)
"""Seven classes of faults, as in OpenRCA."""

KINDS = ("metric_cpu", "metric_disk", "metric_net", "log", "trace")
"""What tools look at; each is offered for every service."""

OUTCOMES = 4
"""Outcomes of a tool: four levels of a metric, four kinds of log lines, four states of a trace."""

# How strongly a reason shows in cpu, disk and network metrics of its own service.
_SHOWS = np.array(
    [
        [1.0, 0.1, 0.2],
        [0.6, 0.5, 0.1],
        [0.2, 1.0, 0.1],
        [0.1, 0.8, 0.1],
        [0.1, 0.1, 0.8],
        [0.1, 0.1, 1.0],
        [0.3, 0.0, 0.7],
    ]
)
# log: quiet, killed, disk errors, timeouts; trace: fine, slow here, slow below, errors
_LOGS = np.array(
    [
        [0.60, 0.05, 0.05, 0.30],
        [0.20, 0.70, 0.05, 0.05],
        [0.20, 0.02, 0.70, 0.08],
        [0.10, 0.05, 0.80, 0.05],
        [0.30, 0.02, 0.03, 0.65],
        [0.15, 0.02, 0.03, 0.80],
        [0.05, 0.85, 0.02, 0.08],
    ]
)
_TRACES = np.array(
    [
        [0.15, 0.75, 0.05, 0.05],
        [0.25, 0.60, 0.05, 0.10],
        [0.20, 0.70, 0.05, 0.05],
        [0.30, 0.40, 0.05, 0.25],
        [0.15, 0.45, 0.30, 0.10],
        [0.10, 0.30, 0.20, 0.40],
        [0.05, 0.05, 0.05, 0.85],
    ]
)
_HEALTHY_LOG = np.array([0.92, 0.02, 0.02, 0.04])
_HEALTHY_TRACE = np.array([0.92, 0.03, 0.03, 0.02])


@dataclass(frozen=True)
class World:
    """A graph of services with the likelihood of every tool's outcomes.

    Attributes
    ----------
    services, reasons
        How many; the hypotheses are all pairs, and that there is no fault.
    fading
        By what factor a fault's signal weakens from one service to its caller.
    """

    services: int = 12
    reasons: int = 7
    fading: float = 0.7

    def __post_init__(self) -> None:
        integer("services", self.services, 3, 64)
        integer("reasons", self.reasons, 1, len(REASONS))
        if not 0 < self.fading < 1:
            raise ValueError(f"fading = {self.fading!r}: must lie strictly between 0 and 1")

    @property
    def hypotheses(self) -> int:
        """How many explanations there are; the last is that there is no fault."""
        return self.services * self.reasons + 1

    @property
    def tools(self) -> int:
        """How many tools there are: tool ``kind * services + service``."""
        return len(KINDS) * self.services

    @cached_property
    def tiers(self) -> Int[np.ndarray, " services"]:
        """The tier of every service, 0 at the entry."""
        return np.arange(self.services) * 3 // self.services

    @cached_property
    def distances(self) -> Float[np.ndarray, "services services"]:
        """Calls from a service down to another; infinite where there is no way."""
        n, tiers = self.services, self.tiers
        d = np.full((n, n), np.inf)
        np.fill_diagonal(d, 0)
        for v in range(n):
            below = np.flatnonzero(tiers == tiers[v] + 1)
            called = [w for w in below if (v + w) % 2 == 0] or list(below[:1])
            d[v, called] = 1
        for k in range(n):
            d = np.minimum(d, d[:, k : k + 1] + d[k : k + 1])
        return d

    @cached_property
    def likelihood(self) -> Float[np.ndarray, "hypotheses tools outcomes"]:
        """Probability of every outcome of every tool under every hypothesis."""
        n, m = self.services, self.reasons
        table = np.empty((self.hypotheses, len(KINDS), n, OUTCOMES))
        table[:, :3] = _levels(np.zeros(()))
        table[:, 3], table[:, 4] = _HEALTHY_LOG, _HEALTHY_TRACE
        for c in range(n):
            for r in range(m):
                h = c * m + r
                for v in range(n):
                    d = self.distances[v, c]
                    if d == 0:
                        table[h, :3, v] = _levels(_SHOWS[r])
                        table[h, 3, v], table[h, 4, v] = _LOGS[r], _TRACES[r]
                    elif np.isfinite(d):
                        w = self.fading**d
                        table[h, :3, v] = _levels(w * np.array([0.2, 0.0, 0.8]))
                        table[h, 3, v] = _mixed(_HEALTHY_LOG, 3, 0.6 * w)
                        table[h, 4, v] = _mixed(_HEALTHY_TRACE, 2, 0.9 * w)
        return table.reshape(self.hypotheses, self.tools, OUTCOMES)

    @cached_property
    def single(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tables in single precision, for belief updates.

        Likelihoods (hypotheses, tools * outcomes), the entropy of a tool under a hypothesis, and
        likelihoods (tools, outcomes, hypotheses).
        """
        p = self.likelihood.astype(np.float32)
        by_tool = np.ascontiguousarray(p.transpose(1, 2, 0))
        return p.reshape(self.hypotheses, -1), -(p * np.log(p)).sum(axis=2), by_tool

    @cached_property
    def prior(self) -> Float[np.ndarray, " hypotheses"]:
        """One in twenty that there is no fault, the rest evenly."""
        p = np.full(self.hypotheses, 0.95 / (self.hypotheses - 1))
        p[-1] = 0.05
        return p

    def component(self, hypothesis: np.ndarray) -> np.ndarray:
        """Return the service of hypotheses; that of no fault is ``services``."""
        return np.asarray(hypothesis) // self.reasons

    def category(self, hypothesis: int) -> str:
        """Return a hypothesis as a verdict writes it."""
        hypothesis = integer("hypothesis", hypothesis, 0, self.hypotheses - 1)
        if hypothesis == self.hypotheses - 1:
            return "No fault"
        service, reason = divmod(hypothesis, self.reasons)
        return f"service-{service:02d} > {REASONS[reason]}"

    def outcomes(self, seed: int, incidents: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return what every tool says in every incident, (incidents, tools)."""
        seed = integer("seed", seed, 0, 2**64 - 1)
        incidents = whole_array("incidents", incidents, 1)
        truth = whole_array("truth", truth, 1, least=0, most=self.hypotheses - 1)
        draws = uniform(seed, incidents[:, None], np.arange(self.tools)[None, :])
        steps = np.cumsum(self.likelihood[:, :, :-1], axis=2).astype(np.float32)
        found = np.zeros(draws.shape, np.int8)
        for o in range(OUTCOMES - 1):
            found += draws > steps[truth, :, o]
        return found


def truths(world: World, seed: int, incidents: np.ndarray) -> Int[np.ndarray, " incidents"]:
    """Return the hypothesis that is true in every incident, drawn from the prior."""
    draws = uniform(seed, incidents, np.int64(-1))
    return np.minimum(np.searchsorted(np.cumsum(world.prior), draws), world.hypotheses - 1)


def uniform(seed: int, first: Any, second: Any) -> np.ndarray:
    """Return numbers in [0, 1) from a counter (SplitMix64): equal counters give equal numbers."""
    with np.errstate(over="ignore"):
        z: Any = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
        z = z + np.asarray(first, np.int64).astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
        z = _mix(z) + np.asarray(second, np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return (_mix(z) >> np.uint64(11)) * 2.0**-53


def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _levels(signal: np.ndarray) -> np.ndarray:
    """Return the probabilities of four levels of a metric that shows a signal from 0 to 1."""
    off = np.arange(OUTCOMES) - 3 * np.asarray(signal)[..., None]
    p = np.exp(-(off**2) / (2 * 0.6**2))
    return 0.97 * p / p.sum(axis=-1, keepdims=True) + 0.03 / OUTCOMES


def _mixed(healthy: np.ndarray, outcome: int, weight: float) -> np.ndarray:
    p = (1 - weight) * healthy
    p[outcome] += weight
    return p
