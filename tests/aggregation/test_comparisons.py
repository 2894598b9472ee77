import math

import numpy as np
import pytest
from scipy import stats

from quire.aggregation import (
    GGRS,
    FedAvg,
    LocalTraining,
    SettingError,
    Training,
    compare,
    contest,
    holm,
    mean_interval,
    paired_interval,
    paired_p_value,
    rivals,
    train,
)


def test_a_contest_is_the_single_runs(federation, network):
    local = LocalTraining(epochs=2)
    ggrs = GGRS(rank=3)
    contenders = {"GGRS": ggrs, **rivals(ggrs)}
    two = Training(local, rounds=2, seeds=2)
    found = contest(federation, network, contenders, two)
    assert set(found) == set(contenders)
    alone = train(federation, network, FedAvg(), two)
    assert np.allclose(found["FedAvg"].rounds.loss, alone.rounds.loss, atol=1e-5)
    lengths = {name: np.asarray(history.rounds.step) for name, history in found.items()}
    # In the first round all see the same updates, and GGRS is the mean.
    for name in ("FedAvg, step-matched", "FedAvgM, step-matched", "clipped, step-matched"):
        assert np.allclose(lengths[name][:, 0], lengths["GGRS"][:, 0], rtol=1e-4)
    apart = train(federation, network, rivals(ggrs)["subspace only"], two)
    assert np.allclose(found["subspace only"].rounds.loss, apart.rounds.loss, atol=1e-5)
    again = contest(federation, network, contenders, two, only=("FedAvg",))
    assert list(again) == ["FedAvg"]
    assert np.array_equal(again["FedAvg"].rounds.loss, found["FedAvg"].rounds.loss)
    with pytest.raises(SettingError, match="only names FedSGD"):
        contest(federation, network, contenders, two, only=("FedSGD",))
    with pytest.raises(SettingError, match="empty"):
        contest(federation, network, {}, two)


def test_intervals_are_student_s():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = mean_interval(values)
    half = stats.t.ppf(0.975, 3) * np.sqrt(5 / 3) / 2
    assert found.low == pytest.approx(2.5 - half) and found.high == pytest.approx(2.5 + half)
    assert found.decided and not paired_interval(values, values[::-1].copy()).decided


def test_pairing_removes_what_seeds_share():
    generator = np.random.default_rng(0)
    shared = 100 * generator.standard_normal(10)
    ours, theirs = shared + 1 + 0.1 * generator.standard_normal(10), shared
    (only,) = compare(ours, {"rival": theirs})
    assert only.verdict == "ahead" and only.p_value < 1e-6
    (swapped,) = compare(theirs, {"rival": ours})
    assert swapped.verdict == "behind"
    (same,) = compare(shared, {"rival": shared})
    assert same.verdict == "undecided" and same.p_value == 1.0


def test_many_rivals_make_it_harder_to_be_ahead():
    """A difference that decides alone decides nothing among five, after Holm."""
    base = np.zeros(6)
    ours = np.array([0.5, 1.5, 1.0, -0.2, 1.6, 0.6])
    (alone,) = compare(ours, {"a": base})
    assert alone.verdict == "ahead" and alone.difference.decided
    noise = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    among = compare(ours, {"a": base, **dict.fromkeys("bcde", ours + noise)})
    assert among[0].difference.decided and among[0].verdict == "undecided"


def test_holm_is_the_textbook_case():
    assert np.allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])


def test_the_p_value_is_the_t_test_s():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([0.0, 2.5, 3.0])
    assert paired_p_value(a, b) == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_rivals_have_one_thing_each():
    names = rivals(GGRS(kappa=1.2))
    assert names["clipped FedAvg"].kappa == 1.2
    assert names["direction only"].kappa == math.inf


def test_intervals_need_pairs():
    with pytest.raises(SettingError, match="1 value has no interval"):
        mean_interval(np.array([1.0]))
    with pytest.raises(SettingError, match="3 seeds against 2"):
        paired_interval(np.ones(3), np.ones(2))
    with pytest.raises(SettingError, match=r"level = 1"):
        mean_interval(np.ones(3), 1.0)
