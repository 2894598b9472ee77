"""Aggregation problems: who hears whom, which sum each user is to learn, and who may collude."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Bool

from quire.checks import integer
from quire.secure_sums.checks import yes_or_no
from quire.signatures import checked

Coalition = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class AggregationProblem:
    """Who hears whom, which sum each user is to learn, and who may collude.

    Attributes
    ----------
    hears
        ``hears[u][j]``: user u receives the message of user j.
    wants
        ``wants[u]``: the users whose inputs user u is to sum, in increasing order.
    coalitions
        Every (u, 𝒯) that must learn nothing more: an observer and its colluders.
    protects
        Whose inputs the coalitions must learn nothing of; everybody's by default (``None``).

    Raises
    ------
    ValueError
        When a row has another length, or a number is no user's.
    """

    hears: tuple[tuple[bool, ...], ...]
    wants: tuple[tuple[int, ...], ...]
    coalitions: tuple[Coalition, ...]
    protects: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        yes_or_no("hears", [list(row) for row in self.hears], (self.users, self.users))
        if len(self.wants) != self.users:
            raise ValueError(f"wants has {len(self.wants)} sums: {self.users} are needed")
        numbers = [k for wants in self.wants for k in wants]
        numbers += [k for u, colluders in self.coalitions for k in (u, *colluders)]
        for number in (*numbers, *(self.protects or ())):
            integer("user", number, 0, self.users - 1)
        for u, colluders in self.coalitions:
            if len({u, *colluders}) != len(colluders) + 1:
                raise ValueError(f"coalition ({u}, {colluders}) names a user twice")

    @property
    def users(self) -> int:
        """K."""
        return len(self.hears)

    @cached_property
    def sums(self) -> tuple[tuple[int, ...], ...]:
        """The different sums, in order of first appearance."""
        return tuple(dict.fromkeys(self.wants))

    @property
    def protected(self) -> tuple[int, ...]:
        """The users whose inputs are protected, in increasing order."""
        return tuple(range(self.users)) if self.protects is None else tuple(sorted(self.protects))

    @cached_property
    def symmetries(self) -> tuple[tuple[int, ...], ...]:
        """Relabellings of the users that change nothing (all K! for the complete graph)."""
        return tuple(g for g in permutations(range(self.users)) if self._kept_by(g))

    @property
    def fully_symmetric(self) -> bool:
        """Whether every relabelling is a symmetry, as on a complete graph with one sum."""
        off = [row[j] for u, row in enumerate(self.hears) for j in range(self.users) if j != u]
        everyone = tuple(range(self.users))
        sizes = {len(colluders) for _, colluders in self.coalitions}
        return (
            self.protects is None
            and all(off)
            and all(wants == everyone for wants in self.wants)
            and set(self.coalitions) == set(all_coalitions(self.users, sizes))
        )

    def _kept_by(self, g: tuple[int, ...]) -> bool:
        graph = all(
            self.hears[u][j] == self.hears[g[u]][g[j]]
            for u in range(self.users)
            for j in range(self.users)
        )
        sums = all(
            tuple(sorted(g[k] for k in self.wants[u])) == self.wants[g[u]]
            for u in range(self.users)
        )
        moved = {(g[u], tuple(sorted(g[k] for k in t))) for u, t in self.coalitions}
        hidden = tuple(sorted(g[k] for k in self.protected)) == self.protected
        return graph and sums and hidden and moved == set(self.coalitions)


@checked
def all_coalitions(users: int, sizes: Iterable[int]) -> tuple[Coalition, ...]:
    """Return every observer with every set of so many others.

    Raises
    ------
    ValueError
        When a number is not whole, or a size is negative.
    """
    users = integer("users", users, 1)
    return tuple(
        (u, colluders)
        for size in sorted(integer("sizes", size, 0) for size in sizes)
        for u in range(users)
        for colluders in combinations([j for j in range(users) if j != u], size)
    )


@checked
def everyone_wants_everything(users: int, sizes: Iterable[int]) -> AggregationProblem:
    """Return the problem of the theorem: a complete graph, and one sum for all.

    ``sizes`` are the numbers of colluders to be secure against: ``range(T + 1)`` for threshold T.

    Raises
    ------
    ValueError
        When a number is not whole, or a size is negative.
    """
    users = integer("users", users, 1)
    hears = tuple(tuple(j != u for j in range(users)) for u in range(users))
    wants = (tuple(range(users)),) * users
    return AggregationProblem(hears, wants, all_coalitions(users, sizes))


@checked
def neighbourhood_sums(
    adjacency: Bool[np.ndarray, "K K"], sizes: Iterable[int] = (0,)
) -> AggregationProblem:
    """Return the problem on a graph: each user wants the sum of its neighbours' inputs.

    Raises
    ------
    ValueError
        When the matrix is no loop-free undirected graph, or a user is alone.
    """
    graph = yes_or_no("adjacency", adjacency, (len(adjacency), len(adjacency)))
    if (graph != graph.T).any() or graph.diagonal().any():
        raise ValueError("adjacency is no undirected graph: symmetric and without loops is needed")
    if not graph.any(axis=1).all():
        raise ValueError(f"user {int(np.argmin(graph.any(axis=1)))} has no neighbour; connect it")
    return AggregationProblem(
        tuple(tuple(bool(b) for b in row) for row in graph),
        tuple(tuple(int(j) for j in np.flatnonzero(row)) for row in graph),
        all_coalitions(len(graph), sizes),
    )
