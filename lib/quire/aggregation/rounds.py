"""Federated training: all rounds, all clients and all seeds as one XLA program.

vmap over clients inside a scan over rounds inside a vmap over seeds. Nothing returns to the host
between rounds; what each round measured comes back with the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    Network,
    accuracy,
    initial,
    logits_from,
    preactivation,
)
from quire.aggregation.errors import SettingError, require
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.measures.audit import RoundAudit, audit_round
from quire.aggregation.measures.interference import conflicts, destructive_interference
from quire.aggregation.server.averaging import Aggregator
from quire.aggregation.server.updates import Tree, admit, norm


@dataclass(frozen=True)
class Training:
    """How a federation is trained, whatever the network and the server.

    Attributes
    ----------
    local
        How clients train.
    rounds, seeds, first_seed
        Numbers of rounds and seeds; seeds run from ``first_seed``. A seed fixes the first
        parameters and all dropout, so runs of two aggregators with the same seeds are paired.
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
    seeds: int
    first_seed: int = 0
    personal: tuple[str, ...] = ()
    audit: bool = False
    at_once: int | None = None

    def __post_init__(self) -> None:
        for name in ("rounds", "seeds"):
            value = getattr(self, name)
            require(value >= 1, f"{name} = {value}: give at least 1")
        require(self.first_seed >= 0, f"first_seed = {self.first_seed}: give 0 or more")
        require(
            self.at_once is None or self.at_once >= 1,
            f"at_once = {self.at_once}: give at least 1, or None",
        )
        require(
            not (self.audit and "layer1" in self.personal),
            "audit needs a shared layer1; leave it out of personal",
        )


class Round(NamedTuple):
    """What one round measured; a history stacks it over S seeds and R rounds."""

    loss: Float[Array, "*SR K"]  # mean training loss over a client's steps
    validation: Float[Array, "*SR K"]  # accuracy of the new global model on each client
    test: Float[Array, "*SR K"]
    interference: Float[Array, "*SR"]  # DI of the admitted updates
    conflict: Float[Array, "*SR"]  # NEG, share of pairs with a negative cosine
    step: Float[Array, "*SR"]  # norm of the server's step
    update: Float[Array, "*SR"]  # weighted mean norm of the clients' updates
    rejected: Int[Array, "*SR"]  # updates that were not finite
    audit: RoundAudit | None


class History(NamedTuple):
    """The result of `train`: per-round measurements, and the parameters after the last round."""

    rounds: Round
    params: Tree  # leaves stacked over seeds
    personal: Tree  # leaves of personal layers stacked over seeds and clients, None if none
    test_nodes: Int[Array, " K"]

    def best(self) -> Int[np.ndarray, " S"]:
        """Return, per seed, the round with the best mean validation accuracy (the first one)."""
        return np.asarray(self.rounds.validation).mean(axis=-1).argmax(axis=-1)

    def test_at_best(self, weighted: bool = True) -> Float[np.ndarray, " S"]:
        """Return each seed's test accuracy at its best validation round.

        The mean over clients, weighted by their test nodes (the accuracy over all test nodes) or
        not. The test set never chooses the round.
        """
        test = np.asarray(self.rounds.test)
        chosen = test[np.arange(len(test)), self.best()]
        weights = np.asarray(self.test_nodes) if weighted else None
        return np.average(chosen, axis=-1, weights=weights)


def train(
    federation: Federation, network: Network, aggregator: Aggregator, training: Training
) -> History:
    """Train a federation with one aggregator, for several seeds at once.

    Parameters
    ----------
    federation
        The clients' graphs.
    network, aggregator
        What is trained, and how updates are combined.
    training
        How clients train, for how many rounds and seeds, and what is measured.

    Raises
    ------
    SettingError
        For ``steps`` of another number of clients, or an unknown personal layer.
    """
    K, local = federation.clients, training.local
    if local.steps and len(local.steps) != K:
        raise SettingError(f"steps names {len(local.steps)} clients, the federation has {K}")
    seeds = jnp.arange(training.first_seed, training.first_seed + training.seeds)
    arrays = federation._replace(classes=0)
    # the seeds are data to the program: one compilation serves every number of first_seed
    plan = replace(training, first_seed=0)
    return _train(arrays, aggregator, jax.vmap(jax.random.key)(seeds), network, plan)


@partial(program, static_argnames=("network", "local"))
def client_updates(
    clients: Client,
    network: Network,
    local: LocalTraining,
    params: Tree,
    key: PRNGKeyArray,
) -> Tree:
    """Return every client's update of one round from shared parameters, stacked over clients.

    For looking at a single round from close by; control variates and personal layers are left out.
    """
    optimiser = transformation(local).init(params)

    def one(client: Client, dropout: PRNGKeyArray) -> Tree:
        trained, _, _ = train_client(network, local, client, params, optimiser, None, dropout)
        return jax.tree.map(jnp.subtract, trained, params)

    return jax.vmap(one)(clients, jax.random.split(key, len(clients.labels)))


def clients_of(federation: Federation, network: Network, local: LocalTraining) -> Client:
    """Return the clients as training reads them: features propagated once, before any round."""
    operator = network.operator(federation.adjacency, federation.real)
    steps = jnp.asarray(local.steps or [local.epochs] * federation.clients)
    inputs = network.inputs(operator, federation.features)
    return Client(operator, inputs, federation.labels, federation.train, steps)


@partial(program, static_argnames=("network", "training"))
def _train(
    federation: Federation,
    aggregator: Aggregator,
    keys: Key[Array, " S"],
    network: Network,
    training: Training,
) -> History:
    clients = clients_of(federation, network, training.local)
    run = partial(_one_seed, federation, clients, aggregator, network, training)
    measured, params, kept = jax.vmap(run)(keys)
    return History(measured, params, kept, jnp.sum(federation.test, axis=1))


def _one_seed(
    federation: Federation,
    clients: Client,
    aggregator: Aggregator,
    network: Network,
    training: Training,
    key: PRNGKeyArray,
) -> tuple[Round, Tree, Tree]:
    local, personal = training.local, training.personal
    K, weights = federation.clients, federation.weights
    start_key, train_key = jax.random.split(key)
    params: Any = initial(network, clients.inputs.shape[-1], start_key)
    unknown = set(personal) - params.keys()
    if unknown:
        raise SettingError(f"personal = {sorted(unknown)}: the network has {sorted(params)}")
    stacked = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (K, *leaf.shape)), params)
    optimiser = jax.vmap(transformation(local).init)(stacked)
    controls = jax.tree.map(jnp.zeros_like, stacked) if local.control_variates else None

    each = partial(_each, training.at_once)

    def pre(values: Tree) -> Float[Array, "K n h"]:
        return each(lambda x: preactivation(network, values, x))(clients.inputs)

    def one_round(carry: tuple[Any, ...], round_key: PRNGKeyArray) -> tuple[tuple[Any, ...], Round]:
        params, kept, before, optimiser, controls, state = carry
        own = _own(params, kept, K)
        correction = None
        if controls is not None:
            mean = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), controls)
            correction = jax.tree.map(lambda c, ck: c - ck, mean, controls)
        trained, new_optimiser, losses = each(partial(train_client, network, local))(
            clients, own, optimiser, correction, jax.random.split(round_key, K)
        )
        raw = jax.tree.map(jnp.subtract, trained, own)
        updates, shares, rejected = admit(_shared(raw, personal), weights)
        step, state = aggregator.apply(state, params, updates, shares)
        if controls is not None:
            # Option II: c_k - c + (theta - theta_k)/(steps rate), with correction = c - c_k.
            length = clients.steps * local.learning_rate
            controls = jax.tree.map(
                lambda less, d: (-less - (d.T / length).T).astype(d.dtype), correction, raw
            )
        new = jax.tree.map(jnp.add, params, step)
        kept = {name: trained[name] for name in personal}
        after = pre(new)
        own = _own(new, kept, K)
        scores = jax.vmap(partial(logits_from, network))(own, clients.operator, after)
        measured = Round(
            losses,
            jax.vmap(accuracy)(scores, federation.labels, federation.validation),
            jax.vmap(accuracy)(scores, federation.labels, federation.test),
            destructive_interference(updates, shares),
            conflicts(updates),
            norm(step),
            shares @ jax.vmap(norm)(updates),
            rejected,
            audit_round(
                each,
                network,
                _own(params, carry[1], K),
                clients,
                federation,
                before,
                after,
                step,
                updates,
            )
            if training.audit
            else None,
        )
        optimiser = new_optimiser if local.keep_optimiser else optimiser
        return (new, kept, after, optimiser, controls, state), measured

    kept = {name: stacked[name] for name in personal}
    carry: tuple[Any, ...] = (
        params,
        kept,
        pre(params),
        optimiser,
        controls,
        aggregator.init(params),
    )
    keys = jax.random.split(train_key, training.rounds)
    (params, kept, *_), measured = jax.lax.scan(one_round, carry, keys)
    return measured, params, kept


def _each(at_once: int | None, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` for all clients: at the same time, or some after others."""
    if at_once is None:
        return jax.vmap(function)
    size = None if at_once == 1 else at_once
    return lambda *stacked: jax.lax.map(lambda one: function(*one), stacked, batch_size=size)


def _own(params: Tree, kept: Tree, clients: int) -> Tree:
    """Return every client's parameters: the global ones, with its personal layers put in."""
    everyone = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (clients, *leaf.shape)), params)
    return {**everyone, **kept}


def _shared(updates: Tree, personal: tuple[str, ...]) -> Tree:
    """Return updates with zeros in place of the personal layers: the server never sees these."""
    zeros = {name: jax.tree.map(jnp.zeros_like, updates[name]) for name in personal}
    # The barrier keeps XLA from folding large constants, which takes it seconds.
    return {**updates, **jax.lax.optimization_barrier(zeros)}
