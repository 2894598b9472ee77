"""Predictive control under barriers: the best inputs over a horizon, of which the first is used.

For ``x+ = A x + B u + c`` and the level ``c_y'x`` the cost is
``sum (level - wish)^2 + effort |u|^2`` over the horizon. Inputs have a range, and every step must
keep its barriers ``h(x+) >= (1 - gamma) h(x)``, ``h = at_most - row'x``. Once the states are
eliminated this is a quadratic program in the inputs; with the Cholesky factor of its Hessian it
becomes the least distance problem of `barriers.nearest_safe`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.checks import between, integer, non_negative, real_array
from quire.signatures import checked
from quire.world_model.errors import WorldModelError
from quire.world_model.planning.barriers import nearest_safe


@dataclass(frozen=True)
class Linear:
    """A linear model with an output: ``x+ = flow x + inputs u + drift``, ``level = output x``.

    Attributes
    ----------
    flow, inputs, drift
        Shapes (n, n), (n, m), (n,).
    output
        Shape (n,): what is to follow the wish, and what the ceiling is for.
    """

    flow: Float[np.ndarray, "n n"]
    inputs: Float[np.ndarray, "n m"]
    drift: Float[np.ndarray, " n"]
    output: Float[np.ndarray, " n"]

    def __post_init__(self) -> None:
        """Check shapes.

        Raises
        ------
        WorldModelError
            When they do not fit.
        """
        a = real_array("flow", self.flow, 2)
        b, n = real_array("inputs", self.inputs, 2), len(a)
        vectors = (real_array("drift", self.drift, 1), real_array("output", self.output, 1))
        if a.shape != (n, n) or len(b) != n or any(len(v) != n for v in vectors):
            raise WorldModelError(f"model of {a.shape}, {b.shape}: parts must fit each other")

    def response(
        self, steps: int
    ) -> tuple[
        Float[np.ndarray, "steps n"], Float[np.ndarray, " steps"], Float[np.ndarray, "steps k"]
    ]:
        """Return how state, drift and inputs move the levels of so many steps; found once.

        The level of step k without input is row k of the first times the state, plus entry k of the
        second; the third tells how each input moves each level.
        """
        steps = integer("steps", steps, 0)
        known = self.__dict__.setdefault("_responses", {})
        if steps not in known:
            n, m = self.inputs.shape
            powers, drifted, responses = np.zeros((steps, n)), np.zeros(steps), np.zeros((steps, m))
            power, moved = self.output, 0.0
            for k in range(steps):
                responses[k] = power @ self.inputs
                moved += float(power @ self.drift)
                power = power @ self.flow
                powers[k], drifted[k] = power, moved
            late = np.arange(steps)[:, None] - np.arange(steps)[None]
            reach = np.where((late >= 0)[..., None], responses[np.maximum(late, 0)], 0.0)
            known[steps] = powers, drifted, reach.reshape(steps, steps * m)
        found: tuple[np.ndarray, np.ndarray, np.ndarray] = known[steps]
        return found


@dataclass(frozen=True)
class Program:
    """A quadratic program: least ``u'H u / 2 + f'u`` with ``rows u >= at_least``."""

    hessian: Float[np.ndarray, "k k"]
    slope: Float[np.ndarray, " k"]
    rows: Float[np.ndarray, "c k"]
    at_least: Float[np.ndarray, " c"]


@checked
def predictive_program(
    model: Linear,
    state: Float[np.ndarray, " n"],
    wish: float,
    horizon: int,
    most: float,
    ceiling: float = math.inf,
    guards: tuple[tuple[Linear, int], ...] = (),
    gamma: float = 0.3,
    effort: float = 1e-4,
) -> Program:
    """Return the quadratic program of a plan.

    Parameters
    ----------
    model
        What the plan is made by.
    state
        Where it starts.
    wish
        The level that is wished for.
    horizon
        Number of steps.
    most
        Largest input; the least is 0.
    ceiling
        What the output of every guard must stay below.
    guards
        Models with the number of steps over which each must keep the barrier: the model itself over
        the horizon, others over one step as a margin for a wrong model, or none.
    gamma
        By which share of its distance to the ceiling an output may rise in a step, 0 to 1.
    effort
        Weight of the squared inputs.

    Raises
    ------
    WorldModelError
        When the state does not fit the model.
    """
    x, steps = real_array("state", state, 1), integer("horizon", horizon)
    n, m = model.inputs.shape
    if x.shape != (n,):
        raise WorldModelError(f"state of shape {x.shape}: must hold {n} numbers")
    share, weight = between("gamma", gamma, 0.0, 1.0 + 1e-12), non_negative("effort", effort)
    free, reach = _prediction(model, x, steps)
    hessian = 2 * (reach.T @ reach + weight * np.eye(steps * m))
    slope = 2 * reach.T @ (free - wish)
    rows = [np.eye(steps * m), -np.eye(steps * m)]
    least = [np.zeros(steps * m), np.full(steps * m, -float(most))]
    for guard, length in guards:
        ahead, by = _prediction(guard, x, integer("steps of a guard", length, 1, steps))
        before = np.concatenate([[guard.output @ x], ahead[:-1]])
        earlier = np.vstack([np.zeros((1, by.shape[1])), by[:-1]])
        part = np.zeros((length, steps * m))
        part[:, : by.shape[1]] = (1 - share) * earlier - by
        rows.append(part)
        least.append(ahead - (1 - share) * before - share * ceiling)
    return Program(hessian, slope, np.vstack(rows), np.concatenate(least))


@checked
def plan(program: Program) -> Float[np.ndarray, " k"]:
    """Return the best inputs of a program.

    `nearest_safe` raises ``InfeasibleSafeSet`` when no inputs keep every barrier: the caller must
    use its backup.

    Raises
    ------
    WorldModelError
        When the Hessian is not positive definite.
    """
    try:
        lower = np.linalg.cholesky(program.hessian)
    except np.linalg.LinAlgError:
        raise WorldModelError("hessian: must be positive definite; give inputs an effort") from None
    best = -np.linalg.solve(lower, program.slope)  # u = L^-T v: least |v - best|
    rows = np.linalg.solve(lower, program.rows.T).T
    return np.asarray(np.linalg.solve(lower.T, nearest_safe(best, rows, program.at_least).input))


def _prediction(
    model: Linear, x: Float[np.ndarray, " n"], steps: int
) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, "steps k"]]:
    """Return the levels without input, and how each input moves each of them."""
    powers, drifted, reach = model.response(steps)
    return powers @ x + drifted, reach
