"""AARA, the paper's always-on loop, for a pair of tanks: nine steps, each a pure function.

1 sense; 2 update the belief (an extended Kalman filter); 3 test how surprising the measurement was
(chi-squared, over a window); 4 choose to act, to learn anew, or to ask; 5 plan (predictive control
under a barrier); 6 ask the kernel; 7 act; 8 learn (whole-number statistics in shards; what was
learned before a change is forgotten where that gains more than 10 by the BIC); 9 enter the moment
into a chain of hashes.

Two nano models, linear in their parameters, are learned: ``d upper = b flow - k √upper`` and
``d lower = k √upper - l √lower``, per step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import scipy.special
from jaxtyping import Float

from quire.world_model.determinism import chain, state_hash
from quire.world_model.errors import InfeasibleSafeSet, WorldModelError
from quire.world_model.learning.statistics import Learner, Statistics, solve, statistics
from quire.world_model.planning.predictive import Linear, plan, predictive_program

SHARD, WINDOW, HORIZON = 8, 12, 12
NOISE, DRIFT = 0.02, 0.01  # of a measurement and of a step, dm
ALARM, GAIN = 1e-4, 10.0  # p of the window's chi-squared; least gain of the BIC
MOST = 10.0  # of the flow
FILLING = 0.1  # dm a step for each unit of flow: known, it is the pump's
Pair = Float[np.ndarray, "2"]


@dataclass(frozen=True)
class Mind:
    """All that the loop knows between two steps.

    Attributes
    ----------
    levels, spread
        The belief: mean and covariance.
    learners
        One a tank: the shards that it has learned.
    rows
        Features of both tanks and changes of levels, a row a step, since the last shard was closed.
    recent
        The rows of the window.
    surprises
        Chi-squared values of the window.
    tick
        Number of steps.
    chain
        Hash of all moments.
    """

    levels: Pair
    spread: Float[np.ndarray, "2 2"]
    learners: tuple[Learner, Learner]
    rows: tuple[tuple[float, ...], ...] = ()
    recent: tuple[tuple[float, ...], ...] = ()
    surprises: tuple[float, ...] = ()
    tick: int = 0
    chain: str = ""


def newborn(levels: Pair) -> Mind:
    """Return a loop that believes a first measurement and has learned one weak guess."""
    guess = np.array([[1.0, 0.0], [0.0, 1.0]])
    weak = [
        Learner().learn("guess", statistics(0.1 * guess, 0.1 * np.array(target)))
        for target in ([FILLING, -0.2], [0.2, -0.2])
    ]
    return Mind(np.array(levels), NOISE**2 * np.eye(2), (weak[0], weak[1]))


def coefficients(mind: Mind) -> Float[np.ndarray, "2 2"]:
    """Return the coefficients of both tanks, a row each, from the shards that are known."""
    found = []
    for learner in mind.learners:
        assert learner.total is not None
        found.append(_solved(learner.total))
    return np.array(found)


@lru_cache(maxsize=64)
def _solved(total: Statistics) -> tuple[float, ...]:
    return tuple(solve(total, 1e-9).tolist())


def features(levels: Pair, flow: float) -> Float[np.ndarray, "2 2"]:
    """Return the features of both tanks, a row each."""
    upper, lower = np.sqrt(np.maximum(levels, 0.0))
    return np.array([[flow, upper], [upper, lower]])


def believe(mind: Mind, sensed: Pair, flow: float, theta: Float[np.ndarray, "2 2"]) -> Mind:
    """Return the loop after a measurement: prediction, innovation, chi-squared, update.

    Raises
    ------
    WorldModelError
        When a sensor says no number.
    """
    if not np.isfinite(sensed).all():
        raise WorldModelError(f"sensed = {sensed}: must be finite levels")
    told = features(mind.levels, flow)
    ahead = mind.levels + np.sum(told * theta, axis=1)
    slope = _slope(mind.levels, theta)
    spread = slope @ mind.spread @ slope.T + DRIFT**2 * np.eye(2)
    whole = spread + NOISE**2 * np.eye(2)
    miss = sensed - ahead
    surprise = float(miss @ np.linalg.solve(whole, miss))
    gain = np.linalg.solve(whole, spread).T
    levels = ahead + gain @ miss
    change = levels - mind.levels
    row = (*told.ravel().tolist(), *change.tolist())
    return replace(
        mind,
        levels=levels,
        spread=(np.eye(2) - gain) @ spread,
        rows=(*mind.rows, row),
        recent=(*mind.recent, row)[-WINDOW:],
        surprises=(*mind.surprises, surprise)[-WINDOW:],
        tick=mind.tick + 1,
    )


def alarmed(mind: Mind) -> bool:
    """Return whether the window's measurements are too surprising for what is believed."""
    count = len(mind.surprises)
    return count == WINDOW and bool(scipy.special.chdtrc(2 * count, sum(mind.surprises)) < ALARM)


def learn(mind: Mind, forgets: bool = True) -> tuple[Mind, str]:
    """Return the loop after learning, and what it chose: ``act``, ``learn`` or ``ask``.

    A full shard of rows is learned. After an alarm a tank's older shards are forgotten where a
    model of the window alone gains more than `GAIN` by the BIC; an alarm that no tank's new model
    explains is a reason to ask.
    """
    choice = "act"
    if forgets and alarmed(mind):
        table, choice = np.array(mind.recent), "ask"
        learners = list(mind.learners)
        theta = coefficients(mind)
        for k in range(2):
            x, y = table[:, 2 * k : 2 * k + 2], table[:, 4 + k]
            if _gain(x, y, theta[k]) > GAIN:
                fresh = statistics(x, y)
                learners[k] = Learner().learn(f"since-{mind.tick}", fresh)
                choice = "learn"
        if choice == "learn":
            both = (learners[0], learners[1])
            return replace(mind, learners=both, rows=(), surprises=()), choice
        mind = replace(mind, surprises=())
    if len(mind.rows) < SHARD:
        return mind, choice
    table = np.array(mind.rows)
    made = []
    for k, learner in enumerate(mind.learners):
        shard = statistics(table[:, 2 * k : 2 * k + 2], table[:, 4 + k])
        made.append(learner.learn(f"{mind.tick}", shard))
    return replace(mind, learners=(made[0], made[1]), rows=()), choice


def planned(
    mind: Mind, theta: Float[np.ndarray, "2 2"], wish: float, ceiling: float = math.inf
) -> float:
    """Return the flow that a plan over the horizon begins with; 0 where no plan is safe.

    The barrier is the kernel's own rule, that all water finds room in the lower tank.
    """
    slope = _slope(mind.levels, theta)
    drift = mind.levels + np.sum(features(mind.levels, 0.0) * theta, axis=1) - slope @ mind.levels
    pump = np.array([[theta[0, 0]], [0.0]])
    model = Linear(slope, pump, drift, np.array([0.0, 1.0]))
    room = Linear(np.eye(2), np.array([[FILLING], [0.0]]), np.zeros(2), np.ones(2))
    guards = ((room, 1),) if math.isfinite(ceiling) else ()
    program = predictive_program(
        model, mind.levels, wish, HORIZON, MOST, ceiling, guards, gamma=1.0
    )
    try:
        return float(np.clip(plan(program)[0], 0.0, MOST))
    except InfeasibleSafeSet:
        return 0.0


def entered(mind: Mind, flow: float, choice: str, reason: str) -> Mind:
    """Return the loop with this moment in its chain of hashes."""
    state = np.array([*mind.levels, flow, *coefficients(mind).ravel()])
    return replace(mind, chain=chain([f"{choice} {reason}", state_hash(state)], mind.chain))


def _slope(levels: Pair, theta: Float[np.ndarray, "2 2"]) -> Float[np.ndarray, "2 2"]:
    half = 0.5 / np.sqrt(np.maximum(levels, 0.05))
    return np.array(
        [[1.0 + theta[0, 1] * half[0], 0.0], [theta[1, 0] * half[0], 1.0 + theta[1, 1] * half[1]]]
    )


def _gain(x: Float[np.ndarray, "w 2"], y: Float[np.ndarray, " w"], old: Pair) -> float:
    """Return the gain by the BIC of a model of these rows alone over the old one."""
    new = np.linalg.lstsq(x, y, rcond=None)[0]
    floor = len(y) * (0.1 * NOISE) ** 2
    before = max(float(np.sum((y - x @ old) ** 2)), floor)
    after = max(float(np.sum((y - x @ new) ** 2)), floor)
    return len(y) * math.log(before / after) - len(old) * math.log(len(y))
