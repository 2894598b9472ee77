"""Federated training: all rounds, all clients and all runs as one XLA program.

vmap over clients inside a scan over rounds inside a vmap over runs, each with a federation, a
server and a seed of its own. Nothing returns to the host between rounds; what each round measured
comes back with the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from quire.aggregation._compiling import program
from quire.aggregation.clients.local_training import (
    Client,
    LocalTraining,
    train_client,
    transformation,
)
from quire.aggregation.clients.networks import (
    GCN,
    accuracy,
    initial,
    logits_from,
    preactivation,
)
from quire.aggregation.errors import require
from quire.aggregation.graphs.graph import Federation, normalised_adjacency
from quire.aggregation.measures.audit import RoundAudit, audit_round
from quire.aggregation.measures.interference import conflicts, destructive_interference
from quire.aggregation.server.proxies import Graphs
from quire.aggregation.server.servers import Server
from quire.aggregation.server.updates import Tree, admit, norm
from quire.signatures import checked

LAYERS = ("layer1", "layer2", "bias2")
"""The parameters of the network by their top-level names."""


@dataclass(frozen=True)
class Training:
    """How a federation is trained, whatever the network and the server.

    Attributes
    ----------
    local
        How clients train.
    rounds
        Number of rounds.
    personal
        Top-level parameter names that each client keeps to itself, such as ``("layer2", "bias2")``.
    audit
        Also measure every round's effect on every client's message passing; see `audit_round`.
    at_once
        Clients that are trained side by side, None for all. Where a client's matrix products fill
        the processor by themselves, 1 keeps its parameters in the cache and is faster; the numbers
        are the same up to rounding.

    A setting out of its range is refused with a `SettingError`.
    """

    local: LocalTraining
    rounds: int
    personal: tuple[str, ...] = ()
    audit: bool = False
    at_once: int | None = None

    def __post_init__(self) -> None:
        require(self.rounds >= 1, f"rounds = {self.rounds}: give at least 1")
        require(
            self.at_once is None or self.at_once >= 1,
            f"at_once = {self.at_once}: give at least 1, or None",
        )
        require(
            not (self.audit and "layer1" in self.personal),
            "audit needs a shared layer1; leave it out of personal",
        )
        strangers = sorted(set(self.personal) - set(LAYERS))
        require(not strangers, f"personal = {strangers}: the network has {', '.join(LAYERS)}")


class Run(NamedTuple):
    """One run of `train`: who trains on what, and the seed of first parameters and dropout."""

    federation: Federation
    server: Server
    seed: int


class Round(NamedTuple):
    """What one round measured; a history stacks it over B runs and R rounds."""

    loss: Float[Array, "*BR K"]  # mean training loss over a client's steps
    validation: Float[Array, "*BR K"]  # accuracy of the new global model on each client
    test: Float[Array, "*BR K"]
    interference: Float[Array, "*BR"]  # DI of the admitted updates
    conflict: Float[Array, "*BR"]  # NEG, share of pairs with a negative cosine
    step: Float[Array, "*BR"]  # norm of the server's step
    update: Float[Array, "*BR"]  # weighted mean norm of the clients' updates
    rejected: Int[Array, "*BR"]  # updates that were not finite
    audit: RoundAudit | None


class Ending(NamedTuple):
    """The networks after the last round, on every client's graph."""

    scores: Float[Array, "*B K n c"]  # logits with the edges as they are
    bare: Float[Array, "*B K n c"]  # without any edge
    accuracy: Float[Array, "*B K"]  # on test nodes
    bare_accuracy: Float[Array, "*B K"]
    validation: Float[Array, "*B K"]


class History(NamedTuple):
    """The result of `train`: measurements per round, and what the last round left."""

    rounds: Round
    params: Tree  # leaves stacked over runs
    kept: Tree  # what each client last trained: leaves stacked over runs and clients
    activity: Float[Array, "*B 3"]  # shares in which GGRS's steps acted
    ending: Ending


@checked
def train(
    runs: Sequence[Run], network: GCN, training: Training, *, chunk: int | None = None
) -> History:
    """Train several runs, which may differ in federation, server and seed, with one program.

    Two runs with the same federation and seed start from the same parameters and see the same
    dropout: they are a pair.

    Parameters
    ----------
    runs
        Federations of one shape, and servers that differ in their numbers only.
    network, training
        What is trained, and how.
    chunk
        Runs that are trained side by side, None for all. The last chunk is filled up, so that one
        compilation serves any number of runs.

    No runs, or a chunk below 1, are refused with a `SettingError`.
    """
    require(len(runs) > 0, "runs is empty: give at least one")
    size = len(runs) if chunk is None else chunk
    require(size >= 1, f"chunk = {chunk}: give at least 1, or None")
    parts = []
    for first in range(0, len(runs), size):
        part = [*runs[first : first + size]]
        part += [part[-1]] * (size - len(part))
        federations = _stacked([run.federation._replace(classes=0) for run in part])
        servers = _stacked([run.server for run in part])
        keys = jax.vmap(jax.random.key)(jnp.asarray([run.seed for run in part]))
        parts.append(_train(federations, servers, keys, network, training))
    # NumPy joins the chunks: JAX would compile every leaf's concatenation for every number of them
    return jax.tree.map(
        lambda *leaves: jnp.asarray(np.concatenate([*map(np.asarray, leaves)])[: len(runs)]), *parts
    )


@partial(program, static_argnames=("network", "local"))
def client_updates(
    clients: Client, network: GCN, local: LocalTraining, params: Tree, key: PRNGKeyArray
) -> Tree:
    """Return every client's update of one round from shared parameters, stacked over clients.

    For looking at a single round from close by; personal layers are left out.
    """
    optimiser = transformation(local).init(params)

    def one(client: Client, dropout: PRNGKeyArray) -> Tree:
        trained, _, _ = train_client(network, local, client, params, optimiser, 0.0, dropout)
        return jax.tree.map(jnp.subtract, trained, params)

    return jax.vmap(one)(clients, jax.random.split(key, len(clients.labels)))


@checked
def clients_of(federation: Federation) -> Client:
    """Return the clients as training reads them: features propagated once, before any round."""
    return _clients_of(federation)


@jax.jit
def _clients_of(federation: Federation) -> Client:
    operator = normalised_adjacency(federation.adjacency, federation.real)
    return Client(operator, operator @ federation.features, federation.labels, federation.train)


@partial(program, static_argnames=("network", "training"))
def _train(
    federations: Federation,
    servers: Server,
    keys: Key[Array, " B"],
    network: GCN,
    training: Training,
) -> History:
    return jax.vmap(partial(_one_run, network, training))(federations, servers, keys)


def _one_run(
    network: GCN, training: Training, federation: Federation, server: Server, key: PRNGKeyArray
) -> History:
    local, personal = training.local, training.personal
    K, weights, clients = federation.clients, federation.weights, clients_of(federation)
    graphs = Graphs(clients.operator, clients.inputs)
    start_key, train_key = jax.random.split(key)
    params: Any = initial(network, clients.inputs.shape[-1], start_key)
    kept = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (K, *leaf.shape)), params)
    optimiser = jax.vmap(transformation(local).init)(kept)
    each = partial(_each, training.at_once)
    score = jax.vmap(accuracy)
    own_of = partial(_own, personal, server.alone, K)

    def pre(own: Tree, inputs: Float[Array, "K n p"]) -> Float[Array, "K n h"]:
        return each(partial(preactivation, network))(own, inputs)

    def one_client(
        client: Client, own: Tree, state: Tree, dropout: PRNGKeyArray
    ) -> tuple[Tree, Tree, Array]:
        return train_client(network, local, client, own, state, server.proximal, dropout)

    def one_round(carry: tuple[Any, ...], round_key: PRNGKeyArray) -> tuple[tuple[Any, ...], Round]:
        params, kept, before, optimiser, state = carry
        own = own_of(params, kept)
        trained, new_optimiser, losses = each(one_client)(
            clients, own, optimiser, jax.random.split(round_key, K)
        )
        raw = jax.tree.map(jnp.subtract, trained, own)
        updates, shares, rejected = admit(_shared(raw, personal), weights)
        step, state = server.apply(state, params, updates, shares, graphs)
        new = jax.tree.map(jnp.add, params, step)
        now = own_of(new, trained)
        after = pre(now, clients.inputs)
        scores = jax.vmap(partial(logits_from, network))(now, clients.operator, after)
        audited = None
        if training.audit:
            audited = audit_round(
                each, network, own, clients, federation, before, after, step, updates
            )
        measured = Round(
            losses,
            score(scores, federation.labels, federation.validation),
            score(scores, federation.labels, federation.test),
            destructive_interference(updates, shares),
            conflicts(updates),
            norm(step),
            shares @ jax.vmap(norm)(updates),
            rejected,
            audited,
        )
        optimiser = new_optimiser if local.keep_optimiser else optimiser
        return (new, trained, after, optimiser, state), measured

    before = pre(own_of(params, kept), clients.inputs)
    carry: tuple[Any, ...] = (params, kept, before, optimiser, server.init(params))
    keys = jax.random.split(train_key, training.rounds)
    (params, kept, after, _, state), measured = jax.lax.scan(one_round, carry, keys)
    own = own_of(params, kept)
    alone = normalised_adjacency(jnp.zeros_like(federation.adjacency), federation.real)
    scores = jax.vmap(partial(logits_from, network))(own, clients.operator, after)
    bare = jax.vmap(partial(logits_from, network))(own, alone, pre(own, federation.features))
    ending = Ending(
        scores,
        bare,
        score(scores, federation.labels, federation.test),
        score(bare, federation.labels, federation.test),
        score(scores, federation.labels, federation.validation),
    )
    return History(measured, params, kept, state[1].activity, ending)


def _stacked(trees: Sequence[Any]) -> Any:
    """Stack trees leaf by leaf; Python's numbers become single precision."""

    def stack(*leaves: Any) -> Array:
        numbers = isinstance(leaves[0], int | float)
        return jnp.asarray(np.stack([np.float32(x) if numbers else np.asarray(x) for x in leaves]))

    return jax.tree.map(stack, *trees)


def _each(at_once: int | None, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` for all clients: at the same time, or some after others."""
    if at_once is None:
        return jax.vmap(function)
    size = None if at_once == 1 else at_once
    return lambda *stacked: jax.lax.map(lambda one: function(*one), stacked, batch_size=size)


def _own(
    personal: tuple[str, ...], alone: Any, clients: int, params: Any, kept: Any
) -> dict[str, Any]:
    """Return every client's parameters: the global ones, but its own where layers are personal."""
    everyone = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (clients, *leaf.shape)), params)
    isolated = jnp.asarray(alone) > 0
    return {
        name: kept[name]
        if name in personal
        else jax.tree.map(lambda mine, ours: jnp.where(isolated, mine, ours), kept[name], shared)
        for name, shared in everyone.items()
    }


def _shared(updates: Tree, personal: tuple[str, ...]) -> Tree:
    """Return updates with zeros in place of the personal layers: the server never sees these."""
    zeros = {name: jax.tree.map(jnp.zeros_like, updates[name]) for name in personal}
    # The barrier keeps XLA from folding large constants, which takes it seconds.
    return {**updates, **jax.lax.optimization_barrier(zeros)}
