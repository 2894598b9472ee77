"""What the specification leaves undefined is diagnosed, with the place where it happens."""

import numpy as np
import pytest

from quire.isa import ENGINES, Launch, Schedule, assemble, kernels, run
from quire.isa.errors import (
    DataRace,
    Deadlock,
    DispatchRejected,
    DivergentBarrier,
    InstructionLimit,
    Misaligned,
    OutOfBounds,
    RegisterOutOfRange,
    UnsupportedCapability,
)

LANES = 1024
HEAD = [".kernel k", ".registers 8", ".local_memory 256"]
HEAD += ["mov_sr r0, sr_thread_id_x", "mov_sr r1, sr_wave_id", "mov_imm r2, 2", "shl r3, r0, r2"]


def go(*lines, launch=None, **options):
    kernel = assemble("\n".join([*HEAD, *lines, "halt", ".end"])).kernel()
    launch = launch or Launch(workgroup=(16, 1, 1), wave_width=8)
    return run(kernel, launch, np.zeros(64, np.uint32), lanes=LANES, **options)


def test_a_barrier_that_some_lanes_miss():
    with pytest.raises(DivergentBarrier, match=r"thread 0 of workgroup 0 at offset .* barrier"):
        go("icmp_gt p1, r0, r2", "if p1", "barrier", "endif")


def test_a_barrier_in_a_uniform_if_is_fine():
    go("icmp_eq p1, r2, r2", "if p1", "barrier", "endif")


def test_a_wave_that_ends_while_others_wait():
    with pytest.raises(Deadlock, match=r"workgroup 0: waves \[1\] wait"):
        go("icmp_lt p1, r1, r2", "mov_imm r4, 0", "icmp_eq p1, r1, r4", "@p1 halt", "barrier")


@pytest.mark.parametrize("space", ["local", "device"])
def test_addresses_outside_of_a_memory(space):
    with pytest.raises(OutOfBounds, match=r"thread 15 of workgroup 0 .* address 256 is outside"):
        go("mov_imm r4, 196", "iadd r3, r3, r4", f"{space}_load_u32 r5, r3")
    with pytest.raises(OutOfBounds):
        go("mov_imm r4, 196", "iadd r3, r3, r4", f"{space}_store_u32 r3, r0")
    with pytest.raises(OutOfBounds):
        go("mov_imm r4, 252", f"{space}_store_u64 r4, r0")


def test_other_engines_notice_as_well():
    lines = ("mov_imm r4, 300", "device_store_u32 r4, r0")
    for engine in ENGINES:
        with pytest.raises(OutOfBounds):
            go(*lines, engine=engine)
    with pytest.raises(Deadlock):
        go("mov_imm r4, 0", "icmp_eq p1, r1, r4", "@p1 halt", "barrier", engine="lane counters")


def test_a_faulty_access_changes_nothing():
    kernel = assemble("\n".join([*HEAD, "device_store_u32 r3, r2", "halt", ".end"])).kernel()
    memory = np.zeros(8, np.uint32)
    with pytest.raises(OutOfBounds):
        run(kernel, Launch(workgroup=(16, 1, 1), wave_width=8), memory, lanes=LANES)
    assert not memory.any()


def test_misaligned_addresses():
    with pytest.raises(Misaligned, match=r"thread 1 .* no multiple of 4"):
        go("device_load_u32 r5, r0")


def test_a_loop_that_never_ends():
    with pytest.raises(InstructionLimit, match="within 500 steps"):
        go("loop", "nop", "endloop", limit=500)
    with pytest.raises(InstructionLimit):
        go("loop", "nop", "endloop", limit=500, engine="lane counters")


def test_registers_resources_and_capabilities_are_checked_before_the_start():
    with pytest.raises(RegisterOutOfRange):
        go("mov r8, r0")
    with pytest.raises(DispatchRejected, match="65536"):
        go(launch=Launch(workgroup=(16, 1, 1), wave_width=8, local_bytes=2**20))
    with pytest.raises(DispatchRejected, match="1024"):
        Launch(workgroup=(1025, 1, 1))
    with pytest.raises(ValueError, match="wave_width = 12"):
        Launch(wave_width=12)
    with pytest.raises(ValueError, match="grid = 0: must be an integer, 1 or more"):
        Launch(grid=(0, 1, 1))
    with pytest.raises(UnsupportedCapability, match="mma_compute"):
        go("mma_compute r1, r2, r3")
    with pytest.raises(ValueError, match="lockstep"):
        Schedule("chaotic")
    with pytest.raises(DispatchRejected, match="asks for"):
        go(".workgroup_size 8, 1, 1")
    with pytest.raises(ValueError, match="at least 1"):
        run(assemble("\n".join([*HEAD, "halt", ".end"])).kernel(), Launch(), np.zeros(0, np.uint32))


def test_division_by_zero_is_zero_and_counted():
    events = go("mov_imm r4, 0", "idiv r5, r0, r4", "imod r5, r0, r4").events
    assert events.divisions_by_zero == 32


def racy(*lines, launch=None):
    return go(*lines, launch=launch, detect_races=True)


def test_a_read_of_another_waves_write_needs_a_barrier():
    swap = ("mov_imm r4, 60", "isub r4, r4, r3", "local_load_u32 r5, r4")
    racy("local_store_u32 r3, r0", "barrier", *swap)
    with pytest.raises(DataRace, match=r"local_load_u32 r5, r4: address \d+ is shared"):
        racy("local_store_u32 r3, r0", *swap)


def test_a_write_after_another_waves_read_needs_a_barrier():
    swap = ("mov_imm r4, 60", "isub r4, r4, r3", "local_load_u32 r5, r4")
    racy(*swap, "barrier", "local_store_u32 r3, r0")
    with pytest.raises(DataRace):
        racy(*swap, "local_store_u32 r3, r0")


def test_workgroups_never_synchronise():
    two = Launch(grid=(2, 1, 1), workgroup=(8, 1, 1), wave_width=8)
    racy("device_load_u32 r5, r3", launch=two)
    racy("mov_imm r4, 0", "atomic_add r4, r2, device", launch=two)
    with pytest.raises(DataRace):
        racy("device_store_u32 r3, r0", launch=two)
    with pytest.raises(DataRace):
        racy("mov_imm r4, 0", "atomic_add r4, r2, device", "device_load_u32 r5, r4", launch=two)


def test_two_lanes_that_store_different_words_to_one_place():
    one = Launch(workgroup=(8, 1, 1), wave_width=8)
    racy("mov_imm r4, 0", "device_store_u32 r4, r2", launch=one)
    with pytest.raises(DataRace):
        racy("mov_imm r4, 0", "device_store_u32 r4, r0", launch=one)


def test_the_detector_passes_the_reduction_and_catches_it_without_barriers():
    memory = np.ones(4096, np.uint32)
    launch = Launch((2, 1, 1), (64, 1, 1), 8)
    run(
        assemble(kernels.reduce_local(8192)).kernel(),
        launch,
        memory,
        detect_races=True,
        lanes=LANES,
    )
    with pytest.raises(DataRace):
        broken = assemble(kernels.reduce_local(8192, barriers=False)).kernel()
        run(broken, launch, memory, detect_races=True, lanes=LANES)
