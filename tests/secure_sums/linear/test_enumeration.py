import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums import (
    correct,
    count_schemes,
    general_linear_order,
    leakage,
    one_pad_protocol,
)
from quire.secure_sums.linear.enumeration import _no_leak, _sums_vanish


@pytest.mark.parametrize(
    ("users", "q", "colluders", "expected"),
    [(3, 2, 0, 6), (3, 3, 0, 48), (3, 5, 0, 480), (4, 2, 1, 168), (4, 2, 0, 168)],
)
def test_optimal_schemes_are_counted_by_the_general_linear_group(
    users: int, q: int, colluders: int, expected: int
) -> None:
    found = count_schemes(users, q, users - 1, colluders)
    assert found.optimal == expected == general_linear_order(users - 1, q)


@pytest.mark.parametrize(("users", "q"), [(3, 2), (3, 3), (3, 5), (4, 2), (4, 3)])
def test_no_scheme_has_fewer_source_symbols(users: int, q: int) -> None:
    assert [count_schemes(users, q, r).optimal for r in range(users - 1)] == [0] * (users - 1)


@given(st.sampled_from((2, 3)), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_the_search_agrees_with_the_leakage_kernel(q: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrices = rng.integers(0, q, (1, 4, 3))
    if rng.random() < 0.7:
        matrices[0, 3] = -matrices[0, :3].sum(axis=0) % q
    protocol = one_pad_protocol(matrices[0], q)
    assert bool(_sums_vanish(matrices, q)[0]) == bool(correct(protocol).all())
    secure = leakage(protocol, range(2)).worst.symbols == 0
    assert bool(_no_leak(matrices, q, 1)[0]) == secure


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 4, 2), "a prime is needed"), ((3, 2, -1), "0 or more"), ((3, 2, 2, 1), "vacuous")],
)
def test_searches_outside_the_range_are_refused(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_schemes(*arguments)
