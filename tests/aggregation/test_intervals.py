import numpy as np
import pytest
from scipy import stats

from quire.aggregation import (
    SettingError,
    compare,
    holm,
    mean_interval,
    paired_interval,
    paired_p_value,
)


def test_intervals_are_student_s():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = mean_interval(values)
    half = stats.t.ppf(0.975, 3) * np.sqrt(5 / 3) / 2
    assert found.low == pytest.approx(2.5 - half) and found.high == pytest.approx(2.5 + half)
    assert found.decided and not paired_interval(values, values[::-1].copy()).decided


def test_pairing_removes_what_draws_share():
    generator = np.random.default_rng(0)
    shared = 100 * generator.standard_normal(10)
    ours, theirs = shared + 1 + 0.1 * generator.standard_normal(10), shared
    (only,) = compare(ours, {"rival": theirs})
    assert only.verdict == "more" and only.p_value < 1e-6
    (swapped,) = compare(theirs, {"rival": ours})
    assert swapped.verdict == "less"
    (same,) = compare(shared, {"rival": shared})
    assert same.verdict == "undecided" and same.p_value == 1.0


def test_many_rivals_make_it_harder_to_be_ahead():
    """A difference that decides alone decides nothing among five, after Holm."""
    base = np.zeros(6)
    ours = np.array([0.5, 1.5, 1.0, -0.2, 1.6, 0.6])
    (alone,) = compare(ours, {"a": base})
    assert alone.verdict == "more" and alone.difference.decided
    noise = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    among = compare(ours, {"a": base, **dict.fromkeys("bcde", ours + noise)})
    assert among[0].difference.decided and among[0].verdict == "undecided"


def test_holm_is_the_textbook_case():
    assert np.allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])


def test_the_p_value_is_the_t_test_s():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([0.0, 2.5, 3.0])
    assert paired_p_value(a, b) == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_intervals_need_pairs():
    with pytest.raises(SettingError, match="1 value has no interval"):
        mean_interval(np.array([1.0]))
    with pytest.raises(SettingError, match="3 seeds against 2"):
        paired_interval(np.ones(3), np.ones(2))
    with pytest.raises(SettingError, match=r"level = 1"):
        mean_interval(np.ones(3), 1.0)
