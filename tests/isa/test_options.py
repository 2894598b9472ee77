"""Every option is honoured by every engine, or refused; every bad input is one clear line."""

from dataclasses import replace

import numpy as np
import pytest

from quire.isa import ENGINES, REFERENCE, Deviation, Launch, RunOptions, Schedule, assemble, run
from quire.isa.errors import DispatchRejected, InstructionLimit, Misaligned, UnsupportedOption
from quire.isa.program import Instruction, Kernel
from quire.isa.table import TABLE

LANES = 1024
ONE_WAVE = Launch(workgroup=(8, 1, 1), wave_width=8)
REST = [name for name in ENGINES if name != "mask stack"]


def kernel(*lines, registers=16):
    head = [".kernel k", f".registers {registers}", "mov_sr r0, sr_thread_id_x", "mov_imm r2, 2"]
    tail = ["shl r7, r0, r2", "device_store_u32 r7, r3", "halt", ".end"]
    return assemble("\n".join([*head, *lines, *tail])).kernel()


BREAKS_AT_FIVE = kernel(
    "mov_imm r4, 1",
    "mov_imm r5, 5",
    "loop",
    "iadd r3, r3, r4",
    "icmp_eq p1, r3, r5",
    "break p1",
    "endloop",
)
BREAKS_INSIDE_AN_IF = kernel(
    "mov_imm r4, 1",
    "mov_imm r5, 5",
    "loop",
    "iadd r3, r3, r4",
    "icmp_ge p1, r3, r0",
    "if p1",
    "break p1",
    "endif",
    "icmp_eq p2, r3, r5",
    "break p2",
    "endloop",
)
CONTINUES = kernel(
    "mov_imm r4, 1",
    "mov_imm r5, 5",
    "loop",
    "iadd r3, r3, r4",
    "icmp_lt p1, r3, r5",
    "continue p1",
    "break p0",
    "icmp_eq p0, r4, r4",
    "break p0",
    "endloop",
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("compat", [None, REFERENCE, Deviation.BREAK_IN_IF])
def test_a_loop_that_should_store_five_stores_five_on_every_engine(engine, compat):
    memory = np.zeros(64, np.uint32)
    got = run(BREAKS_AT_FIVE, ONE_WAVE, memory, engine=engine, compat=compat, lanes=LANES)
    assert list(got.memory[:8]) == [5] * 8


@pytest.mark.parametrize("engine", REST)
@pytest.mark.parametrize(
    ("program", "compat"),
    [
        (BREAKS_INSIDE_AN_IF, Deviation.BREAK_IN_IF),
        (BREAKS_INSIDE_AN_IF, REFERENCE),
        (CONTINUES, Deviation.CONTINUE),
        (CONTINUES, REFERENCE),
    ],
)
def test_engines_without_a_mask_stack_refuse_to_mistreat_one(engine, program, compat):
    with pytest.raises(UnsupportedOption, match=f"{engine!r} has no mask stack"):
        run(program, ONE_WAVE, np.zeros(64, np.uint32), engine=engine, compat=compat, lanes=LANES)
    run(program, ONE_WAVE, np.zeros(64, np.uint32), engine=engine, lanes=LANES)


VALUES = {
    Deviation.PREDICATE_ZERO: ("@p0 mov r3, r2", 0, 2),
    Deviation.UNSIGNED_REDUCE: ("wave_reduce_min r3, r1", 0x80000000, 0),
    Deviation.UNSIGNED_MULTIPLY_HIGH: ("imul_hi r3, r1, r1", 0x40000000, 0x40000000),
    Deviation.DIVISION_INFINITY: ("fdiv r3, r6, r6", 0xFFC00000, 0x7F800000),
    Deviation.ROUND_TIES_AWAY: ("mov_imm r1, 0.5\nfround r3, r1", 0, 0x3F800000),
    Deviation.ZERO_MINIMUM: ("fmin r3, r6, r1", 0x80000000, 0),
    Deviation.FRACT_TRUNCATES: ("mov_imm r1, -0.25\nffract r3, r1", 0x3F400000, 0xBE800000),
    Deviation.BFLOAT_TRUNCATES: ("mov_imm r1, 0x3F80FFFF\ncvt_bf16_f32 r3, r1", 0x3F81, 0x3F80),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("switch", VALUES)
def test_every_engine_honours_every_deviation_of_values(engine, switch):
    line, specified, deviating = VALUES[switch]
    minimum = switch is Deviation.UNSIGNED_REDUCE
    first = ("icmp_eq p1, r0, r6", "@p1 mov r1, r6") if minimum else ()
    program = kernel("mov_imm r1, 0x80000000", *first, *line.splitlines())
    for compat, wanted in ((None, specified), (switch, deviating), (REFERENCE, deviating)):
        got = run(
            *(program, ONE_WAVE, np.zeros(64, np.uint32)), engine=engine, compat=compat, lanes=LANES
        )
        assert list(got.memory[:8]) == [wanted] * 8, compat


@pytest.mark.parametrize("engine", REST)
@pytest.mark.parametrize(
    "option", ["skip_empty", "detect_races", "schedule", "limit"], ids=lambda name: name
)
def test_an_option_that_an_engine_does_not_know_is_refused(engine, option):
    value = {"schedule": Schedule("random"), "limit": 500}.get(option, True)
    call = {"engine": engine, "lanes": LANES, option: value}
    if option in ENGINES[engine].honours:
        run(BREAKS_AT_FIVE, ONE_WAVE, np.zeros(64, np.uint32), **call)
    else:
        with pytest.raises(UnsupportedOption, match=option):
            run(BREAKS_AT_FIVE, ONE_WAVE, np.zeros(64, np.uint32), **call)


@pytest.mark.parametrize("engine", ["mask stack", "predication", "lane counters"])
def test_a_limit_is_honoured(engine):
    endless = kernel("loop", "nop", "endloop")
    with pytest.raises(InstructionLimit):
        run(endless, ONE_WAVE, np.zeros(64, np.uint32), engine=engine, limit=300, lanes=LANES)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_last_register_that_code_can_name_is_a_register_like_others(engine):
    def line(name, **fields):
        return Instruction(TABLE[name], **fields)

    code = (
        line("mov_imm", rd=255, imm=9),
        line("mov_imm", rd=1, imm=4),
        line("mov_imm", rd=2, imm=1),
        line("atomic_cas", rd=3, rs1=1, rs2=2, rs3=2, scope=2),
        line("device_store_u32", rs1=254, rs2=255),
        line("halt"),
    )
    offsets = np.cumsum([0, *(4 * i.operation.words for i in code)])
    code = tuple(replace(i, offset=int(at)) for i, at in zip(code, offsets, strict=False))
    program = Kernel("k", code, registers=256)
    launch = Launch(workgroup=(1, 1, 1), wave_width=8)
    got = run(program, launch, np.zeros(64, np.uint32), engine=engine, lanes=LANES).memory
    assert got[0] == 9


@pytest.mark.parametrize(
    "memory",
    [np.zeros(8), np.zeros(8, np.int32), np.zeros(8, np.uint64), np.zeros((2, 4), np.uint32)],
    ids=["float", "signed", "long", "table"],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_memory_that_is_no_line_of_words_is_refused(engine, memory):
    with pytest.raises(ValueError, match="a NumPy array of uint32 with one axis"):
        run(BREAKS_AT_FIVE, ONE_WAVE, memory, engine=engine, lanes=LANES)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_kernel_is_one_clear_line(engine):
    empty = assemble(".kernel nothing\n.end\n").kernel()
    with pytest.raises(ValueError, match="kernel 'nothing' is empty: at least one instruction"):
        run(empty, ONE_WAVE, np.zeros(8, np.uint32), engine=engine)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"lanes": 300}, "lanes = 300: a power of two from 256"),
        ({"lanes": 0}, "lanes = 0: a power of two"),
        ({"lanes": 2**40}, "a power of two from 256 to"),
        ({"limit": 0}, "limit = 0: must be an integer, from 1"),
        ({"compat": "wave"}, "compat = 'wave': None, 'wave-emu-4a8bbec' or a Deviation"),
        ({"compat": Deviation(2048)}, "compat = "),
        ({"engine": "abacus"}, "engine = 'abacus': one of 'mask stack'"),
    ],
)
def test_options_that_make_no_sense_are_one_clear_line(options, what):
    with pytest.raises(ValueError, match=what):
        run(BREAKS_AT_FIVE, ONE_WAVE, np.zeros(64, np.uint32), **options)


def test_an_option_that_does_not_exist_is_no_option():
    with pytest.raises(TypeError, match="unexpected"):
        RunOptions(chequed=True)


@pytest.mark.parametrize(
    ("sizes", "kind", "what"),
    [
        ({"grid": (2**32, 1, 1)}, DispatchRejected, r"grid = \(4294967296, 1, 1\): 4294967296 w"),
        ({"grid": (2**20, 2**20, 1)}, DispatchRejected, "fewer than"),
        ({"grid": (1, 0, 1)}, ValueError, "grid = 0: must be an integer, 1 or more"),
        ({"workgroup": (32, 33, 1)}, DispatchRejected, "the core takes 1024 threads, not 1056"),
        ({"wave_width": 12}, ValueError, "wave_width = 12: 8, 16, 32 or 64"),
    ],
)
def test_launches_that_cannot_be_are_one_clear_line(sizes, kind, what):
    with pytest.raises(kind, match=what):
        Launch(**sizes)


def test_wide_accesses_may_start_at_any_word_and_at_no_byte():
    for address, fine in ((4, True), (8, True), (2, False)):
        program = kernel(f"mov_imm r1, {address}", "device_load_u64 r4, r1")
        if fine:
            run(program, ONE_WAVE, np.zeros(64, np.uint32), lanes=LANES)
        else:
            with pytest.raises(Misaligned, match="address 2 is no multiple of 4"):
                run(program, ONE_WAVE, np.zeros(64, np.uint32), lanes=LANES)
