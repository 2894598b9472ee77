from fractions import Fraction
from math import comb

import pytest

from quire.secure_sums import (
    InfeasibleError,
    correct,
    groupwise_key_rate,
    groupwise_protocol,
    leakage,
)

GRID = [(4, 0, 2, 3), (4, 0, 3, 1), (5, 0, 2, 6), (5, 1, 2, 3), (5, 0, 3, 4), (5, 1, 3, 1)]


@pytest.mark.parametrize(("users", "colluders", "group", "short"), GRID)
def test_the_rate_is_enough_and_one_symbol_less_leaks(
    users: int, colluders: int, group: int, short: int
) -> None:
    symbols = comb(users - colluders - 1, group)
    needed = groupwise_key_rate(users, colluders, group) * symbols
    assert needed == users - colluders - 2
    sizes = range(colluders + 1)
    enough = groupwise_protocol(users, group, symbols, int(needed), 10_007, seed=1)
    assert correct(enough).all() and enough.encodable()
    assert leakage(enough, sizes).worst.symbols == 0
    less = groupwise_protocol(users, group, symbols, int(needed) - 1, 10_007, seed=1)
    assert leakage(less, sizes).worst.symbols == short


@pytest.mark.parametrize(("users", "colluders", "group"), [(4, 0, 1), (4, 0, 4), (5, 1, 4)])
def test_groups_too_small_or_too_large_are_infeasible(
    users: int, colluders: int, group: int
) -> None:
    with pytest.raises(InfeasibleError, match=f"groups of G = {group}"):
        groupwise_key_rate(users, colluders, group)
    generous = groupwise_protocol(users, group, 2, 10, 10_007, seed=1)
    assert leakage(generous, range(colluders + 1)).worst.symbols > 0


def test_bad_parameters_are_refused() -> None:
    assert groupwise_key_rate(5, 1, 2) == Fraction(2, 3)
    with pytest.raises(ValueError, match="vacuous"):
        groupwise_key_rate(4, 2, 2)
    with pytest.raises(ValueError, match="a prime is needed"):
        groupwise_protocol(4, 2, 3, 2, 8, seed=0)
    with pytest.raises(ValueError, match="group = 9"):
        groupwise_protocol(4, 9, 3, 2, 7, seed=0)
