"""The average-cost problem as a linear program over stationary frequencies (HiGHS)."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from scipy.optimize import linprog

from quire.queueing.decision import DecisionModel
from quire.queueing.errors import ConvergenceError


@dataclass(frozen=True)
class FrequencyOptimum:
    """Optimal long-run share of time of each (state, decision), and what it costs."""

    cost: float  # g
    frequencies: Float[np.ndarray, " decisions"]
    requests: float  # E[n] under these frequencies
    servers: float  # E[a + s]
    delay_price: float  # dual value of the limit on E[n], zero without a limit


def linear_program(model: DecisionModel, *, most_requests: float | None = None) -> FrequencyOptimum:
    """Minimise the average cost over all stationary randomised policies (d'Epenoux, Manne 1960).

    ``most_requests`` limits ``E[n]``: with ``delay = 0`` in the costs the optimum then walks along
    the trade-off curve and ``delay_price`` is the weight ``w`` that leads to the same point.
    Raises ``ConvergenceError`` when HiGHS reports no optimum.
    """
    owner = np.repeat(np.arange(len(model.pre)), np.diff(model.first))
    scale = model.uniform_rate
    chosen = model.choice
    size = (len(model.pre), len(chosen))
    columns = np.arange(len(chosen))
    arrive = sp.csc_array(model.rates[chosen].T / scale)
    loop = 1 - model.total_rate[chosen] / scale
    arrive = arrive + sp.csc_array((loop, (model.stay[chosen], columns)), shape=size)
    leave = sp.csc_array((np.ones(len(chosen)), (owner, columns)), shape=size)
    # relative values grow like n^2, and so does the harm of a residual: weigh the rows alike
    weight = sp.diags_array((1.0 + model.pre[:, 0]) ** 2)
    balance = sp.vstack([(weight @ (leave - arrive))[1:], np.ones((1, len(chosen)))])
    right = np.zeros(size[0])
    right[-1] = 1.0
    price = model.cost_rate[chosen] + model.fee * scale
    requests = model.post[chosen, 0].astype(float)
    limited = most_requests is not None
    answer = linprog(
        price,
        A_eq=sp.csc_array(balance),
        b_eq=right,
        A_ub=requests[None, :] if limited else None,
        b_ub=[most_requests] if limited else None,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if answer.status != 0:
        raise ConvergenceError((-np.inf, np.inf), int(answer.nit))
    servers = model.post[chosen, 1:].sum(axis=1)
    return FrequencyOptimum(
        cost=float(answer.fun),
        frequencies=answer.x,
        requests=float(requests @ answer.x),
        servers=float(servers @ answer.x),
        delay_price=float(-answer.ineqlin.marginals[0]) if limited else 0.0,
    )
