"""The semi-Markov decision models of a farm: who may decide what, when, and at which price.

Three models of setup (ours; Carlsson and Eager 2025 announce semi-Markov decision models in their
abstract, without rules that we could read):

- ``free_cancel_model`` (V1): setups are an action, started and cancelled at will; the fee is paid
  when a setup completes.
- ``committed_model`` (V2): a setup that runs can not be cancelled; the fee is paid when it starts.
- ``erlang_model`` (V3): committed, with a setup of ``stages`` exponential stages of the same mean.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

from quire.checks import integer
from quire.queueing.decisions.semi_markov import SemiMarkov
from quire.queueing.farm import Costs, Farm
from quire.queueing.policies import Policy, checked_targets
from quire.signatures import checked


@dataclass(frozen=True)
class DecisionModel(SemiMarkov):
    """A farm's decision problem; ``pre`` and ``post`` say what its states are.

    One row per state: requests, active servers, then servers in each setup stage.
    """

    farm: Farm
    costs: Costs
    levels: int  # N, most requests in the system; further arrivals are lost
    pre: Int[np.ndarray, "pre fields"]
    post: Int[np.ndarray, "post fields_post"]

    def decisions_to(self, post: Int[np.ndarray, "pre fields_post"]) -> Int[np.ndarray, " pre"]:
        """Return for each pre-decision state the index of the decision that leads to ``post``.

        Raises
        ------
        ValueError
            Names the first state that offers no such decision.
        """
        owner = np.repeat(np.arange(len(self.pre)), np.diff(self.first))
        found = np.flatnonzero((self.post[self.choice] == post[owner]).all(axis=1))
        without = np.setdiff1d(np.arange(len(self.pre)), owner[found])
        if len(without):
            raise ValueError(f"state {self.pre[without[0]].tolist()} offers no such decision")
        return found


MOST_STATES = 2_000_000
"""The largest model that is built; a larger one would not fit the memory of its solvers."""


def _check_size(farm: Farm, levels: int, per_level: int) -> None:
    levels = integer("levels", levels, farm.servers + 10)
    if (levels + 1) * per_level > MOST_STATES:
        raise ValueError(
            f"levels = {levels}: {(levels + 1) * per_level} states are more than {MOST_STATES}; "
            "take fewer levels or servers"
        )


def _assemble(
    farm: Farm,
    costs: Costs,
    levels: int,
    pre: list[tuple[int, ...]],
    post: list[tuple[int, ...]],
    decisions: list[list[tuple[int, float]]],
    stages: int,
    fee_at_completion: bool,
) -> DecisionModel:
    """Fill the transition rates: arrivals, services, setup stages."""
    where = {state: i for i, state in enumerate(pre)}
    width = len(pre[0])
    rows: list[int] = []
    cols: list[int] = []
    data: list[float] = []
    cost = np.empty(len(post))
    stay = np.empty(len(post), dtype=int)
    for i, state in enumerate(post):
        n, a, setups = state[0], state[1], state[2:]
        events = [((n - 1, a, *setups), min(n, a) * farm.service_rate)]
        if n < levels:
            events.append(((n + 1, a, *setups), farm.arrival_rate))
        for stage, count in enumerate(setups):
            later = list(setups)
            later[stage] -= 1
            done = stage == stages - 1
            if not done:
                later[stage + 1] += 1
            events.append(((n, a + done, *later), count * stages * farm.setup_rate))
        for target, rate in events:
            if rate > 0:
                rows.append(i)
                cols.append(where[target[:width]])
                data.append(rate)
        stay[i] = where[state[:width]]
        cost[i] = costs.server * (a + costs.setup_share * sum(setups)) + costs.delay * n
        if fee_at_completion:
            cost[i] += costs.allocation * sum(setups) * farm.setup_rate
    counts = np.array([len(options) for options in decisions])
    return DecisionModel(
        farm=farm,
        costs=costs,
        levels=levels,
        pre=np.array(pre),
        post=np.array(post),
        rates=sp.csr_array((data, (rows, cols)), shape=(len(post), len(pre))),
        cost_rate=cost,
        stay=stay,
        first=np.concatenate([[0], np.cumsum(counts)]),
        choice=np.array([y for options in decisions for y, _ in options]),
        fee=np.array([fee for options in decisions for _, fee in options]),
    )


@checked
def free_cancel_model(farm: Farm, costs: Costs, levels: int) -> DecisionModel:
    """Return model V1: state ``(n, a)``; decide how many servers to keep and to hold in setup.

    The setup term is linear in the number in setup, so the optimum is all or none: an artefact of
    memoryless setup. ``levels`` is at least K + 10.
    """
    k = farm.servers
    _check_size(farm, levels, (k + 1) * (k + 2) // 2)
    pre: list[tuple[int, ...]] = [(n, a) for n in range(levels + 1) for a in range(k + 1)]
    post: list[tuple[int, ...]] = [(n, a, s) for n, a in pre for s in range(k - a + 1)]
    where = {state: i for i, state in enumerate(post)}
    decisions = []
    for n, a in pre:
        options = [(where[n, a, s], 0.0) for s in range(k - a + 1)]
        options += [(where[n, b, 0], 0.0) for b in range(min(n, a), a)]
        decisions.append(options)
    return _assemble(farm, costs, levels, pre, post, decisions, 1, fee_at_completion=True)


@checked
def erlang_model(farm: Farm, costs: Costs, levels: int, stages: int) -> DecisionModel:
    """Return model V3: state ``(n, a, s_1..s_r)``; start some servers or release some idle ones.

    A setup passes ``stages`` exponential stages of rate ``stages * alpha``: the mean stays
    ``1/alpha``, the variance falls. ``levels`` is at least K + 10.

    Raises
    ------
    ValueError
        For more than 4 servers with more than one stage (the state space would not fit).
    """
    k = farm.servers
    stages = integer("stages", stages, 1, 64)
    if stages > 1 and k > 4:
        raise ValueError(f"servers = {k}: Erlang setup is modelled for at most 4 servers")
    _check_size(farm, levels, math.comb(k + stages + 1, stages + 1))
    setups = [s for s in product(range(k + 1), repeat=stages) if sum(s) <= k]
    pre: list[tuple[int, ...]] = [
        (n, a, *s)
        for n in range(levels + 1)
        for a in range(k + 1)
        for s in setups
        if a + sum(s) <= k
    ]
    where = {state: i for i, state in enumerate(pre)}
    decisions = []
    for state in pre:
        n, a, fresh, later = state[0], state[1], state[2], state[3:]
        room = k - a - fresh - sum(later)
        options = [
            (where[(n, a, fresh + x, *later)], x * costs.allocation) for x in range(room + 1)
        ]
        options += [(where[(n, b, fresh, *later)], 0.0) for b in range(min(n, a), a)]
        decisions.append(options)
    return _assemble(farm, costs, levels, pre, pre, decisions, stages, fee_at_completion=False)


@checked
def committed_model(farm: Farm, costs: Costs, levels: int) -> DecisionModel:
    """Return model V2: state ``(n, a, s)``; a setup can not be cancelled, its fee is paid at once.

    ``(N+1)(K+1)(K+2)/2`` states; ``levels`` is at least K + 10.
    """
    return erlang_model(farm, costs, levels, 1)


@checked
def decisions_of(model: DecisionModel, policy: Policy) -> Int[np.ndarray, " pre"]:
    """Return the index of the decision that ``policy`` takes in each pre-decision state.

    Missing servers are set up (in a committed model: beyond those already in setup), surplus idle
    servers are released. A target outside 0..K is refused with a ``ValueError`` that names the
    state.
    """
    n, a, setups = model.pre[:, 0], model.pre[:, 1], model.pre[:, 2:]
    want = checked_targets(policy, model.farm, model.levels)[n, a]
    fewer = want < a
    post = np.zeros((len(n), model.post.shape[1]), dtype=int)
    post[:, 0] = n
    post[:, 1] = np.where(fewer, np.maximum(want, np.minimum(n, a)), a)
    post[:, 2 : 2 + setups.shape[1]] = setups  # none where they can be cancelled
    post[:, 2] += np.where(fewer, 0, np.maximum(want - a - setups.sum(axis=1), 0))
    return model.decisions_to(post)
