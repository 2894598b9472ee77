"""The data-free proxy that the server aligns by, against the exact Jacobian and against none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np
from scipy import stats

from quire.aggregation.experiments.outcomes import CHUNK, Outcome, outcomes
from quire.aggregation.experiments.tasks import Setting
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.intervals import mean_interval
from quire.aggregation.measures.audit import agreement
from quire.aggregation.rounds import Run, client_updates, clients_of, train
from quire.aggregation.server.ggrs import GGRS
from quire.aggregation.server.proxies import PROXIES
from quire.aggregation.server.servers import fedavg, regulated

NONE = "none"


def aligned_servers(
    federations: Mapping[int, Federation], how: Setting, tau: float
) -> tuple[Outcome, ...]:
    """Train GGRS's alignment alone, with cosines taken in each proxy, and not at all (`NONE`)."""
    network = how.network()
    servers = {NONE: regulated(GGRS(-1.0, 16, 1.0, float("inf"), proxies=PROXIES, network=network))}
    for place, proxy in enumerate(PROXIES):
        servers[proxy] = regulated(
            GGRS(tau, 16, 1.0, float("inf"), which=place, proxies=PROXIES, network=network)
        )
    return outcomes(federations, servers, network, how.training())


@dataclass(frozen=True)
class Ranking:
    """Rank correlation over clients of a proxy's cosines with the true ones, mean over draws."""

    proxy: str
    correlation: float
    low: float
    high: float


def rankings(federations: Mapping[int, Federation], how: Setting) -> tuple[Ranking, ...]:
    """Ask how each proxy ranks clients by their agreement with the mean update.

    The truth is the cosine of what the mean update and the client's own would do to its logits, on
    its own graph (`jacobian`). One round after FedAvg's last, on every draw.
    """
    network, training = how.network(), how.training()
    runs = [Run(federation, fedavg(), draw) for draw, federation in federations.items()]
    history = train(runs, network, training, chunk=CHUNK)
    found: dict[str, list[float]] = {name: [] for name in PROXIES if name != "jacobian"}
    for place, (draw, federation) in enumerate(federations.items()):
        params = jax.tree.map(lambda leaf, k=place: np.asarray(leaf)[k], history.params)
        clients = clients_of(federation)
        key = jax.random.key(draw + 1)
        updates = client_updates(clients, network, training.local, params, key)
        told = agreement(network, params, clients, updates, federation.weights)
        for name, values in found.items():
            values.append(float(stats.spearmanr(told["jacobian"], told[name]).statistic))
    return tuple(
        Ranking(name, *mean_interval(np.array(values))[:3]) for name, values in found.items()
    )
