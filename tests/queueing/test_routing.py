from dataclasses import replace

import pytest

import quire.queueing as q

RULES = (q.at_random, q.join_shortest, q.join_idle_ready, q.pack)
# two sites of 3 servers, on-off with a floor: total rate, setup rate, floor, costs of RULES
GOLDEN = [
    (2, 0.2, 1, (7.818, 7.216, 7.117, 7.194)),
    (2, 1.0, 0, (6.403, 6.410, 6.339, 6.226)),
    (4, 0.2, 2, (14.282, 12.711, 12.600, 12.711)),
]


@pytest.mark.parametrize(("rate", "setup", "floor", "costs"), GOLDEN)
def test_golden_costs(rate, setup, floor, costs):
    site = q.Site(q.Farm(rate / 2, setup, 3), q.floor_policy(floor))
    found = [q.route([site, site], q.Costs(), rule, 16).cost for rule in RULES]
    assert found == pytest.approx(costs, abs=1.1e-3)


def test_exchanging_sites_changes_nothing():
    one = q.Site(q.Farm(1.0, 0.3, 2), q.floor_policy(1))
    two = q.Site(q.Farm(0.5, 0.8, 2), q.OnOff(), distance=0.2)
    for rule in RULES:
        a = q.route([one, two], q.Costs(), rule, 10)
        b = q.route([two, one], q.Costs(), rule, 10)
        assert a.cost == pytest.approx(b.cost, rel=1e-9)


def test_the_joint_optimum_is_below_every_rule_and_above_the_pool():
    costs, levels = q.Costs(), 14
    farm = q.Farm(1.0, 0.5, 2)
    joint = q.joint_optimum(farm, 2.0, costs, levels, tolerance=1e-6)
    assert joint.lower <= joint.cost <= joint.upper
    model = q.free_cancel_model(farm, costs, levels)
    own = q.policy_iteration(model)
    values = own.relative_values.reshape(levels + 1, 3)
    site = q.Site(farm, q.floor_policy(1))
    rules = (*RULES[1:], q.least_marginal_cost([values, values]))
    for rule in rules:
        assert q.route([site, site], costs, rule, levels).cost >= joint.lower - 1e-9
    pool = replace(farm, arrival_rate=2.0, servers=4)
    pooled = q.policy_iteration(q.free_cancel_model(pool, costs, 60))
    assert pooled.cost <= joint.upper + 1e-6


def test_distance_is_paid_per_request():
    farm = q.Farm(0.8, 0.5, 2)
    near = q.Site(farm, q.floor_policy(1))
    far = replace(near, distance=3.0)
    a = q.route([near, near], q.Costs(), q.at_random, 20)
    b = q.route([near, far], q.Costs(), q.at_random, 20)
    assert b.cost - a.cost == pytest.approx(0.8 * 3.0, rel=1e-3)


def test_bad_inputs():
    site = q.Site(q.Farm(1.9, 0.5, 2), q.floor_policy(1))
    with pytest.raises(ValueError, match="two or more"):
        q.route([site], q.Costs(), q.pack, 12)
    with pytest.raises(q.UnstableSystem):
        q.joint_optimum(q.Farm(1.0, 0.5, 2), 4.0, q.Costs(), 12)
    with pytest.raises(ValueError, match="at most 3"):
        q.joint_optimum(q.Farm(1.0, 0.5, 4), 2.0, q.Costs(), 12)
    with pytest.raises(q.ConvergenceError):
        q.joint_optimum(q.Farm(1.0, 0.5, 2), 2.0, q.Costs(), 12, max_iterations=2)
