"""Federations of stochastic block models: generated, small, with heterogeneity as a knob."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from quire.aggregation.errors import SettingError, require_range, settled
from quire.aggregation.graphs.graph import Federation, Graph, graph_from_adjacency, stack
from quire.aggregation.graphs.splits import Seed, generator_of, split_nodes
from quire.checks import integer, non_negative, real_array


def block_model(
    centres: Float[np.ndarray, "c d"],
    *,
    nodes: int,
    degree: float,
    homophily: float,
    noise: float,
    seed: Seed,
) -> Graph:
    """Draw a graph from a stochastic block model with Gaussian features.

    Parameters
    ----------
    centres
        Mean feature of each of the c classes.
    nodes, degree
        Number of nodes, and their mean degree (the expected one).
    homophily
        Expected share of edges inside a class.
    noise
        Standard deviation of a node's features around its class's centre.
    seed
        An integer, or the generator to draw from.

    Source: Holland, Laskey and Leinhardt (1983); contextual features as in Deshpande et al. (2018).

    Raises
    ------
    SettingError
        For a homophily outside [0, 1], too few nodes, or more edges than there are pairs.
    """
    require_range("homophily", homophily, 0, 1)
    require_range("noise", noise, 0, float("inf"))
    centres = settled(real_array, "centres", centres, 2)
    classes, nodes = len(centres), settled(integer, "nodes", nodes, 1)
    degree = settled(non_negative, "degree", degree)
    if nodes < 2 * classes:
        raise SettingError(f"nodes = {nodes}: give at least {2 * classes}, two per class")
    generator = generator_of(seed)
    labels = generator.permutation(np.arange(nodes) % classes)
    alike = labels[:, None] == labels[None, :]
    upper = np.triu(np.ones((nodes, nodes), bool), 1)
    edges = degree * nodes / 2
    inside, across = homophily * edges / (alike & upper).sum(), (1 - homophily) * edges
    across = across / max(1, (~alike & upper).sum())
    chance = np.where(alike, inside, across)
    if chance[upper].max() > 1:
        raise SettingError(f"degree = {degree}: too many edges for {nodes} nodes in {classes}")
    drawn = upper & (generator.random((nodes, nodes)) < chance)
    adjacency = (drawn | drawn.T).astype(float)
    features = centres[labels] + noise * generator.standard_normal((nodes, centres.shape[1]))
    return graph_from_adjacency(adjacency, features, labels, classes)


def block_federation(
    *,
    clients: int = 8,
    nodes: int = 60,
    classes: int = 4,
    width: int = 32,
    degree: float = 6.0,
    mean: float = 0.5,
    spread: float = 0.0,
    noise: float = 1.0,
    train: float = 0.2,
    validation: float = 0.4,
    seed: int = 0,
) -> Federation:
    """Draw a federation whose clients share classes and centres and differ in their mixing.

    ``spread`` is the knob, and turning it leaves the mean alone: the clients' homophilies run
    evenly from ``mean + spread/2`` (first client) down to ``mean - spread/2`` (last). At 0 all
    clients are draws of one model. Centres are Gaussian, scaled so that two of them lie at a
    distance of about ``sqrt(2 * 4)``.

    Source: ours, the generated task of the experiments.

    Raises
    ------
    SettingError
        For a mean outside [0, 1], or a spread that leads outside.
    """
    for name, number in (("clients", clients), ("classes", classes), ("width", width)):
        settled(integer, name, number, 1)
    require_range("mean", mean, 0, 1)
    require_range("spread", spread, 0, 2 * min(mean, 1 - mean))
    generator = generator_of(seed)
    centres = 2 * generator.standard_normal((classes, width)) / np.sqrt(width)
    levels = np.linspace(mean + spread / 2, mean - spread / 2, clients)
    graphs = [
        block_model(
            centres, nodes=nodes, degree=degree, homophily=float(h), noise=noise, seed=generator
        )
        for h in levels
    ]
    parts = [split_nodes(np.arange(nodes), train, validation, generator) for _ in graphs]
    return stack(graphs, parts)
