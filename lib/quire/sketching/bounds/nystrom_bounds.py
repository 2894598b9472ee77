"""Lower bounds and costs for the Nystrom approximation, in which A is sketched twice.

Y = A Ω and Z = Ωᵀ Y, A symmetric n x n, Ω of n x r. Machine and words as in
:mod:`quire.sketching.bounds.sketch_bounds`.
"""

import math

from quire.checks import integer
from quire.signatures import checked
from quire.sketching.bounds.sketch_bounds import Bound
from quire.sketching.problem import check_nystrom

NYSTROM_ALGORITHMS = ("noredist", "redist", "2d-noredist")


def nystrom_decoupled_bound(n: int, r: int, ranks: int) -> Bound:
    """Return a bound for Y = A Ω and Z = Ωᵀ Y whose products share only the entries of Y touched.

    0 for P <= r; r - r^2/P for P <= n (n + r)/r; 2 sqrt(n r (n + r)/P) - (n^2 + n r + r^2)/P
    beyond. Weak where P is small: it is zero for P <= r, where every known algorithm moves data.
    ``grid`` is the single-product grid (min(P, n), P/min(P, n), 1) of Y. Source: ours.

    Raises
    ------
    ValueError
        When r > n or P exceeds the multiplications of the first product.
    """
    n, r, ranks = check_nystrom(n, r, ranks)
    if ranks > n * n * r:
        raise ValueError(
            f"ranks = {ranks}: at most the {n * n * r} multiplications of the first product are "
            "allowed"
        )
    grid = (float(min(ranks, n)), max(1.0, ranks / n), 1.0)
    if ranks <= r:
        return Bound(1, 0.0, grid)
    if ranks * r <= n * (n + r):
        return Bound(2, r - r * r / ranks, grid)
    words = 2 * math.sqrt(n * r * (n + r) / ranks) - (n * n + n * r + r * r) / ranks
    return Bound(3, max(0.0, words), grid)


def nystrom_coupled_bound(n: int, r: int, ranks: int) -> float:
    """Return (1 - 1/P) min(r^2, n r/P), the words for Nystrom after a free first product.

    *Class.* P <= n divides n; each processor owns n/P full rows of Y, obtained without a message;
    the n r^2 products of Z = Ωᵀ Y are shared evenly, each done once; Z ends spread evenly, r^2/P
    entries each. A received entry of Y and a sent partial sum of an entry of Z cost one word
    each.

    *Proof.* Let a processor use s entries of Y that it does not own. An entry y_il occurs in the
    r products (i, k, l), so at least n r^2/P - s r of its products use its own Y. An entry z_kl
    absorbs only products with y_il of column l, of which the processor owns n/P; hence it touches
    t >= (n r^2/P - s r)/(n/P) = r^2 - s r P/n entries of Z, keeps at most r^2/P of them, and
    sends a partial sum for every other: W >= f(s) = s + max(0, (1 - 1/P) r^2 - s r P/n). f is
    convex and piecewise linear with first slope 1 - r P/n and last slope 1. For P <= n/r it is
    least at s = 0, where f = (1 - 1/P) r^2; otherwise at the kink s = (1 - 1/P) n r/P, where f =
    s. ∎

    Both values are attained, by :func:`nystrom_words` ``"noredist"`` and ``"redist"``, so these
    are optimal within the class, and so is every all-to-all in groups of b followed by a reduction
    over P/b groups only at its ends b = 1 and b = P, the cost being linear in 1/b.
    Source: bound and proof are ours.

    Raises
    ------
    ValueError
        When r > n or P > n.
    """
    n, r, ranks = check_nystrom(n, r, ranks)
    if ranks > n:
        raise ValueError(f"ranks = {ranks}: at most n = {n} is allowed, a row per processor")
    return (1 - 1 / ranks) * min(float(r * r), n * r / ranks)


@checked
def nystrom_words(n: int, r: int, ranks: int, algorithm: str, p2: int = 1) -> float:
    """Return the words per processor of one of the authors' Nystrom algorithms.

    ``"noredist"`` reduce-scatters the r x r partial sums of Z, (1 - 1/P) r^2. ``"redist"`` turns
    rows of Y into columns by an all-to-all, (1 - 1/P) n r/P. They meet at P = n/r.
    ``"2d-noredist"`` cuts the contraction of the first product into ``p2`` and reduce-scatters Y,
    (1 - 1/p2) n r/p1 = (p2 - 1) n r/P, before Z is summed as in ``"noredist"``: for p2 > 1 never
    fewer words than ``"redist"`` (p2 - 1 >= 1 - 1/P), whatever Z costs.

    Raises
    ------
    ValueError
        For another name, for p2 that does not divide P, or for p2 > 1 without ``"2d-noredist"``.
    """
    n, r, ranks = check_nystrom(n, r, ranks)
    p2 = integer("p2", p2)
    if algorithm not in NYSTROM_ALGORITHMS:
        raise ValueError(f"algorithm = {algorithm!r}: one of {NYSTROM_ALGORITHMS} is allowed")
    if ranks % p2 or (p2 > 1 and algorithm != "2d-noredist"):
        raise ValueError(
            f"p2 = {p2}: a divisor of ranks = {ranks} is allowed, and 1 outside '2d-noredist'"
        )
    if algorithm == "redist":
        return (1 - 1 / ranks) * n * r / ranks
    return (p2 - 1) * n * r / ranks + (1 - 1 / ranks) * r * r
