from dataclasses import replace

import numpy as np
import pytest

import quire.queueing as q
from quire.queueing.batched.committed import committed_band_costs, committed_optimum


@pytest.fixture(scope="module")
def batch():
    return q.points(
        5, 0.5, np.array([0.2, 1, 1, 0.2]), np.array([1, 1, 1, 0.1]), np.array([0, 0, 2, 0])
    )


@pytest.fixture(scope="module")
def best(batch):
    return committed_optimum(batch)


def test_prototype_and_proof(best):
    assert best.cost == pytest.approx([7.02433, 6.61800, 6.89967, 3.57307], abs=6e-6)
    assert best.certified.all()
    assert (best.upper - best.lower).max() < 1e-7
    assert (best.lower <= best.cost + 1e-9).all() and (best.cost <= best.upper + 1e-9).all()


def test_equals_the_sparse_solver(batch, best):
    for i in range(4):
        model = q.committed_model(batch.farm(i), batch.costs(i), 90)
        assert q.policy_iteration(model).cost == pytest.approx(best.cost[i], abs=1e-7)


def test_commitment_never_pays(batch, best):
    assert (best.cost >= q.optimum(batch).cost - 1e-9).all()


def test_band_costs_equal_the_sparse_chain(batch):
    settings = np.array([[0.0, 0, 0], [2, -3, 1], [3, 1, 4], [5, 0, 0]])
    columns = [np.tile(column, (4, 1)) for column in settings.T]
    costs = committed_band_costs(batch, *columns)
    for i in range(4):
        model = q.committed_model(batch.farm(i), batch.costs(i), 110)
        for j, (a, b, c) in enumerate(settings.astype(int).tolist()):
            expected = q.evaluate(model, q.Band(a, b, c)).cost
            assert costs[i, j] == pytest.approx(expected, rel=1e-8)


def test_a_search_may_start_from_policies_that_were_found(batch, best):
    again = committed_optimum(batch, start=best)
    assert (again.iterations == 2).all() and again.certified.all()
    assert again.cost == pytest.approx(best.cost, abs=1e-9)
    # at other prices it leads where a search from nothing does
    other = replace(batch, delay=3 * batch.delay)
    there = committed_optimum(other, start=best)
    assert there.certified.all()
    assert there.cost == pytest.approx(committed_optimum(other).cost, abs=1e-7)
    with pytest.raises(ValueError, match="shape"):
        committed_optimum(batch.take(np.arange(2)), start=best)


def test_a_level_too_few_is_not_certified():
    # so slow a setup that full setup is not yet optimal just above the last free level
    slow = q.points(5, 0.1, 0.03, 0.1, 10.0)
    assert not committed_optimum(slow, levels=15).certified.any()


def test_bad_inputs(batch):
    good = np.zeros((4, 1))
    for floor, start, keep in (
        (good - 1, good, good),
        (good, good - 9, good),
        (good, good, good - 1),
        (good, good * np.nan, good),
        (np.zeros((3, 1)), np.zeros((3, 1)), np.zeros((3, 1))),
    ):
        with pytest.raises(ValueError, match="must"):
            committed_band_costs(batch, floor, start, keep)
    with pytest.raises(ValueError, match="levels"):
        committed_optimum(batch, levels=12)
    with pytest.raises(ValueError, match="servers"):
        committed_optimum(q.points(13, 0.5, 1.0, 1.0))
