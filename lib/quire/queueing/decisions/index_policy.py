"""The index policy: one step of policy improvement on the best constant number of servers."""

import numpy as np
from jaxtyping import Int

from quire.queueing.decisions._policy_iteration import policy_values
from quire.queueing.decisions.farm_models import DecisionModel, decisions_of
from quire.queueing.decisions.value_iteration import UniformisedModel
from quire.queueing.policies import cheapest_static
from quire.signatures import checked


@checked
def index_decisions(model: DecisionModel) -> Int[np.ndarray, " pre"]:
    """Decide once by exact values, then believe in the best constant number of servers (ours).

    In each state the decision minimises the immediate cost plus the relative value of returning to
    the best static policy: what a started server saves, ``h(n, a) - h(n, a+1)`` of M/M/a, is held
    against what it costs.
    """
    step = UniformisedModel(model)
    static = decisions_of(model, cheapest_static(model.farm, model.costs))
    _, values = policy_values(step, static)
    return step.greedy(values, static)
