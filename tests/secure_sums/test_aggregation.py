import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums import FixedPoint, KeyLedger, KeyReuseError, deal, secure_sum, seeded_entropy


@given(st.integers(3, 8), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_the_secure_mean_is_the_mean(users: int, length: int, seed: int) -> None:
    inputs = np.random.default_rng(seed).uniform(-8, 8, (users, length))
    coding = FixedPoint(users)
    result = secure_sum(inputs, deal(users, length, seeded_entropy(seed)), coding)
    bound = coding.mean_error_bound() * (1 + 1e-6)
    assert np.abs(result.mean - inputs.mean(axis=0)).max() <= bound
    assert result.saturated == 0


def test_pads_are_used_up_and_then_refused() -> None:
    keys = deal(3, 25)
    inputs = np.ones((3, 10))
    first, second = (secure_sum(inputs, keys, FixedPoint(3)) for _ in range(2))
    assert keys.left == 5
    assert (first.total == second.total).all() and (first.messages != second.messages).any()
    with pytest.raises(ValueError, match="5 of 25 are left: deal new keys"):
        secure_sum(inputs, keys, FixedPoint(3))


def test_the_same_deal_under_a_shared_ledger_is_refused_by_another_process() -> None:
    keys = deal(3, 10)
    ledger = KeyLedger()
    copy = type(keys)(keys.name, keys.pads, ledger)
    ledger.claim(keys.name, 5, 6)
    with pytest.raises(KeyReuseError, match="words 5:6"):
        secure_sum(np.ones((3, 8)), copy, FixedPoint(3))


@pytest.mark.parametrize(
    ("inputs", "coding", "message"),
    [
        (np.ones((2, 5)), FixedPoint(3), "one row for each of 3 users"),
        (np.ones((3, 5)), FixedPoint(2), "proved for 2 users"),
        (np.full((3, 5), np.nan), FixedPoint(3), "not finite"),
    ],
)
def test_inputs_that_do_not_fit_use_no_key(
    inputs: np.ndarray, coding: FixedPoint, message: str
) -> None:
    keys = deal(3, 10)
    with pytest.raises(ValueError, match=message):
        secure_sum(inputs, keys, coding)
    assert keys.left == 10
