"""Graphs, and federations of them: the data that every client trains on.

A `Graph` lives on the host and is checked once. A `Federation` is its clients, stacked and padded
to a common number of nodes, so that one XLA program can train them all. Padded nodes have a row of
zeros in the propagation operator - not even a self loop - and are in no mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from quire.aggregation.errors import GraphError
from quire.checks import integer, whole_array
from quire.signatures import checked


@dataclass(frozen=True)
class Graph:
    """An undirected graph with features and labels on its nodes.

    Attributes
    ----------
    edges
        Each undirected edge once, as two node ids; no self loop, no duplicate.
    features
        One row per node.
    labels
        Class of each node; -1 where it is not known.
    classes
        Number of classes.

    Raises
    ------
    GraphError
        For an edge id out of range, a self loop, an edge twice, features that are not finite or no
        matrix, a label beyond the classes, or ids, labels or classes that are no integers.
    """

    edges: Int[np.ndarray, "m 2"]
    features: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    classes: int

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges)
        if edges.size == 0:
            edges = np.zeros((0, 2), np.int64)
        features = np.asarray(self.features)
        if features.ndim != 2 or features.dtype.kind not in "biuf":
            raise GraphError(
                f"features = {features.dtype} of shape {features.shape}: give real numbers, a row "
                "per node"
            )
        for name, value in (
            ("edges", _checked(whole_array, "edges", edges, 2)),
            ("features", features),
            ("labels", _checked(whole_array, "labels", self.labels, 1)),
            ("classes", _checked(integer, "classes", self.classes, 0)),
        ):
            object.__setattr__(self, name, value)
        if self.edges.shape[1] != 2:
            raise GraphError(f"edges = of shape {self.edges.shape}: give two node ids in each row")
        n = len(self.features)
        if self.edges.size and (self.edges.min() < 0 or self.edges.max() >= n):
            worst = int(self.edges.max() if self.edges.max() >= n else self.edges.min())
            raise GraphError(f"edges names node {worst}, but there are nodes 0 to {n - 1} only")
        if np.any(self.edges[:, 0] == self.edges[:, 1]):
            raise GraphError("edges has a self loop; leave it out, normalisation adds them")
        ordered = np.sort(self.edges, axis=1)
        if len(np.unique(ordered, axis=0)) != len(ordered):
            raise GraphError("edges names an undirected edge twice; give each once")
        if not np.all(np.isfinite(self.features)):
            raise GraphError("features has values that are not finite; clean them first")
        if len(self.labels) != n:
            raise GraphError(f"labels has {len(self.labels)} entries for {n} nodes")
        if self.labels.size and (self.labels.max() >= self.classes or self.labels.min() < -1):
            raise GraphError(f"labels must lie in -1 to {self.classes - 1}")

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.features)

    @cached_property
    def adjacency(self) -> Float[np.ndarray, "n n"]:
        """The dense symmetric 0-1 adjacency matrix."""
        dense = np.zeros((self.nodes, self.nodes))
        dense[self.edges[:, 0], self.edges[:, 1]] = 1.0
        dense[self.edges[:, 1], self.edges[:, 0]] = 1.0
        return dense

    def induced(self, nodes: Int[np.ndarray, " k"]) -> Graph:
        """Return the subgraph on ``nodes``, renumbered in their order; other edges are dropped.

        Raises
        ------
        GraphError
            When an id is no node's, or is given twice.
        """
        nodes = _checked(whole_array, "nodes", nodes, 1, least=0, most=self.nodes - 1)
        if len(np.unique(nodes)) != len(nodes):
            raise GraphError("nodes names a node twice; give each once")
        position = np.full(self.nodes, -1)
        position[nodes] = np.arange(len(nodes))
        mapped = position[self.edges]
        inside = np.all(mapped >= 0, axis=1)
        return Graph(mapped[inside], self.features[nodes], self.labels[nodes], self.classes)


def _checked(check: Callable[..., Any], *arguments: Any, **bounds: Any) -> Any:
    """Return what a check returns; what it refuses is an error of the graph.

    Raises
    ------
    GraphError
        With the check's words.
    """
    try:
        return check(*arguments, **bounds)
    except ValueError as error:
        raise GraphError(str(error)) from None


class Split(NamedTuple):
    """Node ids of one client: to train on, to choose the round by, to report on."""

    train: Int[np.ndarray, " a"]
    validation: Int[np.ndarray, " b"]
    test: Int[np.ndarray, " c"]

    @property
    def nodes(self) -> Int[np.ndarray, " k"]:
        """All node ids of the client, ascending."""
        return np.sort(np.concatenate([self.train, self.validation, self.test]))


class Federation(NamedTuple):
    """K clients' graphs, padded to n nodes, with d features: arrays that one program trains on."""

    adjacency: Float[Array, "K n n"]
    features: Float[Array, "K n d"]
    labels: Int[Array, "K n"]  # 0 where padded or not known; the masks leave those out
    train: Bool[Array, "K n"]
    validation: Bool[Array, "K n"]
    test: Bool[Array, "K n"]
    real: Bool[Array, "K n"]  # false on padding
    classes: int

    @property
    def clients(self) -> int:
        """Number of clients, K."""
        return self.labels.shape[0]

    @property
    def weights(self) -> Float[Array, " K"]:
        """Share of each client in the training nodes: the weights of the average."""
        counts = jnp.sum(self.train, axis=1)
        return (counts / jnp.sum(counts)).astype(self.features.dtype)


def normalised_adjacency(
    adjacency: Float[Array, "*K n n"], real: Bool[Array, "*K n"]
) -> Float[Array, "*K n n"]:
    """Return D^{-1/2}(A + I)D^{-1/2} with D the degrees of A + I, and zero rows where padded.

    Its spectral norm is exactly 1 on every graph with at least one node: the operator is similar
    to a stochastic matrix, with eigenvector D^{1/2}1. Source: Kipf and Welling (2017), eq. 2; the
    norm: derived.
    """
    present = real.astype(adjacency.dtype)
    looped = adjacency + present[..., :, None] * jnp.eye(adjacency.shape[-1], dtype=adjacency.dtype)
    degree = jnp.sum(looped, axis=-1)
    scale = jnp.where(degree > 0, 1 / jnp.sqrt(jnp.where(degree > 0, degree, 1)), 0)
    return scale[..., :, None] * looped * scale[..., None, :]


def check_adjacency(adjacency: Float[np.ndarray, "n n"]) -> None:
    """Check that a dense matrix is a symmetric 0-1 adjacency without self loops.

    Raises
    ------
    GraphError
        When it is not; names the entry.
    """
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise GraphError(f"adjacency = of shape {adjacency.shape}: give a square matrix")
    if adjacency.dtype.kind not in "biuf":
        raise GraphError(f"adjacency = of {adjacency.dtype}: give 0 and 1")
    if not np.array_equal(adjacency, adjacency.T):
        i, j = np.argwhere(adjacency != adjacency.T)[0]
        raise GraphError(f"adjacency is not symmetric at ({i}, {j}); GCN's operator needs it to be")
    if not np.all((adjacency == 0) | (adjacency == 1)):
        raise GraphError("adjacency has entries other than 0 and 1; weights are not used here")
    if np.any(np.diagonal(adjacency)):
        raise GraphError("adjacency has a self loop; leave it out, normalisation adds them")


def graph_from_adjacency(
    adjacency: Float[np.ndarray, "n n"],
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    classes: int,
) -> Graph:
    """Return the graph of a dense adjacency matrix, checked to be symmetric, 0-1 and loopless."""
    adjacency = np.asarray(adjacency)
    check_adjacency(adjacency)
    upper = np.argwhere(np.triu(adjacency, 1))
    return Graph(upper, features, labels, classes)


@checked
def stack(graphs: Sequence[Graph], splits: Sequence[Split]) -> Federation:
    """Pad clients' own graphs to a common size and stack them.

    Parameters
    ----------
    graphs
        One graph per client, all with the same number of features.
    splits
        Each client's node ids *within its own graph*. Nodes with label -1 are left out of the
        masks.

    Raises
    ------
    GraphError
        For no clients, unequal feature widths, a client without a training node (named by its
        number), a node id out of range, or one that is in two parts of a client's split.
    """
    if not graphs or len(graphs) != len(splits):
        raise GraphError(f"{len(graphs)} graphs for {len(splits)} splits; give one split per graph")
    widths = {graph.features.shape[1] for graph in graphs}
    if len(widths) > 1:
        raise GraphError(f"clients have feature widths {sorted(widths)}; project them to one width")
    K, n, d = len(graphs), max(graph.nodes for graph in graphs), widths.pop()
    adjacency = np.zeros((K, n, n), np.float32)
    features = np.zeros((K, n, d), np.float32)
    labels = np.zeros((K, n), np.int32)
    masks = {part: np.zeros((K, n), bool) for part in Split._fields}
    real = np.zeros((K, n), bool)
    for k, (graph, split) in enumerate(zip(graphs, splits, strict=True)):
        size = graph.nodes
        _check_split(split, size, k)
        adjacency[k, :size, :size] = graph.adjacency
        features[k, :size] = graph.features
        labels[k, :size] = np.maximum(graph.labels, 0)
        real[k, :size] = True
        for part, ids in split._asdict().items():
            masks[part][k, ids[graph.labels[ids] >= 0]] = True
        if not masks["train"][k].any():
            raise GraphError(f"client {k} has no training node; give it one or leave it out")
    return Federation(
        jnp.asarray(adjacency),
        jnp.asarray(features),
        jnp.asarray(labels),
        jnp.asarray(masks["train"]),
        jnp.asarray(masks["validation"]),
        jnp.asarray(masks["test"]),
        jnp.asarray(real),
        max(graph.classes for graph in graphs),
    )


@checked
def federate(graph: Graph, splits: Sequence[Split]) -> Federation:
    """Cut one graph into clients: each keeps its own nodes and the edges among them.

    Parameters
    ----------
    graph
        The whole graph.
    splits
        Each client's node ids in the whole graph; no node belongs to two clients.

    Raises
    ------
    GraphError
        As `stack`, and for a node in two clients.
    """
    everything = np.concatenate([split.nodes for split in splits]) if splits else np.zeros(0, int)
    ids, times = np.unique(everything, return_counts=True)
    if np.any(times > 1):
        raise GraphError(f"node {ids[times > 1][0]} is given twice; each node has one client")
    if len(ids) and (ids[0] < 0 or ids[-1] >= graph.nodes):
        raise GraphError(f"a split names node {ids[-1] if ids[0] >= 0 else ids[0]}, out of range")
    own = []
    for split in splits:
        position = np.full(graph.nodes, -1)
        position[split.nodes] = np.arange(len(split.nodes))
        own.append(Split(*(position[part] for part in split)))
    return stack([graph.induced(split.nodes) for split in splits], own)


@checked
def edge_homophily(graph: Graph) -> float:
    """Return the share of edges that join two nodes of one class (nan without edges)."""
    if not len(graph.edges):
        return float("nan")
    ends = graph.labels[graph.edges]
    return float(np.mean(ends[:, 0] == ends[:, 1]))


def _check_split(split: Split, size: int, client: int) -> None:
    ids = split.nodes
    if len(ids) and (ids[0] < 0 or ids[-1] >= size):
        raise GraphError(f"client {client}: its split names a node outside 0 to {size - 1}")
    if len(np.unique(ids)) != len(ids):
        raise GraphError(f"client {client}: a node is in two parts of its split")
