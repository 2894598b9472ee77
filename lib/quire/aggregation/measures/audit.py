"""The operator audit: what a round does, to first order, to every client's message passing.

Let J_k be the Jacobian of client k's logits, on its real graph, in the shared parameters. The
server's step u moves client k's logits by J_k u; the client's own update D_k would have moved them
by J_k D_k. Their cosine says whether the average went the client's way *in the operator's terms*.

The trick that makes it cheap: the first pre-activation Z is affine in the parameters, so its exact
tangent along u is a difference of two pre-activations that evaluation computes anyway. What remains
is one pre-activation along D_k; the rest of the network is small, and jax.linearize is exact on it.

Source: ours. A simulator can do this, a server can not: it takes the clients' graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from quire.aggregation._compiling import program
from quire.aggregation.clients.local_training import Client
from quire.aggregation.clients.networks import GCN, logits_from, preactivation
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.server.ggrs import GGRS
from quire.aggregation.server.proxies import PROXIES, Graphs, Proxy
from quire.aggregation.server.updates import TINY, Tree, weighted_sum
from quire.signatures import checked


class RoundAudit(NamedTuple):
    """A round's first-order effect on K clients' logits."""

    coherence: Float[Array, "*SR K"]  # cosine of J_k u with J_k D_k
    moved: Float[Array, "*SR K"]  # |J_k u|, how far the round moved the client's logits
    wished: Float[Array, "*SR K"]  # |J_k D_k|, how far the client alone would have moved them


@checked
def audit_round(
    each: Callable[[Callable[..., Any]], Callable[..., Any]],
    network: GCN,
    params: Tree,
    clients: Client,
    federation: Federation,
    before: Float[Array, "K n h"],
    after: Float[Array, "K n h"],
    step: Tree,
    updates: Tree,
) -> RoundAudit:
    """Audit a round from what its evaluation has computed.

    Parameters
    ----------
    each
        What makes a function of one client one of all, such as `jax.vmap`.
    network
        The network.
    params
        Every client's parameters before the step, stacked over clients.
    clients, federation
        The graphs.
    before, after
        First pre-activations at the global parameters before and after the step.
    step, updates
        The server's step, and the clients' updates stacked; zero in personal layers.
    """

    def one(
        values: Tree,
        client: Client,
        real: Array,
        old: Array,
        new: Array,
        update: Tree,
    ) -> tuple[Array, Array, Array]:
        _, push = jax.linearize(
            lambda v, z: logits_from(network, v, client.operator, z), values, old
        )
        by_step = push(step, new - old)
        by_update = push(update, preactivation(network, update, client.inputs))
        return _compare(by_step * real[:, None], by_update * real[:, None])

    return RoundAudit(*each(one)(params, clients, federation.real, before, after, updates))


@partial(program, static_argnames="network")
def agreement(
    network: GCN, params: Tree, clients: Client, updates: Tree, weights: Float[Array, " K"]
) -> dict[str, Float[Array, " K"]]:
    """Return every client's cosine with the mean update: the true one, and each proxy's.

    ``jacobian`` is cos(J_k u, J_k D_k) for the mean u on the client's own graph; ``weights``,
    ``product`` and ``probe`` are cosines of the proxies' images, for which no graph of a client is
    read.
    """
    mean = weighted_sum(updates, weights)
    reader = GGRS(proxies=PROXIES, network=network)
    found = {}
    for proxy in PROXIES:

        def cosine(update: Tree, graph: Graphs, proxy: Proxy = proxy) -> Array:
            if proxy == "weights":
                pair = [
                    jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
                    for tree in (mean, update)
                ]
            else:
                pair = [reader.image(proxy, params, tree, graph) for tree in (mean, update)]
            return _compare(*pair)[0]

        found[proxy] = jax.vmap(cosine)(updates, Graphs(clients.operator, clients.inputs))
    return {str(name): values for name, values in found.items()}


def _compare(by_step: Array, by_update: Array) -> tuple[Array, Array, Array]:
    moved, wished = jnp.linalg.norm(by_step), jnp.linalg.norm(by_update)
    cosine = jnp.sum(by_step * by_update) / jnp.maximum(moved * wished, TINY)
    return jnp.clip(cosine, -1, 1), moved, wished
