"""Averages of clients' updates that know nothing of graphs: GGRS's rivals.

One frozen dataclass holds them all, in the manner of optax: ``init(params)`` gives its state, and
``apply(state, params, updates, weights)`` the step to add to the parameters and the next state.
``updates`` stacks K clients' finite updates, ``weights`` sums to 1. The numbers of a server are
data to JAX: changing one compiles nothing anew, and a grid of them is one vmapped program.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from quire.aggregation.errors import require_range
from quire.aggregation.server.updates import TINY, Tree, gram, norm, scale, weighted_sum

Number = int | float | Float[Array, "..."]

settings_tree = partial(jax.tree_util.register_dataclass)
"""Makes a dataclass of settings a JAX tree, so that its numbers can be traced."""


@settings_tree
@dataclass(frozen=True)
class Averaging:
    """The mean of the updates, clipped, freed of conflicts, with momentum, as its numbers say.

    With the numbers' defaults it is FedAvg. Source: McMahan et al. (2017).

    Attributes
    ----------
    rate
        The step is the result times this.
    momentum
        FedAvgM: the step is the velocity, momentum times itself plus the mean.
        Source: Hsu, Qi and Brown (2019).
    clip
        Updates longer than this many medians of the clients' norms are shortened to it. Source:
        norm clipping as in private federated averaging, with the median as threshold.
    surgery
        1 for PCGrad, 0 for none: each update loses its component along every update that it
        conflicts with. Source: Yu et al. (2020), algorithm 1, in the clients' order.

    A number out of its range is refused with a `SettingError`.
    """

    rate: Number = 1.0
    momentum: Number = 0.0
    clip: Number = float("inf")
    surgery: Number = 0.0

    def __post_init__(self) -> None:
        require_range("rate", self.rate, 0, float("inf"), low_open=True)
        require_range("momentum", self.momentum, 0, 1, high_open=True)
        require_range("clip", self.clip, 0, float("inf"), low_open=True)
        require_range("surgery", self.surgery, 0, 1)

    def init(self, params: Tree) -> Tree:
        """Return a velocity of zero."""
        return jax.tree.map(jnp.zeros_like, params)

    def apply(
        self, state: Tree, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, Tree]:
        """Return the step and the velocity."""
        factors = clipping(updates, self.clip)
        mixed = jnp.where(self.surgery > 0, surgery(updates), jnp.eye(len(weights)))
        mean = weighted_sum(updates, ((weights * factors) @ mixed).astype(weights.dtype))
        velocity = jax.tree.map(lambda v, u: (self.momentum * v + u).astype(u.dtype), state, mean)
        return scale(velocity, self.rate), velocity


def clipping(updates: Tree, clip: Number) -> Float[Array, " K"]:
    """Return each client's factor, at most 1: ``clip`` medians over its update's norm."""
    norms = jax.vmap(norm)(updates)
    cap = clip * jnp.median(norms)  # nan for infinity times zero: then the test below is false
    return jnp.where(norms > cap, cap / jnp.maximum(norms, TINY), 1)


def surgery(updates: Tree) -> Float[Array, "K K"]:
    """Return, in row i, the mixture of updates that client i's becomes under PCGrad.

    For client i, over all others in their order: whenever <d_i, D_j> < 0, d_i loses its component
    along the *original* D_j. Worked in the basis of the updates: one Gram matrix is all it costs.
    """
    products = gram(updates)
    start: Any = jnp.eye(len(products), dtype=products.dtype)

    def project(row: Array, j: Array) -> tuple[Array, None]:
        along = row @ products[:, j]
        off = along / jnp.maximum(products[j, j], TINY)
        # A client never conflicts with itself, and a zero update conflicts with nobody.
        return jnp.where(along < 0, row.at[j].add(-off), row), None

    return jax.vmap(lambda row: jax.lax.scan(project, row, jnp.arange(len(products)))[0])(start)
