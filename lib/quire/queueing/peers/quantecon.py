"""QuantEcon's discrete dynamic programs (package ``quantecon``)."""

import numpy as np
from jaxtyping import Int

from quire.queueing.decisions.semi_markov import SemiMarkov
from quire.queueing.decisions.value_iteration import UniformisedModel
from quire.queueing.peers._uniform_chain import chain_of


class QuantEconProblem:
    """QuantEcon's ``DiscreteDP`` over the uniformised chain; it discounts, so compare policies.

    Its value times ``1 - discount`` is far from the average cost; its policy is not.
    """

    def __init__(self, model: SemiMarkov, discount: float):
        from quantecon.markov import DiscreteDP

        step = UniformisedModel(model)
        rewards = -(step.fee + step.cost[step.choice])
        self.first = model.first
        numbers = np.concatenate([np.arange(count) for count in np.diff(model.first)])
        self.problem = DiscreteDP(rewards, chain_of(step), discount, step.owner, numbers)

    def decisions(self, method: str = "policy_iteration") -> Int[np.ndarray, " pre"]:
        """Return the optimal decision of each state, as an index into the model's decisions."""
        return self.first[:-1] + np.asarray(self.problem.solve(method=method).sigma, dtype=int)
