"""One door to the solvers: they take the same model and return the same type."""

from quire.queueing.decisions._linear_program import linear_program
from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import DecisionModel
from quire.queueing.decisions.value_iteration import (
    OptimalPolicy,
    modified_policy_iteration,
    relative_value_iteration,
)
from quire.signatures import checked

_SOLVERS = {
    "pi": policy_iteration,
    "mpi": modified_policy_iteration,
    "rvi": relative_value_iteration,
    "lp": linear_program,
}


@checked
def solve(model: DecisionModel, method: str = "pi") -> OptimalPolicy:
    """Return an optimal policy of ``model`` with bounds on its cost.

    Parameters
    ----------
    model
        A farm's decision problem.
    method
        ``pi`` policy iteration, ``mpi`` modified policy iteration, ``rvi`` relative value
        iteration, ``lp`` the linear program.

    Raises
    ------
    ValueError
        For another method.
    """
    if method not in _SOLVERS:
        raise ValueError(f"method = {method!r}: must be one of {', '.join(_SOLVERS)}")
    return _SOLVERS[method](model)
