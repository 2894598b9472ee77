"""What an autoscaler's two settings cost, next to the optimum.

A Kubernetes-style autoscaler wants ``ceil(metric / target)`` replicas and takes replicas away only
after a stabilisation window. The window is modelled as an exponential time of the same mean, and
replicas take a setup time to become ready (ours; the scaling rule is that of the Kubernetes
Horizontal Pod Autoscaler's documentation).
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float

from quire.checks import integer, non_negative, positive
from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import free_cancel_model
from quire.queueing.decisions.stationary import Performance, evaluate
from quire.queueing.farm import Costs, Farm, truncation_level
from quire.queueing.policies import DelayedOff, DualThreshold, Targets
from quire.signatures import checked


class Metric(Enum):
    """What the autoscaler looks at."""

    UTILISATION = "utilisation"  # busy share of the active servers: blind to the queue
    CONCURRENCY = "concurrency"  # requests present per active server


@dataclass(frozen=True)
class Autoscaler:
    """``ceil(metric / target)`` servers, at least ``floor``, fewer only after ``window``.

    ``window`` is in units of the mean service time and positive; ``floor`` is 1 or more, for
    nothing scales up from zero.

    Raises
    ------
    ValueError
        Unless ``0 < target <= 1`` (utilisation) or ``target > 0`` (concurrency).
    """

    target: float
    window: float
    floor: int = 1
    metric: Metric = Metric.UTILISATION

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", positive("target", self.target))
        object.__setattr__(self, "window", positive("window", self.window))
        object.__setattr__(self, "floor", integer("floor", self.floor, 1))
        if self.metric is Metric.UTILISATION and self.target > 1:
            raise ValueError(f"target = {self.target!r}: a utilisation must lie in (0, 1]")

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
        """Return at least ``a``: up at once, down never at a decision."""
        _, a, wanted = self._wanted(farm, levels)
        return np.maximum(a, wanted)

    def releases(self, farm: Farm, levels: int) -> Float[np.ndarray, "levels phases"]:
        """Return ``1/window`` for each idle server more than wanted."""
        n, a, wanted = self._wanted(farm, levels)
        return np.maximum(a - np.maximum(wanted, n), 0) / self.window

    def as_dual_threshold(self, around: int) -> DualThreshold:
        """Return the thresholds it acts at when about ``around`` servers are active.

        Up when the metric exceeds ``target`` times the active servers, down when one server less
        would do: ``down = target (1 - 1/around)``.
        """
        return DualThreshold(up=self.target, down=self.target * (1 - 1 / around))

    def as_delayed_off(self) -> DelayedOff:
        """Return the delayed-off policy with the same window and floor."""
        return DelayedOff(1 / self.window, self.floor)


@dataclass(frozen=True)
class AutoscalerCost:
    """What the settings cost, and what could be had."""

    performance: Performance
    optimal_cost: float

    @property
    def gap(self) -> float:
        """``g / g* - 1``."""
        return self.performance.cost / self.optimal_cost - 1


@checked
def judge_autoscaler(
    scaler: Autoscaler, farm: Farm, costs: Costs, levels: int | None = None
) -> AutoscalerCost:
    """Return the cost of ``scaler`` beside that of the optimal free-cancel policy."""
    size = truncation_level(farm, 1e-10) if levels is None else levels
    model = free_cancel_model(farm, costs, size)
    best = policy_iteration(model)
    return AutoscalerCost(evaluate(model, scaler), best.cost)


def window_for(setup_time: float, server: float, setup_share: float, allocation: float) -> float:
    """Return the break-even window: keeping a server idle for so long costs as much as a new setup.

    ``(gamma c D + C_a) / c`` (the ski-rental argument); servers are not free.
    """
    price = positive("server", server)
    setup = non_negative("setup_share", setup_share) * positive("setup_time", setup_time)
    return setup + non_negative("allocation", allocation) / price
