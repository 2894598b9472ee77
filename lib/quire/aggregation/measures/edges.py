"""Structural sensitivity: how much a trained network's answers hang on the graph's edges.

Each measure compares a network's logits on a client's graph with those that it gives when all
edges are taken away. Larger logits make every absolute change larger, so each measure here is
relative. None needs a label. Definitions: ours.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from quire.aggregation.server.updates import TINY


def relative_change(
    scores: Float[Array, "*B n c"], bare: Float[Array, "*B n c"], real: Bool[Array, "*B n"]
) -> Float[Array, "*B"]:
    """Return |f(A) - f(0)| / |f(A)|, Frobenius norms of the logits over real nodes."""
    present = real[..., None]
    change = jnp.linalg.norm((scores - bare) * present, axis=(-2, -1))
    return change / jnp.maximum(jnp.linalg.norm(scores * present, axis=(-2, -1)), TINY)


def centred(scores: Float[Array, "*B n c"]) -> Float[Array, "*B n c"]:
    """Return logits less their mean over classes: what a softmax, and so a prediction, can see."""
    return scores - jnp.mean(scores, axis=-1, keepdims=True)


def fidelity(
    response: Float[Array, "*B n c"], own: Float[Array, "*B n c"], real: Bool[Array, "*B n"]
) -> Float[Array, "*B"]:
    """Return the cosine between two networks' responses to the edges, f(A) - f(0), of one graph.

    Held against the response of the network that the client trained alone, it asks whether a
    global network still reads the client's edges *the client's way*, however strongly.
    """
    present = real[..., None]
    one, other = response * present, own * present
    size = jnp.linalg.norm(one, axis=(-2, -1)) * jnp.linalg.norm(other, axis=(-2, -1))
    return jnp.sum(one * other, axis=(-2, -1)) / jnp.maximum(size, TINY)
