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
from functools import lru_cache
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

MOST_KEPT = 20_000
"""States of a model up to which its pattern is kept: models at other rates share it."""


def _checked_levels(farm: Farm, levels: int, per_level: int) -> int:
    levels = integer("levels", levels, farm.servers + 10)
    if (levels + 1) * per_level > MOST_STATES:
        raise ValueError(
            f"levels = {levels}: {(levels + 1) * per_level} states are more than {MOST_STATES}; "
            "take fewer levels or servers"
        )
    return levels


@dataclass(frozen=True)
class _Pattern:
    """What a model of so many servers and levels looks like, whatever its rates and prices."""

    pre: Int[np.ndarray, "pre fields"]
    post: Int[np.ndarray, "post fields_post"]
    stay: Int[np.ndarray, " post"]
    first: Int[np.ndarray, " pre_and_one"]
    choice: Int[np.ndarray, " decisions"]
    started: Int[np.ndarray, " decisions"]  # servers that a decision starts
    rows: Int[np.ndarray, " events"]  # post-decision state that an event leaves
    columns: Int[np.ndarray, " events"]  # pre-decision state that it leads to
    kind: Int[np.ndarray, " events"]  # 0 a service, 1 an arrival, 2 a stage of a setup
    number: Int[np.ndarray, " events"]  # servers that work towards it, times stages


def _pattern(servers: int, levels: int, stages: int) -> _Pattern:
    """Return the pattern of V1 (no stages) or V3, kept for the next model unless it is large."""
    per_level = math.comb(servers + max(stages, 1) + 1, max(stages, 1) + 1)
    make = _kept if (levels + 1) * per_level <= MOST_KEPT else _made
    return make(servers, levels, stages)


@lru_cache(maxsize=16)
def _kept(servers: int, levels: int, stages: int) -> _Pattern:
    return _made(servers, levels, stages)


def _made(k: int, levels: int, stages: int) -> _Pattern:
    pre: list[tuple[int, ...]]
    post: list[tuple[int, ...]]
    decisions: list[list[tuple[int, int]]] = []  # where each leads, and servers it starts
    if stages:
        setups = [s for s in product(range(k + 1), repeat=stages) if sum(s) <= k]
        pre = post = [
            (n, a, *s)
            for n in range(levels + 1)
            for a in range(k + 1)
            for s in setups
            if a + sum(s) <= k
        ]
        where = {state: i for i, state in enumerate(post)}
        for state in pre:
            n, a, fresh, later = state[0], state[1], state[2], state[3:]
            room = k - a - fresh - sum(later)
            options = [(where[n, a, fresh + x, *later], x) for x in range(room + 1)]
            options += [(where[n, b, fresh, *later], 0) for b in range(min(n, a), a)]
            decisions.append(options)
    else:
        pre = [(n, a) for n in range(levels + 1) for a in range(k + 1)]
        post = [(n, a, s) for n, a in pre for s in range(k - a + 1)]
        where = {state: i for i, state in enumerate(post)}
        for n, a in pre:
            options = [(where[n, a, s], 0) for s in range(k - a + 1)]
            options += [(where[n, b, 0], 0) for b in range(min(n, a), a)]
            decisions.append(options)
    counts = np.array([len(options) for options in decisions])
    found = {state: i for i, state in enumerate(pre)}
    events = [
        (i, found[target[: len(pre[0])]], kind, number)
        for i, state in enumerate(post)
        for target, kind, number in _events(state, levels, max(stages, 1))
    ]
    rows, columns, kinds, numbers = np.array(events).T
    return _Pattern(
        pre=np.array(pre),
        post=np.array(post),
        stay=np.array([found[state[: len(pre[0])]] for state in post]),
        first=np.concatenate([[0], np.cumsum(counts)]),
        choice=np.array([y for options in decisions for y, _ in options]),
        started=np.array([x for options in decisions for _, x in options]),
        rows=rows,
        columns=columns,
        kind=kinds,
        number=numbers,
    )


def _events(
    state: tuple[int, ...], levels: int, stages: int
) -> list[tuple[tuple[int, ...], int, int]]:
    """Return where the chain may go from a post-decision state: target, kind and number."""
    n, a, setups = state[0], state[1], state[2:]
    events = []
    if min(n, a):
        events.append(((n - 1, a, *setups), 0, min(n, a)))
    if n < levels:
        events.append(((n + 1, a, *setups), 1, 1))
    for stage, count in enumerate(setups):
        if count:
            later = list(setups)
            later[stage] -= 1
            done = stage == stages - 1
            if not done:
                later[stage + 1] += 1
            events.append(((n, a + done, *later), 2, count * stages))
    return events


def _model(farm: Farm, costs: Costs, levels: int, stages: int) -> DecisionModel:
    """Fill the pattern with rates and prices; the fee is paid at a start, in V1 at completion."""
    shape = _pattern(farm.servers, levels, stages)
    rates = np.array([farm.service_rate, farm.arrival_rate, farm.setup_rate])
    requests, active = shape.post[:, 0], shape.post[:, 1]
    setups = shape.post[:, 2:].sum(axis=1)
    cost = costs.server * (active + costs.setup_share * setups) + costs.delay * requests
    if not stages:
        cost = cost + costs.allocation * setups * farm.setup_rate
    return DecisionModel(
        farm=farm,
        costs=costs,
        levels=levels,
        pre=shape.pre,
        post=shape.post,
        rates=sp.csr_array(
            (shape.number * rates[shape.kind], (shape.rows, shape.columns)),
            shape=(len(shape.post), len(shape.pre)),
        ),
        cost_rate=cost,
        stay=shape.stay,
        first=shape.first,
        choice=shape.choice,
        fee=shape.started * costs.allocation,
    )


@checked
def free_cancel_model(farm: Farm, costs: Costs, levels: int) -> DecisionModel:
    """Return model V1: state ``(n, a)``; decide how many servers to keep and to hold in setup.

    The setup term is linear in the number in setup, so the optimum is all or none: an artefact of
    memoryless setup. ``levels`` is at least K + 10.
    """
    k = farm.servers
    levels = _checked_levels(farm, levels, (k + 1) * (k + 2) // 2)
    return _model(farm, costs, levels, 0)


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
    levels = _checked_levels(farm, levels, math.comb(k + stages + 1, stages + 1))
    return _model(farm, costs, levels, stages)


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
