from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from quire.secure_sums import (
    DropoutScheme,
    InfeasibleError,
    check_dropouts,
    rank,
    second_round_rate,
)


@pytest.mark.parametrize(
    ("users", "survivors", "colluders", "leak"), [(4, 3, 0, 2), (4, 3, 1, 1), (5, 4, 1, 2)]
)
def test_every_pattern_of_dropouts_decodes_and_hides(
    users: int, survivors: int, colluders: int, leak: int
) -> None:
    verdict = check_dropouts(DropoutScheme(users, survivors, colluders))
    assert verdict.decodable and verdict.leak == 0
    assert verdict.second_rate == second_round_rate(survivors, colluders)
    less = check_dropouts(DropoutScheme(users, survivors, colluders, privacy=colluders))
    assert less.leak == leak


def test_any_shares_of_the_code_suffice() -> None:
    scheme = DropoutScheme(6, 4, 1)
    code = scheme.code()
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert rank(code[rng.choice(6, 4, replace=False)], scheme.q) == 4
    assert second_round_rate(4, 1) == Fraction(1, 2) == Fraction(1, scheme.blocks)


def test_impossible_parameters_are_refused() -> None:
    with pytest.raises(InfeasibleError, match="take U >= 3"):
        DropoutScheme(4, 2, 1)
    with pytest.raises(ValueError, match="lower U"):
        DropoutScheme(4, 5, 0)
    with pytest.raises(ValueError, match="Cauchy"):
        DropoutScheme(4, 3, 0, q=7)
    for bad in ({"users": 2.5}, {"q": 12}, {"privacy": -1}, {"colluders": -1}):
        with pytest.raises((ValueError, TypeError)):
            DropoutScheme(**({"users": 4, "survivors": 3, "colluders": 0} | bad))


@pytest.mark.parametrize("q", [7, 11, 13])
def test_every_scheme_that_is_accepted_works_in_its_field(q: int) -> None:
    """All (K, U, T) with K <= 6: either refused at once, or all square blocks are invertible."""
    accepted = 0
    for users, survivors, colluders in product(range(1, 7), range(1, 7), range(5)):
        try:
            scheme = DropoutScheme(users, survivors, colluders, q=q)
        except ValueError:
            continue
        accepted += 1
        code = scheme.code()
        assert all(
            rank(code[list(chosen)], q) == survivors
            for chosen in combinations(range(users), survivors)
        )
    assert accepted > 0


def test_the_smallest_field_carries_a_whole_check() -> None:
    verdict = check_dropouts(DropoutScheme(3, 3, 0, q=7))
    assert verdict.decodable and verdict.leak == 0 and verdict.second_rate == Fraction(1, 2)
