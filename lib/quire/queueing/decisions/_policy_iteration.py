"""Policy iteration with a sparse direct evaluation, for any semi-Markov problem."""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from jaxtyping import Float, Int

from quire.checks import instance, integer, positive
from quire.queueing.decisions.semi_markov import SemiMarkov, checked_decisions
from quire.queueing.decisions.value_iteration import OptimalPolicy, UniformisedModel
from quire.queueing.errors import ConvergenceError
from quire.signatures import checked

# Killing with restart in state 0: from every state the chain is thrown back there at this share of
# the uniformisation rate. A policy with several recurrent classes ("never start, never stop") then
# still has one finite value per state, and the classes are compared the right way round.
RESTART = 1e-12


def policy_values(
    step: UniformisedModel, taken: Int[np.ndarray, " pre"]
) -> tuple[float, Float[np.ndarray, " pre"]]:
    """Return cost and relative values (zero in state 0) of fixed decisions, by sparse LU."""
    after = step.choice[taken]
    size = len(taken)
    paid = step.fee[taken] + step.cost[after]
    loops = sp.csr_array(
        (step.loop[after], (np.arange(size), step.stay[after])), shape=(size, size)
    )
    moves = sp.eye_array(size) * (1 + RESTART) - step.moves[after] - loops
    # bordered by the unknown average cost and the normalisation h[0] = 0: state 0 may be all but
    # unreachable, so eliminating it first would cancel all digits
    unit = sp.csr_array(([1.0], ([0], [0])), shape=(1, size))
    system = sp.csc_array(sp.bmat([[moves, np.ones((size, 1))], [unit, None]]))
    right = np.append(paid, 0.0)
    factor = spla.splu(system)
    solution = factor.solve(right)
    solution += factor.solve(right - system @ solution)
    values, gain = solution[:-1], solution[-1]
    return float(gain * step.rate), values


@checked
def policy_iteration(
    model: SemiMarkov,
    *,
    start: Int[np.ndarray, " pre"] | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-6,
) -> OptimalPolicy:
    """Improve decisions until they repeat (Howard 1960); ties keep the current decision.

    It stops when the *decisions* repeat, never when the cost does: an improvement in transient
    states leaves the cost as it is. ``lower`` and ``upper`` come from one optimality step at the
    end.

    Raises
    ------
    ConvergenceError
        When the decisions do not repeat within ``max_iterations``, or the bounds end further apart
        than ``tolerance``.
    """
    tolerance = positive("tolerance", tolerance)
    max_iterations = integer("max_iterations", max_iterations, 1)
    instance("model", model, SemiMarkov)
    step = UniformisedModel(model)
    taken = step.first[:-1].copy() if start is None else checked_decisions("start", model, start)
    values = np.zeros(len(taken))
    gain = np.nan
    for iteration in range(1, max_iterations + 1):
        gain, values = policy_values(step, taken)
        improved = step.greedy(values, taken)
        if (improved == taken).all():
            change = (step.best(values) - values) * step.rate
            lower, upper = float(change.min()), float(change.max())
            if not upper - lower <= tolerance:
                raise ConvergenceError((lower, upper), iteration)
            return OptimalPolicy(gain, lower, upper, values, taken, iteration)
        taken = improved
    change = (step.best(values) - values) * step.rate
    raise ConvergenceError((float(change.min()), float(change.max())), max_iterations)
