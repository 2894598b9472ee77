"""Finite semi-Markov decision problems in pre- and post-decision form: what the solvers see.

*Pre-decision* states ``x`` are what an event left behind, *post-decision* states ``y`` what the
decision made of it. From ``y`` the chain runs at constant rates to the next event, so the
optimality equation is

    h(x) = min_{y reachable from x} { fee(x, y) + (cost(y) - g)/nu(y) + sum p(z | y) h(z) }

and uniformisation with the largest total rate turns it into a discrete-time average-cost problem.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


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
    transitions = np.asarray(transitions, dtype=float)
    costs = np.asarray(costs, dtype=float)
    if transitions.ndim != 3 or transitions.shape[1] != transitions.shape[2]:
        raise ValueError(
            f"transitions have shape {transitions.shape}: must be (actions, states, states)"
        )
    actions, states, _ = transitions.shape
    if costs.shape != (states, actions):
        raise ValueError(f"costs have shape {costs.shape}: must be {(states, actions)}")
    if not (transitions >= 0).all() or not (np.abs(transitions.sum(axis=2) - 1) <= 1e-9).all():
        raise ValueError("transitions: every row must be a probability distribution")
    if not np.isfinite(costs).all():
        raise ValueError("costs: every entry must be a finite number")
    return SemiMarkov(
        rates=sp.csr_array(transitions.transpose(1, 0, 2).reshape(states * actions, states)),
        cost_rate=costs.reshape(-1),
        stay=np.repeat(np.arange(states), actions),
        first=np.arange(states + 1) * actions,
        choice=np.arange(states * actions),
        fee=np.zeros(states * actions),
    )
