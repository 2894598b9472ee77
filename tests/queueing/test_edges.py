"""Inputs at and beyond the edges: refused in one line, or answered as the formula says."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import quire.queueing as q

BAD_NUMBERS = (-0.5, math.nan, math.inf)


@pytest.mark.parametrize("servers", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("load", [1 - 1e-6, 1 - 1e-9, 1 - 1e-12])
def test_setup_queue_near_full_load(servers, load):
    farm = q.Farm.at_load(load, 1.0, servers)
    staggered = q.setup_queue(farm, staggered=True).response_time
    assert staggered == pytest.approx(q.staggered_response_time(farm), rel=1e-6)
    queue = q.setup_queue(farm)
    assert queue.response_time >= q.mmk_response_time(servers, farm.arrival_rate) * (1 - 1e-6)
    assert np.isfinite([queue.active, queue.in_setup, *queue.decay]).all()
    if servers == 1:
        exact = q.mm1_setup_response_time(farm.arrival_rate, 1.0)
        assert queue.response_time == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("load", [1e-9, 1 - 1e-9])
def test_batched_tail_at_extreme_loads(load):
    batch = q.points(4, load, 0.5, 1.0)
    best = q.optimum(batch)
    static = q.static_costs(batch).min()
    assert best.cost[0] <= static * (1 + 1e-9)


def naor_by_fractions(rho, worth):
    """Naor's threshold from the printed quotient, in exact arithmetic."""
    rho, n = Fraction(rho), 1
    while ((n + 1) * (1 - rho) - rho * (1 - rho ** (n + 1))) / (1 - rho) ** 2 <= worth:
        n += 1
    return n


@pytest.mark.parametrize("rho", [0.5, 0.9, 1 - 1e-9, 1 - 2**-40, 1 - 2**-53, 1e-9])
@pytest.mark.parametrize("worth", [1.0, 3.0, 10.0, 21.0, 54.999, 55.0])
def test_naor_threshold_is_exact(rho, worth):
    assert q.naor_threshold(rho, worth, 1.0) == naor_by_fractions(rho, Fraction(worth))


def test_naor_threshold_on_a_tie_of_fractions():
    # rho = 1/2: the sums are 1, 5/2, 17/4, ...
    assert q.naor_threshold(0.5, 2.5, 1.0) == 2
    assert q.naor_threshold(0.5, np.nextafter(2.5, 0), 1.0) == 1


def test_naor_threshold_that_would_never_end():
    with pytest.raises(ValueError, match="more than"):
        q.naor_threshold(0.5, 1e300, 1.0)


@settings(max_examples=60)
@given(
    load=st.floats(0.05, 0.95),
    setup=st.floats(0.05, 20),
    fee=st.floats(0, 50),
    delay=st.floats(0.02, 5),
)
def test_best_n_policy_against_all_thresholds(load, setup, fee, delay):
    farm, costs = q.Farm(load, setup, 1), q.Costs(delay=delay, allocation=fee)
    threshold, cost = q.best_n_policy(farm, costs)
    every = [q.n_policy_cost(farm, costs, n) for n in range(1, 200)]
    assert cost == pytest.approx(min(every), rel=1e-12)
    assert every[threshold - 1] == cost


def test_inputs_that_used_to_run_for_ever():
    threshold, _ = q.best_n_policy(q.Farm(0.5, 1.0, 1), q.Costs(delay=1e-20, allocation=1.0))
    assert threshold == pytest.approx(math.sqrt(2 * 0.25 * 2 / 1e-20), rel=1e-6)
    many = q.unlimited_servers_setup(1e18, 1.0)
    assert many.in_setup == pytest.approx(math.sqrt(2e18 / math.pi), rel=1e-6)
    with pytest.raises(ValueError, match="levels"):
        q.truncation_level(q.Farm.at_load(1 - 1e-9, 1.0, 1))
    with pytest.raises(ValueError, match="states"):
        q.committed_model(q.Farm.at_load(0.5, 1.0, 200), q.Costs(), 1000)
    with pytest.raises(ValueError, match="solved exactly"):
        q.setup_queue(q.Farm.at_load(0.5, 1.0, 5000))
    with pytest.raises(ValueError, match="servers"):
        q.erlang_b(10**12, 1.0)
    servers, cost = q.best_static(q.Farm.at_load(0.5, 1.0, 100_000), q.Costs())
    assert 50_000 < servers < 51_000
    assert cost > 100_000


def test_unlimited_setup_is_continuous_where_the_series_takes_over():
    below = q.unlimited_servers_setup(999.999, 1.0).in_setup
    above = q.unlimited_servers_setup(1000.001, 1.0).in_setup
    assert above / below == pytest.approx(math.sqrt(1000.001 / 999.999), rel=1e-8)


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_closed_forms_refuse_what_is_no_rate(bad):
    for call in (
        lambda: q.erlang_b(2, bad),
        lambda: q.erlang_c(2, bad),
        lambda: q.mmk_response_time(2, bad, 1.0),
        lambda: q.mmk_response_time(2, 1.0, bad),
        lambda: q.mm1_setup_response_time(bad, 1.0, 1.0),
        lambda: q.mm1_setup_response_time(0.5, bad, 1.0),
        lambda: q.mm1_setup_response_time(0.5, 1.0, bad),
        lambda: q.unlimited_servers_setup(bad, 1.0),
        lambda: q.unlimited_servers_setup(1.0, bad),
        lambda: q.unlimited_servers_setup(1.0, 1.0, bad),
        lambda: q.n_policy(q.Farm(0.5, 1.0, 1), 2, bad),
        lambda: q.naor_threshold(bad, 10.0, 1.0),
        lambda: q.naor_threshold(0.5, bad, 1.0),
        lambda: q.naor_threshold(0.5, 10.0, bad),
        lambda: q.naor_threshold(0.5, 10.0, 1.0, bad),
        lambda: q.admission_control(0.5, bad, 1.0, 10),
        lambda: q.window_for(bad, 1.0, 1.0, 0.0),
        lambda: q.window_for(1.0, 1.0, bad, 0.0),
        lambda: q.Farm(bad, 1.0, 2),
        lambda: q.Farm(1.0, bad, 2),
        lambda: q.Farm(1.0, 1.0, 2, bad),
        lambda: q.Farm.at_load(bad, 1.0, 2),
        lambda: q.Costs(server=bad),
        lambda: q.Costs(allocation=bad),
        lambda: q.DelayedOff(bad),
        lambda: q.DualThreshold(bad, 0.1),
        lambda: q.Autoscaler(bad, 1.0),
        lambda: q.Autoscaler(0.5, bad),
    ):
        with pytest.raises(ValueError, match=r"="):
            call()


@pytest.mark.parametrize("bad", [0, -1, 1.5, math.nan, math.inf, True])
def test_counts_are_integers(bad):
    for call in (
        lambda: q.erlang_c(bad, 0.5),
        lambda: q.Farm(0.5, 1.0, bad),
        lambda: q.NPolicy(bad),
        lambda: q.points(bad, 0.5, 1.0, 1.0),
        lambda: q.random_points(bad, (5,), 0),
    ):
        with pytest.raises(Exception, match=r"an integer|Type-check"):
            call()


@pytest.mark.parametrize("name", ["setup_rate", "delay", "allocation", "setup_share", "server"])
@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_points_refuse_bad_prices_and_rates(name, bad):
    given = {"load": 0.5, "setup_rate": 1.0, "delay": 1.0} | {name: np.array([1.0, bad])}
    with pytest.raises(ValueError, match=name):
        q.points(3, **given)


def test_points_promote_whole_numbers():
    batch = q.points(2, np.array([0.5, 0.25]), np.array([1, 2]), np.array([1, 3]))
    assert {column.dtype for column in batch.columns().values()} == {np.dtype(float)}


def test_discrete_problem_refuses_what_is_no_problem():
    fair = np.full((2, 2, 2), 0.5)
    costs = np.ones((2, 2))
    for transitions, prices in (
        (fair * np.nan, costs),
        (fair, costs * np.nan),
        (fair, costs * np.inf),
        (fair, np.ones((2, 3))),
        (-fair + 1, costs * np.nan),
    ):
        with pytest.raises(Exception, match=r"transitions|costs|Type-check"):
            q.discrete_problem(transitions, prices)


@pytest.mark.parametrize(
    "policy",
    [
        q.OnOff(),
        q.floor_policy(2),
        q.Band(1, -1, 2),
        q.Staggered(),
        q.DelayedOff(0.5, 1),
        q.DualThreshold(1.5, 0.5),
    ],
    ids=lambda p: p.name,
)
@pytest.mark.parametrize("committed", [False, True])
def test_allocations_count_starts(policy, committed):
    # the simulator starts setups one by one and counts them; it shares no code with the chain
    farm = q.Farm(1.5, 0.5, 3)
    build = q.committed_model if committed else q.free_cancel_model
    exact = q.evaluate(build(farm, q.Costs(), 120), policy).allocations
    run = q.simulate(farm, policy, requests=100_000, seed=4, committed=committed, confidence=0.9999)
    assert run.allocations.covers(exact)


def test_starts_exceed_completions_where_setups_are_cancelled():
    farm = q.Farm(1.5, 0.5, 3)
    free = q.evaluate(q.free_cancel_model(farm, q.Costs(), 120), q.OnOff())
    assert free.allocations > 1.2 * free.in_setup * farm.setup_rate
    bound = q.evaluate(q.committed_model(farm, q.Costs(), 120), q.OnOff())
    assert bound.allocations == pytest.approx(bound.in_setup * farm.setup_rate, rel=1e-9)


def test_band_costs_refuse_bad_tables():
    batch = q.points(3, np.array([0.5, 0.6]), 1.0, 1.0)
    good = np.zeros((2, 1))
    for floor, start, keep, release in (
        (good - 1, good, good, None),
        (good, good, good - 1, None),
        (good, good * np.nan, good, None),
        (good, good, good, good - 1),
        (np.zeros((3, 1)), np.zeros((3, 1)), np.zeros((3, 1)), None),
    ):
        with pytest.raises(ValueError, match="must"):
            q.band_costs(batch, floor, start, keep, release)
