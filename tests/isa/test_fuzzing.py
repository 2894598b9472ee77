import numpy as np
import pytest

from quire.isa import Deviation, Launch
from quire.isa.fuzzing import differs, draw_program, hunt, kernel_of, shrink, size_of, smaller

LAUNCH = Launch(workgroup=(16, 1, 1), wave_width=8)


def drawn(seed, size=16):
    generator = np.random.default_rng(seed)
    return draw_program(lambda count: int(generator.integers(count)), size)


def test_drawn_programs_assemble_and_shrink_to_smaller_ones():
    for seed in range(30):
        program = drawn(seed)
        kernel_of(program)
        assert all(size_of(p) < size_of(program) or p != program for p in smaller(program))


def test_shrinking_keeps_what_was_asked_for():
    def has_division(program):
        return any(s.text.startswith("idiv") or has_division(s.then) for s in program)

    program = next(p for p in map(drawn, range(1000)) if has_division(p) and size_of(p) > 5)
    small = shrink(program, has_division)
    assert has_division(small) and size_of(small) <= 2


@pytest.mark.parametrize("deviation", [Deviation.PREDICATE_ZERO, Deviation.UNSIGNED_REDUCE])
def test_deviations_are_found_again_and_shrunk(deviation):
    finding = hunt(deviation, seed=20260322, programs=300, launch=LAUNCH)
    assert finding is not None and finding.deviation is deviation
    assert finding.size <= finding.first_size and finding.size <= 4
    assert differs(finding.program, deviation, LAUNCH)
    assert not differs(finding.program, Deviation.NONE, LAUNCH)


def test_nothing_is_found_where_nothing_differs():
    assert hunt(Deviation.NONE, seed=1, programs=3, launch=LAUNCH) is None
