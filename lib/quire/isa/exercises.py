"""The checks of the chapter's exercises: each computes the right answer and judges a reader's.

Every check takes whatever a reader left in ``answer`` and returns whether it is right; it never
raises. See the chapter for what is asked.
"""

from collections.abc import Callable
from functools import wraps
from numbers import Integral
from typing import Any

import numpy as np

from quire.isa.costs import partitioned_occupancy
from quire.isa.dialects import DIALECTS
from quire.isa.engines import run
from quire.isa.engines.protocol import Schedule
from quire.isa.program import Launch
from quire.isa.text.assembler import assemble

_LANES = 1024
_SCAN_OUT = 8192
_HILLIS_STEELE = 1288  # wave-instructions of the golden scan at width 32


def _judged(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Make a check say no to whatever it cannot read."""

    @wraps(check)
    def careful(answer: Any) -> bool:
        try:
            return bool(check(answer))
        except Exception:  # a reader's answer may be anything
            return False

    return careful


def _is_whole(answer: Any) -> bool:
    return isinstance(answer, Integral) and not isinstance(answer, bool)


@_judged
def mask_after_break(answer: Any) -> bool:
    """Judge the lanes that are awake behind a divergent ``break``, each named once.

    A set, list or tuple of numbers is read. Eight lanes enter ``loop``; ``if p1`` holds the odd
    lanes, and of these ``break p2`` takes those from 4 on. Which lanes are awake right behind
    ``endif``?
    """
    text = """
    .kernel k
    .registers 8
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 1
    mov_imm r2, 4
    mov_imm r5, 2
    shl r6, r0, r5
    and r3, r0, r1
    loop
        icmp_eq p1, r3, r1
        if p1
            icmp_ge p2, r0, r2
            break p2
        endif
        device_store_u32 r6, r1
        icmp_eq p3, r1, r1
        break p3
    endloop
    halt
    .end
    """
    launch = Launch(workgroup=(8, 1, 1), wave_width=8)
    memory = run(assemble(text).kernel(), launch, np.zeros(64, np.uint32), lanes=_LANES).memory
    if not isinstance(answer, set | frozenset | list | tuple):
        return False
    whole = all(_is_whole(lane) for lane in answer)
    return whole and sorted(map(int, answer)) == np.flatnonzero(memory[:8]).tolist()


@_judged
def reduce_xor_word(answer: Any) -> bool:
    """Judge the first word of ``wave_reduce_xor r1, r2`` with modifier 12 of opcode 0x3E."""
    opcode, modifier, rd, rs1 = 0x3E, 12, 1, 2
    return _is_whole(answer) and int(answer) == opcode << 24 | rd << 16 | rs1 << 8 | modifier << 4


@_judged
def shorter_scan(answer: Any) -> bool:
    """Judge the text of a kernel that scans 256 words in fewer wave-instructions than 1288.

    Input from byte 0 on, exclusive sums from byte 8192 on, one workgroup of 256 threads, width 32.
    Two inputs are tried, each in lockstep and with waves in a random order, which changes at
    barriers or every four steps. Nor may any of these runs have a data race.
    """
    if not isinstance(answer, str):
        return False
    kernel = assemble(answer).kernel()
    for seed in (1, 2):
        memory = np.zeros(4096, np.uint32)
        data = np.random.default_rng(seed).integers(0, 2**32, 256, dtype=np.uint32)
        memory[:256] = data
        wanted = np.concatenate([[0], np.cumsum(data[:-1], dtype=np.uint32)])
        start, launch = _SCAN_OUT // 4, Launch(workgroup=(256, 1, 1))
        for schedule in (Schedule(), Schedule("random", seed), Schedule("random", seed, 2)):
            outcome = run(
                *(kernel, launch, memory),
                schedule=schedule,
                detect_races=True,
                limit=20_000,
                lanes=_LANES,
            )
            right = np.array_equal(outcome.memory[start : start + 256], wanted)
            if not right or outcome.events.instructions >= _HILLIS_STEELE:
                return False
    return True


@_judged
def most_registers(answer: Any) -> bool:
    """Judge the most registers a thread may use on ``nvidia`` with 12 warps resident.

    With four partitions of the register file, registers of a warp in units of 256.
    """
    nvidia = DIALECTS["nvidia"]
    enough = [
        registers
        for registers in range(1, nvidia.max_registers + 1)
        if partitioned_occupancy(nvidia, registers) >= 12
    ]
    return _is_whole(answer) and int(answer) == max(enough)


@_judged
def padding_that_keeps_wide_loads(answer: Any) -> bool:
    """Judge the best padding (words) of a tile of 48 x 48 words, and the conflict that is left.

    The answer is a pair. Rows must start at a multiple of 8 bytes, for loads of two words; of such
    paddings below 32 words the smallest is asked with the least degree of conflict, where 32 lanes
    read one word each of a column.
    """
    tile, banks, load = 48, 32, 2
    degrees = {
        padding: int(np.bincount(np.arange(banks) * (tile + padding) % banks).max())
        for padding in range(banks)
        if (tile + padding) % load == 0
    }
    least = min(degrees.values())
    best = min(padding for padding, degree in degrees.items() if degree == least)
    if not isinstance(answer, list | tuple):
        return False
    return all(_is_whole(number) for number in answer) and list(map(int, answer)) == [best, least]
