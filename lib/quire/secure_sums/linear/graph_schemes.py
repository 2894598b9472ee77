"""Scalar schemes on any graph, for any collusion structure: a search through modulated matrices.

With X_k = W_k + Z_k, user u obtains the sum it wants iff the keys of those it hears add up to a
multiple of its own: Σ_{j ∈ wants(u)∖u} Z_j = c_u Z_u. So Z lies in the kernel of B - diag(c), the
"diagonally modulated" matrix of arXiv 2601.19183, and the search runs over the diagonals c.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from quire.checks import integer
from quire.secure_sums.linear._leakage import LeakageReport, leakage_to
from quire.secure_sums.linear.fields import prime
from quire.secure_sums.linear.protocols import LinearProtocol, one_pad_protocol
from quire.secure_sums.linear.ranks import null_space, prefix_ranks
from quire.secure_sums.problems import AggregationProblem
from quire.signatures import checked

DIAGONALS = 200_000  # diagonals tried before the search gives up
SUBSPACES = 64  # random subspaces of one kernel tried per dimension


@checked
def problem_protocol(
    problem: AggregationProblem, key_matrix: Int[np.ndarray, "KL r"], q: int, symbols: int = 1
) -> LinearProtocol:
    """Return X_k = W_k + Z_k with Z = M·N on the problem's graph, each user wanting its sum.

    Parameters
    ----------
    problem
        Who hears whom, and who wants what.
    key_matrix
        M, with ``symbols`` rows for each user.
    q
        Field size.
    symbols
        L, the input symbols of each user.

    Raises
    ------
    ValueError
        When M is of another number of users, or has an entry outside F_q.
    """
    plain = one_pad_protocol(key_matrix, q, symbols=symbols)
    if plain.users != problem.users:
        raise ValueError(f"key_matrix is of {plain.users} users: {problem.users} are needed")
    hears = np.array(problem.hears, dtype=bool)
    wanted = np.stack([plain.inputs[list(members)].sum(axis=0) for members in problem.wants])
    return LinearProtocol(q, plain.inputs, plain.keys, plain.messages, hears, wanted)


@checked
def problem_leakage(problem: AggregationProblem, protocol: LinearProtocol) -> LeakageReport:
    """Return the leakage of a protocol to each of the problem's coalitions."""
    members = np.zeros((len(problem.coalitions), problem.users), dtype=bool)
    for row, (_, colluders) in zip(members, problem.coalitions, strict=True):
        row[list(colluders)] = True
    observers = np.array([u for u, _ in problem.coalitions], dtype=np.int64)
    protected = np.zeros_like(members)
    protected[:, list(problem.protected)] = True
    return leakage_to(protocol, observers, members, protected)


@checked
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
    prime(q)
    at_least = integer("at_least", at_least, 0)
    rng = np.random.default_rng(integer("seed", seed, 0))
    base = _wanted_matrix(problem)
    at_least = max(1, at_least, counted_columns(problem))
    best: Int[np.ndarray, "K r"] | None = None
    for dimension, diagonal in _modulations(base, q, rng):
        if dimension < at_least:
            continue
        if best is not None and dimension >= best.shape[1] + 2:
            break
        kernel = null_space((base - np.diag(diagonal)) % q, q)
        for columns in range(at_least, dimension + 1):
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


def counted_columns(problem: AggregationProblem) -> int:
    """Return a number of columns below which every key matrix leaks, by counting alone.

    With r columns a coalition that hears m others has m - r combinations of their messages that no
    key masks, and each tells of inputs that are not its own; it is due no more than its sums.
    """
    if problem.protects is not None:
        return 0
    least = 0
    for u, colluders in problem.coalitions:
        coalition = {u, *colluders}
        heard = {j for k in coalition for j in range(problem.users) if problem.hears[k][j]}
        due = {problem.wants[k] for k in coalition}
        least = max(least, len(heard - coalition) - len(due))
    return least


def _wanted_matrix(problem: AggregationProblem) -> Int[np.ndarray, "K K"]:
    """Return B: row u marks whose keys cover the sum that user u wants.

    Raises
    ------
    ValueError
        When a user wants an input that it neither holds nor hears.
    """
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
    """Yield diagonals whose kernel is not empty, small kernels first; a sample of too many.

    Yields
    ------
    dimension, diagonal
        The kernel's dimension, and the diagonal.
    """
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
