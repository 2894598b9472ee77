"""Structural sensitivity: how much a trained network's answers hang on the graph's edges.

Each measure compares a network's logits on a client's graph with those that it gives when all
edges are taken away. Larger logits make every absolute change larger, so each measure here is
relative. None needs a label. Arrays are JAX's or NumPy's, which compile nothing. Definitions: ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float

from quire.aggregation.server.updates import TINY

Numbers = Array | np.ndarray


def relative_change(
    scores: Float[Numbers, "*B n c"], bare: Float[Numbers, "*B n c"], real: Bool[Numbers, "*B n"]
) -> Float[Numbers, "*B"]:
    """Return |f(A) - f(0)| / |f(A)|, Frobenius norms of the logits over real nodes."""
    xp, present = _library(scores), real[..., None]
    change = xp.linalg.norm((scores - bare) * present, axis=(-2, -1))
    return change / xp.maximum(xp.linalg.norm(scores * present, axis=(-2, -1)), TINY)


def centred(scores: Float[Numbers, "*B n c"]) -> Float[Numbers, "*B n c"]:
    """Return logits less their mean over classes: what a softmax, and so a prediction, can see."""
    return scores - _library(scores).mean(scores, axis=-1, keepdims=True)


def fidelity(
    response: Float[Numbers, "*B n c"], own: Float[Numbers, "*B n c"], real: Bool[Numbers, "*B n"]
) -> Float[Numbers, "*B"]:
    """Return the cosine between two networks' responses to the edges, f(A) - f(0), of one graph.

    Held against the response of the network that the client trained alone, it asks whether a
    global network still reads the client's edges *the client's way*, however strongly.
    """
    xp, present = _library(response), real[..., None]
    one, other = response * present, own * present
    size = xp.linalg.norm(one, axis=(-2, -1)) * xp.linalg.norm(other, axis=(-2, -1))
    return xp.sum(one * other, axis=(-2, -1)) / xp.maximum(size, TINY)


def _library(array: Numbers) -> Any:
    """Return the library that the array belongs to."""
    return array.__array_namespace__()
