"""What an autoscaler's two settings cost, next to the optimum.

A Kubernetes-style autoscaler wants ``ceil(metric / target)`` replicas and takes replicas away only
after a stabilisation window. The window is modelled as an exponential time of the same mean, and
replicas take a setup time to become ready (ours; the scaling rule is that of the Kubernetes
Horizontal Pod Autoscaler's documentation).
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float

from quire.queueing.decision import free_cancel_model
from quire.queueing.policies import DelayedOff, DualThreshold, Targets
from quire.queueing.policy_iteration import policy_iteration
from quire.queueing.stationary import Performance, evaluate
from quire.queueing.system import Costs, Farm, truncation_level


class Metric(Enum):
    """What the autoscaler looks at."""

    UTILISATION = "utilisation"  # busy share of the active servers: blind to the queue
    CONCURRENCY = "concurrency"  # requests present per active server


@dataclass(frozen=True)
class Autoscaler:
    """``ceil(metric / target)`` servers, at least ``floor``, fewer only after ``window``.

    ``window`` is in units of the mean service time. Raises ``ValueError`` unless
    ``0 < target <= 1`` (utilisation) or ``target > 0`` (concurrency), ``window > 0`` and
    ``floor >= 1``.
    """

    target: float
    window: float
    floor: int = 1
    metric: Metric = Metric.UTILISATION

    def __post_init__(self) -> None:
        if not self.target > 0 or (self.metric is Metric.UTILISATION and self.target > 1):
            raise ValueError(f"target = {self.target!r} must lie in (0, 1] (utilisation) or be > 0")
        if not self.window > 0:
            raise ValueError(f"window = {self.window!r} must be positive")
        if self.floor < 1:
            raise ValueError(f"floor = {self.floor} must be 1 or more: nothing scales up from zero")

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return f"autoscaler({self.target:g},{self.window:g})"

    def _wanted(self, farm: Farm, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n, a = np.indices((levels + 1, farm.servers + 1))
        seen = np.minimum(n, a) if self.metric is Metric.UTILISATION else n
        # 1e-9: a metric exactly on its target must not round up
        wanted = np.ceil(seen / self.target - 1e-9).astype(int)
        return n, a, np.clip(wanted, min(self.floor, farm.servers), farm.servers)

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Scales up at once, down never at a decision."""
        _, a, wanted = self._wanted(farm, levels)
        return np.maximum(a, wanted)

    def releases(self, farm: Farm, levels: int) -> Float[np.ndarray, "levels phases"]:
        """``1/window`` for each idle server more than wanted."""
        n, a, wanted = self._wanted(farm, levels)
        return np.maximum(a - np.maximum(wanted, n), 0) / self.window

    def as_dual_threshold(self, around: int) -> DualThreshold:
        """The thresholds it acts at when about ``around`` servers are active.

        Up when the metric exceeds ``target`` times the active servers, down when one server less
        would do: ``down = target (1 - 1/around)``.
        """
        return DualThreshold(up=self.target, down=self.target * (1 - 1 / around))

    def as_delayed_off(self) -> DelayedOff:
        """The delayed-off policy with the same window and floor."""
        return DelayedOff(1 / self.window, self.floor)


@dataclass(frozen=True)
class Verdict:
    """What the settings cost, and what could be had."""

    performance: Performance
    optimal_cost: float

    @property
    def gap(self) -> float:
        """``g / g* - 1``."""
        return self.performance.cost / self.optimal_cost - 1


def judge_autoscaler(
    scaler: Autoscaler, farm: Farm, costs: Costs, levels: int | None = None
) -> Verdict:
    """The cost of ``scaler`` and its gap to the optimal free-cancel policy on the same farm.

    Raises ``ValueError`` if its steady number of servers can not carry the load.
    """
    size = truncation_level(farm, 1e-10) if levels is None else levels
    model = free_cancel_model(farm, costs, size)
    best = policy_iteration(model)
    return Verdict(evaluate(model, scaler), best.cost)


def window_for(setup_time: float, server: float, setup_share: float, allocation: float) -> float:
    """The break-even window: as long as keeping a server idle costs as much as a new setup.

    ``(gamma c D + C_a) / c`` (the ski-rental argument). Raises ``ValueError`` for free servers.
    """
    if server <= 0 or not math.isfinite(server):
        raise ValueError(f"server = {server!r} must be positive")
    return (setup_share * server * setup_time + allocation) / server
