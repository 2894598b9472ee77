"""Finite semi-Markov decision problems in pre- and post-decision form: what the solvers see.

*Pre-decision* states ``x`` are what an event left behind, *post-decision* states ``y`` what the
decision made of it. From ``y`` the chain runs at constant rates to the next event, so the
optimality equation is

    h(x) = min_{y reachable from x} { fee(x, y) + (cost(y) - g)/nu(y) + sum p(z | y) h(z) }

and uniformisation with the largest total rate turns it into a discrete-time average-cost problem.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from quire.checks import real_array, whole_array


@dataclass(frozen=True)
class SemiMarkov:
    """Rates, prices and choices of a problem with as many pre-decision states as ``first`` opens.

    ``rates[y, x]`` is the rate from post-decision state ``y`` to pre-decision state ``x``. The
    decisions at ``x`` are ``choice[first[x]:first[x + 1]]`` (post-decision states) with immediate
    fees ``fee`` beside them. ``stay[y]`` is the pre-decision state that a fictitious event (the
    self-loop of uniformisation) leads to.

    Raises
    ------
    ValueError
        For a rate, cost or fee that is not finite, a negative rate, or a state without a decision.
    """

    rates: sp.csr_array
    cost_rate: Float[np.ndarray, " post"]
    stay: Int[np.ndarray, " post"]
    first: Int[np.ndarray, " pre_and_one"]
    choice: Int[np.ndarray, " decisions"]
    fee: Float[np.ndarray, " decisions"]

    def __post_init__(self) -> None:
        fine = np.isfinite(self.cost_rate).all() and np.isfinite(self.fee).all()
        if not fine or not np.isfinite(self.rates.data).all():
            raise ValueError("a rate, cost or fee is not finite")
        if len(self.rates.data) and self.rates.data.min() < 0:
            raise ValueError(f"rates = {self.rates.data.min():g}: every rate must be zero or more")
        if np.diff(self.first).min(initial=1) < 1:
            raise ValueError("a state offers no decision")

    @property
    def states(self) -> int:
        """The number of pre-decision states."""
        return len(self.first) - 1

    @property
    def total_rate(self) -> Float[np.ndarray, " post"]:
        """``nu(y)``, the rate of leaving each post-decision state."""
        return np.asarray(self.rates.sum(axis=1)).ravel()

    @property
    def uniform_rate(self) -> float:
        """``Lambda``: above every total rate, so that each state keeps a positive self-loop."""
        return 1.01 * float(self.total_rate.max())


def checked_decisions(name: str, model: SemiMarkov, taken: Any) -> Int[np.ndarray, " pre"]:
    """Return one decision for each state, each its own state's.

    Raises
    ------
    ValueError
        When a number names a decision of another state, or of none.
    """
    found = whole_array(name, taken, 1)
    if len(found) != model.states:
        raise ValueError(f"{name} = {len(found)} decisions: must be one for {model.states} states")
    strange = np.flatnonzero((found < model.first[:-1]) | (found >= model.first[1:]))
    if len(strange):
        state = int(strange[0])
        low, high = int(model.first[state]), int(model.first[state + 1]) - 1
        raise ValueError(f"{name} = {found[state]} in state {state}: must lie from {low} to {high}")
    return found


def discrete_problem(
    transitions: Float[np.ndarray, "actions states states"],
    costs: Float[np.ndarray, "states actions"],
) -> SemiMarkov:
    """Return a discrete-time decision problem: every action in every state, one event a step.

    Average costs are per step.

    Raises
    ------
    ValueError
        When the shapes do not fit, a row of ``transitions`` is not a distribution, or a cost is
        not a finite number.
    """
    transitions = real_array("transitions", transitions, 3, least=0)
    costs = real_array("costs", costs, 2)
    if transitions.shape[1] != transitions.shape[2]:
        raise ValueError(
            f"transitions = of shape {transitions.shape}: must be (actions, states, states)"
        )
    actions, states, _ = transitions.shape
    if costs.shape != (states, actions):
        raise ValueError(f"costs have shape {costs.shape}: must be {(states, actions)}")
    if not (np.abs(transitions.sum(axis=2) - 1) <= 1e-9).all():
        raise ValueError("transitions: every row must be a probability distribution")
    return SemiMarkov(
        rates=sp.csr_array(transitions.transpose(1, 0, 2).reshape(states * actions, states)),
        cost_rate=costs.reshape(-1),
        stay=np.repeat(np.arange(states), actions),
        first=np.arange(states + 1) * actions,
        choice=np.arange(states * actions),
        fee=np.zeros(states * actions),
    )
