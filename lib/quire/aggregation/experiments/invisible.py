"""The direction of the logits that no prediction sees, and where updates of the output layer lie.

Adding one number to all logits of a node changes no probability. The gradient of the cross entropy
by the logits therefore sums to zero over classes, and plain gradient steps would leave the output
kernel's component along (1, ..., 1) alone. Adam scales entry by entry and so brings a little of it
back: it is the direction in which updates have least, and the first that a subspace of rank c - 1
leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np

from quire.aggregation.experiments.outcomes import CHUNK
from quire.aggregation.experiments.tasks import Setting
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.intervals import Interval, mean_interval
from quire.aggregation.rounds import Run, client_updates, clients_of, train
from quire.aggregation.server.servers import fedavg


@dataclass(frozen=True)
class Least:
    """The least eigenvector of the output kernel's second moment, over draws.

    Attributes
    ----------
    cosine
        With (1, ..., 1), in size.
    energy
        Its share of the trace, mean over draws.
    """

    cosine: Interval
    energy: float


def least_direction(federations: Mapping[int, Federation], how: Setting) -> Least:
    """Look at one round after FedAvg's last, on every draw."""
    network, training = how.network(), how.training()
    runs = [Run(federation, fedavg(), draw) for draw, federation in federations.items()]
    params = train(runs, network, training, chunk=CHUNK).params
    cosines, shares = [], []
    for place, (draw, federation) in enumerate(federations.items()):
        at = jax.tree.map(lambda leaf, k=place: np.asarray(leaf)[k], params)
        key = jax.random.key(draw + 1)
        updates = client_updates(clients_of(federation), network, training.local, at, key)
        kernels = np.asarray(updates["layer2"]["kernel"], float)
        weights = np.asarray(federation.weights, float)
        moment = np.einsum("k,kio,kip->op", weights, kernels, kernels)
        values, vectors = np.linalg.eigh(moment)
        cosines.append(abs(float(vectors[:, 0].sum())) / np.sqrt(len(values)))
        shares.append(float(values[0] / values.sum()))
    return Least(mean_interval(np.array(cosines)), float(np.mean(shares)))
