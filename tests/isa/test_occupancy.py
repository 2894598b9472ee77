import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.isa import DIALECTS, Launch, occupancy, register_budget, resident_waves
from quire.isa.costs import partitioned_occupancy
from quire.isa.dialects import CONSTANTS, DIVERGENCES
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
    with pytest.raises(DispatchRejected, match="registers = 200: apple has 1 to 128"):
        resident_waves(DIALECTS["apple"], 200, launch)
    with pytest.raises(ValueError, match="registers = 0"):
        occupancy(1024, 0, 32)


@given(registers=st.integers(1, 255))
def test_a_file_in_parts_never_holds_more_than_the_division_says(registers):
    for dialect in DIALECTS.values():
        held = partitioned_occupancy(dialect, registers)
        assert held <= occupancy(dialect.register_file, registers, dialect.width)
        assert held % dialect.partitions == 0


def test_four_partitions_give_what_the_driver_gives(hopper):
    for row in hopper["h100"]["occupancy"]:
        held = partitioned_occupancy(DIALECTS["nvidia"], int(row["registers"]))
        assert min(32, held) == int(row["blocks_of_one_warp"])


def test_the_six_constants_and_divergences_are_data_of_every_dialect():
    assert len(CONSTANTS) == len(DIVERGENCES) == 6
    for dialect in DIALECTS.values():
        assert all(getattr(dialect, constant.field) > 0 for constant in CONSTANTS)
