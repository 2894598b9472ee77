"""The average-cost problem as a linear program over stationary frequencies (HiGHS)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from quire.checks import positive
from quire.queueing.decisions.farm_models import DecisionModel
from quire.queueing.decisions.value_iteration import OptimalPolicy, UniformisedModel, cost_bounds
from quire.queueing.errors import ConvergenceError
from quire.signatures import checked


def _frequencies(model: DecisionModel, limit: float | None) -> Any:
    """Return HiGHS's answer; the variables are shares of time of each (state, decision).

    Raises
    ------
    ConvergenceError
        When HiGHS finds no optimum.
    """
    owner = np.repeat(np.arange(model.states), np.diff(model.first))
    scale = model.uniform_rate
    chosen = model.choice
    size = (model.states, len(chosen))
    columns = np.arange(len(chosen))
    arrive = sp.csc_array(model.rates[chosen].T / scale)
    loop = 1 - model.total_rate[chosen] / scale
    arrive = arrive + sp.csc_array((loop, (model.stay[chosen], columns)), shape=size)
    leave = sp.csc_array((np.ones(len(chosen)), (owner, columns)), shape=size)
    balance = sp.vstack(
        [(sp.diags_array(_weights(model)) @ (leave - arrive))[1:], np.ones((1, len(chosen)))]
    )
    right = np.zeros(model.states)
    right[-1] = 1.0
    requests = model.post[chosen, 0].astype(float)
    answer = linprog(
        model.cost_rate[chosen] + model.fee * scale,
        A_eq=sp.csc_array(balance),
        b_eq=right,
        A_ub=None if limit is None else requests[None, :],
        b_ub=None if limit is None else [limit],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if answer.status != 0:
        raise ConvergenceError((-np.inf, np.inf), int(answer.nit))
    return answer


def _weights(model: DecisionModel) -> np.ndarray:
    """Relative values grow like n^2, and so does the harm of a residual: weigh the rows alike."""
    return (1.0 + model.pre[:, 0]) ** 2


@checked
def linear_program(model: DecisionModel) -> OptimalPolicy:
    """Minimise the average cost over all stationary randomised policies (d'Epenoux, Manne 1960).

    The relative values are the dual prices of the balance equations; one optimality step on them
    gives the lower bound, as loose as HiGHS's tolerance times the squared queue length. The upper
    bound is the cost of the frequencies found. Of states that the optimum never visits the prices,
    and so the decisions, say nothing. If HiGHS finds no optimum, a ``ConvergenceError`` says so.
    """
    answer = _frequencies(model, None)
    prices = np.append(0.0, answer.eqlin.marginals[:-1])
    values = prices * _weights(model) / model.uniform_rate
    lower, _ = cost_bounds(model, values)
    taken = UniformisedModel(model).greedy(values)
    cost = float(answer.fun)
    return OptimalPolicy(cost, lower, cost, values, taken, int(answer.nit))


@dataclass(frozen=True)
class LimitedOptimum:
    """The least average cost with a limit on the requests present; its policy may be randomised."""

    cost: float  # g
    requests: float  # E[n] under the optimal frequencies
    servers: float  # E[a + s]
    delay_price: float  # dual price of the limit: the weight w that leads to the same point


@checked
def limited_optimum(model: DecisionModel, most_requests: float) -> LimitedOptimum:
    """Minimise the average cost over all policies with ``E[n] <= most_requests``.

    With ``delay = 0`` in the costs the optimum walks along the trade-off curve. If HiGHS finds no
    optimum, a ``ConvergenceError`` says so.
    """
    answer = _frequencies(model, positive("most_requests", most_requests))
    states = model.post[model.choice]
    return LimitedOptimum(
        cost=float(answer.fun),
        requests=float(states[:, 0] @ answer.x),
        servers=float(states[:, 1:].sum(axis=1) @ answer.x),
        delay_price=float(-answer.ineqlin.marginals[0]),
    )
