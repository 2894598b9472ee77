"""Checks of the chapter's exercises: each computes the right answer and tells whether this is it.

A check returns False for None, for what is no number, and for a wrong shape; it never raises.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from numbers import Real
from typing import Any

from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import (
    DecisionModel,
    committed_model,
    free_cancel_model,
)
from quire.queueing.decisions.stationary import evaluate
from quire.queueing.exact.closed_forms import best_static, n_policy
from quire.queueing.farm import Costs, Farm
from quire.queueing.policies import Band, floor_policy


def _number(answer: Any) -> float:
    """Return a real number, or nan for anything else."""
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return math.nan
    return float(answer)


def response_time_with_setup(answer: Any) -> bool:
    """Check E[T] of one server with constant setup of length 4, arrivals 0.6, service rate 1."""
    farm = Farm(0.6, 0.25, 1)
    right = n_policy(farm, 1, variability=0.0).requests / farm.arrival_rate
    return abs(_number(answer) - right) < 1e-3 * right


def price_of_switching(answer: Any) -> bool:
    """Check the delay prices below which on-off beats always on: arrivals 0.4, setup rate 0.2.

    The first is for a setup that is paid like service (gamma = 1), the second for gamma = 1/2.
    """
    if not isinstance(answer, Sequence) or isinstance(answer, str) or len(answer) != 2:
        return False
    farm = Farm(0.4, 0.2, 1)
    queue = n_policy(farm, 1)
    longer = queue.requests - farm.load / (1 - farm.load)
    rights = [(1 - queue.active - share * queue.in_setup) / longer for share in (1.0, 0.5)]
    return all(
        abs(_number(value) - right) < 1e-3 * right
        for value, right in zip(answer, rights, strict=True)
    )


@lru_cache
def _floor_advantage(rate: float) -> float:
    """Return by which share the best constant number costs more than the best floor."""
    farm, costs = Farm.at_load(0.5, rate, 5), Costs()
    model = free_cancel_model(farm, costs, 120)
    floors = min(evaluate(model, floor_policy(q)).cost for q in range(6))
    return best_static(farm, costs)[1] / floors - 1


def five_per_cent_setup_rate(answer: Any) -> bool:
    """Check the setup rate at which the best constant is five per cent above the best floor."""
    rate = _number(answer)
    if not 0.01 <= rate <= 1000:
        return False
    return abs(_floor_advantage(rate) - 0.05) < 0.001


@lru_cache
def _committed_farm() -> tuple[DecisionModel, float]:
    model = committed_model(Farm(2.5, 1.0, 5), Costs(allocation=2.0), 60)
    return model, policy_iteration(model).cost


def committed_band(answer: Any) -> bool:
    """Check floor, start and keep of a band within 1 % of the optimum of a committed farm."""
    if not isinstance(answer, Sequence) or isinstance(answer, str) or len(answer) != 3:
        return False
    numbers = [_number(value) for value in answer]
    if any(not math.isfinite(value) or value != int(value) for value in numbers):
        return False
    floor, start, keep = (int(value) for value in numbers)
    if not 0 <= floor <= 5 or not -20 <= start <= 5 or not max(start, 0) <= keep <= 5:
        return False
    model, best = _committed_farm()
    return evaluate(model, Band(floor, start, keep)).cost <= 1.01 * best
