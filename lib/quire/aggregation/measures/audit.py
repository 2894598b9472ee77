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
from quire.aggregation.clients.networks import Network, logits, logits_from, preactivation
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.server.proxies import Proxy, proxy_vector
from quire.aggregation.server.updates import TINY, Tree, weighted_sum


class RoundAudit(NamedTuple):
    """A round's first-order effect on K clients' logits."""

    coherence: Float[Array, "*SR K"]  # cosine of J_k u with J_k D_k
    moved: Float[Array, "*SR K"]  # |J_k u|, how far the round moved the client's logits
    wished: Float[Array, "*SR K"]  # |J_k D_k|, how far the client alone would have moved them


def audit_round(
    each: Callable[[Callable[..., Any]], Callable[..., Any]],
    network: Network,
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


@partial(jax.jit, static_argnames="network")
def first_order_effect(
    network: Network, params: Tree, clients: Client, step: Tree
) -> Float[Array, "K n c"]:
    """Return J_k u for every client: the exact tangent of its logits along one shared step."""

    def one(client: Client) -> Float[Array, "n c"]:
        return jax.jvp(
            lambda v: logits(network, v, client.operator, client.inputs), (params,), (step,)
        )[1]

    return jax.vmap(one)(clients)


@partial(program, static_argnames=("network", "width"))
def agreement(
    network: Network,
    params: Tree,
    clients: Client,
    updates: Tree,
    weights: Float[Array, " K"],
    width: int,
) -> dict[str, Float[Array, " K"]]:
    """Return every client's cosine with the mean update: the true one, and each proxy's.

    ``coherence`` is cos(J_k u, J_k D_k) for the mean u on the client's own graph; ``weights``,
    ``product`` and ``probe`` are cosines of the proxies' images, for which no graph of a client is
    read. ``width`` is the number of a node's features.
    """
    mean = weighted_sum(updates, weights)
    moved = first_order_effect(network, params, clients, mean)

    def truth(client: Client, update: Tree, by_mean: Array) -> Array:
        single = jax.tree.map(lambda leaf: leaf[None], client)
        return _compare(by_mean, first_order_effect(network, params, single, update)[0])[0]

    found = {"coherence": jax.vmap(truth)(clients, updates, moved)}
    proxies: tuple[Proxy, ...] = ("weights", "product", "probe")
    for proxy in proxies:
        image = partial(proxy_vector, proxy, network, params, width=width)
        found[proxy] = jax.vmap(lambda one, to=image: _compare(to(mean), to(one))[0])(updates)
    return found


def _compare(by_step: Array, by_update: Array) -> tuple[Array, Array, Array]:
    moved, wished = jnp.linalg.norm(by_step), jnp.linalg.norm(by_update)
    cosine = jnp.sum(by_step * by_update) / jnp.maximum(moved * wished, TINY)
    return jnp.clip(cosine, -1, 1), moved, wished
