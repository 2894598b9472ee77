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
        assert len(one.columns()["best"]) == many_farms.SIZE
    free, committed = solved
    rows = {row.family: row for row in many_farms.gap_summary(free, committed)}
    sure = committed.certified
    assert rows["band"].median == pytest.approx(np.median(committed.gaps["band"][sure]))
    assert rows["band"].free_worst == pytest.approx(free.gaps["band"][free.certified].max())
    assert sum(row.best_at for name, row in rows.items() if name != "best of them") == sure.sum()
    assert many_farms.commitment_cost(*solved).min() > -1e-6
    with pytest.raises(ValueError, match="model"):
        many_farms.solve_farms(free.batch, "V2", more_families=True)


def test_farms_by_the_length_of_a_setup(solved):
    committed = solved[1]
    rows = many_farms.gaps_by_setup(committed)
    assert rows[-1].farms == committed.certified.sum() == sum(row.farms for row in rows[:-1])
    fast = many_farms.fast_setups(committed)
    chosen = committed.certified & (committed.batch.setup_rate >= 1)
    assert fast.best == pytest.approx(np.median(committed.best_gap[chosen]))
    saving = 100 * (1 - 1 / (1 + committed.gaps["static"][chosen] / 100))
    assert fast.saving == pytest.approx(np.median(saving), rel=1e-6)
    assert fast.low <= fast.saving <= fast.high and fast.best_low <= fast.best <= fast.best_high
    few = many_farms.solve_farms(committed.batch.take(np.flatnonzero(chosen)[:3]), "V2")
    assert many_farms.fast_setups(few) is None


def test_a_family_tuned_in_one_model_only_has_no_number_in_the_other(solved):
    more = many_farms.solve_farms(solved[0].batch, "V1", more_families=True)
    rows = {row.family: row for row in many_farms.gap_summary(more, solved[1])}
    assert rows["dual"].median is None and rows["dual"].free_median > 0


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


def test_no_setting_is_faster_than_the_lower_bound():
    curve = spending.spending_curves([0.5], [0.5], 5, grid=8)[0]
    for found in (curve.single, curve.mixed):
        for time in found.values():
            assert (time >= curve.least * (1 - 1e-6)).all()
    for family, single in curve.single.items():  # a mixture is never slower than its parts
        assert (curve.mixed[family] <= single * (1 + 1e-9)).all()
    assert (curve.single["band"] <= curve.single["static"]).all()
    assert (np.diff(curve.single["band"]) <= 0).all()
    reached = np.isfinite(curve.mixed["optimal"])  # few prices: near the bound, not on it
    assert (curve.mixed["optimal"] <= 1.02 * curve.least)[reached].all()
    row = spending.excess_at_equal_spending([curve])[0]
    assert 0 <= row.mixed <= row.single <= row.static
    assert row.optimal > 0.1 and not row.void
    assert row.at in curve.spending


def test_a_spending_that_no_setting_keeps_to_counts_as_a_hundred_per_cent():
    none = np.full(3, np.inf)
    curve = spending.SpendingCurve(
        0.5, 1.0, np.arange(3.0), np.ones(3),
        {"optimal": none, "static": none, "band": np.array([np.inf, 1.2, 1])},
        {"static": none, "band": np.ones(3)},
    )  # fmt: skip
    row = spending.excess_at_equal_spending([curve])[0]
    assert (row.static, row.single, row.mixed, row.at) == (100, 100, 0, 0)
    assert row.optimal == 100 and not row.void
    same = spending.SpendingCurve(0.5, 1.0, np.full(3, 2.0), np.ones(3), curve.single, curve.mixed)
    assert spending.excess_at_equal_spending([same])[0].void


def test_setups():
    rows = setups.crossovers(3, [0.4, 0.8])
    assert all(row.floor <= row.on_off for row in rows)
    laws = setups.setup_laws(q.Farm.at_load(0.5, 0.2, 10), [1, 0], requests=5000, seeds=5, seed=1)
    assert laws[0].over_exponential == 1.0 and laws[1].over_exponential > 1
    for chain, formula in setups.setup_law_of_one_server([1, 2]):
        assert chain == pytest.approx(formula, rel=1e-9)
    general = setups.general_setups([(1, 0.3, 0.5)], q.Costs(delay=0.1, allocation=3.0), 60)[0]
    assert general.constant < general.exponential < general.twice_as_variable
    assert not general.void
    assert setups.general_setups([(2, 0.5, 0.5)], q.Costs(), 60)[0].void  # static is optimal
    constant = setups.constant_gaps(5, 0.05, [0.2, 0.5], [0.1, 1.0])
    assert [row.load for row in constant] == [0.2, 0.5]
    farm, price = q.Farm.at_load(0.5, 0.05, 5), q.Costs()
    best = q.policy_iteration(q.free_cancel_model(farm, price, 120)).cost
    found = 100 * (q.best_static(farm, price)[1] / best - 1)
    assert constant[1].gaps[1] == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("model", ["V1", "V2"])
def test_systems_of_sites(model):
    for row in several_sites.site_systems([(2, 2, 14)], [0.2, 0.5], [0.3], q.Costs(), model=model):
        assert row.in_order
        assert row.tuned <= row.equal + 1e-9
        assert sum(row.split) == pytest.approx(1)
    with pytest.raises(ValueError, match="model"):
        several_sites.site_systems([], [], [], q.Costs(), model="V3")


def test_sites():
    far = several_sites.distance_sweep(2, 0.4, 0.5, [0.0, 2.0], q.Costs(), 14)
    assert far[0].joint < far[1].joint and far[0].near_share <= far[1].near_share
    rules = several_sites.routing_rules([(0.4, 0.5)], 2, q.Costs(), 14)
    assert all(row.over_joint > 1 - 1e-3 for row in rules)
    table = several_sites.rule_table(rules)
    assert [row["rule"] for row in table] == [row.rule for row in rules]
    assert table[0]["load 0.4, setup rate 0.5"] == rules[0].over_joint
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
