"""One farm: a cycle worked by hand, the simple policies at their best, the optimum's decisions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import DecisionModel
from quire.queueing.decisions.index_policy import index_decisions
from quire.queueing.decisions.stationary import (
    Performance,
    evaluate,
    evaluate_decisions,
    policy_generator,
    stationary_law,
)
from quire.queueing.decisions.value_iteration import OptimalPolicy
from quire.queueing.exact.closed_forms import n_policy, static_cost
from quire.queueing.farm import Costs, Farm
from quire.queueing.policies import (
    Band,
    DelayedOff,
    DualThreshold,
    OnOff,
    Policy,
    Staggered,
    Static,
)


@dataclass(frozen=True)
class CyclePart:
    """One part of the cycle of a single server that is switched on and off."""

    part: str
    mean_length: float
    share: float
    share_of_formula: float


def one_server_cycle(farm: Farm) -> list[CyclePart]:
    """Return the parts of an on-off cycle of one server, by hand and by the formula.

    Off for ``1/lambda``, in setup for ``1/alpha``; the busy time starts with ``1 + lambda/alpha``
    requests, each of which takes ``1/(mu - lambda)`` to be worked off together with whoever comes
    meanwhile.
    """
    lam, alpha, mu = farm.arrival_rate, farm.setup_rate, farm.service_rate
    lengths = {"off": 1 / lam, "setup": 1 / alpha, "busy": (1 + lam / alpha) / (mu - lam)}
    cycle = sum(lengths.values())
    queue = n_policy(farm, 1)
    formula = {"off": queue.off, "setup": queue.in_setup, "busy": queue.active}
    return [
        CyclePart(part, length, length / cycle, formula[part]) for part, length in lengths.items()
    ]


def on_off_or_always_on(farm: Farm, delays: np.ndarray) -> dict[str, np.ndarray]:
    """Return, per delay price, the cost of one server switched on and off, and of one always on."""
    queue = n_policy(farm, 1)
    switched = [queue.active + queue.in_setup + w * queue.requests for w in delays]
    always = [static_cost(1, farm, Costs(delay=float(w))) for w in delays]
    return {"delay": delays, "on-off": np.array(switched), "always on": np.array(always)}


@dataclass(frozen=True)
class PolicyRow:
    """A policy on one farm, at its best settings there."""

    family: str
    policy: str
    cost: float
    gap: float  # per cent above the optimum
    servers: float  # E[a + s]
    response_time: float


def _families(farm: Farm) -> dict[str, list[Policy]]:
    """Return every family with the settings that are tried."""
    k = farm.servers
    floors = range(k + 1)
    return {
        "static": [Static(q) for q in range(int(farm.offered_load) + 1, k + 1)],
        "on-off": [OnOff()],
        "staggered": [Staggered()],
        "floor": [Band(q, 0, 0) for q in floors],
        "spare": [Band(q, r, max(r, 0)) for q in floors for r in (-3, -2, -1, 0, 1)],
        "band": [
            Band(q, r, d)
            for q in floors
            for r in (-12, -8, -5, -3, -2, -1, 0)
            for d in sorted({max(r, 0), 1, 2, k // 2, k})
        ],
        "delayed-off": [DelayedOff(beta, q) for beta in (0.03, 0.1, 0.3, 1.0) for q in floors],
        "dual": [
            DualThreshold(up, down) for up in (0.75, 1.0, 1.5, 2.0) for down in (0.0, 0.5, 0.7)
        ],
    }


def policies_on_one_farm(
    model: DecisionModel, solve: Callable[[DecisionModel], OptimalPolicy] = policy_iteration
) -> list[PolicyRow]:
    """Return each family at its cheapest setting on the model's farm, then the optimum.

    The index policy has no setting: one improvement step on the best constant number of servers.
    """
    best = solve(model)

    def row(family: str, policy: str, seen: Performance) -> PolicyRow:
        gap = max(0.0, round(100 * (seen.cost / best.cost - 1), 6))  # below the proof: none
        servers = seen.active + seen.in_setup
        return PolicyRow(family, policy, seen.cost, gap, servers, seen.response_time)

    rows = []
    for family, policies in _families(model.farm).items():
        seen = [(evaluate(model, policy), policy.name) for policy in policies]
        cheapest, name = min(seen, key=lambda pair: pair[0].cost)
        rows.append(row(family, name, cheapest))
    rows.append(row("index", "index", evaluate_decisions(model, index_decisions(model))))
    rows.sort(key=lambda one: -one.cost)
    return [*rows, row("optimum", "optimum", evaluate_decisions(model, best.taken))]


@dataclass(frozen=True)
class OptimalDecisions:
    """What the optimum wants in the states that it visits with no server in setup."""

    requests: np.ndarray
    active: np.ndarray
    wanted: np.ndarray  # active and in setup after the decision
    steps_up: int  # neighbouring states, one request apart, in which it wants more
    steps_down: int  # in which it wants fewer


def optimal_decisions(model: DecisionModel, best: OptimalPolicy, most: int) -> OptimalDecisions:
    """Return the optimum's decisions up to ``most`` requests in states of weight above 1e-12."""
    law = stationary_law(policy_generator(model, best.taken))
    after = model.post[model.choice[best.taken]]
    wanted = after[:, 1] + after[:, 2:].sum(axis=1)
    n, a = model.pre[:, 0], model.pre[:, 1]
    seen = (law > 1e-12) & (n <= most) & (model.pre[:, 2:].sum(axis=1) == 0)
    n, a, wanted = n[seen], a[seen], wanted[seen]
    order = np.lexsort((n, a))
    n, a, wanted = n[order], a[order], wanted[order]
    change = np.diff(wanted)[(np.diff(a) == 0) & (np.diff(n) == 1)]
    return OptimalDecisions(n, a, wanted, int((change > 0).sum()), int((change < 0).sum()))
