"""The clients' network: a two-layer graph convolution network, in flax.

It is one dense layer on *fixed inputs* (features that were propagated once, before training), then
a second layer that propagates hidden values. The split matters twice: training never propagates
features again, and the first pre-activation is linear in its parameters, which makes the operator
audit exact and cheap.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from quire.signatures import checked

Params: TypeAlias = PyTree[Array]


class GCN(nn.Module):
    """Two graph convolutions with a ReLU between: A'(relu(A'X W1 + b1) W2) + b2.

    A' is D^{-1/2}(A + I)D^{-1/2}. Dropout acts on hidden values while training.
    Source: Kipf and Welling (2017), eq. 9, with biases as in PyG's ``GCNConv``.
    """

    classes: int
    hidden: int = 64
    dropout: float = 0.5

    def setup(self) -> None:
        """Declare the two dense layers."""
        self.layer1 = nn.Dense(self.hidden, param_dtype=jnp.float32)
        self.layer2 = nn.Dense(self.classes, param_dtype=jnp.float32, use_bias=False)
        self.bias2 = self.param("bias2", nn.initializers.zeros, (self.classes,), jnp.float32)

    def first(self, inputs: Float[Array, "n p"]) -> Float[Array, "n h"]:
        """Return the first pre-activation, linear in ``layer1``."""
        return self.layer1(inputs)

    def rest(
        self,
        operator: Float[Array, "n n"],
        before: Float[Array, "n h"],
        kept: Float[Array, "n h"] | float = 1.0,
    ) -> Float[Array, "n c"]:
        """Return the logits from the first pre-activation, hidden values times ``kept``."""
        hidden = nn.relu(before) * kept
        return operator @ self.layer2(hidden) + self.bias2

    def __call__(
        self,
        operator: Float[Array, "n n"],
        inputs: Float[Array, "n p"],
        kept: Float[Array, "n h"] | float = 1.0,
    ) -> Float[Array, "n c"]:
        """Return the logits of every node; ``inputs`` are propagated features, A'X."""
        return self.rest(operator, self.first(inputs), kept)


@checked
def initial(network: GCN, width: int, key: PRNGKeyArray) -> Params:
    """Draw a network's parameters; ``width`` is the number of columns of its inputs."""
    one = jnp.zeros((1, 1), jnp.float32)
    return network.init(key, one, jnp.zeros((1, width), jnp.float32))["params"]


@checked
def logits(
    network: GCN, params: Params, operator: Float[Array, "n n"], inputs: Float[Array, "n p"]
) -> Float[Array, "n c"]:
    """Return a network's logits, without dropout."""
    return _array(network.apply({"params": params}, operator, inputs))


def preactivation(network: GCN, params: Params, inputs: Float[Array, "n p"]) -> Float[Array, "n h"]:
    """Return the first pre-activation: affine in ``params["layer1"]``, nothing else enters."""
    return _array(network.apply({"params": params}, inputs, method="first"))


def logits_from(
    network: GCN, params: Params, operator: Float[Array, "n n"], before: Float[Array, "n h"]
) -> Float[Array, "n c"]:
    """Return the logits from the first pre-activation, without dropout."""
    return _array(network.apply({"params": params}, operator, before, method="rest"))


def training_logits(
    network: GCN,
    params: Params,
    operator: Float[Array, "n n"],
    inputs: Float[Array, "n p"],
    kept: Float[Array, "n h"],
) -> Float[Array, "n c"]:
    """Return a network's logits under one draw of `dropout_factors`."""
    return _array(network.apply({"params": params}, operator, inputs, kept))


def dropout_factors(network: GCN, shape: tuple[int, ...], key: PRNGKeyArray) -> Array:
    """Draw what hidden values are multiplied by: 0 with dropout's share, else 1/(1 - share).

    Four values share one 32-bit draw, so the share is rounded to a multiple of 1/256. Drawing is
    much of a small network's training, and XLA would repeat it in the backward pass: the barrier
    makes it draw once.
    """
    level = round(256 * network.dropout)
    if level == 0:
        return jnp.ones(shape, jnp.float32)
    draws = -(-math.prod(shape) // 4)
    octets = jax.lax.bitcast_convert_type(jax.random.bits(key, (draws,)), jnp.uint8).ravel()
    dropped = octets[: math.prod(shape)].reshape(shape) < level
    factors = jnp.where(dropped, 0.0, 256 / (256 - level)).astype(jnp.float32)
    return jnp.asarray(jax.lax.optimization_barrier(factors))


def cross_entropy(
    scores: Float[Array, "n c"], labels: Int[Array, " n"], mask: Bool[Array, " n"]
) -> Float[Array, ""]:
    """Return the mean cross entropy over the nodes in ``mask``; 0 if there are none."""
    each = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
    return jnp.sum(jnp.where(mask, each, 0)) / jnp.maximum(jnp.sum(mask), 1)


def accuracy(
    scores: Float[Array, "n c"], labels: Int[Array, " n"], mask: Bool[Array, " n"]
) -> Float[Array, ""]:
    """Return the share of nodes in ``mask`` whose largest score is their label's; 0 if none."""
    right = (jnp.argmax(scores, axis=-1) == labels) & mask
    return jnp.sum(right) / jnp.maximum(jnp.sum(mask), 1).astype(scores.dtype)


def _array(applied: object) -> Array:
    assert isinstance(applied, jax.Array)  # flax returns a pair only when collections are mutable
    return applied
