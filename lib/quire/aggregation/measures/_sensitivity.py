"""Structural sensitivity: how much a trained network's answers hang on the graph's edges.

Larger logits make every absolute change larger, so each measure here is relative, and accuracy is
reported beside it. Definitions: ours.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from quire.aggregation._compiling import program
from quire.aggregation.clients.networks import Network, accuracy, logits
from quire.aggregation.errors import require_range
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.server.updates import TINY, Tree


class Sensitivity(NamedTuple):
    """Each client's structural sensitivity under one perturbation of its edges."""

    accuracy: Float[Array, "*S K"]  # on test nodes, with the edges as they are
    perturbed: Float[Array, "*S K"]  # with the edges perturbed
    change: Float[Array, "*S K"]  # |f(A) - f(A')| / |f(A)|, Frobenius norms of the logits

    @property
    def reliance(self) -> Float[Array, "*S K"]:
        """Accuracy that goes when the edges do; negative where the edges do harm."""
        return self.accuracy - self.perturbed


def drop_edges(
    adjacency: Float[Array, "*K n n"], share: float, key: PRNGKeyArray
) -> Float[Array, "*K n n"]:
    """Remove each undirected edge with probability ``share``, in [0, 1]; symmetry is kept."""
    require_range("share", share, 0, 1)
    draw = jax.random.uniform(key, adjacency.shape)
    kept = jnp.triu(adjacency * (draw >= share), 1)
    return kept + jnp.swapaxes(kept, -1, -2)


def sensitivity(
    network: Network,
    params: Tree,
    federation: Federation,
    share: float,
    key: PRNGKeyArray,
) -> Sensitivity:
    """Measure every client's sensitivity when a share of its edges is dropped.

    Parameters
    ----------
    network
        The network.
    params
        Its parameters, shared by all clients; with a leading axis of seeds on every leaf.
    federation
        The clients' graphs.
    share
        Of the edges that are dropped; 1 leaves every node alone with itself.
    key
        Decides which edges go, the same for all seeds.
    """
    thinned = drop_edges(federation.adjacency, share, key)
    return _sensitivity(network, params, federation._replace(classes=0), thinned)


@partial(program, static_argnames="network")
def _sensitivity(
    network: Network, params: Tree, federation: Federation, thinned: Float[Array, "K n n"]
) -> Sensitivity:
    whole = _scores(network, params, federation, federation.adjacency)
    other = _scores(network, params, federation, thinned)
    present = federation.real[None, :, :, None]
    difference = jnp.linalg.norm((whole - other) * present, axis=(-2, -1))
    size = jnp.linalg.norm(whole * present, axis=(-2, -1))
    score = jax.vmap(lambda f: jax.vmap(accuracy)(f, federation.labels, federation.test), in_axes=0)
    return Sensitivity(score(whole), score(other), difference / jnp.maximum(size, TINY))


def _scores(
    network: Network, params: Tree, federation: Federation, adjacency: Float[Array, "K n n"]
) -> Float[Array, "S K n c"]:
    operators = network.operator(adjacency, federation.real)
    inputs = network.inputs(operators, federation.features)

    def one(values: Tree) -> Float[Array, "K n c"]:
        return jax.vmap(lambda a, x: logits(network, values, a, x))(operators, inputs)

    return jax.vmap(one)(params)
