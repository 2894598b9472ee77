"""The PC algorithm with Fisher's z, its order-independent form, and knowledge from priors.

Spirtes and Glymour's algorithm in the stable version of Colombo and Maathuis (JMLR 2014): the
skeleton by tests of partial correlations, colliders from separating sets, then Meek's rules. A node
counts as separating where any set of the decisive size that holds it separates. Colliders that
contradict each other are taken by strength, the least p-value of their ends given the middle first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, permutations
from math import log1p, sqrt
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr

from quire import checks
from quire.signatures import checked


@dataclass(frozen=True)
class Pattern:
    """A partially directed graph.

    Attributes
    ----------
    marks
        ``marks[i, j]`` without ``marks[j, i]`` is the edge i -> j; with it, i - j.
    tests
        How many independence tests were made.
    """

    marks: Bool[np.ndarray, "d d"]
    tests: int

    @property
    def skeleton(self) -> Bool[np.ndarray, "d d"]:
        """Whether two nodes are joined."""
        return self.marks | self.marks.T


@checked
def pc(
    X: Any,
    alpha: Any = 0.05,
    forbidden: Iterable[tuple[int, int]] = (),
    most: int | None = None,
) -> Pattern:
    """Return the pattern of the PC algorithm.

    Parameters
    ----------
    X
        Samples by variables.
    alpha
        Level of each test.
    forbidden
        Edges (i, j) that may not be directed from i to j.
    most
        Largest conditioning set, None for no limit.

    Raises
    ------
    ValueError
        For NaN, a constant column, two columns that are multiples of one another, a level outside
        (0, 1), or an unknown node.
    """
    values = checks.real_array("X", X, 2)
    n, d = values.shape
    alpha = checks.between("alpha", alpha, 0.0, 1.0)
    if most is not None:
        checks.integer("most", most, 0)
    banned = set()
    for pair in forbidden:
        banned.add(tuple(checks.integer("forbidden", end, 0, d - 1) for end in pair))
    constant = np.flatnonzero(np.ptp(values, axis=0) == 0)
    if len(constant):
        raise ValueError(f"X = column {constant[0]} is constant: must vary")
    correlation = np.corrcoef(values, rowvar=False).reshape(d, d)
    same = np.argwhere(np.triu(np.abs(correlation) > 1 - 1e-12, 1))
    if len(same):
        raise ValueError(
            f"X = columns {same[0][0]} and {same[0][1]} are equal but for scale: must differ "
            "(structures.distinct_columns drops copies)"
        )
    joined = ~np.eye(d, dtype=bool)
    separated: dict[tuple[int, int], tuple[int, ...]] = {}
    size, tests = 0, 0
    while joined.sum(axis=1).max(initial=0) > size and (most is None or size <= most):
        if n - size - 3 <= 0:
            break
        fixed = joined.copy()  # neighbours as they were: the order of nodes does not matter
        for i, j in combinations(range(d), 2):
            if not fixed[i, j]:
                continue
            seen = set()
            for a, b in ((i, j), (j, i)):
                neighbours = [k for k in np.flatnonzero(fixed[a]).tolist() if k != b]
                for given in combinations(neighbours, size):
                    if given in seen:
                        continue
                    seen.add(given)
                    tests += 1
                    if _p_value(correlation, n, i, j, given) > alpha:
                        joined[i, j] = joined[j, i] = False
                        separated[i, j] = (*separated.get((i, j), ()), *given)
        size += 1
    colliders = []
    for middle in range(d):
        for a, b in combinations(np.flatnonzero(joined[middle]).tolist(), 2):
            if not joined[a, b] and middle not in separated.get((a, b), ()):
                strength = max(
                    _p_value(correlation, n, a, b, given)
                    for given in _sets_with(joined, a, b, middle)
                    if n - len(given) - 3 > 0
                )
                colliders.append((strength, a, middle, b))
    order = [(a, middle, b) for _, a, middle, b in sorted(colliders)]
    return Pattern(_directed(joined, order, banned), tests)


def _sets_with(
    joined: Bool[np.ndarray, "d d"], a: int, b: int, middle: int
) -> list[tuple[int, ...]]:
    """Return the sets of neighbours of either end that hold the middle."""
    found = set()
    for one, other in ((a, b), (b, a)):
        rest = [k for k in np.flatnonzero(joined[one]).tolist() if k not in (other, middle)]
        for size in range(len(rest) + 1):
            for some in combinations(rest, size):
                found.add(tuple(sorted((middle, *some))))
    return sorted(found)


def _p_value(
    correlation: Float[np.ndarray, "d d"], n: int, i: int, j: int, given: tuple[int, ...]
) -> float:
    places = [i, j, *given]
    inverse = np.linalg.pinv(correlation[np.ix_(places, places)])
    r = -inverse[0, 1] / sqrt(max(inverse[0, 0] * inverse[1, 1], 1e-300))
    r = min(max(float(r), -1 + 1e-15), 1 - 1e-15)
    z = 0.5 * (log1p(r) - log1p(-r)) * sqrt(n - len(given) - 3)
    return float(2 * ndtr(-abs(z)))


def _directed(
    joined: Bool[np.ndarray, "d d"],
    colliders: list[tuple[int, int, int]],
    banned: set[tuple[int, ...]],
) -> Bool[np.ndarray, "d d"]:
    """Orient colliders, then what knowledge forbids, then by Meek's rules until nothing changes.

    Tests on a sample can contradict each other; a rule that would close a circle is passed over.
    """
    marks = joined.copy()

    def point(a: int, b: int) -> bool:
        """Direct a - b as a -> b where it is still open and allowed."""
        if marks[a, b] and marks[b, a] and (a, b) not in banned:
            marks[b, a] = False
            return True
        return False

    for a, b in sorted(banned):
        if marks[a, b] and marks[b, a] and (b, a) not in banned:
            marks[a, b] = False
    for a, middle, b in colliders:
        # the strongest first; one that would turn an edge directed before is left out whole
        if marks[a, middle] and marks[b, middle] and not {(a, middle), (b, middle)} & banned:
            point(a, middle)
            point(b, middle)
    d = len(marks)

    def leads(a: int, b: int) -> bool:
        """Return whether arrows lead from a to b: then b -> a would close a circle."""
        arrow = marks & ~marks.T
        seen, queue = {a}, [a]
        while queue:
            for c in np.flatnonzero(arrow[queue.pop()]).tolist():
                if c not in seen:
                    seen.add(c)
                    queue.append(c)
        return b in seen

    def directed(a: int, b: int) -> bool:
        return bool(marks[a, b] and not marks[b, a])

    def apply(a: int, b: int) -> bool:
        return not leads(b, a) and point(a, b)

    apart = [(i, j, k) for i, j, k in permutations(range(d), 3)
             if joined[i, j] and joined[j, k] and not joined[i, k]]  # fmt: skip
    triangles = [(i, j, k) for i, j, k in permutations(range(d), 3)
                 if joined[i, j] and joined[j, k] and joined[i, k]]  # fmt: skip
    changed = True
    while changed:
        changed = False
        for i, j, k in apart:  # i -> j - k, i and k apart
            if directed(i, j):
                changed |= apply(j, k)
        for i, j, k in triangles:  # i -> j -> k
            if directed(i, j) and directed(j, k):
                changed |= apply(i, k)
        for i, k in permutations(range(d), 2):  # i - j -> k from two j that are apart
            sides = [j for j in range(d) if marks[i, j] and marks[j, i] and directed(j, k)]
            if marks[i, k] and any(not joined[c, e] for c, e in combinations(sides, 2)):
                changed |= apply(i, k)
    return marks
