"""What a policy does in the long run: stationary law, performance, cost."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from jaxtyping import Float, Int

from quire.checks import instance
from quire.queueing.decisions.farm_models import DecisionModel, decisions_of
from quire.queueing.decisions.semi_markov import checked_decisions
from quire.queueing.policies import DecisionTable, Policy, release_rates
from quire.signatures import checked


@dataclass(frozen=True)
class Performance:
    """Long-run averages of one policy on one model."""

    cost: float  # g, average cost per unit of time
    requests: float  # E[n]
    response_time: float  # E[T] = E[n] / lambda
    active: float  # E[a]
    in_setup: float  # E[s]
    busy: float  # E[min(n, a)]; lambda/mu for every stable policy
    allocations: float  # setups started per unit of time, those later cancelled included
    lost: float  # probability of the highest level, where arrivals are lost


@checked
def stationary_law(generator: sp.csr_array) -> Float[np.ndarray, " states"]:
    """Return the stationary distribution of a generator with one recurrent class (sparse LU).

    Raises
    ------
    ValueError
        When the generator is not square, has an entry that is not finite or a row that does not
        sum to zero, or when there is more than one recurrent class or a weight below -1e-14 (the
        chain is not what it should be).
    """
    if generator.ndim != 2 or generator.shape[0] != generator.shape[1]:
        raise ValueError(f"generator has shape {generator.shape}: must be square")
    if not np.isfinite(generator.data).all():
        raise ValueError("generator: every rate must be finite")
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
    """Return the generator over pre-decision states when ``taken[x]`` is decided in each ``x``.

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


def _start_rate(
    model: DecisionModel, taken: Int[np.ndarray, " pre"], jumps: sp.csr_array
) -> Float[np.ndarray, " pre"]:
    """Setups started per unit of time in each state: by the decisions at the states jumped to.

    A start is a setup that runs after the decision and did not run before it; the event that led
    there ended one setup where it made a server active.
    """
    after = model.choice[taken]
    running = model.post[after, 2:].sum(axis=1)
    coo = jumps.tocoo()
    away = (coo.row != coo.col) & (coo.data > 0)
    source, target, rate = coo.row[away], coo.col[away], coo.data[away]
    completed = model.pre[target, 1] > model.post[after[source], 1]
    left = running[source] - completed
    started = np.maximum(running[target] - left, 0)
    return np.bincount(source, weights=rate * started, minlength=model.states)


@checked
def evaluate(model: DecisionModel, policy: Policy) -> Performance:
    """Return the long-run performance of ``policy``; a delayed-off release runs at its own rate."""
    releases = release_rates(policy, model.farm, model.levels)
    return evaluate_decisions(model, decisions_of(model, policy), releases)


@checked
def evaluate_decisions(
    model: DecisionModel,
    taken: Int[np.ndarray, " pre"],
    releases: Float[np.ndarray, "levels phases"] | None = None,
) -> Performance:
    """Return the long-run performance when decision ``taken[x]`` is made in each state ``x``.

    Decisions that leave more than one recurrent class have no long-run average and are refused
    with a ``ValueError``, and so are decisions that are no decision of their state.
    """
    taken = checked_decisions("taken", instance("model", model, DecisionModel), taken)
    generator = policy_generator(model, taken, releases)
    law = stationary_law(generator)
    after = model.choice[taken]
    n, a = model.post[after, 0], model.post[after, 1]
    setups = model.post[after, 2:].sum(axis=1)
    cost = law @ (model.cost_rate[after] + _fee_rate(model, taken, generator))
    requests = float(law @ n)
    return Performance(
        cost=float(cost),
        requests=requests,
        response_time=requests / model.farm.arrival_rate,
        active=float(law @ a),
        in_setup=float(law @ setups),
        busy=float(law @ np.minimum(n, a)),
        allocations=float(law @ _start_rate(model, taken, generator)),
        lost=float(law[n == model.levels].sum()),
    )


def decision_table(model: DecisionModel, taken: Int[np.ndarray, " pre"]) -> DecisionTable:
    """Return the targets that decisions in V1 amount to: servers kept and servers in setup.

    Raises
    ------
    ValueError
        For a model whose states hold setups; a table of ``(n, a)`` can not say what it decides.
    """
    if model.pre.shape[1] != 2:
        raise ValueError("decision_table: only decisions in V1 are a table of n and a")
    after = model.post[model.choice[taken]]
    shape = (model.levels + 1, model.farm.servers + 1)
    return DecisionTable(after[:, 1:].sum(axis=1).reshape(shape))
