"""Federated averaging as a loop over clients: what one program for all of them is timed against."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from quire.aggregation.clients.local_training import LocalTraining, train_client, transformation
from quire.aggregation.clients.networks import GCN, initial
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.rounds import clients_of
from quire.aggregation.server.updates import Tree, weighted_sum
from quire.signatures import checked


@checked
def client_loop(
    federation: Federation, network: GCN, local: LocalTraining, seed: int = 0
) -> Callable[[int], Tree]:
    """Return a function that trains for some rounds, client after client, and gives the parameters.

    Each client's training is compiled, once for all; the loops over clients and rounds are
    Python's. It evaluates nothing, where `train` evaluates every round: the loop has less to do.
    """
    clients = clients_of(federation)
    start_key, train_key = jax.random.split(jax.random.key(seed))
    start = initial(network, clients.inputs.shape[-1], start_key)
    optimiser = transformation(local).init(start)
    singles = [jax.tree.map(lambda leaf, k=k: leaf[k], clients) for k in range(federation.clients)]
    one = jax.jit(lambda *given: train_client(network, local, *given)[0])
    mean = jax.jit(lambda trained: weighted_sum(trained, federation.weights))

    def run(rounds: int) -> Tree:
        values = start
        for number in range(rounds):
            keys = jax.random.split(jax.random.fold_in(train_key, number), federation.clients)
            trained = [
                one(client, values, optimiser, 0.0, key)
                for client, key in zip(singles, keys, strict=True)
            ]
            values = mean(jax.tree.map(lambda *leaves: jnp.stack(leaves), *trained))
        return jax.block_until_ready(values)

    return run
