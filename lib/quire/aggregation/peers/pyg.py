"""PyTorch Geometric, in an environment of its own: what it is asked, as plain data and arrays.

`quire.workbook.peers.call` takes them to ``peers/torch.py``, whose calls are named here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quire.aggregation.graphs.graph import Federation

Request = tuple[dict[str, Any], dict[str, np.ndarray]]


def layer(federation: Federation, client: int, width: int, seed: int) -> Request:
    """Ask for one graph convolution of a client's features with random weights."""
    rng = np.random.default_rng(seed)
    real = np.asarray(federation.real[client])
    adjacency = np.asarray(federation.adjacency[client])[np.ix_(real, real)]
    features = np.asarray(federation.features[client], float)[real]
    return {"call": "gcn_layer"}, {
        "features": features,
        "edges": np.argwhere(adjacency).T.astype(np.int64),
        "weight": rng.standard_normal((features.shape[1], width)),
        "bias": rng.standard_normal(width),
    }


def layer_here(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what that layer gives by this package's formula, in double precision."""
    nodes = len(arrays["features"])
    looped = np.eye(nodes)
    looped[tuple(arrays["edges"])] = 1.0
    scale = 1 / np.sqrt(looped.sum(axis=1))
    propagated = (scale[:, None] * looped * scale) @ arrays["features"]
    return {
        "output": propagated @ arrays["weight"] + arrays["bias"],
        "gradient": np.repeat(propagated.sum(axis=0)[:, None], arrays["weight"].shape[1], axis=1),
    }


def federated_averaging(
    federation: Federation, *, rounds: int, epochs: int, hidden: int, seeds: list[int]
) -> Request:
    """Ask for FedAvg of a two-layer GCN with AdamW, client after client, once per seed."""
    arrays = {
        name: np.asarray(getattr(federation, name))
        for name in ("adjacency", "features", "labels", "train", "test", "real", "weights")
    }
    settings = {"rounds": rounds, "epochs": epochs, "hidden": hidden, "seeds": seeds}
    return {"call": "federated_averaging", "classes": federation.classes, **settings}, arrays
