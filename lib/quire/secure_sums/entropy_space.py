"""The joint entropies of (W_k, Z_k, X_k), k in [K], and the sums, up to what they determine.

3K + s variables have 2^(3K+s) joint entropies. Two reductions keep the linear program small and
exact (ours): sets with the same *closure* under the protocol's functional dependencies have the
same entropy, and sets that a symmetry of the problem exchanges may share one unknown, because
averaging a solution over the symmetries keeps it feasible.

Sets are integers: bit 3k is W_k, 3k+1 is Z_k, 3k+2 is X_k, and bit 3K+i is the i-th sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Bool, Int

LARGEST = 1 << 20  # sets tabulated; 19 variables (K = 6 on a complete graph) fit


Coalition = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class AggregationProblem:
    """Who hears whom, which sum each user is to learn, and who may collude.

    Parameters
    ----------
    hears
        ``hears[u][j]``: user u receives the message of user j.
    wants
        ``wants[u]``: the users whose inputs user u is to sum.
    coalitions
        Every (u, 𝒯) that must learn nothing more: an observer and its colluders.
    """

    hears: tuple[tuple[bool, ...], ...]
    wants: tuple[tuple[int, ...], ...]
    coalitions: tuple[Coalition, ...]

    @property
    def users(self) -> int:
        """K."""
        return len(self.hears)

    @cached_property
    def sums(self) -> tuple[tuple[int, ...], ...]:
        """The different sums, in order of first appearance."""
        return tuple(dict.fromkeys(self.wants))

    @property
    def variables(self) -> int:
        """Number of random variables: three per user and one per different sum."""
        return 3 * self.users + len(self.sums)

    def sum_bit(self, user: int) -> int:
        """Return the set that holds only the sum that this user wants."""
        return 1 << (3 * self.users + self.sums.index(self.wants[user]))

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
            all(off)
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
        return graph and sums and moved == set(self.coalitions)


def all_coalitions(users: int, sizes: Iterable[int]) -> tuple[Coalition, ...]:
    """Return every observer with every set of so many others."""
    return tuple(
        (u, colluders)
        for size in sorted(sizes)
        for u in range(users)
        for colluders in combinations([j for j in range(users) if j != u], size)
    )


def everyone_wants_everything(users: int, sizes: Iterable[int]) -> AggregationProblem:
    """Return the problem of the theorem: a complete graph, and one sum for all.

    ``sizes`` are the numbers of colluders to be secure against: ``range(T + 1)`` for threshold T.
    """
    hears = tuple(tuple(j != u for j in range(users)) for u in range(users))
    wants = (tuple(range(users)),) * users
    return AggregationProblem(hears, wants, all_coalitions(users, sizes))


def neighbourhood_sums(
    adjacency: Bool[np.ndarray, "K K"], sizes: Iterable[int] = (0,)
) -> AggregationProblem:
    """Return the problem on a graph: each user wants the sum of its neighbours' inputs.

    Raises ``ValueError`` for a matrix that is no loop-free undirected graph, or a user alone.
    """
    graph = np.asarray(adjacency, dtype=bool)
    if graph.shape[0] != graph.shape[1] or (graph != graph.T).any() or graph.diagonal().any():
        raise ValueError("adjacency must be square, symmetric and without loops")
    if not graph.any(axis=1).all():
        raise ValueError(f"user {int(np.argmin(graph.any(axis=1)))} has no neighbour; connect it")
    return AggregationProblem(
        tuple(tuple(bool(b) for b in row) for row in graph),
        tuple(tuple(int(j) for j in np.flatnonzero(row)) for row in graph),
        all_coalitions(len(graph), sizes),
    )


def closures(problem: AggregationProblem, sets: Int[np.ndarray, " s"]) -> Int[np.ndarray, " s"]:
    """Return the largest set with the same entropy by functional dependence.

    {W_k, Z_k} → X_k; all inputs of a sum → the sum; a sum and all but one → the last one;
    {W_u, Z_u} and the messages user u hears → the sum it wants.
    """
    rules = [(0b011 << 3 * k, 0b100 << 3 * k) for k in range(problem.users)]
    for i, members in enumerate(problem.sums):
        total = 1 << (3 * problem.users + i)
        inputs = sum(1 << 3 * k for k in members)
        rules.append((inputs, total))
        rules += [((inputs | total) & ~(1 << 3 * k), 1 << 3 * k) for k in members]
    for u in range(problem.users):
        heard = sum(0b100 << 3 * j for j in range(problem.users) if problem.hears[u][j])
        rules.append((heard | 0b011 << 3 * u, problem.sum_bit(u)))
    closed = np.array(sets, dtype=np.int64)
    while True:
        before = closed.copy()
        for needed, gained in rules:
            closed |= np.where((closed & needed) == needed, gained, 0)
        if (closed == before).all():
            return closed


def canonical(problem: AggregationProblem, sets: Int[np.ndarray, " s"]) -> Int[np.ndarray, " s"]:
    """Return one representative of each set's orbit under the problem's symmetries."""
    users = problem.users
    codes = sets[:, None] >> 3 * np.arange(users) & 0b111
    if problem.fully_symmetric:
        ordered = np.sort(codes, axis=1)[:, ::-1]
        return (ordered << 3 * np.arange(users)).sum(axis=1) | sets >> 3 * users << 3 * users
    least = sets.copy()
    for g in problem.symmetries:
        moved = (codes << 3 * np.array(g)).sum(axis=1)
        for i, members in enumerate(problem.sums):
            target = problem.sums.index(tuple(sorted(g[k] for k in members)))
            moved |= (sets >> (3 * users + i) & 1) << (3 * users + target)
        np.minimum(least, moved, out=least)
    return least


@dataclass(frozen=True)
class EntropySpace:
    """The unknowns of the linear program: one per orbit of closed sets.

    Parameters
    ----------
    problem
        What the variables are.
    unknown
        ``unknown[set]``: the number of the set's unknown, or -1 for the empty set.
    representatives
        A closed set of each unknown.
    """

    problem: AggregationProblem
    unknown: Int[np.ndarray, " sets"]
    representatives: Int[np.ndarray, " u"]

    def row(self, terms: dict[int, int]) -> dict[int, int]:
        """Return {unknown: coefficient} of Σ c·H(set), with the empty set's entropy zero."""
        collected: dict[int, int] = {}
        for subset, coefficient in terms.items():
            i = int(self.unknown[subset])
            if i >= 0:
                collected[i] = collected.get(i, 0) + coefficient
        return {i: c for i, c in collected.items() if c}


def entropy_space(problem: AggregationProblem) -> EntropySpace:
    """Tabulate the closed sets of a problem up to symmetry.

    Raises
    ------
    ValueError
        When the problem has more than 20 random variables.
    """
    if 1 << problem.variables > LARGEST:
        raise ValueError(
            f"{problem.variables} random variables have too many joint entropies (at most 20); "
            "take fewer users or fewer different sums"
        )
    closed = closures(problem, np.arange(1 << problem.variables))
    distinct, where = np.unique(closed, return_inverse=True)
    orbit = canonical(problem, distinct)
    representatives, number = np.unique(orbit, return_inverse=True)
    # the empty set sorts first and has entropy zero: it is no unknown
    return EntropySpace(problem, number[where].reshape(-1) - 1, representatives[1:])


def elemental_inequalities(
    space: EntropySpace,
) -> tuple[Int[np.ndarray, "m 3"], Int[np.ndarray, "m 4"]]:
    """Return all different inequalities H(A∪i) + H(A∪j) - H(A∪ij) - H(A) >= 0.

    The first array names them as (A, i, j), where i = j stands for H(full) - H(full∖i) >= 0; the
    second holds their unknowns in that order of terms, -1 for none. Closed A are enough, because
    H(A∪i) does not change when A is closed, and one A per orbit is.
    """
    n = space.problem.variables
    bits = 1 << np.arange(n)
    context = np.concatenate([[0], space.representatives])
    names, terms = [], []
    for i in range(n):
        for j in range(i + 1, n):
            a = context[(context & (bits[i] | bits[j])) == 0]
            names.append(np.stack([a, np.full_like(a, i), np.full_like(a, j)], axis=1))
            pair = (a | bits[i], a | bits[j], a | bits[i] | bits[j], a)
            terms.append(np.stack([space.unknown[s] for s in pair], axis=1))
    full = (1 << n) - 1
    last = np.arange(n)
    names.append(np.stack([full & ~bits, last, last], axis=1))
    none = np.full(n, -1)
    whole = np.full(n, space.unknown[full])
    terms.append(np.stack([whole, none, space.unknown[full & ~bits], none], axis=1))
    name, term = np.concatenate(names), np.concatenate(terms)
    term[:, :2].sort(axis=1)
    term[:, 2:].sort(axis=1)
    trivial = (term[:, :2] == term[:, 2:]).all(axis=1)
    name, term = name[~trivial], term[~trivial]
    first = np.unique(term, axis=0, return_index=True)[1]
    return name[first], term[first]
