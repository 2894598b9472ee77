import jax
import numpy as np
import pytest

import quire.queueing as q
from quire.queueing.batched.full_setup import full_setup_is_optimal, full_setups, tail


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(3)
    return q.points(
        5,
        rng.uniform(0.1, 0.9, 12),
        10 ** rng.uniform(-1, 1, 12),
        10 ** rng.uniform(-0.7, 0.7, 12),
        rng.choice([0.0, 2.0], 12),
    )


@pytest.fixture(scope="module")
def best(batch):
    return q.optimum(batch)


def test_double_precision_is_on():
    assert jax.numpy.zeros(1).dtype == np.float64


def test_certified_and_equal_to_the_sparse_solver(batch, best):
    assert best.certified.all()
    assert (best.upper - best.lower).max() < 1e-7
    assert (best.lower <= best.cost + 1e-9).all()
    assert (best.cost <= best.upper + 1e-9).all()
    for i in range(0, 12, 3):
        farm, costs = batch.farm(i), batch.costs(i)
        model = q.free_cancel_model(farm, costs, q.truncation_level(farm, 1e-13))
        assert q.policy_iteration(model).cost == pytest.approx(best.cost[i], rel=1e-8)


def test_truncated_end_agrees_with_value_iteration(batch):
    small = batch.take(np.arange(12))
    found = q.optimum(small, levels=69, infinite=False)
    for i in (0, 5):
        model = q.free_cancel_model(small.farm(i), small.costs(i), 69)
        swept = q.relative_value_iteration(model)
        assert found.cost[i] == pytest.approx(swept.cost, abs=1e-8)
        assert swept.lower - 1e-9 <= found.cost[i] <= swept.upper + 1e-9


def test_every_tuned_family_costs_at_least_the_optimum(batch, best):
    for family in q.tune_all(batch):
        assert (family.cost / best.cost - 1).min() > -1e-9, family.family


def test_band_costs_equal_the_sparse_chain(batch):
    settings = np.array([[0.0, 0, 0], [2, -3, 1], [3, 1, 4]])
    floor, start, keep = (np.tile(column, (12, 1)) for column in settings.T)
    costs = q.band_costs(batch, floor, start, keep)
    dual = q.dual_costs(batch, np.full((12, 25), 1.5), np.full((12, 25), 0.5))
    rate = np.full((12, 1), 0.4)
    delayed = q.band_costs(batch, 2 + 0 * rate, 0 * rate, 5 + 0 * rate, rate)
    for i in (1, 7):
        farm = batch.farm(i)
        model = q.free_cancel_model(farm, batch.costs(i), q.truncation_level(farm, 1e-13) + 60)
        for j, (a, b, c) in enumerate(settings.astype(int)):
            expected = q.evaluate(model, q.Band(int(a), int(b), int(c))).cost
            assert costs[i, j] == pytest.approx(expected, rel=1e-9)
        assert delayed[i, 0] == pytest.approx(
            q.evaluate(model, q.DelayedOff(0.4, 2)).cost, rel=1e-9
        )
        # one server at a time decays like lambda/(lambda + alpha): levels enough for 1e-6
        one_at_a_time = farm.arrival_rate / (farm.arrival_rate + farm.setup_rate)
        levels = max(80, int(np.log(1e-9) / np.log(one_at_a_time)))
        deep = q.free_cancel_model(farm, batch.costs(i), levels)
        assert dual[i, 0] == pytest.approx(
            q.evaluate(deep, q.DualThreshold(1.5, 0.5)).cost, rel=1e-5
        )


def test_golden_gaps():
    # V1, K = 10, rho = 0.5: on-off, best static, best floor in per cent of the optimum
    batch = q.points(10, 0.5, np.array([0.05, 0.2, 1, 1]), np.array([1, 0.1, 1, 5]))
    best = q.optimum(batch, levels=330)
    assert best.certified.all()
    families = [q.tune_static(batch), *q.tune_bands(batch)]
    tuned = {family.family: 100 * (family.cost / best.cost - 1) for family in families}
    assert tuned["on-off"] == pytest.approx([127, 37, 10.0, 19.7], abs=0.5)
    assert tuned["static"] == pytest.approx([0.0, 3.9, 7.0, 3.0], abs=0.06)
    assert tuned["floor"] == pytest.approx([2.9, 16.6, 2.6, 1.6], abs=0.06)
    assert (tuned["band"] <= tuned["spare"] + 1e-9).all()


def test_last_digits_of_costs_choose_no_settings():
    # some settings of bands cost the same: another processor's rounding must not prefer another
    batch = q.random_points(24, (5,), seed=20250725)[0]
    rng = np.random.default_rng(1)

    def rounded_otherwise(*given):
        return q.band_costs(*given) * (1 + rng.uniform(-1e-13, 1e-13, given[1].shape))

    for one, other in zip(
        q.tune_bands(batch), q.tune_bands(batch, 2, rounded_otherwise), strict=True
    ):
        assert (one.settings == other.settings).all()
        assert one.cost == pytest.approx(other.cost, rel=1e-9)


def test_full_setup_check_can_fail(batch, best):
    end = tail(batch, full_setups(5))
    last = best.relative[:, 69]
    assert full_setup_is_optimal(batch, end, last, best.cost, 69).all()
    # were more servers a burden, starting them would not pay
    burden = np.tile(1e5 * np.arange(6.0), (12, 1))
    assert not full_setup_is_optimal(batch, end, burden, best.cost, 69).any()


def test_atlas_yields_every_point_once_and_proves_it():
    groups = q.random_points(20, (5,), seed=4)
    pages = list(q.atlas(groups, size=12))
    index = np.concatenate([page.index for page in pages])
    assert sorted(index) == list(range(20))
    for page in pages:
        assert page.certified.all()
        assert (page.upper - page.lower <= 1e-6).all()
        assert page.gap.min() > -1e-9
        assert set(page.best_family) <= {family.family for family in page.tuned}
    whole = q.joined([page for page in pages if page.batch.servers == 5])
    assert len(whole.index) == 20


def test_rule_of_thumb_fits_and_stays_in_range(batch, best):
    band = next(family for family in q.tune_bands(batch) if family.family == "band")
    rule = q.fit_staffing_rule([(batch, best.cost, band)], evaluations=20)
    floor, start, keep = rule.settings(batch)
    assert ((floor >= 0) & (floor <= 5)).all()
    assert (keep >= np.maximum(start, 0)).all()
    assert (rule.costs(batch) / best.cost - 1).min() > -1e-9
    with pytest.raises(ValueError, match="12 points"):
        q.fit_staffing_rule([(batch.take(np.arange(3)), best.cost[:3], band.take(np.arange(3)))])


def test_bad_inputs(batch):
    with pytest.raises(ValueError, match="levels = 12"):
        q.optimum(batch, levels=12)
    with pytest.raises(q.UnstableSystem):
        q.points(5, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="setup_rate"):
        q.points(5, 0.5, -1.0, 1.0)
    with pytest.raises(ValueError, match="start"):
        q.band_costs(batch, np.zeros((12, 1)), np.full((12, 1), -9.0), np.zeros((12, 1)))
    with pytest.raises(ValueError, match="phase 0"):
        tail(batch, np.zeros(6))
