"""Graphs of users: who hears whom when not everybody hears everybody."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
from jaxtyping import Bool

from quire.checks import instance, integer, integers
from quire.signatures import checked

NAMED = {
    "path3": (3, ((0, 1), (1, 2))),
    "star4": (4, ((0, 1), (0, 2), (0, 3))),
    "path4": (4, ((0, 1), (1, 2), (2, 3))),
    "paw4": (4, ((0, 1), (1, 2), (2, 0), (2, 3))),
    "diamond4": (4, ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2))),
}
"""Small graphs that are not regular: number of users, and edges."""


@checked
def named_graph(name: str) -> Bool[np.ndarray, "K K"]:
    """Return a graph by its name: ring5, complete4, prism6, or one of `NAMED`.

    Raises
    ------
    ValueError
        When there is no graph of that name.
    """
    instance("name", name, str)
    kind, size = name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]
    if name in NAMED:
        users, edges = NAMED[name]
        graph = np.zeros((users, users), dtype=bool)
        for i, j in edges:
            graph[i, j] = graph[j, i] = True
        return graph
    if size and kind == "ring":
        return ring(int(size))
    if size and kind == "complete":
        return circulant(int(size), tuple(range(1, int(size) // 2 + 1)))
    if size and kind == "prism" and int(size) % 2 == 0:
        return prism(int(size) // 2)
    raise ValueError(f"name = {name!r}: ring5, complete4, prism6 or one of {', '.join(NAMED)}")


def ring(users: int) -> Bool[np.ndarray, "K K"]:
    """Return the cycle of K users.

    Raises
    ------
    ValueError
        When there are fewer than three.
    """
    return circulant(users, (1,))


@checked
def circulant(users: int, steps: tuple[int, ...]) -> Bool[np.ndarray, "K K"]:
    """Return the graph in which users at these distances on a ring are neighbours.

    Raises
    ------
    ValueError
        When there are fewer than three users, or a distance is outside 1 … K-1.
    """
    users, steps = integer("users", users, 1), tuple(integers("steps", steps, 1))
    if users < 3 or any(s >= users for s in steps):
        raise ValueError(f"users = {users} and steps = {steps} make no circulant graph")
    apart = (np.arange(users)[:, None] - np.arange(users)) % users
    return np.isin(apart, [*steps, *(users - s for s in steps)])


def prism(side: int) -> Bool[np.ndarray, "K K"]:
    """Return two rings of ``side`` users, joined user by user.

    Raises
    ------
    ValueError
        When a ring has fewer than three.
    """
    side = integer("side", side, 3)
    one, joined = ring(side), np.eye(side, dtype=bool)
    return np.block([[one, joined], [joined, one]])


def connected_graphs(users: int) -> tuple[Bool[np.ndarray, "K K"], ...]:
    """Return one connected graph of each isomorphism class on K users.

    Raises
    ------
    ValueError
        When K is not 3, 4 or 5.
    """
    users = integer("users", users, 3, 5)  # the classes are enumerated for these
    pairs = list(combinations(range(users), 2))
    seen: dict[tuple[int, ...], Bool[np.ndarray, "K K"]] = {}
    relabel = [np.array(g) for g in permutations(range(users))]
    for number in range(1 << len(pairs)):
        graph = np.zeros((users, users), dtype=bool)
        for bit, (i, j) in enumerate(pairs):
            graph[i, j] = graph[j, i] = bool(number >> bit & 1)
        reach = np.linalg.matrix_power(np.eye(users, dtype=np.int64) + graph, users)
        if (reach == 0).any():
            continue
        name = min(tuple(graph[np.ix_(g, g)].astype(int).ravel().tolist()) for g in relabel)
        seen.setdefault(name, graph)
    return tuple(sorted(seen.values(), key=lambda g: int(g.sum())))
