"""Server steps that know nothing of graphs: averages of clients' updates, and what guards them.

An aggregator is a frozen dataclass with two pure methods, in the manner of optax: ``init(params)``
gives its state, and ``apply(state, params, updates, weights)`` the step to add to the parameters
and the next state. ``updates`` stacks K clients' finite updates, ``weights`` sums to 1. Numbers in
an aggregator are data to JAX: changing one compiles nothing anew, and a grid of them can be
vmapped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from quire.aggregation._compiling import program
from quire.aggregation.errors import SettingError, require_range
from quire.aggregation.server.updates import (
    TINY,
    Tree,
    admit,
    check_same_structure,
    gram,
    norm,
    scale,
    weighted_sum,
)

State = Any
Number = int | float | Float[Array, "..."]

aggregator = partial(jax.tree_util.register_dataclass)
"""Makes a dataclass of settings a JAX tree, so that its numbers can be traced."""


@runtime_checkable
class Aggregator(Protocol):
    """What every server step offers."""

    def init(self, params: Tree) -> State:
        """Return the state before the first round."""
        ...

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the step to add to ``params``, and the next state."""
        ...


def aggregate(
    aggregator: Aggregator,
    state: State,
    params: Tree,
    updates: Tree,
    weights: Float[Array, " K"],
) -> tuple[Tree, State, Int[Array, ""]]:
    """Admit clients' updates and apply one server step.

    Parameters
    ----------
    aggregator, state
        Which step, and its state.
    params
        The global parameters that clients were sent.
    updates
        What each client added to them, leaves stacked over clients.
    weights
        Shares of the clients; they sum to 1.

    Returns
    -------
    The step to add to ``params``, the next state, and how many updates were rejected because they
    were not finite. Updates that differ from the parameters in structure or shape are refused with
    a `LeafMismatch` that names the leaf.
    """
    check_same_structure(params, updates)
    return _aggregate(aggregator, state, params, updates, weights)


@program
def _aggregate(
    aggregator: Aggregator,
    state: State,
    params: Tree,
    updates: Tree,
    weights: Float[Array, " K"],
) -> tuple[Tree, State, Int[Array, ""]]:
    admitted, shares, rejected = admit(updates, weights)
    step, state = aggregator.apply(state, params, admitted, shares)
    return step, state, rejected


@aggregator
@dataclass(frozen=True)
class FedAvg:
    """The weighted mean of the updates, times a server rate. Source: McMahan et al. (2017)."""

    rate: Number = 1.0

    def init(self, params: Tree) -> State:
        """Return no state."""
        return ()

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the mean."""
        return scale(weighted_sum(updates, weights), self.rate), state


@aggregator
@dataclass(frozen=True)
class FedAvgM:
    """The mean of the updates, with momentum at the server. Source: Hsu, Qi and Brown (2019)."""

    momentum: Number = 0.9
    rate: Number = 1.0

    def __post_init__(self) -> None:
        require_range("momentum", self.momentum, 0, 1, high_open=True)

    def init(self, params: Tree) -> State:
        """Return a velocity of zero."""
        return jax.tree.map(jnp.zeros_like, params)

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the velocity: momentum times itself, plus the mean."""
        mean = weighted_sum(updates, weights)
        velocity = jax.tree.map(lambda v, u: (self.momentum * v + u).astype(u.dtype), state, mean)
        return scale(velocity, self.rate), velocity


@aggregator
@dataclass(frozen=True)
class FedNova:
    """The mean of updates per local step, times the mean number of steps.

    ``steps`` holds each client's local steps. Equal steps make it FedAvg.
    Source: Wang et al. (2020), eq. 5 with plain local SGD.
    """

    steps: tuple[int, ...] = field(metadata={"static": True})

    def __post_init__(self) -> None:
        if not self.steps or min(self.steps) < 1:
            raise SettingError(f"steps = {self.steps}: give every client at least one step")

    def init(self, params: Tree) -> State:
        """Return no state."""
        return ()

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the normalised mean."""
        steps = jnp.asarray(self.steps, weights.dtype)
        return weighted_sum(updates, weights * jnp.sum(weights * steps) / steps), state


@aggregator
@dataclass(frozen=True)
class Clipped:
    """The mean of updates whose norm is capped at ``kappa`` times the median client's.

    It isolates sensitivity control from the two other steps of GGRS. Source: ours, norm clipping
    as in private federated averaging with the median as threshold.
    """

    kappa: Number = 1.0

    def __post_init__(self) -> None:
        require_range("kappa", self.kappa, 0, float("inf"), low_open=True)

    def init(self, params: Tree) -> State:
        """Return no state."""
        return ()

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the mean of the capped updates."""
        norms = jax.vmap(norm)(updates)
        cap = self.kappa * jnp.median(norms)
        factors = jnp.where(norms > cap, cap / jnp.maximum(norms, TINY), 1)
        return weighted_sum(updates, (weights * factors).astype(weights.dtype)), state


@aggregator
@dataclass(frozen=True)
class CoordinateMedian:
    """The median over clients of each coordinate, without weights. Source: Yin et al. (2018)."""

    def init(self, params: Tree) -> State:
        """Return no state."""
        return ()

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the medians."""
        return jax.tree.map(lambda leaf: jnp.median(leaf, axis=0), updates), state


@aggregator
@dataclass(frozen=True)
class PCGrad:
    """The mean of updates, each projected off every other update that it conflicts with.

    For client i, over the others in a seeded order: whenever <d_i, D_j> < 0, d_i loses its
    component along the *original* D_j. Worked in the basis of the updates: one Gram matrix is all
    it costs.
    Source: Yu et al. (2020), algorithm 1.
    """

    seed: int = field(default=0, metadata={"static": True})

    def init(self, params: Tree) -> State:
        """Return the key that orders the projections."""
        return jax.random.key(self.seed)

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the mean of the projected updates."""
        state, key = jax.random.split(state)
        products = gram(updates)
        clients = len(weights)
        order = jax.random.permutation(key, clients)

        def project(i: Array, j: Array) -> tuple[Array, None]:
            along = i @ products[:, j]
            off = along / jnp.maximum(products[j, j], TINY)
            # A client never conflicts with itself, and a zero update conflicts with nobody.
            return jnp.where(along < 0, i.at[j].add(-off), i), None

        start = jnp.eye(clients, dtype=products.dtype)
        mixed = jax.vmap(lambda row: jax.lax.scan(project, row, order)[0])(start)
        return weighted_sum(updates, weights @ mixed), state


@aggregator
@dataclass(frozen=True)
class StepMatched:
    """The direction of one aggregator with the step length of another, round by round.

    Both see the same updates; ``inner`` says where to go and ``length`` how far. What is left of a
    comparison between them can not be a matter of the size of the server's step. Source: ours.
    """

    inner: Any
    length: Any

    def init(self, params: Tree) -> State:
        """Return both states."""
        return self.inner.init(params), self.length.init(params)

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the inner step, rescaled."""
        step, inner = self.inner.apply(state[0], params, updates, weights)
        other, length = self.length.apply(state[1], params, updates, weights)
        return scale(step, norm(other) / jnp.maximum(norm(step), TINY)), (inner, length)


@aggregator
@dataclass(frozen=True)
class OneOf:
    """One aggregator out of several, chosen by a number at run time.

    Training compiles once for all of them, which is most of a comparison's cost on a small graph.
    Out of a vmap over ``choice`` only the chosen one is computed. Source: ours.
    """

    options: tuple[Any, ...]
    choice: Int[Array, "..."]

    def init(self, params: Tree) -> State:
        """Return the states of all."""
        return tuple(option.init(params) for option in self.options)

    def apply(
        self, state: State, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, State]:
        """Return the chosen one's step; the others' states stay as they are."""

        def branch(place: int) -> Any:
            def take(states: State) -> tuple[Tree, State]:
                step, new = self.options[place].apply(states[place], params, updates, weights)
                return step, (*states[:place], new, *states[place + 1 :])

            return take

        return jax.lax.switch(self.choice, [branch(i) for i in range(len(self.options))], state)
