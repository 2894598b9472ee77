"""The authors' assembler and emulator against ours."""

import numpy as np
import pytest

from quire.isa import ENGINES, REFERENCE, Deviation, Launch, assemble, read_wbin, run
from quire.isa.errors import InstructionLimit
from quire.isa.experiments.golden import everywhere

LANES = 1024
WIDTHS = (8, 16, 32, 64)
# programs that touch a deviation, and how many words differ from the specification there
DIFFERENT = {"waveops_w8": 224, "waveops_w32": 256, "alu_w32": 177}


def test_memory_and_events_equal_the_reference(golden):
    for program in golden:
        outcome = run(program.kernel, program.launch, program.before, lanes=LANES)
        different = int((outcome.memory != program.after).sum())
        assert different == DIFFERENT.get(program.name, 0), program.name
        assert outcome.events.reference() == program.counters, program.name


def test_the_rest_becomes_byte_exact_with_the_deviations_switched_on(golden):
    for program in golden:
        if program.name in DIFFERENT:
            outcome = run(
                program.kernel, program.launch, program.before, compat=REFERENCE, lanes=LANES
            )
            assert np.array_equal(outcome.memory, program.after), program.name


def test_programs_read_from_their_containers_do_the_same(golden):
    program = golden[4]
    kernel = read_wbin(bytes.fromhex(program.wbin)).kernel()
    memory = run(kernel, program.launch, program.before, lanes=LANES).memory
    assert np.array_equal(memory, program.after)


def distinct(golden):
    """One program per source: others differ from it in width alone."""
    return list({program.source: program for program in golden}.values())


def test_three_engines_run_every_golden_program_at_every_width(golden):
    rows = everywhere(distinct(golden), WIDTHS, [name for name in ENGINES if "exec" not in name])
    assert {row.program for row in rows if row.wrong} == set()
    assert all(row.runs == len(WIDTHS) for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_compiled_masks_run_every_golden_program_at_every_width(golden, width):
    rows = everywhere(distinct(golden), [width], ["execution masks"])
    assert {row.program for row in rows if row.wrong} == set()


def test_every_golden_program_equals_the_reference_on_engines_without_a_mask_stack(golden):
    for program in golden:
        for engine in ("predication", "lane counters"):
            got = run(
                *(program.kernel, program.launch, program.before),
                engine=engine,
                compat=REFERENCE,
                lanes=LANES,
            )
            assert np.array_equal(got.memory, program.after), (program.name, engine)


@pytest.mark.parametrize(
    ("index", "switch"),
    [(0, Deviation.BREAK_IN_IF), (1, Deviation.CONTINUE), (2, Deviation.PREDICATE_ZERO), (3, None)],
)
def test_each_stated_deviation_is_ours_with_its_switch_and_not_without(stated, index, switch):
    entry = stated[index]
    kernel = assemble(entry["source"]).kernel()
    launch = Launch(workgroup=tuple(entry["workgroup"]), wave_width=entry["wave_width"])
    memory = np.zeros(64, np.uint32)
    got = run(kernel, launch, memory, lanes=LANES).memory
    assert list(got[:8]) == entry["expected_by_spec"]
    if isinstance(entry["reference_emulator"], str):
        with pytest.raises(InstructionLimit):
            run(kernel, launch, memory, compat=switch, limit=2000, lanes=LANES)
    else:
        got = run(kernel, launch, memory, compat=switch, lanes=LANES).memory
        assert list(got[:8]) == entry["reference_emulator"]


def test_predicate_zero_is_lost_in_the_code_itself(stated):
    kernel = read_wbin(bytes.fromhex(stated[2]["wbin_hex"])).kernel()
    launch = Launch(workgroup=(8, 1, 1), wave_width=8)
    memory = run(kernel, launch, np.zeros(64, np.uint32), lanes=LANES).memory
    assert list(memory[:8]) == stated[2]["reference_emulator"]


def test_an_unknown_compatibility_name_is_rejected():
    kernel = assemble(".kernel k\nhalt\n.end\n").kernel()
    with pytest.raises(ValueError, match="wave-emu-4a8bbec"):
        run(kernel, Launch(), np.zeros(1, np.uint32), compat="wave-emu", lanes=LANES)
