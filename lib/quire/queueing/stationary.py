"""What a policy does in the long run: stationary law, performance, cost."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from jaxtyping import Float, Int

from quire.queueing.decision import DecisionModel, decisions_of
from quire.queueing.policies import Policy, release_rates


@dataclass(frozen=True)
class Performance:
    """Long-run averages of one policy on one model."""

    cost: float  # g, average cost per unit of time
    requests: float  # E[n]
    response_time: float  # E[T] = E[n] / lambda
    active: float  # E[a]
    in_setup: float  # E[s]
    busy: float  # E[min(n, a)]; lambda/mu for every stable policy
    allocations: float  # setups started per unit of time
    lost: float  # probability of the highest level, where arrivals are lost


def stationary_law(generator: sp.csr_array) -> Float[np.ndarray, " states"]:
    """The stationary distribution of a generator with one recurrent class (sparse LU).

    Raises ``ValueError`` if the generator's rows do not sum to zero, or if there is more than one
    recurrent class or a weight below -1e-14 (the chain is not what it should be).
    """
    rows = np.asarray(generator.sum(axis=1)).ravel()
    scale = float(np.abs(generator.diagonal()).max())
    if np.abs(rows).max() > 1e-9 * scale:
        raise ValueError("generator: rows must sum to zero")
    classes, label = sp.csgraph.connected_components(generator, connection="strong")
    leaves = np.ones(classes, dtype=bool)
    coo = generator.tocoo()
    away = label[coo.row] != label[coo.col]
    leaves[label[coo.row[away & (coo.data > 0)]]] = False
    if leaves.sum() != 1:
        raise ValueError(f"generator has {int(leaves.sum())} recurrent classes; one is needed")
    inside = np.flatnonzero(leaves[label])
    law = np.zeros(generator.shape[0])
    if len(inside) == 1:
        law[inside] = 1.0
        return law
    part = generator[inside][:, inside].T.tocsc()
    # fix the first weight at one, drop its equation
    weights = spla.spsolve(part[1:, 1:], -part[1:, [0]].toarray().ravel())
    law[inside] = np.concatenate([[1.0], np.atleast_1d(weights)])
    law /= law.sum()
    if not np.isfinite(law).all() or law.min() < -1e-14:
        raise ValueError(f"generator: the least stationary weight is {law.min():.3g}, not >= 0")
    return law


def policy_generator(
    model: DecisionModel,
    taken: Int[np.ndarray, " pre"],
    releases: Float[np.ndarray, "levels phases"] | None = None,
) -> sp.csr_array:
    """The generator over pre-decision states when decision ``taken[x]`` is made in each ``x``.

    ``releases[n, a]`` is the rate of releasing one idle server on top of that (delayed-off).
    """
    after = model.choice[taken]
    jumps = model.rates[after]
    if releases is not None:
        where = {tuple(state): i for i, state in enumerate(model.pre.tolist())}
        width = model.pre.shape[1]
        states = model.post[after]
        rate = releases[states[:, 0], states[:, 1]]
        rows = np.flatnonzero(rate > 0)
        lower = states[rows]
        lower[:, 1] -= 1
        cols = [where[tuple(state[:width])] for state in lower.tolist()]
        jumps = jumps + sp.csr_array((rate[rows], (rows, cols)), shape=jumps.shape)
    out = np.asarray(jumps.sum(axis=1)).ravel()
    return sp.csr_array(jumps - sp.diags_array(out))


def _fee_rate(
    model: DecisionModel, taken: Int[np.ndarray, " pre"], jumps: sp.csr_array
) -> Float[np.ndarray, " pre"]:
    """Fees paid per unit of time in each state: by the decisions at the states jumped to."""
    off = jumps - sp.diags_array(jumps.diagonal())
    return off @ model.fee[taken]


def evaluate(model: DecisionModel, policy: Policy) -> Performance:
    """The long-run performance of ``policy``; a delayed-off release runs at its own rate."""
    releases = release_rates(policy, model.farm, model.levels)
    return evaluate_decisions(model, decisions_of(model, policy), releases)


def evaluate_decisions(
    model: DecisionModel,
    taken: Int[np.ndarray, " pre"],
    releases: Float[np.ndarray, "levels phases"] | None = None,
) -> Performance:
    """The long-run performance when decision ``taken[x]`` is made in each state ``x``.

    Raises ``ValueError`` when the decisions leave more than one recurrent class.
    """
    generator = policy_generator(model, taken, releases)
    law = stationary_law(generator)
    after = model.choice[taken]
    n, a = model.post[after, 0], model.post[after, 1]
    setups = model.post[after, 2:].sum(axis=1)
    stages = model.post.shape[1] - 2
    finishing = model.post[after, -1] * stages * model.farm.setup_rate
    cost = law @ (model.cost_rate[after] + _fee_rate(model, taken, generator))
    requests = float(law @ n)
    return Performance(
        cost=float(cost),
        requests=requests,
        response_time=requests / model.farm.arrival_rate,
        active=float(law @ a),
        in_setup=float(law @ setups),
        busy=float(law @ np.minimum(n, a)),
        allocations=float(law @ finishing),
        lost=float(law[n == model.levels].sum()),
    )
