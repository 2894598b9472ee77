"""Lower bounds on the words that a processor sends for one matrix product.

All bounds assume the same machine: P processors, one copy of A spread evenly at the start, one
copy of the result spread evenly at the end, multiplications shared evenly, classical (not
Strassen) arithmetic. The setting is the paper's (arXiv 2603.20966); the derivations here are ours,
made without its theorem statements at hand.

*What a word is counted as.* A processor that touches x entries of A and y of B must receive
x - n1 n2/P entries of A and send y - n1 r/P partial sums of B: their sum is at least W. Over all
processors, entries of A received are entries sent, so that the words sent sum to at least P W, and
so do the words received. Hence some processor sends at least W, and some receives at least W: W
bounds either direction alone. Sent and received together come to 2 W.
"""

import math
from dataclasses import dataclass

from quire.signatures import checked
from quire.sketching.problem import Shape


@dataclass(frozen=True)
class Bound:
    """A lower bound in words per processor, and the continuous grid that attains it."""

    case: int  # 1: no communication, 2: rows used up, one more side cut, 3: both other sides cut
    words: float  # sent by the busiest processor; as many received by the busiest
    grid: tuple[float, float, float]  # real-valued p1, p2, p3

    @property
    def integral(self) -> bool:
        """Whether the attaining grid has whole sides, so that processors can form it."""
        return all(abs(side - round(side)) < 1e-9 for side in self.grid)


@checked
def free_operand_bound(shape: Shape, ranks: int) -> Bound:
    """Return the words that some of ``ranks`` processors must send for B = A Ω, Ω free.

    With hi = max(n2, r), lo = min(n2, r):

    1. P <= n1: 0.
    2. n1 < P <= n1 hi/lo: lo (1 - n1/P).
    3. beyond: 2 sqrt(n1 n2 r/P) - n1 (n2 + r)/P.

    *Proof.* Let the processor do n1 n2 r/P multiplications that touch x, y, w entries of A, B, Ω.
    Loomis and Whitney: x y w >= (n1 n2 r/P)^2. An entry of A takes part in r products and one of B
    in n2, so x >= x0 = n1 n2/P and y >= y0 = n1 r/P, which it owns. Ω has n2 r entries and each
    product uses one: w <= min(n2 r, n1 n2 r/P). Hence x y >= K with K = x0 y0 for P <= n1 (nothing
    to move) and K = n1 n2 r/P for P > n1. Then x + y is least at x = y = sqrt(K), case 3, if both
    are allowed; otherwise the larger of x0, y0 stays and the other is K over it, which is lo. ∎

    Raises ``ValueError`` when P exceeds the number of multiplications.

    Notes
    -----
    Source: ours; that it equals the paper's theorem is inferred.
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


@checked
def classical_bound(shape: Shape, ranks: int) -> Bound:
    """Return the words per processor when Ω is an ordinary operand, stored and moved.

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
