"""Four mechanisms of divergence, one memory; schedules and wave widths that must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.isa import ENGINES, Launch, Schedule, assemble, kernels, run
from quire.isa.fuzzing import draw_program, kernel_of, memory_for, source

LANES = 1024
WIDTHS = (8, 16, 32, 64)


def drawn(data, size=14, lanes_talk=True):
    """A program whose every choice the library draws, so that it can shrink them."""
    return draw_program(lambda count: data.draw(st.integers(0, count - 1)), size, lanes_talk)


@given(data=st.data(), width=st.sampled_from(WIDTHS), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_mask_stack_predication_and_lane_counters_agree(data, width, seed):
    program = drawn(data)
    launch = Launch(grid=(2, 1, 1), workgroup=(20, 1, 1), wave_width=width)
    kernel, memory = kernel_of(program), memory_for(launch, seed)
    wanted = run(kernel, launch, memory, lanes=LANES).memory
    for engine in ("predication", "lane counters"):
        got = run(kernel, launch, memory, engine=engine, lanes=LANES).memory
        assert np.array_equal(got, wanted), engine
    skipping = run(kernel, launch, memory, lanes=LANES, skip_empty=True)
    assert np.array_equal(skipping.memory, wanted)


@given(data=st.data(), width=st.sampled_from(WIDTHS), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_batches_of_workgroups_leave_nothing_to_those_after_them(data, width, seed):
    program = drawn(data)
    launch = Launch(grid=(13, 1, 1), workgroup=(20, 1, 1), wave_width=width)
    kernel, memory = kernel_of(program), memory_for(launch, seed)
    at_once = run(kernel, launch, memory, lanes=LANES)
    one_by_one = run(kernel, launch, memory, lanes=256)  # four to ten workgroups at a time
    assert np.array_equal(one_by_one.memory, at_once.memory)
    assert one_by_one.events == at_once.events


@given(data=st.data(), width=st.sampled_from(WIDTHS))
@settings(max_examples=4)
def test_compiled_masks_agree(data, width):
    program = drawn(data, size=9)
    launch = Launch(grid=(2, 1, 1), workgroup=(20, 1, 1), wave_width=width)
    kernel, memory = kernel_of(program), memory_for(launch)
    wanted = run(kernel, launch, memory, lanes=LANES).memory
    got = run(kernel, launch, memory, engine="execution masks").memory
    assert np.array_equal(got, wanted), source(program)


@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_wave_width_and_schedule_do_not_matter_if_lanes_do_not_talk(data, seed):
    program = drawn(data, lanes_talk=False)
    memories = []
    for width in WIDTHS:
        launch = Launch(grid=(2, 1, 1), workgroup=(24, 1, 1), wave_width=width)
        schedule = Schedule("random", seed, quantum=seed % 5)
        kernel = kernel_of(program)
        memories.append(
            run(kernel, launch, memory_for(launch), schedule=schedule, lanes=LANES).memory
        )
    assert all(np.array_equal(m, memories[0]) for m in memories)


def test_compiled_constants_keep_the_sign_of_zero():
    text = """
    .kernel k
    .registers 8
    mov_imm r1, 0x80000000
    fma r2, r1, r3, r3
    fadd r4, r1, r3
    mov_imm r5, 4
    device_store_u32 r3, r2
    device_store_u32 r5, r4
    halt
    .end
    """
    launch = Launch(workgroup=(1, 1, 1), wave_width=8)
    kernel, memory = assemble(text).kernel(), np.ones(8, np.uint32)
    assert not run(kernel, launch, memory, engine="execution masks").memory[:2].any()


def test_compiled_wave_operations_on_lanes_that_fill_no_whole_wave():
    text = """
    .kernel k
    .registers 8
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 2
    shl r2, r0, r1
    wave_reduce_add r3, r0
    device_store_u32 r2, r3
    halt
    .end
    """
    launch = Launch(workgroup=(20, 1, 1), wave_width=8)
    kernel, memory = assemble(text).kernel(), np.zeros(32, np.uint32)
    memory = run(kernel, launch, memory, engine="execution masks").memory
    assert list(memory[:20]) == [28] * 8 + [92] * 8 + [70] * 4


CALLS = """
.kernel calls
.registers 8
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 1
    mov_imm r2, 2
    and r3, r0, r1
    icmp_eq p1, r3, r1
    loop
        iadd r5, r5, r1
        if p1
            call twice
        else
            iadd r4, r4, r0
        endif
        icmp_gt p3, r5, r3
        break p3
    endloop
    shl r6, r0, r2
    device_store_u32 r6, r4
    halt
twice:
    call add
    icmp_gt p2, r4, r2
    if p2
        return
    endif
    call add
    return
add:
    iadd r4, r4, r0
    return
.end
"""


def test_calls_from_divergent_code_and_early_returns():
    kernel = assemble(CALLS).kernel()
    launch = Launch(workgroup=(16, 1, 1), wave_width=8)
    memory = np.zeros(64, np.uint32)
    expected = []
    for t in range(16):
        total = rounds = 0
        while True:
            rounds += 1
            if t % 2:
                total += t
                total += t if total <= 2 else 0
            else:
                total += t
            if rounds > t % 2:
                break
        expected.append(total)
    for engine in ENGINES:
        got = run(kernel, launch, memory, engine=engine, lanes=LANES).memory[:16]
        assert list(got) == expected, engine


def sums(barriers, schedule, width=8):
    kernel = assemble(kernels.reduce_local(8192, barriers)).kernel()
    memory = np.zeros(4096, np.uint32)
    memory[:512] = np.random.default_rng(1).integers(0, 1000, 512)
    launch = Launch((2, 1, 1), (256, 1, 1), width)
    got = run(kernel, launch, memory, schedule=schedule, lanes=LANES).memory[2048:2050]
    return got, memory[:512].reshape(2, 256).sum(1)


def test_every_schedule_gives_the_right_sums_with_barriers():
    for seed in range(4):
        for quantum in (31, 0, 3):
            got, wanted = sums(True, Schedule("random", seed, quantum))
            assert np.array_equal(got, wanted)


def test_without_barriers_an_adversarial_schedule_gives_wrong_sums():
    wrong = [not np.array_equal(*sums(False, Schedule("random", seed))) for seed in range(4)]
    assert any(wrong)


def test_reductions_histogram_scan_and_product_equal_numpy():
    generator = np.random.default_rng(2)
    data = generator.integers(0, 2**32, 512, dtype=np.uint32)
    memory = np.zeros(4096, np.uint32)
    memory[:512] = data
    for width in WIDTHS:
        launch = Launch((2, 1, 1), (256, 1, 1), width)
        wanted = data.reshape(2, 256).sum(1, dtype=np.uint32)
        for text in (kernels.reduce_local(8192), kernels.reduce_shuffle(8192)):
            got = run(assemble(text).kernel(), launch, memory, lanes=LANES).memory
            assert np.array_equal(got[2048:2050], wanted)
        got = run(assemble(kernels.histogram(8192)).kernel(), launch, memory, lanes=LANES).memory
        assert np.array_equal(got[2048:2304], np.bincount(data & 255, minlength=256))
        one = Launch((1, 1, 1), (256, 1, 1), width)
        got = run(assemble(kernels.scan(8192)).kernel(), one, memory, lanes=LANES).memory
        assert np.array_equal(got[2049:2304], np.cumsum(data[:255], dtype=np.uint32))
    size = 16
    a, b = generator.random((2, size, size), dtype=np.float32)
    memory = np.concatenate([a.ravel(), b.ravel(), np.zeros(size * size, np.float32)]).view(
        np.uint32
    )
    for padding in (0, 1, 4):
        variant = {"by_columns": padding > 0, "unrolled": padding != 1}
        kernel = assemble(kernels.gemm(size, 8, padding, **variant)).kernel()
        got = run(kernel, Launch((2, 2, 1), (8, 8, 1), 32), memory, lanes=LANES).memory
        product = got[2 * size * size :].view(np.float32).reshape(size, size)
        assert np.allclose(product, a @ b, rtol=1e-5)


@pytest.mark.parametrize("elements", [1, 3])
@pytest.mark.parametrize("how", ["tree", "shuffle"])
def test_reductions_of_several_words_a_thread_equal_numpy(how, elements):
    workgroups, threads = 2, 256
    count = workgroups * threads * elements
    memory = np.zeros(4096, np.uint32)
    memory[:count] = np.random.default_rng(4).integers(0, 2**32, count, dtype=np.uint32)
    kernel = assemble(kernels.reduction(elements, workgroups, how)).kernel()
    launch = Launch((workgroups, 1, 1), (threads, 1, 1))
    got = run(kernel, launch, memory, lanes=LANES).memory[count : count + workgroups]
    rows = memory[:count].reshape(elements, workgroups, threads)
    assert np.array_equal(got, rows.sum((0, 2), dtype=np.uint32))


def test_a_reduction_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="how = 'bush': one of 'tree'"):
        kernels.reduction(1, 1, "bush")


def test_a_partly_filled_last_wave_neither_votes_nor_adds():
    text = """
    .kernel k
    .registers 8
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 1
    wave_reduce_add r2, r1
    icmp_eq p1, r1, r1
    wave_ballot r3, p1
    wave_all p2, p1
    mov_imm r4, 2
    shl r5, r0, r4
    device_store_u32 r5, r2
    mov_imm r4, 128
    iadd r5, r5, r4
    device_store_u32 r5, r3
    barrier
    halt
    .end
    """
    launch = Launch(workgroup=(11, 1, 1), wave_width=8)
    memory = run(assemble(text).kernel(), launch, np.zeros(64, np.uint32), lanes=LANES).memory
    assert list(memory[:11]) == [8] * 8 + [3] * 3
    assert list(memory[32:43]) == [255] * 8 + [7] * 3


def test_threads_are_numbered_linearly_over_three_axes():
    text = """
    .kernel k
    .registers 16
    mov_sr r0, sr_thread_id_x
    mov_sr r1, sr_thread_id_y
    mov_sr r2, sr_thread_id_z
    mov_sr r3, sr_workgroup_size_x
    mov_sr r4, sr_workgroup_size_y
    imad r5, r2, r4, r1
    imad r5, r5, r3, r0
    mov_sr r6, sr_wave_id
    mov_sr r7, sr_wave_width
    mov_sr r8, sr_lane_id
    imad r6, r6, r7, r8
    isub r6, r6, r5
    mov_imm r9, 2
    shl r5, r5, r9
    mov_sr r10, sr_grid_size_y
    mov_sr r11, sr_workgroup_id_y
    mov_sr r12, sr_num_waves
    iadd r6, r6, r12
    device_store_u32 r5, r6
    halt
    .end
    """
    launch = Launch((1, 2, 1), (3, 4, 2), 8)
    memory = run(assemble(text).kernel(), launch, np.zeros(32, np.uint32), lanes=LANES).memory
    assert list(memory[:24]) == [3] * 24


def atomics(line, value=1, width=8):
    text = f"""
    .kernel k
    .registers 8
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 0
    mov_imm r2, {value}
    mov_imm r6, 5
    {line}
    mov_imm r4, 2
    shl r5, r0, r4
    iadd r5, r5, r4
    iadd r5, r5, r4
    device_store_u32 r5, r3
    halt
    .end
    """
    launch = Launch(workgroup=(24, 1, 1), wave_width=width)
    return run(assemble(text).kernel(), launch, np.zeros(64, np.uint32), lanes=LANES).memory


@pytest.mark.parametrize("width", [8, 32])
def test_old_words_of_atomic_sums_form_a_chain(width):
    memory = atomics("atomic_add r3, r1, r2, device", 3, width)
    assert memory[0] == 72
    assert sorted(memory[1:25]) == list(range(0, 72, 3))


def test_compare_and_swap_lets_exactly_one_thread_win():
    memory = atomics("atomic_cas r3, r1, r1, r6, device")
    assert memory[0] == 5
    assert sorted(memory[1:25]) == [0] + [5] * 23


def test_atomics_without_result_equal_those_with():
    for name in ("add", "sub", "min", "max", "and", "or", "xor", "exchange"):
        with_old = atomics(f"atomic_{name} r3, r1, r0, device")[0]
        without = atomics(f"atomic_{name} r1, r0, device")[0]
        assert with_old == without, name


def test_bytes_halves_and_wide_accesses():
    text = """
    .kernel k
    .registers 16
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 1
    device_store_u8 r0, r0
    shl r2, r0, r1
    mov_imm r3, 64
    iadd r2, r2, r3
    device_store_u16 r2, r0
    device_load_u8 r8, r0
    mov_imm r9, 0x55
    mov r10, r9
    mov r11, r9
    mov_imm r4, 4
    shl r5, r0, r4
    mov_imm r6, 256
    iadd r5, r5, r6
    device_store_u128 r5, r8
    device_load_u128 r5, r5
    mov_imm r6, 256
    device_load_u64 r6, r6
    device_store_u64 r3, r6
    halt
    .end
    """
    launch = Launch(workgroup=(32, 1, 1), wave_width=16)
    memory = run(assemble(text).kernel(), launch, np.zeros(256, np.uint32), lanes=LANES).memory
    assert np.array_equal(memory[:8].view(np.uint8), np.arange(32))
    assert np.array_equal(memory[18:32].view(np.uint16), np.arange(4, 32))
    assert np.array_equal(memory[64:192].reshape(32, 4)[:, 0], np.arange(32))
    assert np.array_equal(memory[16:18], memory[64:66])


def test_doubles_on_overlapping_register_pairs():
    text = """
    .kernel k
    .registers 16
    mov_imm r0, 0
    device_load_u64 r2, r0
    dadd r3, r2, r2
    mov_imm r1, 8
    device_store_u64 r1, r3
    halt
    .end
    """
    memory = np.zeros(64, np.uint32)
    memory[:2] = np.array([1.25]).view(np.uint32)
    got = run(
        assemble(text).kernel(), Launch(workgroup=(1, 1, 1), wave_width=8), memory, lanes=LANES
    )
    assert got.memory[2:4].view(np.float64)[0] == 2.5


def test_shuffles_from_lanes_that_do_not_exist_or_sleep_give_zero():
    text = """
    .kernel k
    .registers 8
    mov_sr r0, sr_lane_id
    mov_imm r1, 1
    iadd r2, r0, r1
    wave_shuffle_up r3, r2, r1
    and r4, r0, r1
    mov_imm r5, 0
    icmp_eq p1, r4, r5
    if p1
        wave_shuffle_xor r6, r2, r1
        wave_broadcast r7, r2, r1
    endif
    mov_imm r4, 2
    shl r4, r0, r4
    device_store_u32 r4, r3
    mov_imm r5, 32
    iadd r4, r4, r5
    iadd r6, r6, r7
    device_store_u32 r4, r6
    halt
    .end
    """
    launch = Launch(workgroup=(8, 1, 1), wave_width=8)
    memory = run(assemble(text).kernel(), launch, np.zeros(64, np.uint32), lanes=LANES).memory
    assert list(memory[:8]) == list(range(8))
    assert not memory[8:16].any()
