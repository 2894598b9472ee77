"""Many nano models as arrays, stepped in a fixed order; or only those that a query needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from quire.checks import between, integer, positive
from quire.world_model.errors import WorldModelError


@dataclass(frozen=True)
class Population:
    """Oscillators with a cubic spring, each driven by the outputs of two earlier ones or none.

    Attributes
    ----------
    parameters
        Columns: stiffness, cubic stiffness, damping, shape (models, 3).
    sources
        Two earlier models that drive each one, -1 for none; models stand in topological order.
    weights
        How strongly.
    """

    parameters: Float[np.ndarray, "models 3"]
    sources: Int[np.ndarray, "models 2"]
    weights: Float[np.ndarray, "models 2"]

    def ancestors(self, query: Int[np.ndarray, " k"]) -> Int[np.ndarray, " active"]:
        """Return the models that an answer about ``query`` depends on, in order.

        Raises
        ------
        WorldModelError
            For a model that does not exist.
        """
        asked = np.asarray(query)
        n = len(self.sources)
        if asked.dtype.kind not in "iu" or asked.size == 0 or asked.min() < 0 or asked.max() >= n:
            raise WorldModelError(f"query: must hold models from 0 to {n - 1}")
        return np.asarray(np.flatnonzero(_mark(self.sources, asked.astype(np.int64))))

    def run(
        self, steps: int, step_s: float = 0.02, active: Int[np.ndarray, " active"] | None = None
    ) -> Float[np.ndarray, "models 2"]:
        """Return the states after some steps from rest; models that are not active stay at rest.

        Raises
        ------
        WorldModelError
            When the active models are not closed under what they read.
        """
        chosen = (
            np.arange(len(self.sources)) if active is None else np.asarray(active, dtype=np.int64)
        )
        if active is not None and not np.array_equal(self.ancestors(chosen), np.sort(chosen)):
            raise WorldModelError("active: must hold whatever its models read, each once")
        state = np.zeros((len(self.sources), 2))
        count, h = integer("steps", steps), positive("step_s", step_s)
        _run(self.parameters, self.sources, self.weights, np.sort(chosen), state, count, h)
        return state


def random_population(models: int, seed: int, cone: float = 0.125) -> Population:
    """Return a random population of separate groups, each the share ``cone`` of all models.

    Within a group every model but the first reads its predecessor and a random earlier one, so that
    a query about a group's last model needs the group and nothing else.

    Parameters
    ----------
    models
        Their number.
    seed
        Random seed.
    cone
        Share of the models in a group, between 0 and 1 (1 itself by `cone` just below it).
    """
    n = integer("models", models)
    size = max(1, round(between("cone", cone, 0.0, 1.0 + 1e-9) * n))
    rng = np.random.default_rng(integer("seed", seed, 0))
    place = np.arange(n) % size
    first = np.arange(n) - place
    previous = np.where(place > 0, np.arange(n) - 1, -1)
    earlier = np.where(place > 0, first + (rng.random(n) * place).astype(np.int64), -1)
    parameters = rng.uniform([0.5, 0.0, 0.1], [2.0, 0.5, 0.5], (n, 3))
    weights = rng.uniform(-0.2, 0.2, (n, 2))
    return Population(parameters, np.column_stack([previous, earlier]).astype(np.int64), weights)


@njit(cache=True)
@no_type_check
def _mark(sources, query):
    marked = np.zeros(len(sources), dtype=np.bool_)
    for q in query:
        marked[q] = True
    for k in range(len(sources) - 1, -1, -1):
        if marked[k]:
            for j in range(2):
                if sources[k, j] >= 0:
                    marked[sources[k, j]] = True
    return marked


@njit(cache=True)
@no_type_check
def _run(parameters, sources, weights, active, state, steps, h):
    for t in range(steps):
        drive = 1.0 if t % 100 < 50 else -1.0
        for k in active:
            force = drive if sources[k, 0] < 0 else 0.0
            for j in range(2):
                if sources[k, j] >= 0:
                    force += weights[k, j] * state[sources[k, j], 0]
            q, p = state[k, 0], state[k, 1]
            p += h * (
                force - parameters[k, 0] * q - parameters[k, 1] * q * q * q - parameters[k, 2] * p
            )
            state[k, 0], state[k, 1] = q + h * p, p
