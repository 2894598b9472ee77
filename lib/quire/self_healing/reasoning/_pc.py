"""The PC algorithm with Fisher's z, its order-independent form, and knowledge from priors.

Spirtes and Glymour's algorithm in the stable version of Colombo and Maathuis (JMLR 2014): the
skeleton by tests of partial correlations, colliders from separating sets, then Meek's rules. A node
counts as separating where any set of the decisive size that holds it separates. Colliders that
contradict each other are taken by strength, the least p-value of their ends given the middle first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from math import log1p, sqrt
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm

from quire import checks


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
    return float(2 * norm.sf(abs(z)))


def _directed(
    joined: Bool[np.ndarray, "d d"],
    colliders: list[tuple[int, int, int]],
    banned: set[tuple[int, ...]],
) -> Bool[np.ndarray, "d d"]:
    """Orient colliders, then what knowledge forbids, then by Meek's rules until nothing changes."""
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
    changed = True
    while changed:
        changed = False
        arrow = marks & ~marks.T
        for a, b in np.argwhere(marks & marks.T).tolist():
            into = np.flatnonzero(arrow[:, a]).tolist()
            away = any(not joined[c, b] for c in into)  # c -> a - b, c and b apart
            chain = bool((arrow[a] & arrow[:, b]).any())  # a -> c -> b
            sides = [c for c in np.flatnonzero(marks[a] & marks[:, a]).tolist() if arrow[c, b]]
            pair = any(not joined[c, e] for c, e in combinations(sides, 2))
            if (away or chain or pair) and point(a, b):
                changed = True
                break
    return marks
