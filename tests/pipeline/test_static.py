"""Static schedules against their closed forms."""

import numpy as np
import pytest

from quire.pipeline import (
    bubble_fraction,
    gpipe,
    interleaved,
    list_schedule,
    one_f_one_b,
    peak_memory,
    staged_program,
    uniform_program,
    violations,
)
from quire.pipeline.schedules.list_scheduling import Rules

SIZES = [(2, 2), (4, 8), (8, 32), (3, 9)]


@pytest.mark.parametrize(("ranks", "microbatches"), SIZES)
@pytest.mark.parametrize("backward", [1.0, 2.0])
def test_1f1b_and_gpipe_have_the_same_bubble(ranks, microbatches, backward):
    program = uniform_program(ranks, microbatches, 1.0, backward)
    expected = (ranks - 1) / (microbatches + ranks - 1)
    for schedule in (one_f_one_b(program), gpipe(program)):
        assert violations(schedule) == []
        assert bubble_fraction(schedule) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("ranks", "microbatches"), SIZES)
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_interleaving_divides_the_bubble_by_the_chunks(ranks, microbatches, chunks):
    schedule = interleaved(uniform_program(ranks, microbatches, 1.0, 2.0, chunks=chunks))
    assert violations(schedule) == []
    expected = (ranks - 1) / (chunks * microbatches + ranks - 1)
    assert bubble_fraction(schedule) == pytest.approx(expected, abs=1e-12)


def test_1f1b_keeps_at_most_the_ranks_behind_it():
    program = uniform_program(4, 12, 1.0, 2.0)
    assert peak_memory(one_f_one_b(program)).tolist() == [4, 3, 2, 1]
    assert peak_memory(gpipe(program)).tolist() == [12] * 4


def test_list_scheduling_under_1f1b_memory_is_1f1b():
    program = uniform_program(4, 8, 1.0, 2.0)
    rules = Rules(memory_limit=np.array([4.0, 3.0, 2.0, 1.0]))
    assert list_schedule(program, None, rules).makespan == one_f_one_b(program).makespan


def test_a_given_microbatch_order_is_kept():
    forward = np.arange(1.0, 5.0)[:, None] * np.ones((4, 2))
    program = staged_program(forward, 2 * forward, 0 * forward, 2)
    schedule = one_f_one_b(program, microbatch_order=np.array([3, 2, 1, 0]))
    first = schedule.rank_order(0)[0]
    assert program.microbatch[first] == 3
    with pytest.raises(ValueError, match="microbatch_order"):
        one_f_one_b(program, microbatch_order=np.array([0, 0, 1, 2]))


def test_bad_pipelines_are_named():
    with pytest.raises(ValueError, match="ranks = 0"):
        uniform_program(0, 4, 1.0, 1.0)
    with pytest.raises(ValueError, match="microbatches = 0"):
        uniform_program(4, 0, 1.0, 1.0)
    with pytest.raises(ValueError, match="multiple of ranks 4"):
        interleaved(uniform_program(4, 6, 1.0, 1.0, chunks=2))
    with pytest.raises(ValueError, match="placement"):
        uniform_program(2, 2, 1.0, 1.0, placement="ring")
    with pytest.raises(ValueError, match="not a loop"):
        interleaved(uniform_program(2, 2, 1.0, 1.0, chunks=2, placement="v"))
    with pytest.raises(ValueError, match="one stage per rank"):
        one_f_one_b(uniform_program(2, 2, 1.0, 1.0, chunks=2))
