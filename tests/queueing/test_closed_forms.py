import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.queueing import (
    Costs,
    Farm,
    NPolicy,
    UnstableSystem,
    best_n_policy,
    best_static,
    evaluate,
    free_cancel_model,
    mm1_setup_response_time,
    mmk_response_time,
    n_policy,
    static_cost,
    truncation_level,
    unlimited_servers_setup,
)


def test_mm1_with_setup_known_value():
    assert mm1_setup_response_time(0.7, 0.1, 1.0) == pytest.approx(13 + 1 / 3, rel=1e-12)


@pytest.mark.parametrize(
    ("rate", "setup", "threshold", "requests"),
    [(0.5, 0.2, 1, 3.5), (0.5, 0.2, 3, 4.045454545454545), (0.7, 0.5, 5, 5.295833333333333)],
)
def test_n_policy_formula_and_chain(rate, setup, threshold, requests):
    farm = Farm(rate, setup, 1)
    formula = n_policy(farm, threshold)
    assert formula.requests == pytest.approx(requests, rel=1e-9)
    levels = truncation_level(farm, 1e-15)
    chain = evaluate(free_cancel_model(farm, Costs(), levels), NPolicy(threshold))
    assert chain.requests == pytest.approx(requests, rel=1e-9)
    assert chain.allocations == pytest.approx(formula.cycle_rate, rel=1e-9)
    assert formula.off + formula.active + formula.in_setup == pytest.approx(1)


@pytest.mark.parametrize(("k", "load", "time"), [(2, 0.3, 1.098901), (5, 0.9, 2.524986)])
def test_erlang_known_values(k, load, time):
    assert mmk_response_time(k, load * k) == pytest.approx(time, abs=5e-7)


def test_unlimited_servers_known_value():
    queue = unlimited_servers_setup(2.0, 0.5)
    assert queue.in_setup == pytest.approx(1.3793928394, abs=5e-11)
    assert queue.response_time == pytest.approx(1.6896964197, abs=5e-11)


@settings(max_examples=30)
@given(
    load=st.floats(0.05, 0.95),
    setup=st.floats(0.01, 100),
    fee=st.floats(0, 100),
    delay=st.floats(0.01, 10),
)
def test_best_n_policy_is_best_among_its_neighbourhood(load, setup, fee, delay):
    farm = Farm(load, setup, 1)
    costs = Costs(delay=delay, allocation=fee)
    threshold, _ = best_n_policy(farm, costs)
    # without setup the optimum is next to the square-root formula
    free = Farm(load, 1e9, 1)
    root = np.sqrt(2 * load * (1 - load) * fee / delay)
    found, _ = best_n_policy(free, costs)
    assert max(1, np.floor(root)) <= found <= max(1, np.ceil(root))
    assert threshold >= 1


def test_best_static_is_the_cheapest():
    farm, costs = Farm.at_load(0.5, 1.0, 10), Costs(delay=1.0)
    servers, cost = best_static(farm, costs)
    assert cost == min(static_cost(k, farm, costs) for k in range(6, 11))
    assert servers == 7


def test_bad_inputs():
    for bad in ({"arrival_rate": 0.0}, {"setup_rate": -1.0}, {"service_rate": 0.0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Farm(**({"arrival_rate": 0.5, "setup_rate": 1.0, "servers": 1} | bad))
    for servers in (0, -3):
        with pytest.raises(ValueError, match="servers"):
            Farm(0.5, 1.0, servers)
    with pytest.raises(UnstableSystem) as caught:
        Farm(2.0, 1.0, 2)
    assert caught.value.rho == 1.0
    with pytest.raises(ValueError, match="delay"):
        Costs(delay=-1.0)
    with pytest.raises(ValueError, match="delay"):
        best_n_policy(Farm(0.5, 1.0, 1), Costs(delay=0.0))
    with pytest.raises(UnstableSystem):
        static_cost(2, Farm(2.5, 1.0, 5), Costs())
    with pytest.raises(ValueError, match="one server"):
        n_policy(Farm(0.5, 1.0, 2), 1)
