import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.queueing import (
    Band,
    ConvergenceError,
    Costs,
    DelayedOff,
    Farm,
    OnOff,
    Static,
    best_n_policy,
    committed_model,
    cost_bounds,
    decisions_of,
    discrete_problem,
    erlang_model,
    evaluate,
    evaluate_decisions,
    floor_policy,
    free_cancel_model,
    index_decisions,
    limited_optimum,
    linear_program,
    lower_hull,
    modified_policy_iteration,
    policy_iteration,
    relative_value_iteration,
    solve,
    stationary_law,
    trade_off,
)
from quire.queueing.decisions._policy_iteration import policy_values
from quire.queueing.decisions.value_iteration import UniformisedModel

SOLVERS = [
    policy_iteration,
    relative_value_iteration,
    modified_policy_iteration,
    linear_program,
]

# V2, K = 5, lambda = 2.5: setup rate, delay weight, fee -> g*, gap of on-off, gap of best floor
COMMITTED = [
    (0.2, 1.0, 0.0, 7.02433, 56.6, 6.7),
    (1.0, 1.0, 0.0, 6.61800, 11.8, 3.5),
    (1.0, 1.0, 2.0, 6.89967, 39.0, 8.6),
    (0.2, 0.1, 0.0, 3.57307, 42.4, 31.1),
]


@pytest.mark.parametrize(("setup", "delay", "fee", "best", "on_off", "floor"), COMMITTED)
def test_committed_golden_values(setup, delay, fee, best, on_off, floor):
    model = committed_model(Farm(2.5, setup, 5), Costs(delay=delay, allocation=fee), 60)
    found = policy_iteration(model)
    assert found.cost == pytest.approx(best, abs=6e-6)
    gap = 100 * (evaluate(model, OnOff()).cost / found.cost - 1)
    assert gap == pytest.approx(on_off, abs=0.05)
    floors = [evaluate(model, floor_policy(q)).cost for q in range(6)]
    assert 100 * (min(floors) / found.cost - 1) == pytest.approx(floor, abs=0.05)


@pytest.mark.parametrize("build", [free_cancel_model, committed_model])
@pytest.mark.parametrize(("setup", "delay", "fee"), [row[:3] for row in COMMITTED[::3]])
def test_four_solvers_agree(build, setup, delay, fee):
    model = build(Farm(2.5, setup, 5), Costs(delay=delay, allocation=fee), 60)
    costs = [solve(model).cost for solve in SOLVERS]
    assert np.ptp(costs) < 1e-8
    found = relative_value_iteration(model, tolerance=1e-9)
    assert found.lower <= costs[0] + 1e-9
    assert costs[0] <= found.upper + 1e-9
    assert evaluate_decisions(model, found.taken).cost == pytest.approx(costs[0], abs=1e-8)
    programmed = solve(model, "lp")
    assert programmed.lower <= costs[0] + 1e-9 <= programmed.upper + 2e-8
    assert programmed.upper - programmed.lower < 0.01
    with pytest.raises(ValueError, match="method = 'newton'"):
        solve(model, "newton")  # type: ignore[arg-type]


def test_free_cancel_known_value_and_order():
    farm = Farm(2.5, 0.2, 5)
    free = policy_iteration(free_cancel_model(farm, Costs(), 60)).cost
    assert free == pytest.approx(7.011341763, abs=2e-9)
    assert free <= policy_iteration(committed_model(farm, Costs(), 60)).cost


@settings(max_examples=12)
@given(
    load=st.floats(0.1, 0.8),
    setup=st.floats(0.1, 5),
    delay=st.floats(0.1, 5),
    fee=st.floats(0, 3),
    share=st.floats(0, 1),
)
def test_properties_of_the_optimum(load, setup, delay, fee, share):
    farm = Farm.at_load(load, setup, 3)
    costs = Costs(delay=delay, allocation=fee, setup_share=share)
    levels = 40

    def best(farm, costs, build=committed_model):
        return policy_iteration(build(farm, costs, levels)).cost

    reference = best(farm, costs)
    model = committed_model(farm, costs, levels)
    for policy in (OnOff(), floor_policy(3), Band(1, -1, 2), DelayedOff(0.3, 1)):
        assert evaluate(model, policy).cost >= reference - 1e-8
    assert evaluate_decisions(model, index_decisions(model)).cost >= reference - 1e-8
    assert best(farm, costs, free_cancel_model) <= reference + 1e-8
    assert best(Farm(farm.arrival_rate, setup, 4), costs) <= reference + 1e-8
    if share == 1 or fee == 0:
        assert best(Farm(farm.arrival_rate, 2 * setup, 3), costs) <= reference + 1e-8
    for more in (
        Costs(1.1, share, delay, fee),
        Costs(1.0, min(1.0, share + 0.1), delay, fee),
        Costs(1.0, share, 1.1 * delay, fee),
        Costs(1.0, share, delay, fee + 0.1),
    ):
        assert best(farm, more) >= reference - 1e-8
    # scaling time scales the cost; the prices are jointly concave
    twice = Farm(2 * farm.arrival_rate, 2 * setup, 3, 2.0)
    scaled = best(twice, Costs(2.0, share, 2 * delay, fee))
    assert scaled == pytest.approx(2 * reference, rel=1e-8)
    other = Costs(2.0, share, 0.3 * delay, fee)
    middle = Costs(1.5, share, 0.65 * delay, fee)
    assert best(farm, middle) >= (reference + best(farm, other)) / 2 - 1e-8


@settings(max_examples=10)
@given(delay=st.floats(0.2, 3), fee=st.floats(0, 2))
def test_the_optimum_rises_with_the_load(delay, fee):
    costs = Costs(delay=delay, allocation=fee)
    best = [
        policy_iteration(committed_model(Farm.at_load(x, 0.5, 2), costs, 60)).cost
        for x in (0.2, 0.5, 0.7)
    ]
    assert best[0] <= best[1] <= best[2]


def test_erlang_setup():
    farm, costs = Farm.at_load(0.5, 0.2, 2), Costs(allocation=0.5)
    one = policy_iteration(erlang_model(farm, costs, 40, 1)).cost
    assert one == policy_iteration(committed_model(farm, costs, 40)).cost
    # one server: the Pollaczek-Khinchine form with E[D^2] = D^2 (1 + 1/r)
    lam, mean = 0.5, 2.0
    for stages in (1, 2, 4):
        square = mean**2 * (1 + 1 / stages)
        extra = (lam * mean + lam**2 * square / 2) / (1 + lam * mean)
        seen = evaluate(erlang_model(Farm(lam, 1 / mean, 1), costs, 60, stages), OnOff())
        assert seen.requests == pytest.approx(1.0 + extra, rel=1e-9)


def test_stopping_on_the_policy_finds_what_stopping_on_the_cost_misses():
    # from "as few as possible" the cost repeats before the policy does
    model = free_cancel_model(Farm.at_load(0.5, 0.05, 5), Costs(delay=0.1), 150)
    found = policy_iteration(model)
    assert found.upper - found.lower < 1e-6
    swept = relative_value_iteration(model)
    assert found.cost == pytest.approx(swept.cost, abs=1e-8)


def test_bounds_hold_for_any_function():
    model = committed_model(Farm(1.0, 0.5, 2), Costs(), 30)
    best = policy_iteration(model).cost
    rng = np.random.default_rng(0)
    for _ in range(5):
        lower, upper = cost_bounds(model, rng.normal(size=model.states))
        assert lower <= best <= upper


def test_n_policy_threshold():
    rng = np.random.default_rng(1)
    for _ in range(8):
        farm = Farm(rng.uniform(0.1, 0.8), rng.uniform(0.2, 5), 1)
        costs = Costs(delay=rng.uniform(0.1, 2), allocation=rng.uniform(0, 10))
        threshold, cost = best_n_policy(farm, costs)
        found = policy_iteration(free_cancel_model(farm, costs, 200))
        static = evaluate(free_cancel_model(farm, costs, 200), Static(1)).cost
        assert found.cost == pytest.approx(min(cost, static), rel=1e-8)
        if cost < static:
            kept = found.taken[0 : 2 * 201 : 2]  # states (n, 0)
            model = free_cancel_model(farm, costs, 200)
            starts = model.post[model.choice[kept], 2] > 0
            assert int(np.argmax(starts)) == threshold


def test_trade_off_curve():
    farm = Farm(2.5, 0.2, 5)
    curve = trade_off(farm, Costs(), 100, np.logspace(-0.5, 1.2, 8))
    assert (np.diff(curve.servers) > 0).all()
    assert (np.diff(curve.response_time) < 0).all()
    slopes = np.diff(curve.response_time) / np.diff(curve.servers)
    assert (np.diff(slopes) > -1e-9).all()
    seen = evaluate(free_cancel_model(farm, Costs(), 100), Static(4))
    assert seen.response_time >= curve.time_at(seen.active + seen.in_setup) - 1e-9
    for outside in (2.0, 5.5):
        with pytest.raises(ValueError, match="must lie in"):
            curve.time_at(outside)
    # the linear program with a limit on E[n] walks along the same curve
    model = free_cancel_model(farm, Costs(delay=0.0), 100)
    middle = len(curve.servers) // 2
    limited = limited_optimum(model, float(curve.response_time[middle] * farm.arrival_rate))
    assert limited.cost == pytest.approx(curve.servers[middle], abs=1e-6)
    assert lower_hull(np.array([0.0, 1, 2]), np.array([2.0, 1.9, 0])).tolist() == [0, 2]


def test_bad_inputs():
    farm = Farm(1.0, 0.5, 2)
    for build in (free_cancel_model, committed_model):
        with pytest.raises(ValueError, match="levels = 11"):
            build(farm, Costs(), 11)
    with pytest.raises(ValueError, match="Erlang"):
        erlang_model(Farm(1.0, 0.5, 5), Costs(), 30, 2)
    with pytest.raises(ValueError, match="stages"):
        erlang_model(farm, Costs(), 30, 0)
    model = committed_model(farm, Costs(), 30)
    with pytest.raises(ConvergenceError) as caught:
        relative_value_iteration(model, max_iterations=3)
    lower, upper = caught.value.bounds
    assert lower <= policy_iteration(model).cost <= upper
    with pytest.raises(ConvergenceError):
        policy_iteration(model, max_iterations=1)
    with pytest.raises(ValueError, match="no such decision"):
        model.decisions_to(np.tile(model.post[-1], (model.states, 1)))
    with pytest.raises(ValueError, match="sweeps"):
        modified_policy_iteration(model, sweeps=0)
    with pytest.raises(ValueError, match="distribution"):
        discrete_problem(np.ones((1, 2, 2)), np.ones((2, 1)))
    import scipy.sparse as sp

    with pytest.raises(ValueError, match="sum to zero"):
        stationary_law(sp.csr_array(np.ones((2, 2))))
    with pytest.raises(ValueError, match="recurrent classes"):
        stationary_law(sp.csr_array(np.zeros((2, 2))))
    loop = UniformisedModel(model).loop
    assert loop.min() > 0
    # the restart gives even a policy of many classes finite values
    _, values = policy_values(UniformisedModel(model), decisions_never_to_act(model))
    assert np.isfinite(values).all()
    # what never moves is one class of its own: three of them leave no long-run average
    with pytest.raises(ValueError, match="recurrent"):
        evaluate_decisions(model, decisions_never_to_act(model))


def decisions_never_to_act(model):
    """Keep every state as it is: each number of servers is then a class of its own."""
    return model.decisions_to(model.pre)


def test_policies_of_one_model_share_its_states():
    model = committed_model(Farm(1.0, 0.5, 2), Costs(), 30)
    taken = decisions_of(model, OnOff())
    assert taken.shape == (model.states,)
