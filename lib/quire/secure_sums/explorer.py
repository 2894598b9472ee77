"""Any graph, any collusion structure: the converse's bound, the best linear scheme, and the gap.

With X_k = W_k + Z_k, user u obtains the sum it wants iff the keys of those it hears add up to a
multiple of its own: Σ_{j ∈ wants(u)∖u} Z_j = c_u Z_u. So Z lies in the kernel of B - diag(c), the
"diagonally modulated" matrix of arXiv 2601.19183, and the search runs over the diagonals c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Bool, Int

from quire.secure_sums.converse import converse_bound, converse_program
from quire.secure_sums.entropy_space import AggregationProblem
from quire.secure_sums.fields import prime_power
from quire.secure_sums.leakage import LeakageReport, leakage_to
from quire.secure_sums.proofs import ConverseProof, exact_proof
from quire.secure_sums.protocols import LinearProtocol, one_pad_protocol
from quire.secure_sums.ranks import prefix_ranks

DIAGONALS = 200_000  # diagonals tried before the search gives up
SUBSPACES = 64  # random subspaces of one kernel tried per dimension


def ring(users: int) -> Bool[np.ndarray, "K K"]:
    """Return the cycle of K users."""
    return circulant(users, (1,))


def circulant(users: int, steps: tuple[int, ...]) -> Bool[np.ndarray, "K K"]:
    """Return the graph in which users at these distances on a ring are neighbours."""
    if users < 3 or any(not 0 < s < users for s in steps):
        raise ValueError(f"users = {users} and steps = {steps} make no circulant graph")
    apart = (np.arange(users)[:, None] - np.arange(users)) % users
    return np.isin(apart, [*steps, *(users - s for s in steps)])


def prism(side: int) -> Bool[np.ndarray, "K K"]:
    """Return two rings of ``side`` users, joined user by user."""
    one, joined = ring(side), np.eye(side, dtype=bool)
    return np.block([[one, joined], [joined, one]])


def problem_protocol(
    problem: AggregationProblem, key_matrix: Int[np.ndarray, "K r"], q: int
) -> LinearProtocol:
    """Return X_k = W_k + Z_k with Z = M·N on the problem's graph, each user wanting its sum."""
    plain = one_pad_protocol(key_matrix, q, np.array(problem.hears, dtype=bool))
    wanted = np.stack([plain.inputs[list(members)].sum(axis=0) for members in problem.wants])
    return LinearProtocol(q, plain.inputs, plain.keys, plain.messages % q, plain.hears, wanted)


def problem_leakage(problem: AggregationProblem, protocol: LinearProtocol) -> LeakageReport:
    """Return the leakage of a protocol to each of the problem's coalitions."""
    members = np.zeros((len(problem.coalitions), problem.users), dtype=bool)
    for row, (_, colluders) in zip(members, problem.coalitions, strict=True):
        row[list(colluders)] = True
    observers = np.array([u for u, _ in problem.coalitions], dtype=np.int64)
    return leakage_to(protocol, observers, members)


@dataclass(frozen=True)
class Exploration:
    """What is known of a problem's least total key, in symbols per input symbol.

    Parameters
    ----------
    bound
        The converse's optimum; with ``proof``, an exact one.
    scheme
        The key matrix of the best scalar-linear scheme found, or ``None``.
    """

    bound: Fraction
    proof: ConverseProof | None
    scheme: Int[np.ndarray, "K r"] | None

    @property
    def achieved(self) -> int | None:
        """Total key symbols of the best scheme found."""
        return None if self.scheme is None else self.scheme.shape[1]

    @property
    def gap(self) -> Fraction | None:
        """What remains between the scheme and the bound."""
        return None if self.achieved is None else self.achieved - self.bound


def explore(problem: AggregationProblem, q: int, seed: int = 0) -> Exploration:
    """Return bound, best scheme found and gap for the total key of a problem."""
    proof = exact_proof(converse_bound(converse_program(problem), "total key"))
    return Exploration(proof.bound, proof, best_scheme(problem, q, int(-(-proof.bound // 1)), seed))


def best_scheme(
    problem: AggregationProblem, q: int, at_least: int = 0, seed: int = 0
) -> Int[np.ndarray, "K r"] | None:
    """Return the key matrix with fewest columns found that is correct and leaks nothing.

    Diagonals are taken in order of the kernel's dimension, and random subspaces of each kernel too;
    the search stops at ``at_least`` columns, which no scheme can be below. Not finding one proves
    nothing unless all q**K diagonals were tried and the kernel itself was needed.

    Raises
    ------
    ValueError
        When q is not prime, or a user wants an input that it neither holds nor hears.
    """
    if prime_power(q)[1] != 1:
        raise ValueError(f"q = {q} is not prime; the search runs over prime fields")
    rng = np.random.default_rng(seed)
    base = _wanted_matrix(problem)
    best: Int[np.ndarray, "K r"] | None = None
    for dimension, diagonal in _modulations(base, q, rng):
        if dimension < at_least:
            continue
        if best is not None and dimension >= best.shape[1] + 2:
            break
        kernel = null_space((base - np.diag(diagonal)) % q, q)
        for columns in range(max(1, at_least), dimension + 1):
            if best is not None and columns >= best.shape[1]:
                break
            tries = 1 if columns == dimension else SUBSPACES
            for _ in range(tries):
                mixing = (
                    np.eye(dimension, dtype=np.int64)
                    if columns == dimension
                    else rng.integers(0, q, (dimension, columns))
                )
                candidate = kernel @ mixing % q
                protocol = problem_protocol(problem, candidate, q)
                if problem_leakage(problem, protocol).worst.symbols == 0:
                    best = candidate
                    break
        if best is not None and best.shape[1] <= at_least:
            break
    return best


def null_space(matrix: Int[np.ndarray, "r c"], q: int) -> Int[np.ndarray, "c d"]:
    """Return a basis of {z : matrix·z = 0} over a prime field, as columns."""
    work = np.asarray(matrix, dtype=np.int64) % q
    columns = work.shape[1]
    pivots: list[int] = []
    for column in range(columns):
        row = len(pivots)
        below = np.flatnonzero(work[row:, column])
        if len(below) == 0:
            continue
        work[[row, row + below[0]]] = work[[row + below[0], row]]
        work[row] = work[row] * pow(int(work[row, column]), -1, q) % q
        others = np.flatnonzero(work[:, column])
        others = others[others != row]
        work[others] = (work[others] - work[others, column, None] * work[row]) % q
        pivots.append(column)
    free = [c for c in range(columns) if c not in pivots]
    basis = np.zeros((columns, len(free)), dtype=np.int64)
    for d, column in enumerate(free):
        basis[column, d] = 1
        basis[pivots, d] = -work[: len(pivots), column] % q
    return basis


def connected_graphs(users: int) -> tuple[Bool[np.ndarray, "K K"], ...]:
    """Return one graph of each isomorphism class on K <= 5 users in which nobody is alone."""
    if not 3 <= users <= 5:
        raise ValueError(f"users = {users}: the classes are enumerated for 3, 4 and 5 users")
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


def _wanted_matrix(problem: AggregationProblem) -> Int[np.ndarray, "K K"]:
    """B: row u marks whose keys cover the sum that user u wants."""
    base = np.zeros((problem.users, problem.users), dtype=np.int64)
    for u, members in enumerate(problem.wants):
        for j in members:
            if j != u and not problem.hears[u][j]:
                raise ValueError(f"user {u} wants the input of user {j} but does not hear it")
            base[u, j] = j != u
    return base


def _modulations(
    base: Int[np.ndarray, "K K"], q: int, rng: np.random.Generator
) -> Iterator[tuple[int, Int[np.ndarray, " K"]]]:
    """Diagonals whose kernel is not empty, small kernels first; a sample if there are too many."""
    users = len(base)
    total = q**users
    numbers = np.arange(total) if total <= DIAGONALS else rng.integers(0, total, DIAGONALS)
    diagonals = numbers[:, None] // q ** np.arange(users) % q
    nullity = np.concatenate(
        [
            users - prefix_ranks((base - d[:, :, None] * np.eye(users, dtype=int)) % q, q)[:, -1]
            for d in np.array_split(diagonals, max(1, len(diagonals) // 20_000))
        ]
    )
    for i in np.argsort(nullity, kind="stable"):
        if nullity[i] > 0:
            yield int(nullity[i]), diagonals[i]
