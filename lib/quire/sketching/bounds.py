"""Lower bounds on the words that one processor must move.

All bounds assume the same machine: P processors, one copy of A spread evenly at the start, one
copy of the result spread evenly at the end, multiplications shared evenly, classical (not
Strassen) arithmetic. The free-operand bound follows from the Loomis-Whitney inequality when Ω may
be generated anywhere without a message. The setting is the paper's (arXiv 2603.20966); the
derivations here are ours, made without its theorem statements at hand.
"""

import math
from dataclasses import dataclass

from quire.sketching.problem import Shape, nystrom_size


@dataclass(frozen=True)
class Bound:
    """A lower bound in words per processor, and the continuous grid that attains it."""

    case: int  # 1: no communication, 2: one side of the grid full, 3: a true three-sided trade
    words: float
    grid: tuple[float, float, float]  # real-valued p1, p2, p3


def free_operand_bound(shape: Shape, ranks: int) -> Bound:
    """Words that one of ``ranks`` processors must move for B = A Ω when Ω costs nothing.

    With hi = max(n2, r), lo = min(n2, r):

    1. P <= n1: 0.
    2. n1 < P <= n1 hi/lo: lo (1 - n1/P).
    3. beyond: 2 sqrt(n1 n2 r/P) - n1 (n2 + r)/P.

    Raises ``ValueError`` when P exceeds the number of multiplications. Source: ours, by minimising
    x + y - n1 (n2 + r)/P subject to x y w >= (n1 n2 r/P)^2 with w <= min(n2 r, n1 n2 r/P),
    x >= n1 n2/P and y >= n1 r/P; that it equals the paper's theorem is inferred.
    """
    shape.check_ranks(ranks)
    n1, n2, r = shape.n1, shape.n2, shape.r
    high, low = max(n2, r), min(n2, r)
    if ranks <= n1:
        return Bound(1, 0.0, (float(ranks), 1.0, 1.0))
    if ranks * low <= n1 * high:
        rest = ranks / n1
        grid = (float(n1), rest, 1.0) if r <= n2 else (float(n1), 1.0, rest)
        return Bound(2, low * (1 - n1 / ranks), grid)
    side = math.sqrt(n1 * n2 * r / ranks)
    words = max(0.0, 2 * side - n1 * (n2 + r) / ranks)
    return Bound(3, words, (float(n1), n2 / side, r / side))


def classical_bound(shape: Shape, ranks: int) -> Bound:
    """Words per processor when Ω is an ordinary operand that has to be stored and moved.

    With the dimensions sorted m >= n >= k, the data touched is (mn + mk)/P + nk for P <= m/n,
    2 sqrt(m n k^2/P) + mn/P for P <= mn/k^2, and 3 (mnk/P)^(2/3) beyond; the (mn + mk + nk)/P words
    owned are subtracted. Source: Al Daas, Ballard, Grigori, Kumar, Rouse, arXiv 2205.13407.
    """
    shape.check_ranks(ranks)
    sides = {"p1": shape.n1, "p2": shape.n2, "p3": shape.r}
    order = sorted(sides, key=lambda side: -sides[side])
    m, n, k = (sides[side] for side in order)
    if ranks * n <= m:
        case, touched = 1, (m * n + m * k) / ranks + n * k
        split = (float(ranks), 1.0, 1.0)
    elif ranks * k * k <= m * n:
        case, touched = 2, 2 * math.sqrt(m * n * k * k / ranks) + m * n / ranks
        edge = math.sqrt(m * n / ranks)
        split = (m / edge, n / edge, 1.0)
    else:
        case, touched = 3, 3 * (m * n * k / ranks) ** (2 / 3)
        edge = (m * n * k / ranks) ** (1 / 3)
        split = (m / edge, n / edge, k / edge)
    grid = dict(zip(order, split, strict=True))
    words = max(0.0, touched - (m * n + m * k + n * k) / ranks)
    return Bound(case, words, (grid["p1"], grid["p2"], grid["p3"]))


def nystrom_decoupled_bound(n: int, r: int, ranks: int) -> Bound:
    """Words for Y = A Ω and Z = Ωᵀ Y when the products are tied only by the entries of Y touched.

    0 for P <= r; r - r^2/P for P <= n (n + r)/r; 2 sqrt(n r (n + r)/P) - (n^2 + n r + r^2)/P
    beyond. Weak where P is small: it is zero for P <= r, where every known algorithm moves data.
    ``grid`` is the single-product grid (min(P, n), P/min(P, n), 1) of Y. Source: ours.
    """
    nystrom_size(n, r, ranks)
    if ranks > n * n * r:
        raise ValueError(f"ranks={ranks} exceeds the {n * n * r} multiplications of n={n}, r={r}")
    grid = (float(min(ranks, n)), max(1.0, ranks / n), 1.0)
    if ranks <= r:
        return Bound(1, 0.0, grid)
    if ranks * r <= n * (n + r):
        return Bound(2, r - r * r / ranks, grid)
    words = 2 * math.sqrt(n * r * (n + r) / ranks) - (n * n + n * r + r * r) / ranks
    return Bound(3, max(0.0, words), grid)


def nystrom_coupled_bound(n: int, r: int, ranks: int) -> float:
    """Words per processor, (1 - 1/P) min(r^2, n r/P), for Nystrom after a free first product.

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
    Raises ``ValueError`` when r > n or P > n. Source: bound and proof are ours.
    """
    nystrom_size(n, r, ranks)
    if ranks > n:
        raise ValueError(
            f"ranks={ranks} exceeds n={n}; the coupled bound needs a row per processor"
        )
    return (1 - 1 / ranks) * min(float(r * r), n * r / ranks)


def nystrom_words(n: int, r: int, ranks: int, algorithm: str) -> float:
    """Words per processor of the paper's one-dimensional Nystrom algorithms.

    ``"noredist"`` reduce-scatters the r x r partial sums, (1 - 1/P) r^2; ``"redist"`` turns rows
    of Y into columns by an all-to-all, (1 - 1/P) n r/P. They meet at P = n/r.
    """
    nystrom_size(n, r, ranks)
    if algorithm == "noredist":
        return (1 - 1 / ranks) * r * r
    if algorithm == "redist":
        return (1 - 1 / ranks) * n * r / ranks
    raise ValueError(f"algorithm must be 'noredist' or 'redist', got {algorithm!r}")
