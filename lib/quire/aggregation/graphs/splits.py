"""Ways of cutting a graph into clients, and of making the clients' graphs unlike one another."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from quire.aggregation.errors import SettingError, require_range, settled
from quire.aggregation.graphs.graph import Graph, Split
from quire.checks import integer, non_negative, real_array, whole_array
from quire.signatures import checked

Seed = int | np.random.Generator


def generator_of(seed: Seed) -> np.random.Generator:
    """Return the generator itself, or a new one: None would draw anew at every call.

    Raises
    ------
    SettingError
        When the seed is neither a generator nor an integer from 0 up.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(settled(integer, "seed", seed, 0))


def split_nodes(nodes: Int[np.ndarray, " k"], train: float, validation: float, seed: Seed) -> Split:
    """Shuffle a client's nodes and cut them into train, validation and test by shares.

    At least one node is for training.

    Raises
    ------
    SettingError
        For no node, shares outside [0, 1] or above 1 in sum, or a seed that is neither a whole
        number nor a generator.
    """
    nodes = settled(whole_array, "nodes", nodes, 1)
    if not len(nodes):
        raise SettingError("nodes = []: give at least one, to train on")
    train = settled(non_negative, "train", train)
    validation = settled(non_negative, "validation", validation)
    require_range("train", train, 0, 1, low_open=True)
    require_range("validation", validation, 0, 1)
    require_range("train + validation", train + validation, 0, 1)
    shuffled = generator_of(seed).permutation(nodes)
    first = max(1, round(train * len(nodes)))
    second = first + round(validation * len(nodes))
    return Split(*(np.sort(part) for part in np.split(shuffled, [first, second])))


@checked
def louvain_communities(graph: Graph, clients: int, seed: int) -> Int[np.ndarray, " n"]:
    """Return a client for every node: Louvain communities, dealt out largest first to the smallest.

    A community larger than a client's even share is first cut into pieces of that size, along a
    breadth-first order, so that pieces hang together and clients end up of similar size.

    Needs networkx. Louvain is randomised and its result depends on networkx's version, so a chapter
    that quotes numbers records both. Source: Blondel et al. (2008); the cutting and dealing: ours,
    in the manner of OpenFGL and FederatedScope.

    Raises
    ------
    SettingError
        When there are fewer communities than clients, or a number is not whole.
    """
    import networkx

    clients, seed = settled(integer, "clients", clients, 1), settled(integer, "seed", seed, 0)

    whole: networkx.Graph = networkx.Graph()
    whole.add_nodes_from(range(graph.nodes))
    whole.add_edges_from(map(tuple, graph.edges.tolist()))
    share = -(-graph.nodes // clients)
    pieces: list[list[int]] = []
    for community in networkx.community.louvain_communities(whole, seed=seed):
        inside = whole.subgraph(community)
        order = [
            node
            for part in sorted(networkx.connected_components(inside), key=min)
            for node in (min(part), *(v for _, v in networkx.bfs_edges(inside, min(part))))
        ]
        pieces += [order[i : i + share] for i in range(0, len(order), share)]
    if len(pieces) < clients:
        raise SettingError(f"clients = {clients}, but Louvain found {len(pieces)} communities only")
    owner = np.zeros(graph.nodes, int)
    load = np.zeros(clients, int)
    for piece in sorted(pieces, key=lambda nodes: (-len(nodes), min(nodes))):
        smallest = int(np.argmin(load))
        owner[piece] = smallest
        load[smallest] += len(piece)
    return owner


def splits_of(
    owner: Int[np.ndarray, " n"], train: float, validation: float, seed: Seed
) -> tuple[Split, ...]:
    """Split every client's nodes, given each node's client.

    Raises
    ------
    SettingError
        As :func:`split_nodes`, and for an owner that is no client's number.
    """
    owner = settled(whole_array, "owner", owner, 1, least=0)
    if not len(owner):
        raise SettingError("owner = []: give a client for each node")
    generator = generator_of(seed)
    return tuple(
        split_nodes(np.flatnonzero(owner == client), train, validation, generator)
        for client in range(int(owner.max()) + 1)
    )


def spectral_features(features: Float[np.ndarray, "n d"], width: int) -> Float[np.ndarray, "n w"]:
    """Project a client's features on their leading right singular vectors.

    Clients whose features name different things can not share a first layer; each projects by
    itself, since a basis fitted on everybody's nodes would leak. Signs are fixed by making each
    direction's largest entry positive. The result has ``width`` columns; those beyond the rank are
    zero. ``SettingError`` for features that are no matrix of finite numbers.
    """
    features = settled(real_array, "features", features, 2)
    width = settled(integer, "width", width, 1)
    _, values, directions = np.linalg.svd(features, full_matrices=False)
    keep = min(width, len(values))
    directions = directions[:keep]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(keep), largest])[:, None]
    projected = np.zeros((len(features), width))
    projected[:, :keep] = features @ directions.T
    return projected
