"""What a client does in a round: some full-batch steps of an optimiser on its own graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from quire.aggregation.clients.networks import (
    GCN,
    cross_entropy,
    dropout_factors,
    training_logits,
)
from quire.aggregation.errors import require, require_range
from quire.aggregation.server.updates import Tree
from quire.signatures import checked

Optimiser = Literal["adamw", "sgd", "adam_l2"]


@dataclass(frozen=True)
class LocalTraining:
    """Settings of a client's round.

    Attributes
    ----------
    epochs
        Full-batch steps, E.
    optimiser
        ``adamw`` decouples weight decay from Adam's scaling; ``adam_l2`` adds it to the gradient
        first, as PyTorch's ``Adam(weight_decay=...)`` does; ``sgd`` adds it to the gradient, where
        the two are the same.
    learning_rate, weight_decay
        Of the optimiser.
    keep_optimiser
        Carry each client's optimiser state from round to round instead of starting afresh.

    A setting out of its range is refused with a `SettingError`.
    """

    epochs: int = 3
    optimiser: Optimiser = "adamw"
    learning_rate: float = 0.01
    weight_decay: float = 5e-4
    keep_optimiser: bool = False

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs = {self.epochs}: give at least 1")
        require_range("learning_rate", self.learning_rate, 0, float("inf"), low_open=True)
        require_range("weight_decay", self.weight_decay, 0, float("inf"))
        require(
            self.optimiser in ("adamw", "sgd", "adam_l2"),
            f"optimiser = {self.optimiser!r}: give adamw, sgd or adam_l2",
        )


class Client(NamedTuple):
    """One client's graph as its training reads it."""

    operator: Float[Array, "*K n n"]
    inputs: Float[Array, "*K n p"]
    labels: Int[Array, "*K n"]
    train: Bool[Array, "*K n"]


def transformation(local: LocalTraining) -> optax.GradientTransformation:
    """Return the optimiser of the settings, from optax."""
    if local.optimiser == "adamw":
        return optax.adamw(local.learning_rate, weight_decay=local.weight_decay)
    decay = optax.add_decayed_weights(local.weight_decay)
    if local.optimiser == "adam_l2":
        return optax.chain(decay, optax.adam(local.learning_rate))
    return optax.chain(decay, optax.sgd(local.learning_rate))


@checked
def train_client(
    network: GCN,
    local: LocalTraining,
    client: Client,
    params: Tree,
    optimiser: Tree,
    proximal: float | Float[Array, ""],
    key: PRNGKeyArray,
) -> tuple[Tree, Tree, Float[Array, ""]]:
    """Train one client from ``params`` for its steps.

    Parameters
    ----------
    network, local
        The network and the settings.
    client
        Its graph, unstacked.
    params, optimiser
        What it starts from: the parameters and the optimiser's state.
    proximal
        FedProx's mu: adds mu (theta - theta_global) to the gradient. Source: Li et al. (2020).
    key
        For dropout.

    Returns
    -------
    The parameters and optimiser state after the last step, and the mean loss over the steps.
    """
    optimise = transformation(local)
    start = params

    def loss(values: Tree, kept: Float[Array, "n h"]) -> Float[Array, ""]:
        scores = training_logits(network, values, client.operator, client.inputs, kept)
        return cross_entropy(scores, client.labels, client.train)

    def step(
        carry: tuple[Tree, Tree], kept: Float[Array, "n h"]
    ) -> tuple[tuple[Tree, Tree], Float[Array, ""]]:
        values, state = carry
        value, gradient = jax.value_and_grad(loss)(values, kept)
        gradient = jax.tree.map(
            lambda g, v, v0: (g + proximal * (v - v0)).astype(g.dtype), gradient, values, start
        )
        change, new_state = optimise.update(gradient, state, values)
        return (optax.apply_updates(values, change), new_state), value

    shape = (local.epochs, len(client.labels), network.hidden)
    (params, optimiser), losses = jax.lax.scan(
        step, (params, optimiser), dropout_factors(network, shape, key)
    )
    return params, optimiser, jnp.mean(losses)
