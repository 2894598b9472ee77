"""What the theorems say in closed form, as oracles for the engine.

Each formula is taken from the statement in its paper's abstract; G >= K-T and U <= T+1 are in
`groupwise` and `dropouts`.
"""

from __future__ import annotations

from fractions import Fraction

from quire.checks import integer
from quire.secure_sums.linear._leakage import check_collusion
from quire.secure_sums.linear.protocols import Rates


def optimal_region(users: int, colluders: int = 0) -> Rates:
    """Return the corner (1, 1, K-1) of arXiv 2508.00596, for every 0 <= T <= K-3.

    Raises
    ------
    ValueError
        Outside that range.
    """
    check_collusion(users, colluders)
    return Rates(Fraction(1), Fraction(1), Fraction(users - 1))


def regular_graph_region(degree: int) -> Rates:
    """Return (1, 1, d) for neighbourhood sums on ring, prism and complete graphs.

    That all three depend on the degree alone is stated in arXiv 2601.19183; that the total is d
    itself was not in the text seen, and is what chapter 07 measures.

    Raises
    ------
    ValueError
        When d < 2: a single neighbour's input is the sum itself.
    """
    if (degree := integer("degree", degree, 0)) < 2:
        raise ValueError(f"degree = {degree}: one neighbour's input is the sum itself (d>=2)")
    return Rates(Fraction(1), Fraction(1), Fraction(degree))


def multi_server_key_rate(servers: int, users: int, colluders: int) -> int:
    """Return min{U+V+T-2, UV-1}, the source key rate of arXiv 2601.06836.

    U servers with V users each.

    Raises
    ------
    ValueError
        When a number is below its least value.
    """
    servers, users = integer("servers", servers, 1), integer("users", users, 1)
    colluders = integer("colluders", colluders, 0)
    return min(servers + users + colluders - 2, servers * users - 1)
