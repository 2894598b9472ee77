"""Relative value iteration and modified policy iteration, with two-sided bounds on the cost.

Both work on any :class:`~quire.queueing.decisions.semi_markov.SemiMarkov`. For every function
``h`` of the state the optimal average cost lies between the least and the largest component of
``Lambda (T h - h)`` (Odoni 1969), where ``T`` is the optimality operator of the uniformised
problem: the bounds hold whatever the iteration has reached.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.checks import instance, integer, positive, real_array
from quire.queueing.decisions.semi_markov import SemiMarkov
from quire.queueing.errors import ConvergenceError
from quire.signatures import checked


@dataclass(frozen=True)
class OptimalPolicy:
    """An optimal policy with the proof of its average cost."""

    cost: float  # g
    lower: float  # no policy costs less than this
    upper: float  # the policy found costs at most this
    relative_values: Float[np.ndarray, " pre"]  # h, zero in state 0
    taken: Int[np.ndarray, " pre"]  # decision made in each pre-decision state
    iterations: int


class UniformisedModel:
    """The discrete-time problem: an affine map over post-decision states, then a minimum.

    Every self-loop has positive probability, without which value iteration may oscillate or
    diverge: ``uniform_rate`` lies above every total rate.
    """

    def __init__(self, model: SemiMarkov):
        self.rate = model.uniform_rate
        self.loop = 1 - model.total_rate / self.rate
        self.moves = model.rates / self.rate
        self.cost = model.cost_rate / self.rate
        self.stay, self.first = model.stay, model.first
        self.choice, self.fee = model.choice, model.fee
        self.owner = np.repeat(np.arange(model.states), np.diff(model.first))

    def after(self, values: Float[np.ndarray, " pre"]) -> Float[np.ndarray, " post"]:
        """Return the cost of one step and the values behind it, from each post-decision state."""
        return self.cost + self.moves @ values + self.loop * values[self.stay]

    def best(self, values: Float[np.ndarray, " pre"]) -> Float[np.ndarray, " pre"]:
        """Return ``T h``, what the optimality operator makes of ``values``."""
        return np.minimum.reduceat(self.fee + self.after(values)[self.choice], self.first[:-1])

    def greedy(
        self,
        values: Float[np.ndarray, " pre"],
        current: Int[np.ndarray, " pre"] | None = None,
        tie: float = 1e-11,
    ) -> Int[np.ndarray, " pre"]:
        """Return the minimising decisions; within ``tie`` the current one is kept."""
        offers = self.fee + self.after(values)[self.choice]
        least = np.minimum.reduceat(offers, self.first[:-1])
        slack = tie * (1 + np.abs(least))
        hits = np.flatnonzero(offers <= (least + slack)[self.owner])
        taken = np.empty(len(least), dtype=int)
        taken[self.owner[hits[::-1]]] = hits[::-1]  # the first hit of each state wins
        if current is not None:
            keep = offers[current] <= least + slack
            taken[keep] = current[keep]
        return taken


@checked
def cost_bounds(model: SemiMarkov, values: Float[np.ndarray, " pre"]) -> tuple[float, float]:
    """Return lower and upper bound on the optimal average cost from any function of the state.

    Raises
    ------
    ValueError
        When ``values`` is not one finite number for each state.
    """
    instance("model", model, SemiMarkov)
    step, values = UniformisedModel(model), _of_states("values", model, values)
    change = (step.best(values) - values) * step.rate
    return float(change.min()), float(change.max())


def _of_states(name: str, model: SemiMarkov, values: Any) -> Float[np.ndarray, " pre"]:
    found = real_array(name, values, 1)
    if len(found) != model.states:
        raise ValueError(f"{name} = {len(found)} values: must be one for {model.states} states")
    return found


@checked
def relative_value_iteration(
    model: SemiMarkov,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 200_000,
    start: Float[np.ndarray, " pre"] | None = None,
) -> OptimalPolicy:
    """Apply the optimality operator until the bounds are ``tolerance`` apart (White 1963).

    After ``max_iterations`` a ``ConvergenceError`` carries both bounds.
    """
    return _sweep(model, 0, tolerance, max_iterations, start)


@checked
def modified_policy_iteration(
    model: SemiMarkov,
    *,
    sweeps: int = 50,
    tolerance: float = 1e-9,
    max_iterations: int = 20_000,
    start: Float[np.ndarray, " pre"] | None = None,
) -> OptimalPolicy:
    """Between two optimality steps apply the greedy policy's own operator ``sweeps`` times.

    (Puterman and Shin 1978, average-cost form.) After ``max_iterations`` optimality steps a
    ``ConvergenceError`` carries both bounds.
    """
    sweeps = integer("sweeps", sweeps, 1)
    return _sweep(model, sweeps, tolerance, max_iterations, start)


def _sweep(
    model: SemiMarkov,
    sweeps: int,
    tolerance: float,
    max_iterations: int,
    start: Float[np.ndarray, " pre"] | None,
) -> OptimalPolicy:
    tolerance = positive("tolerance", tolerance)
    max_iterations = integer("max_iterations", max_iterations, 1)
    instance("model", model, SemiMarkov)
    step, values = UniformisedModel(model), np.zeros(model.states)
    if start is not None:
        values = _of_states("start", model, start)
        values -= values[0]
    lower, upper = -np.inf, np.inf
    for iteration in range(1, max_iterations + 1):
        following = step.best(values)
        change = (following - values) * step.rate
        lower, upper = max(lower, change.min()), min(upper, change.max())
        if not np.isfinite(following).all():
            raise ConvergenceError((lower, upper), iteration)
        if upper - lower < tolerance:
            taken = step.greedy(values)
            relative = following - following[0]
            return OptimalPolicy(
                float((lower + upper) / 2), float(lower), float(upper), relative, taken, iteration
            )
        values = following - following[0]
        if sweeps:
            taken = step.greedy(values)
            after = step.choice[taken]
            moves, loop, stay = step.moves[after], step.loop[after], step.stay[after]
            paid = step.fee[taken] + step.cost[after]
            for _ in range(sweeps):
                values = paid + moves @ values + loop * values[stay]
                values -= values[0]
    raise ConvergenceError((float(lower), float(upper)), max_iterations)
