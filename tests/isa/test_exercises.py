"""Exercises: the model solution passes, and at least three wrong answers each do not."""

import json

import numpy as np
import pytest

from quire.isa import exercises
from quire.workbook.home import home

SCAN = """
.kernel scan
.registers 24
.local_memory 64
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 2
    shl r2, r0, r1
    device_load_u32 r3, r2
    wave_prefix_sum r4, r3
    mov_sr r5, sr_wave_id
    mov_sr r6, sr_lane_id
    shl r7, r5, r1
    mov_imm r8, 31
    icmp_eq p1, r6, r8
    iadd r9, r4, r3
    @p1 local_store_u32 r7, r9
    barrier
    mov_imm r10, 8
    icmp_lt p2, r6, r10
    shl r11, r6, r1
    @p2 local_load_u32 r12, r11
    wave_prefix_sum r13, r12
    wave_shuffle r14, r13, r5
    iadd r15, r14, r4
    mov_imm r16, 8192
    iadd r16, r16, r2
    device_store_u32 r16, r15
    halt
.end
"""

CASES = {
    "mask_after_break": (
        {0, 1, 2, 3, 4, 6},
        [
            *(set(), set(range(8)), {0, 2, 4, 6}, {1, 3}, 5),
            *([0, 1, 2, 3, 4, 6, 6], dict.fromkeys((0, 1, 2, 3, 4, 6)), "012346"),
        ],
    ),
    "reduce_xor_word": (0x3E0102C0, [0, 0x3E0201C0, 0x3E01020C, 12, "0x3E0102C0"]),
    "shorter_scan": (
        SCAN,
        [
            *("", 0, SCAN.replace("barrier", "nop")),
            *(SCAN.replace("r16, r15", "r16, r4"), SCAN.replace("r16, 8192", "r16, 4096")),
        ],
    ),
    "most_registers": (168, [0, 170, 128, 192, 168.5]),
    "padding_that_keeps_wide_loads": (
        (2, 2),
        [0, 2, (0, 16), (1, 1), (4, 4), (2, 1), (18, 2), (2, 2, 2), (2.0, 2), np.zeros(2)],
    ),
}
NEVER = [None, float("nan"), True, [], "answer", np.array([[1.0]]), object()]


@pytest.mark.parametrize("name", CASES)
def test_the_model_solution_is_right(name):
    assert getattr(exercises, name)(CASES[name][0]) is True


@pytest.mark.parametrize("name", CASES)
def test_wrong_answers_are_wrong_and_never_raise(name):
    for wrong in [*CASES[name][1], *NEVER]:
        assert getattr(exercises, name)(wrong) is False, wrong


def test_a_scan_that_is_right_and_no_shorter_is_wrong():
    from quire.isa.kernels import scan

    assert exercises.shorter_scan(scan(8192)) is False


def test_a_scan_that_never_ends_is_wrong():
    assert exercises.shorter_scan(".kernel k\nloop\nnop\nendloop\nhalt\n.end\n") is False


def test_the_scan_that_is_tried_is_the_one_on_the_page():
    page = (home() / "notebooks/10_universal_gpu_isa.ipynb").read_text(encoding="utf-8")
    sources = {cell["id"]: "".join(cell["source"]) for cell in json.loads(page)["cells"]}
    assert SCAN.strip() in sources["solution-3"]
