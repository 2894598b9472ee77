from fractions import Fraction

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
