import numpy as np
import pytest

import quire.queueing as q
from quire.queueing.experiments import (
    agreement,
    many_farms,
    one_farm,
    settings,
    setups,
    several_sites,
    spending,
)


@pytest.fixture(scope="module")
def solved():
    batch = q.random_points(many_farms.SIZE, (5,), 3)[0]
    return many_farms.solve_farms(batch, "V1"), many_farms.solve_farms(batch, "V2")


def test_the_cycle_by_hand_is_the_formula():
    for part in one_farm.one_server_cycle(q.Farm(0.4, 0.2, 1)):
        assert part.share == pytest.approx(part.share_of_formula, rel=1e-12)
    costs = one_farm.on_off_or_always_on(q.Farm(0.5, 0.5, 1), np.array([0.25]))
    assert costs["on-off"] == pytest.approx(costs["always on"])


def test_one_farm_lists_the_optimum_last_and_cheapest():
    model = q.free_cancel_model(q.Farm.at_load(0.5, 1.0, 3), q.Costs(), 60)
    rows = one_farm.policies_on_one_farm(model)
    assert rows[-1].family == "optimum"
    assert rows[-1].cost == min(row.cost for row in rows)
    assert [row.cost for row in rows] == sorted((row.cost for row in rows), reverse=True)
    decided = one_farm.optimal_decisions(model, q.policy_iteration(model), 9)
    assert (decided.wanted <= 3).all() and decided.requests.max() <= 9


def test_gaps_are_never_negative_and_the_rows_say_what_the_farms_do(solved):
    for one in solved:
        assert min(gap[one.certified].min() for gap in one.gaps.values()) > -1e-6
        rows = {row.family: row for row in many_farms.gap_summary(one)}
        assert rows["band"].median == pytest.approx(np.median(one.gaps["band"][one.certified]))
        assert sum(row.best_at for name, row in rows.items() if name != "best of them") == (
            one.certified.sum()
        )
        assert len(one.columns()["best"]) == many_farms.SIZE
    assert many_farms.commitment_cost(*solved).min() > -1e-6
    saving = many_farms.savings_by_setup(solved[1])
    assert saving[-1].farms == solved[1].certified.sum()
    with pytest.raises(ValueError, match="model"):
        many_farms.solve_farms(solved[0].batch, "V2", more_families=True)


def test_padding_does_not_change_a_farm(solved):
    few = solved[0].batch.take(np.arange(5))
    again = many_farms.solve_farms(few, "V1")
    assert again.cost == pytest.approx(solved[0].cost[:5], abs=1e-9)


def test_median_interval_holds_the_median_of_a_known_law():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        _, low, high = many_farms.median_interval(rng.exponential(size=60))
        hits += low <= np.log(2) <= high
    assert hits / 400 >= 0.93


def test_the_rule_is_judged_on_farms_it_was_not_fitted_on(solved):
    found = settings.staffing_rule(*solved, evaluations=5)
    assert len(found.formula) == 3
    assert found.free.min() > -1e-6 and found.committed.min() > -1e-6
    assert len(found.free) <= many_farms.SIZE // 2


def test_no_family_is_faster_than_the_lower_bound():
    curves = spending.spending_curves([0.5], 0.5, 5, grid=8)
    for time in curves[0].families.values():
        assert (time >= curves[0].least * (1 - 1e-6)).all()
    rows = spending.excess_at_equal_spending(curves)
    assert {row.family for row in rows} == {"static", "floor", "spare", "band"}


def test_setups():
    rows = setups.crossovers(3, [0.4, 0.8])
    assert all(row.floor <= row.on_off for row in rows)
    laws = setups.setup_laws(q.Farm.at_load(0.5, 0.2, 10), [1, 0], requests=5000, seeds=5, seed=1)
    assert laws[0].over_exponential == 1.0 and laws[1].over_exponential > 1
    for chain, formula in setups.setup_law_of_one_server([1, 2]):
        assert chain == pytest.approx(formula, rel=1e-9)
    general = setups.general_setups([(1, 0.3, 0.5)], q.Costs(delay=0.1, allocation=3.0), 60)[0]
    assert general.constant < general.exponential < general.twice_as_variable


def test_sites():
    rows = several_sites.site_systems([(2, 2, 14)], [0.2, 0.5], [0.3], q.Costs())
    for row in rows:
        assert row.pooled <= row.joint_high + 1e-3
        assert row.joint_low <= row.tuned <= row.equal + 1e-9
        assert sum(row.split) == pytest.approx(1)
    far = several_sites.distance_sweep(2, 0.4, 0.5, [0.0, 2.0], q.Costs(), 14)
    assert far[0].joint < far[1].joint and far[0].near_share <= far[1].near_share
    rules = several_sites.routing_rules([(0.4, 0.5)], 2, q.Costs(), 14)
    assert all(row.over_joint > 1 - 1e-3 for row in rules)
    assert several_sites.against_prototype() < 5e-4


def test_agreement():
    assert max(row.error for row in agreement.formulas()) < 1e-9
    assert agreement.against_sparse_solve() < 6e-9
    assert agreement.worst_digit(agreement.against_committed_prototype()) < 0.5
    assert agreement.n_policy_thresholds(20, 1).mismatches == 0
    assert agreement.naor_mismatches(5, 1) == 0
    rows = agreement.simulation_coverage(requests=3000, seeds=5, seed=0)
    share, low, high = agreement.share_inside(rows)
    assert low <= share <= high and share > 0.9
    model = q.free_cancel_model(q.Farm.at_load(0.5, 0.5, 3), q.Costs(), 60)
    star = q.policy_iteration(model).cost
    scaler = settings.autoscaler_settings(model, star, [0.5, 0.7], [1.0, 5.0])
    assert settings.autoscaler_loss(scaler, 0.7, 5.0) >= 1.0
