"""Power: states of a node, energies, and the clock at a cap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.serving import (
    A6000_SERVER,
    ClockModel,
    DevicePower,
    NodePower,
    busy_stretches,
    fit_energies,
)
from quire.serving.experiments.hopper import settled_after_s

NODE = NodePower(100.0, DevicePower(10.0, 20.0, 110.0, 5.0), 0.0, 100.0, 0.5, 0.7, 4.0)


def test_the_authors_constants_by_hand():
    idle = A6000_SERVER.watts(np.zeros((0, 2)), np.array([0.0, 1.0]))
    assert idle[0] == pytest.approx(387.6)
    active = A6000_SERVER.watts(np.array([[0.0, 1.0]]), np.array([0.0, 1.0]))
    assert active[0] == pytest.approx(689.6)
    standby = A6000_SERVER.watts(np.array([[0.0, 1.0]]), np.array([0.0, 1.0, 19.0, 20.0]))
    assert standby[1:].tolist() == pytest.approx([443.6, 387.6])


def test_states_by_hand():
    busy = np.array([[1.0, 2.0], [4.0, 5.0]])
    watts = NODE.watts(busy, np.arange(12.0), devices=2)
    rest = 100 + 50 + 4
    expected = [rest + 20, rest + 220 + 20, rest + 40, rest + 40, rest + 220 + 20]
    assert watts[:5].tolist() == pytest.approx(expected)
    assert watts[9] == pytest.approx(rest + 40) and watts[10] == pytest.approx(rest + 20)


@given(st.lists(st.floats(0.01, 3), min_size=2, max_size=12), st.floats(0.1, 39.9))
@settings(max_examples=50)
def test_energy_adds_over_times(gaps, cut):
    edges = np.cumsum(gaps)
    busy = edges[: 2 * (len(edges) // 2)].reshape(-1, 2)
    whole = NODE.energy_j(busy, np.array([0.0, 40.0]))
    parts = NODE.energy_j(busy, np.array([0.0, cut, 40.0]))
    for name, value in whole.items():
        assert parts[name].sum() == pytest.approx(value[0], rel=1e-9)


def test_stretches_join_steps():
    found = busy_stretches(np.array([1e9, 2e9, 5e9]), np.array([1e9, 1e9, 1e9]))
    assert found.tolist() == [[0, 2], [4, 5]]


def test_power_is_checked():
    with pytest.raises(ValueError, match="standby = 1"):
        DevicePower(10, 1, 100, 5)
    with pytest.raises(ValueError, match="busy"):
        NODE.watts(np.array([[2.0, 1.0]]), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="busy"):
        NODE.watts(np.array([[0.0, 2.0], [1.0, 3.0]]), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="edges_s"):
        NODE.watts(np.zeros((0, 2)), np.array([1.0, 1.0]))
    with pytest.raises(ValueError, match="cpu_share"):
        NodePower(1, NODE.device, cpu_share=0.8)


def test_clock_at_the_cap():
    model = ClockModel(100.0, 1000.0, 20.0, 1.0, 0.0, 2.0)
    assert model.share_of_clock(70, 0, 1.0) == 1.0  # 90 watts
    # 20 + 640 s^3 = 100 at s = 1/2
    assert model.share_of_clock(640, 0, 1.0) == pytest.approx(0.5, rel=1e-9)
    assert model.power_w(640, 0, 1.0, 0.5) == pytest.approx(100)
    for bad in ({"cap_w": 0}, {"static_w": 200}, {"joule_per_flop": -1}, {"exponent": np.nan}):
        fields = {"cap_w": 100.0, "clock_mhz": 1.0, "static_w": 2.0, "joule_per_flop": 1.0}
        with pytest.raises(ValueError, match=next(iter(bad))):
            ClockModel(**{**fields, "joule_per_byte": 0.0, **bad})
    with pytest.raises(ValueError, match="share"):
        model.power_w(1, 1, 1.0, 1.5)


def test_energies_are_found_again():
    rng = np.random.default_rng(0)
    flops, moved, seconds = rng.uniform(1e12, 1e14, (3, 9))
    seconds = rng.uniform(0.5, 2, 9)
    watts = 50 + (2e-12 * flops + 3e-11 * moved) / seconds
    assert fit_energies(watts, flops, moved, seconds) == pytest.approx((50, 2e-12, 3e-11))
    with pytest.raises(ValueError, match="four are needed"):
        fit_energies(watts[:3], flops[:3], moved[:3], seconds[:3])


def test_settling():
    t = np.arange(0, 10, 0.5)
    after, rest = settled_after_s(t, np.where(t < 3, 500.0, 100.0))
    assert (after, rest) == (3.0, 100.0)


def test_runs_without_time_are_refused():
    with pytest.raises(ValueError, match="seconds"):
        fit_energies([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 1, 1])
