"""Lower bounds: below every schedule, and tight where the optimum is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.pipeline import (
    certify,
    emulate_ranks,
    heads_and_tails,
    list_schedule,
    lower_bound,
    merge_rank_orders,
    one_f_one_b,
    preemptive_bound,
    staged_program,
    uniform_program,
)
from quire.pipeline.failures import ScheduleDeadlock
from quire.pipeline.program import rewired

from .steps import step_programs


def optimum(program):
    """Makespan of the best of all rank orders, by enumeration."""
    ranks = [np.flatnonzero(program.rank == r) for r in range(program.ranks)]
    best = np.inf
    for orders in itertools.product(*(itertools.permutations(own) for own in ranks)):
        rows = [np.array(order, dtype=np.int64) for order in orders]
        try:
            merge_rank_orders(program, rows)
        except ScheduleDeadlock:
            continue
        best = min(best, emulate_ranks(program, rows).makespan)
    return best


@settings(max_examples=4)
@given(st.lists(st.integers(1, 9), min_size=8, max_size=8))
def test_the_bound_is_below_the_true_optimum(seconds):
    forward, backward = np.array(seconds, dtype=float).reshape(2, 2, 2)
    program = staged_program(forward, backward, 0 * forward, 2)
    least = optimum(program)
    assert lower_bound(program).value <= least + 1e-9
    assert list_schedule(program).makespan >= least - 1e-9


def test_the_bound_is_reached_by_1f1b():
    program = uniform_program(4, 8, 1.0, 2.0)
    certificate = certify(one_f_one_b(program), lower_bound(program).value)
    assert certificate.gap == pytest.approx(0.0)


def test_heads_and_tails_of_a_chain():
    program = uniform_program(2, 1, 1.0, 2.0, hop=0.5)
    head, tail = heads_and_tails(program)
    assert sorted(head) == [0.0, 1.5, 2.5, 5.0]
    np.testing.assert_allclose(head + program.duration + tail, 7.0)


@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=7))
def test_the_preemptive_bound_dominates_every_subset(jobs):
    head, duration, tail = (np.array(column, dtype=float) for column in zip(*jobs, strict=True))
    bound = preemptive_bound(head, duration, tail)
    n = len(jobs)
    subsets = (list(s) for k in range(1, n + 1) for s in itertools.combinations(range(n), k))
    best = max(head[s].min() + duration[s].sum() + tail[s].min() for s in subsets)
    assert bound == pytest.approx(best)


@settings(max_examples=20)
@given(step_programs(split=False))
def test_time_reversed_problems_have_the_same_path_and_machine_work(program):
    source = np.repeat(np.arange(program.operations), np.diff(program.succ_ptr))
    mirrored, _ = rewired(program, program.succ, source, program.succ_lag)
    ours, theirs = lower_bound(program), lower_bound(mirrored)
    assert ours.path == pytest.approx(theirs.path)
    np.testing.assert_allclose(ours.machine, theirs.machine)


def test_memory_can_bind():
    program = uniform_program(4, 16, 1.0, 2.0)
    tight = lower_bound(program, np.ones(4))
    assert tight.memory[0] == pytest.approx(16 * 12)
    assert tight.value > lower_bound(program).value


def test_bad_bounds_are_refused():
    schedule = one_f_one_b(uniform_program(2, 2, 1.0, 2.0))
    with pytest.raises(ValueError, match="positive"):
        certify(schedule, 0.0)
    with pytest.raises(ValueError, match="exceeds the makespan"):
        certify(schedule, 100.0)
