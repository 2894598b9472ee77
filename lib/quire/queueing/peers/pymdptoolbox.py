"""Relative value iteration and the forest of package ``pymdptoolbox``."""

import numpy as np
from jaxtyping import Float


def toolbox_cost(
    transitions: Float[np.ndarray, "actions states states"],
    costs: Float[np.ndarray, "states actions"],
) -> float:
    """Return the average cost per step by pymdptoolbox's relative value iteration."""
    from mdptoolbox.mdp import RelativeValueIteration

    solver = RelativeValueIteration(transitions, -costs, epsilon=1e-10, max_iter=10_000)
    solver.run()
    return -float(solver.average_reward)


def toolbox_forest() -> tuple[
    Float[np.ndarray, "actions states states"], Float[np.ndarray, "states actions"]
]:
    """Return pymdptoolbox's own example, a forest that is felled or left to grow, as costs."""
    from mdptoolbox.example import forest

    transitions, rewards = forest()
    return np.asarray(transitions), -np.asarray(rewards)
