import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.isa import DIALECTS, Launch, occupancy, register_budget, resident_waves
from quire.isa.errors import DispatchRejected


@pytest.mark.parametrize(
    ("register_file", "registers", "width", "waves"),
    [
        (262144, 255, 32, 8),
        (262144, 32, 32, 64),
        (524288, 256, 64, 8),
        (131072, 128, 16, 16),
        (212992, 128, 32, 13),
    ],
)
def test_the_worked_values_of_the_occupancy_page(register_file, registers, width, waves):
    assert occupancy(register_file, registers, width) == waves


positive = st.integers(1, 1024)


@given(registers=positive, width=positive, waves=positive)
def test_occupancy_falls_in_registers_and_width_and_the_budget_inverts_it(registers, width, waves):
    size = 262144
    assert occupancy(size, registers, width) >= occupancy(size, registers + 1, width)
    assert occupancy(size, registers, width) >= occupancy(size, registers, width + 1)
    budget = register_budget(size, waves, width)
    if budget:
        assert occupancy(size, budget, width) >= waves
    assert occupancy(size, budget + 1, width) < waves


def test_local_memory_and_the_wave_limit_bound_whole_workgroups():
    launch = Launch(workgroup=(256, 1, 1))
    nvidia = DIALECTS["nvidia"]
    assert resident_waves(nvidia, 32, launch) == nvidia.max_waves
    assert resident_waves(nvidia, 128, launch) == 16
    assert resident_waves(nvidia, 32, launch, 40000) == 8
    with pytest.raises(DispatchRejected, match="does not fit"):
        resident_waves(nvidia, 32, launch, 70000)
    with pytest.raises(DispatchRejected, match="registers = 200: apple has 128"):
        resident_waves(DIALECTS["apple"], 200, launch)
    with pytest.raises(ValueError, match="registers = 0"):
        occupancy(1024, 0, 32)
