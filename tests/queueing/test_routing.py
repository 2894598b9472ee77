from dataclasses import replace

import numpy as np
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
    joint = q.joint_optimum([farm, farm], costs, levels, tolerance=1e-6)
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


@pytest.mark.parametrize("solve", [q.joint_optimum, q.committed_joint_optimum])
@pytest.mark.parametrize("sites", [2, 3])
def test_sites_that_are_alike_are_worth_the_same_in_any_order(solve, sites):
    farm, levels = q.Farm(0.5, 0.5, 1), 6
    alike = solve([farm] * sites, q.Costs(), levels, tolerance=1e-6)
    # a distance that is next to nothing makes them unlike: every state is computed
    apart = solve(
        [farm] * sites, q.Costs(), levels, distances=[0.0] * (sites - 1) + [1e-12], tolerance=1e-6
    )
    assert alike.iterations == apart.iterations
    np.testing.assert_allclose(alike.values, apart.values, atol=1e-9)
    states = len(alike.values) ** (1 / sites)
    table = alike.values.reshape((round(states),) * sites)
    np.testing.assert_allclose(table, table.T, atol=1e-9)


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
    farm = q.Farm(1.0, 0.5, 2)
    with pytest.raises(ValueError, match="levels"):
        q.joint_optimum([farm, farm], q.Costs(), 2)
    with pytest.raises(ValueError, match="distances"):
        q.joint_optimum([farm, farm], q.Costs(), 12, distances=[1.0])
    with pytest.raises(ValueError, match="distance"):
        q.joint_optimum([farm, farm], q.Costs(), 12, distances=[0.0, -1.0])
    with pytest.raises(ValueError, match="joint states"):
        q.joint_optimum([q.Farm(1.0, 0.5, 9)] * 4, q.Costs(), 40)
    with pytest.raises(ValueError, match="joint chain"):
        q.route([q.Site(q.Farm(1.0, 0.5, 9), q.OnOff())] * 4, q.Costs(), q.pack, 40)
    with pytest.raises(q.ConvergenceError):
        q.joint_optimum([farm, farm], q.Costs(), 12, max_iterations=2)
    with pytest.raises(ValueError, match="distance"):
        q.Site(farm, q.OnOff(), distance=float("nan"))


def test_joint_optimum_of_unlike_sites():
    # the same two sites in the other order; and a far site is used less, so the cost rises
    near, far = q.Farm(0.6, 0.5, 2), q.Farm(0.6, 1.5, 1, service_rate=2.0)
    costs = q.Costs(allocation=0.5)
    one = q.joint_optimum([near, far], costs, 12, distances=[0.0, 0.7], tolerance=1e-6)
    two = q.joint_optimum([far, near], costs, 12, distances=[0.7, 0.0], tolerance=1e-6)
    assert one.cost == pytest.approx(two.cost, abs=2e-6)
    free = q.joint_optimum([near, far], costs, 12, tolerance=1e-6)
    assert free.upper < one.lower
    # no request ever needs the far site: the near one's own optimum is an upper bound
    alone = q.policy_iteration(q.free_cancel_model(q.Farm(1.2, 0.5, 2), costs, 40))
    assert one.lower < alone.cost


def test_the_committed_joint_optimum():
    # a far site that nobody would use: what remains is one farm's own optimum in V2
    busy, costs = q.Farm(0.9, 2.0, 2), q.Costs(delay=0.2, allocation=0.5)
    joint = q.committed_joint_optimum(
        [busy, q.Farm(0.1, 0.3, 1)], costs, 40, distances=[0.0, 1e4], tolerance=1e-5
    )
    alone = q.policy_iteration(q.committed_model(replace(busy, arrival_rate=1.0), costs, 40))
    assert joint.cost == pytest.approx(alone.cost, abs=1e-4)
    assert alone.cost < q.best_static(replace(busy, arrival_rate=1.0), costs)[1] - 0.01
    # commitment never helps
    two = q.Farm(1.0, 1.0, 2)
    free = q.joint_optimum([two, two], costs, 12, tolerance=1e-5)
    bound = q.committed_joint_optimum([two, two], costs, 12, tolerance=1e-5)
    assert free.lower <= bound.upper and bound.lower <= bound.cost <= bound.upper
    # the order of unlike sites changes nothing
    unlike = [two, q.Farm(0.4, 0.5, 1)]
    one = q.committed_joint_optimum(unlike, costs, 10, distances=[0.0, 0.3], tolerance=1e-5)
    other = q.committed_joint_optimum(unlike[::-1], costs, 10, distances=[0.3, 0.0], tolerance=1e-5)
    assert one.cost == pytest.approx(other.cost, abs=1e-4)


def test_bad_input_to_the_committed_joint_optimum():
    farm = q.Farm(1.0, 0.5, 2)
    with pytest.raises(ValueError, match="levels"):
        q.committed_joint_optimum([farm, farm], q.Costs(), 2)
    with pytest.raises(ValueError, match="distances"):
        q.committed_joint_optimum([farm, farm], q.Costs(), 12, distances=[1.0])
    with pytest.raises(ValueError, match="joint states"):
        q.committed_joint_optimum([q.Farm(1.0, 0.5, 9)] * 3, q.Costs(), 40)
    with pytest.raises(ValueError, match="tolerance"):
        q.committed_joint_optimum([farm, farm], q.Costs(), 12, tolerance=0.0)
    with pytest.raises(q.ConvergenceError):
        q.committed_joint_optimum([farm, farm], q.Costs(), 12, max_iterations=2)
