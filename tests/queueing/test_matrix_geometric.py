import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.queueing import (
    Costs,
    Farm,
    OnOff,
    evaluate,
    free_cancel_model,
    mm1_setup_response_time,
    setup_queue,
    staggered_response_time,
    unlimited_servers_setup,
)

GOLDEN = [
    (2, 0.3, 0.1, 6.59391534, 1.007870),
    (2, 0.7, 1.0, 2.72376430, 0.272488),
    (5, 0.7, 0.1, 4.52560448, 1.312704),
    (5, 0.9, 1.0, 3.04599671, 0.283151),
    (10, 0.3, 0.1, 2.60479298, 3.715651),
    (10, 0.7, 1.0, 1.41088797, 1.310521),
    (10, 0.9, 0.1, 4.23406907, 0.920889),
]


@pytest.mark.parametrize(("k", "load", "setup", "time", "in_setup"), GOLDEN)
def test_golden_values(k, load, setup, time, in_setup):
    queue = setup_queue(Farm.at_load(load, setup, k))
    assert queue.response_time == pytest.approx(time, abs=6e-9)
    assert queue.in_setup == pytest.approx(in_setup, abs=6e-7)


@settings(max_examples=40)
@given(k=st.integers(1, 12), load=st.floats(0.05, 0.95), setup=st.floats(0.03, 30))
def test_identities(k, load, setup):
    farm = Farm.at_load(load, setup, k)
    queue = setup_queue(farm)
    assert queue.active == pytest.approx(farm.offered_load, rel=1e-9)
    assert queue.boundary.min() >= -1e-14
    radius = np.abs(np.linalg.eigvals(queue.rate_matrix)).max()
    assert radius == pytest.approx(queue.decay.max(), rel=1e-9)
    staggered = setup_queue(farm, staggered=True)
    assert staggered.response_time == pytest.approx(staggered_response_time(farm), rel=1e-9)
    if k == 1:
        assert queue.response_time == pytest.approx(
            mm1_setup_response_time(farm.arrival_rate, setup, 1.0), rel=1e-9
        )


def test_many_servers_approach_unlimited():
    queue = setup_queue(Farm(2.0, 0.5, 40))
    limit = unlimited_servers_setup(2.0, 0.5)
    assert queue.response_time == pytest.approx(limit.response_time, abs=1e-10)
    assert queue.in_setup == pytest.approx(limit.in_setup, abs=1e-10)


def test_truncated_chain_tends_to_the_exact_tail():
    farm = Farm.at_load(0.7, 0.5, 3)
    exact = setup_queue(farm).response_time
    errors = [
        abs(evaluate(free_cancel_model(farm, Costs(), n), OnOff()).response_time - exact)
        for n in (20, 40, 120)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-10
