"""What clients are given: generated tasks, and citation graphs cut into clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quire.aggregation.clients.local_training import LocalTraining
from quire.aggregation.clients.networks import GCN
from quire.aggregation.graphs.block_models import block_federation
from quire.aggregation.graphs.graph import Federation, Graph, Split, stack
from quire.aggregation.graphs.splits import (
    louvain_communities,
    spectral_features,
    split_nodes,
    splits_of,
)
from quire.aggregation.rounds import Training

CLIENTS, NODES, CLASSES, WIDTH = 8, 60, 4, 16
TUNING = 10_000
"""Draws from here on are for choosing settings; those below are for judging them."""


@dataclass(frozen=True)
class Task:
    """A generated task: eight clients whose graphs have classes and centres in common.

    Attributes
    ----------
    name
        What it is called.
    mean, spread
        Of the clients' homophilies.
    noise
        Standard deviation of features around their class's centre.
    """

    name: str
    mean: float
    spread: float
    noise: float

    def federation(self, draw: int) -> Federation:
        """Return one draw of all graphs, features and splits."""
        return block_federation(
            clients=CLIENTS,
            nodes=NODES,
            classes=CLASSES,
            width=WIDTH,
            mean=self.mean,
            spread=self.spread,
            noise=self.noise,
            seed=draw,
        )


MIXED = Task("mixed", mean=0.5, spread=0.8, noise=1.0)
"""Homophilies from 0.9 down to 0.1: edges help some clients and mislead others."""

HELPFUL = Task("edges help", mean=0.8, spread=0.3, noise=1.5)
"""Homophilies from 0.95 down to 0.65, and features too noisy to do without neighbours."""


@dataclass(frozen=True)
class Setting:
    """How everything is trained: the network's width and the clients' round.

    Attributes
    ----------
    rounds, epochs
        Rounds, and full-batch steps of a client in each.
    hidden, dropout
        Of the network.
    learning_rate, weight_decay
        Of the clients' AdamW.
    """

    rounds: int = 20
    epochs: int = 3
    hidden: int = 16
    dropout: float = 0.5
    learning_rate: float = 0.01
    weight_decay: float = 5e-4

    def network(self, classes: int = CLASSES) -> GCN:
        """Return the network for a number of classes."""
        return GCN(classes, self.hidden, self.dropout)

    def training(
        self,
        *,
        personal: tuple[str, ...] = (),
        audit: bool = True,
        at_once: int | None = None,
        optimiser: str = "adamw",
    ) -> Training:
        """Return the training of a federation."""
        local = LocalTraining(
            self.epochs,
            optimiser,  # type: ignore[arg-type]
            self.learning_rate,
            self.weight_decay,
        )
        return Training(local, self.rounds, personal, audit, at_once)


def draws(first: int, count: int, seed: int) -> Iterator[int]:
    """Yield the seeds of ``count`` draws."""
    yield from range(seed + first, seed + first + count)


@dataclass(frozen=True)
class Domains:
    """Communities of several citation graphs, cut and projected once, for any number of draws."""

    parts: tuple[Graph, ...]

    def federation(self, draw: int) -> Federation:
        """Return these clients with node splits drawn anew."""
        generator = np.random.default_rng(draw)
        splits = [split_nodes(np.arange(part.nodes), 0.2, 0.4, generator) for part in self.parts]
        return stack(self.parts, splits)


def cut_domains(graphs: Sequence[Graph], clients: int, width: int) -> Domains:
    """Return ``clients`` communities of every graph, each a domain of its own.

    Each graph is cut by Louvain into twenty; the largest communities become clients. Words differ
    between domains, so every client projects its own features on its own ``width`` leading singular
    vectors; labels differ, so heads are to stay personal.
    """
    own: list[Graph] = []
    for graph in graphs:
        owner = louvain_communities(graph, 20, seed=1)
        largest = np.argsort(-np.bincount(owner), kind="stable")[:clients]
        for community in sorted(int(c) for c in largest):
            part = graph.induced(np.flatnonzero(owner == community))
            features = spectral_features(part.features, width)
            scale = max(float(np.sqrt(np.mean(features**2))), 1e-12)
            own.append(Graph(part.edges, features / scale, part.labels, part.classes))
    return Domains(tuple(own))


def random_split(graph: Graph, clients: int, draw: int) -> tuple[Split, ...]:
    """Return the node splits of a Louvain cut into ``clients``, drawn anew."""
    return splits_of(louvain_communities(graph, clients, seed=1), 0.6, 0.2, draw)
