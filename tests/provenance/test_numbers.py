import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import quire.provenance as pv
from quire.provenance.bounds.information import entropy_bits, pair_error
from quire.provenance.bounds.observers import FIELDS, LEVELS, SmallAgent, table_decoder
from quire.provenance.calibration.scores import expected_if_calibrated
from quire.provenance.questions.corpora import (
    Attribution,
    best_constant,
    chance_of_agent,
    leave_one_out_confidence,
    most_frequent_speaker,
)

P, Y = np.array([0.1, 0.1, 0.4, 0.4, 0.9, 0.9]), np.array([0, 0, 1, 0, 1, 1])


def test_murphys_parts_add_up_on_values_and_on_bins():
    random = np.random.default_rng(1)
    p = random.random(500)
    y = (random.random(500) < p).astype(int)
    for bins in (None, 7):
        m = pv.murphy(p, y, bins)
        total = m.reliability - m.resolution + m.uncertainty + m.within
        assert total == pytest.approx(m.brier, abs=1e-12)
    m = pv.murphy(P, Y)
    assert (m.within, m.uncertainty) == (pytest.approx(0), 0.25)
    assert m.reliability == pytest.approx((2 * 0.01 + 2 * 0.01 + 2 * 0.01) / 6)


def test_corp_and_isotonic_by_hand():
    assert pv.isotonic([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1]).tolist() == [0, 0.5, 0.5, 1]
    c = pv.corp(P, Y)
    assert c.miscalibration - c.discrimination + c.uncertainty == pytest.approx(c.brier)
    assert c.miscalibration >= 0 <= c.discrimination


def test_a_temperature_is_found_again():
    random = np.random.default_rng(2)
    p = random.beta(2, 2, 20_000)
    y = random.random(20_000) < p
    sharp = pv.apply_temperature(p, 0.5)
    assert pv.fit_temperature(sharp, y) == pytest.approx(2, rel=0.05)
    assert pv.apply_temperature([0, 1, 0.5], 3.0).tolist() == [0, 1, 0.5]


def test_calibration_error_and_its_bias():
    assert pv.expected_calibration_error([0.5] * 4, [0, 1, 0, 1]) == 0
    assert pv.expected_calibration_error([1.0, 0.0], [0, 1]) == 1
    p = np.random.default_rng(3).random(100)
    assert expected_if_calibrated(p, draws=50) > 0.05
    by_mass = pv.reliability(p, p > 0.5, 4, by="mass")
    assert [b.count for b in by_mass] == [25] * 4
    assert pv.log_score([1.0], [0]) == np.inf


@pytest.mark.parametrize(
    "call",
    [
        lambda: pv.brier_score([0.5, np.nan], [0, 1]),
        lambda: pv.brier_score([1.2], [1]),
        lambda: pv.brier_score([], []),
        lambda: pv.brier_score([0.5], [0.5]),
        lambda: pv.brier_score([0.5, 0.5], [1]),
        lambda: pv.murphy(P, Y, 0),
        lambda: pv.reliability(P, Y, 10, by="size"),
        lambda: pv.apply_temperature(P, 0.0),
        lambda: pv.bayes_accuracy([[0.5, 0.6]]),
        lambda: pv.bayes_accuracy([0.5, 0.5]),
        lambda: pv.fano_error_bound(3.0, 4),
        lambda: pv.fano_error_bound(-1.0, 4),
        lambda: pair_error(0.0, 0.0),
        lambda: pv.krippendorff_alpha([[-1, -1]]),
        lambda: pv.witness([1, 2], [[1]]),
        lambda: pv.pass_hat_k([5], 4, 1),
        lambda: pv.pass_hat_k([1], 4, 5),
        lambda: pv.wilson_interval(3, 2),
        lambda: pv.World(2),
        lambda: pv.World(fading=1.5),
        lambda: pv.to_evict([], -1.0),
        lambda: pv.directly_follows(np.array([0, 0]), np.array([0, 3]), 3),
        lambda: pv.benjamini_hochberg(np.array([1.5])),
        lambda: pv.frequent_sequences([[1]], 0),
        lambda: pv.rationalised_share(0.5, 1.0),
        lambda: SmallAgent(leak=2.0),
        lambda: SmallAgent().joint("weather", 1),
    ],
    ids=range(27),
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match=r"\S+"):
        call()


def test_bounds_by_hand():
    assert pv.bayes_accuracy([[0.4], [0.3]] / np.array(0.7)) == pytest.approx(0.4 / 0.7)
    perfect = np.eye(3) / 3
    assert (pv.recovered_share(perfect), pv.fano_accuracy_bound(perfect)) == (1, 1)
    assert pv.information_bits(np.full((2, 2), 0.25)) == 0
    assert entropy_bits([0.5, 0.5, 0]) == 1
    assert pv.fano_error_bound(2.0, 4) == pytest.approx(0.75)
    assert pv.fano_error_bound(0.0, 4) == 0
    assert pair_error(0.3, 0.1) == pytest.approx(0.25)
    assert pv.witness([0, 1, 0], [[5], [5], [6]]) in {(0, 1), (1, 0)}
    assert pv.witness([0, 1], [[5], [6]]) is None
    assert pv.krippendorff_alpha(np.array([[0, 1, 0, 1], [0, 1, 0, 1]])) == 1
    assert pv.krippendorff_alpha(np.array([[0, 1], [1, 0]])) < 0


def test_observers_who_see_more_recover_more_and_nobody_beats_the_bound():
    agent = SmallAgent(7, leak=0.5)
    train, test = agent.sample(4000, 1), agent.sample(4000, 2)
    for field in FIELDS:
        best = [pv.bayes_accuracy(agent.joint(field, k)) for k in range(len(LEVELS))]
        assert best == sorted(best)
        for level, bound in enumerate(best):
            law = agent.joint(field, level)
            assert law.sum() == pytest.approx(1)
            assert pv.fano_accuracy_bound(law) >= bound - 1e-12
            guess = table_decoder(train[field], train["seen"][level], test["seen"][level])
            right = (guess == test[field]).mean()
            assert right <= bound + 4 * np.sqrt(bound * (1 - bound) / 4000)
    # what is sampled has the law that is claimed
    seen = np.bincount(test["seen"][1] * 6 + test["intent"], minlength=96 * 6) / 4000
    law = agent.joint("intent", 1)
    assert np.abs(seen.reshape(-1, 6).T - law).sum() < 0.35


def test_corpora_by_hand():
    assert pv.pass_hat_k([4, 2, 0], 4, 2) == pytest.approx((1 + 1 / 6) / 3)
    p, y = leave_one_out_confidence(np.array([[1, 0, 0, 0]]))
    assert p.tolist() == [0.125, 0.375, 0.375, 0.375] and y.tolist() == [1, 0, 0, 0]
    logs = [Attribution(("a", "b", "a"), "b", 1), Attribution(("a",), "a", 0)]
    assert (chance_of_agent(logs), most_frequent_speaker(logs)) == (0.75, 0.5)
    best = best_constant([["db1"], ["db1", "high load"], ["db2"], ["2021-03-04 10:00:00"]])
    assert (best.component, best.reason, best.right, best.rows) == ("db1", "high load", 2, 4)


def test_patterns_by_hand():
    case, code = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 1, 1, 0])
    assert pv.directly_follows(case, code, 2).tolist() == [[0, 1], [1, 1]]
    assert pv.directly_follows(case[:0], code[:0], 2).tolist() == [[0, 0], [0, 0]]
    assert pv.variants([[1, 2], [1], [1, 2]]) == [((1, 2), 2), ((1,), 1)]
    found = pv.frequent_sequences([[1, 2, 3], [1, 3], [2, 3]], 2)
    assert found == {(1,): 2, (2,): 2, (3,): 3, (1, 3): 2, (2, 3): 2}
    assert pv.benjamini_hochberg(np.array([0.01, 0.04, 0.9])).tolist() == [True, False, False]
    failed = np.arange(40) < 20
    rows = pv.contrast({"bad": failed, "even": np.arange(40) % 2 == 0}, failed)
    assert [(r.name, r.significant) for r in rows] == [("bad", True), ("even", False)]


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=6))
def test_frequent_sequences_are_those_of_a_search_of_all(sequences):
    def holds(sequence, pattern):
        rest = iter(sequence)
        return all(code in rest for code in pattern)

    for pattern, count in pv.frequent_sequences(sequences, 2, 3).items():
        assert count == sum(holds(s, pattern) for s in sequences) >= 2


def test_worlds_are_deterministic_and_calibrated_at_temperature_one():
    world = pv.World(6, 4)
    assert np.allclose(world.likelihood.sum(axis=2), 1)
    incident, ones = np.arange(3000), np.ones(3000)
    runs = pv.simulate(world, incident, np.zeros(3000, int), ones, 4, max_steps=8)
    again = pv.simulate(world, incident[5:50], np.zeros(45, int), ones[5:50], 4, max_steps=8)
    assert (again.tool == runs.tool[5:50]).all() and (again.verdict == runs.verdict[5:50]).all()
    p, y = runs.confidence, runs.verdict == runs.truth
    assert abs(p.mean() - y.mean()) < 4 * np.sqrt((p * (1 - p)).sum()) / 3000
    same = pv.replay(world, runs, np.zeros(3000, int), ones, max_steps=8)
    assert (same.tool == runs.tool).all() and not same.misses.any()
    other = pv.replay(world, runs, np.ones(3000, int), ones, max_steps=8)
    assert other.misses.any()
    with pytest.raises(ValueError, match="policy = 2"):
        pv.simulate(world, incident, np.full(3000, 2), ones, 4)
