import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums import FixedPoint

REALS = st.floats(-8, 8, allow_nan=False)


@given(st.lists(REALS, min_size=3, max_size=20))
@settings(max_examples=60)
def test_the_mean_is_within_half_a_step(values: list[float]) -> None:
    coding = FixedPoint(users=len(values))
    words = coding.encode(np.array(values)).codes
    mean = coding.decode(words.sum(dtype=np.uint32)[None]) / len(values)
    assert abs(mean[0] - np.mean(values)) <= coding.mean_error_bound() * (1 + 1e-6)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_number_of_users_does_not_overflow_and_one_more_is_refused(sign: int) -> None:
    coding = FixedPoint(users=255)
    assert coding.most_users == 255
    words = coding.encode(np.full(255, sign * 8.0)).codes
    assert coding.decode(words.sum(dtype=np.uint32)[None])[0] == sign * 8.0 * 255
    with pytest.raises(OverflowError, match="at most 255 users"):
        FixedPoint(users=256)


def test_sixteen_fraction_bits_carry_4095_users() -> None:
    assert FixedPoint(users=4095, frac_bits=16).most_users == 4095


def test_stochastic_rounding_is_unbiased_and_within_its_variance() -> None:
    coding = FixedPoint(users=4, frac_bits=4, rounding="stochastic")
    rng = np.random.default_rng(0)
    values = np.full((4, 20_000), 0.3)
    words = coding.encode(values, rng).codes
    means = coding.decode(words.sum(axis=0, dtype=np.uint32)) / 4
    assert means.mean() == pytest.approx(0.3, abs=5 * means.std() / np.sqrt(20_000))
    assert means.var() <= coding.step**2 / 16 * 1.05
    assert np.abs(means - 0.3).max() <= coding.mean_error_bound()


def test_values_beyond_the_clip_are_refused_or_counted() -> None:
    values = np.array([0.0, 9.0, -10.0])
    with pytest.raises(ValueError, match=r"values\[1\] is beyond ±8.0"):
        FixedPoint(users=3).encode(values)
    coded = FixedPoint(users=3, overflow="saturate").encode(values)
    assert coded.saturated == 2
    assert FixedPoint(users=3).decode(coded.codes).tolist() == [0.0, 8.0, -8.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_index(bad: float) -> None:
    values = np.zeros((2, 3))
    values[1, 2] = bad
    with pytest.raises(ValueError, match=r"values\[1, 2\] is not finite"):
        FixedPoint(users=3).encode(values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": 0}, "must be an integer, 1 or more"),
        ({"users": 3, "frac_bits": 31}, "from 0 to 30"),
        ({"users": 3, "clip": 0.0}, "positive finite"),
        ({"users": 3, "clip": -1.0}, "positive finite"),
        ({"users": 3, "clip": np.inf}, "positive finite"),
    ],
)
def test_impossible_codes_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FixedPoint(**arguments)


def test_stochastic_rounding_needs_a_private_generator() -> None:
    with pytest.raises(ValueError, match="private to the user"):
        FixedPoint(users=3, rounding="stochastic").encode(np.zeros(3))
