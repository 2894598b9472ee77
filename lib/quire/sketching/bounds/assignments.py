"""The coupled Nystrom bound against every assignment of tiny instances.

Inside the class of :func:`quire.sketching.nystrom_coupled_bound` all assignments are enumerated,
or searched by integer programming. Outside it, the first product may move data too (A arrives in
any even layout, Y lies anywhere), or the work may be uneven. Each product is done once, a foreign
entry of A or Y costs its user one word, a partial sum of Y or Z costs its sender one word. The
search is ours.
"""

from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np
import scipy  # its parts are loaded at their first use, and not by every MPI process
from jaxtyping import Float

from quire.signatures import checked
from quire.sketching.problem import check_nystrom


@dataclass(frozen=True)
class AssignmentOptimum:
    """Least words of the busiest processor over all assignments of a class."""

    words: float  # of the best assignment found
    at_least: float  # certified lower limit; equal to ``words`` when the search was complete

    @property
    def certified(self) -> bool:
        """Whether the search was complete, so that nothing of the class does better."""
        return self.words - self.at_least < 1e-6


def enumerate_two_ranks(n: int, r: int) -> int:
    """Return the least words of the busier of two processors over all assignments of the class.

    Tries every even split of the n r² products and of the entries of Z.

    Raises
    ------
    ValueError
        Beyond 16 products (12870 splits), or when n or r is odd.
    """
    n, r, _ = check_nystrom(n, r, 2)
    products = list(product(range(n), range(r), range(r)))
    if len(products) > 16 or n % 2 or r % 2:
        raise ValueError(f"n = {n}, r = {r}: even n and r with n r^2 <= 16 are allowed")
    splits = np.zeros((len(list(combinations(products, len(products) // 2))), len(products)), bool)
    for row, chosen in enumerate(combinations(range(len(products)), len(products) // 2)):
        splits[row, list(chosen)] = True
    entries = list(product(range(r), range(r)))
    received, touched = [], []
    for rank, done in enumerate((splits, ~splits)):
        foreign = range(n // 2, n) if rank == 0 else range(n // 2)
        uses = [
            done[:, [t for t, (i, _, c) in enumerate(products) if (i, c) == (row, column)]].any(1)
            for row in foreign
            for column in range(r)
        ]
        received.append(np.sum(uses, axis=0))
        touched.append(
            np.stack(
                [
                    done[:, [t for t, (_, k, c) in enumerate(products) if (k, c) == entry]].any(1)
                    for entry in entries
                ],
                axis=1,
            )
        )
    best = len(products)
    for own in combinations(range(len(entries)), len(entries) // 2):
        kept = np.isin(np.arange(len(entries)), own)
        words = np.maximum(
            received[0] + touched[0][:, ~kept].sum(1), received[1] + touched[1][:, kept].sum(1)
        )
        best = min(best, int(words.min()))
    return best


@dataclass
class _Programme:
    """A mixed-integer programme under construction: variables by name, rows of constraints."""

    names: dict[tuple, int] = field(default_factory=dict)
    integer: list[bool] = field(default_factory=list)
    rows: list[dict[int, float]] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def variable(self, *name: object, integer: bool = False) -> int:
        if name not in self.names:
            self.names[name] = len(self.names)
            self.integer.append(integer)
        return self.names[name]

    def constrain(self, row: dict[int, float], low: float, high: float = np.inf) -> None:
        self.rows.append(row)
        self.low.append(low)
        self.high.append(high)

    def share(self, items: list[tuple[object, ...]], ranks: int, even: bool) -> None:
        """Give each item to one rank, and each rank equally many when ``even``."""
        for item in items:
            self.constrain(
                {self.variable(*item, p, integer=True): 1.0 for p in range(ranks)}, 1.0, 1.0
            )
        if even:
            part = len(items) / ranks
            for p in range(ranks):
                self.constrain({self.variable(*item, p): 1.0 for item in items}, part, part)

    def implies(self, cause: int, effect: int, unless: int | None = None) -> None:
        """``cause`` needs ``effect`` unless a third variable holds."""
        row: dict[int, float] = {effect: 1.0, cause: -1.0}
        if unless is not None:
            row[unless] = 1.0
        self.constrain(row, 0.0)


@checked
def least_words(
    n: int,
    r: int,
    ranks: int,
    *,
    first_product_free: bool = True,
    balanced: bool = True,
    seconds: float = 60.0,
) -> AssignmentOptimum:
    """Return the least words of the busiest processor, by integer programming (HiGHS).

    ``first_product_free``: rows of Y fixed and free, as in the class; otherwise the assignment of
    the n² r products of Y, the layout of A and that of Y are searched too, and their words count.
    ``balanced``: products (and A, Y, Z in any case) spread evenly. The search stops after
    ``seconds``; :attr:`AssignmentOptimum.certified` tells whether it was complete.

    ``RuntimeError`` when no assignment was found in time.

    Raises
    ------
    ValueError
        When P does not divide n and r², or beyond 128 products.
    """
    n, r, ranks = check_nystrom(n, r, ranks)
    products = n * r * r + (0 if first_product_free else n * n * r)
    if n % ranks or (r * r) % ranks or products > 128:
        raise ValueError(
            f"n = {n}, r = {r}, ranks = {ranks}: ranks that divide n and r^2 are allowed, and at "
            f"most 128 products (here {products})"
        )
    if not seconds > 0:
        raise ValueError(f"seconds = {seconds}: a time > 0 is allowed")
    lp = _Programme()
    worst = lp.variable("worst")
    moved: list[dict[int, float]] = [{worst: 1.0} for _ in range(ranks)]
    sums = list(product(range(r), range(r)))
    lp.share([("second", i, k, c) for i in range(n) for k, c in sums], ranks, balanced)
    lp.share([("own z", k, c) for k, c in sums], ranks, True)
    if not first_product_free:
        entries = list(product(range(n), range(n)))
        lp.share([("first", i, j, c) for i, j in entries for c in range(r)], ranks, balanced)
        lp.share([("own a", i, j) for i, j in entries], ranks, True)
        lp.share([("own y", i, c) for i in range(n) for c in range(r)], ranks, True)

    def pay(rank: int, cause: int, word: tuple[object, ...], unless: int | None) -> None:
        price = lp.variable(*word, rank)
        moved[rank][price] = -1.0
        lp.implies(cause, price, unless)

    for p in range(ranks):
        for i, (k, c) in product(range(n), sums):
            done = lp.variable("second", i, k, c, p)
            pay(p, done, ("send z", k, c), lp.variable("own z", k, c, p))
            if not first_product_free:
                pay(p, done, ("fetch y", i, c), lp.variable("own y", i, c, p))
            elif i // (n // ranks) != p:
                pay(p, done, ("fetch y", i, c), None)
        if not first_product_free:
            for i, j, c in product(range(n), range(n), range(r)):
                done = lp.variable("first", i, j, c, p)
                pay(p, done, ("fetch a", i, j), lp.variable("own a", i, j, p))
                pay(p, done, ("send y", i, c), lp.variable("own y", i, c, p))
        lp.constrain(moved[p], 0.0)
    return _solve(lp, worst, seconds)


def _solve(lp: _Programme, worst: int, seconds: float) -> AssignmentOptimum:
    size = len(lp.names)
    coordinates = [(row, column) for row, terms in enumerate(lp.rows) for column in terms]
    values = [value for terms in lp.rows for value in terms.values()]
    matrix = scipy.sparse.csr_array(
        (np.array(values), np.array(coordinates).T.tolist()), shape=(len(lp.rows), size)
    )
    cost: Float[np.ndarray, " v"] = np.zeros(size)
    cost[worst] = 1.0
    upper = np.ones(size)
    upper[worst] = np.inf
    found = scipy.optimize.milp(
        cost,
        integrality=np.array(lp.integer, dtype=int),
        bounds=scipy.optimize.Bounds(0, upper),
        constraints=scipy.optimize.LinearConstraint(matrix, np.array(lp.low), np.array(lp.high)),
        options={"time_limit": seconds},
    )
    if found.x is None:
        raise RuntimeError(f"seconds = {seconds}: no assignment found in time; allow more seconds")
    # words are whole numbers, so the dual limit rounds up
    limit = float(np.ceil(found.mip_dual_bound - 1e-6))
    return AssignmentOptimum(round(float(found.fun), 6), limit)
