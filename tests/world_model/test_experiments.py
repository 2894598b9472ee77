"""The chapter's experiments, small, on data made here."""

import numpy as np
import pytest

from quire.world_model.experiments import (
    certificates,
    dosing,
    physics,
    questions,
    records,
    safety,
    scale,
    tank_pair,
)


def test_questions_are_scored_and_misses_explained():
    background = "A has a direct effect on B. "
    entry = {
        "meta": {"model_id": 0, "query_type": "ate", "graph_id": "pair"},
        "given_info": "For no a, the probability of b is 50%. For a, the probability of b is {}%.",
        "question": "Will a increase the chance of b?",
        "answer": "yes",
    }
    models = [{"model_id": 0, "background": background}]
    told = [{**entry, "given_info": entry["given_info"].format(p)} for p in (60, 50, 30)]
    rows = questions.answered("mine", told, models)
    assert [r.answer for r in rows] == ["yes", "no", "no"]
    assert questions.scores(rows, "split")[0].right == 1
    assert [questions.unsettled(r, 50, 0) for r in rows[1:]] == ["rounding", ""]
    low, high = questions.wilson(99, 100)
    assert 0.94 < low < 0.99 < high < 1


def test_forgetting_whole_numbers_leaves_nothing():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    told = records.forget_sets(x, x @ [1.0, 2.0, 3.0] + rng.normal(size=400), 6, 20, 0)
    assert told.whole == 0 and told.one_by_one > 3


def test_silverbox_rows():
    u = np.random.default_rng(0).normal(size=46_000) * 0.05
    y = u * 0.5
    rows, theta = records.silverbox(u, y, 1000, 2)
    assert len(rows) == 3 and theta.shape == (9,)
    inside, calls = records.latency(theta, u, y, 2)
    assert (inside > 0).all() and (calls > 0).all()


def test_implied_independences():
    rng = np.random.default_rng(0)
    names = ["raf", "mek", "plc", "pip2", "pip3", "erk", "akt", "pka", "pkc", "p38", "jnk"]
    rows = records.implied_independences(np.exp(rng.normal(size=(500, 11))), names)
    assert len(rows) == 35 and sum(r.rejected for r in rows) <= 2


def test_energy_and_couplings():
    rows = physics.balances(200)
    assert rows[0].violation < 1e-13 < rows[1].violation
    assert physics.gains(200, 0, False) == 0 < physics.gains(200, 0, True)


def test_scaling_and_hashes():
    told = scale.scaling([10, 1000, 2000], 5, 0, work=4000)
    assert [s.active for s in told.sizes] == [1, 125, 250] and not sum(
        s.differing for s in told.sizes
    )
    assert (scale.hashed_rate(100, 64, 2, 0) > 0).all()


def test_dosing():
    rows = dosing.dosing(10, 1, minutes=40)
    assert [r.barrier for r in rows] == ["none", "nominal model", "worst of the models"]
    assert rows[2].violated == 0


def test_safety(tmp_path):
    assert [w.escaped > 0 for w in safety.weaker(2, 100)] == [True] * 6
    rows = safety.changes(6, 3, 3, 0)
    assert sum(r.passed for r in rows if r.hostile) == 0
    assert safety.kills(2, 0).unlogged == 0 < safety.kills(1, 0, True).unlogged
    verdicts = [weaker for _, _, weaker in safety.rule_changes(40, 0)]
    assert 5 < sum(verdicts) < 35


def test_certificates():
    rows, same, size = certificates.certificates(0)
    assert [r.accepted for r in rows] == [True] + [False] * 11 and same and size > 1000
    assert dict(certificates.textbook())["bow arc"] is False
    assert all(t.error < 1e-9 for t in certificates.against_truth(10, 0))


@pytest.mark.parametrize("leak", tank_pair.LEAKS)
def test_the_kernel_keeps_the_tanks_from_spilling(leak):
    rows = [
        r for r in tank_pair.moments([10.0], 100) if r.leak == leak and r.kernel == "asks first"
    ]
    assert max(r.spilled for r in rows) == 0.0
