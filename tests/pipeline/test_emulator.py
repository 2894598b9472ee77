"""The emulator against theory, against a plain recursion, and against itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.pipeline import (
    PrefixEmulator,
    ScheduleDeadlock,
    bubble_fraction,
    emulate,
    emulate_ranks,
    list_schedule,
    makespans,
    merge_rank_orders,
    one_f_one_b,
    uniform_program,
    violations,
)

from .steps import step_programs


def recursion(program, order):
    """The recursion as it is written, operation by operation."""
    end, free = {}, [0.0] * program.ranks
    for i in order.tolist():
        arcs = range(program.dep_ptr[i], program.dep_ptr[i + 1])
        start = max([free[program.rank[i]], *(end[program.dep[a]] + program.lag[a] for a in arcs)])
        end[i] = free[program.rank[i]] = start + program.duration[i]
    return np.array([end[i] for i in range(program.operations)])


@settings(max_examples=30)
@given(step_programs(), st.integers(0, 99))
def test_any_topological_order_follows_the_recursion(program, seed):
    priority = np.random.default_rng(seed).random(program.operations)
    order = list_schedule(program, priority).order
    schedule = emulate(program, order)
    np.testing.assert_array_equal(schedule.end, recursion(program, order))
    assert violations(schedule) == []
    assert (
        makespans(program, np.stack([order, order]), threads=2).tolist() == [schedule.makespan] * 2
    )


@settings(max_examples=20)
@given(step_programs(), st.integers(0, 99), st.sampled_from([1, 3, 64]))
def test_prefix_reuse_changes_nothing(program, seed, stride):
    rng = np.random.default_rng(seed)
    incremental = PrefixEmulator(program, stride=stride)
    for _ in range(4):
        order = list_schedule(program, rng.random(program.operations)).order
        np.testing.assert_array_equal(incremental.ends(order), emulate(program, order).end)


def test_prefix_reuse_saves_updates_when_only_the_tail_changes():
    program = uniform_program(4, 32, 1.0, 1.0, 1.0)
    order = one_f_one_b(program).order
    incremental = PrefixEmulator(program, stride=16)
    incremental.ends(order)
    before = incremental.updates
    exchanged = order.copy()
    k = max(k for k in range(len(order) - 1) if independent(program, order[k], order[k + 1]))
    exchanged[[k, k + 1]] = exchanged[[k + 1, k]]
    for trial in [exchanged, order] * 10:
        np.testing.assert_array_equal(incremental.ends(trial), emulate(program, trial).end)
    assert 20 * program.operations >= 3 * (incremental.updates - before)


def independent(program, first, second):
    """Whether two neighbours in a sequence may change places."""
    waits = program.dep[program.dep_ptr[second] : program.dep_ptr[second + 1]]
    return program.rank[first] != program.rank[second] and first not in waits


@settings(max_examples=20)
@given(step_programs(), st.floats(0.1, 50))
def test_makespan_scales_with_time(program, factor):
    from dataclasses import replace

    schedule = list_schedule(program)
    scaled = replace(
        program,
        duration=program.duration * factor,
        lag=program.lag * factor,
        succ_lag=program.succ_lag * factor,
    )
    assert emulate(scaled, schedule.order).makespan == pytest.approx(schedule.makespan * factor)


def test_rank_orders_that_wait_for_each_other_are_a_deadlock():
    program = uniform_program(2, 2, 1.0, 1.0)
    orders = [one_f_one_b(program).rank_order(rank) for rank in range(2)]
    with pytest.raises(ScheduleDeadlock, match="rank 0"):
        merge_rank_orders(program, [orders[0][::-1], orders[1]])


def test_rank_orders_must_be_a_partition_by_rank():
    program = uniform_program(2, 2, 1.0, 1.0)
    orders = [one_f_one_b(program).rank_order(rank) for rank in range(2)]
    with pytest.raises(ValueError, match="on a rank that does not run it"):
        emulate_ranks(program, orders[::-1])
    with pytest.raises(ValueError, match="every operation"):
        emulate_ranks(program, [orders[0], orders[0]])
    with pytest.raises(ValueError, match="1 entries for 2 ranks"):
        emulate_ranks(program, orders[:1])


def test_emulation_of_one_operation_at_a_time_has_the_bubble_of_theory():
    assert bubble_fraction(one_f_one_b(uniform_program(8, 32, 1.0, 2.0))) == pytest.approx(
        7 / 39, abs=1e-12
    )


@pytest.mark.parametrize(("call", "message"), [({"threads": 0}, "threads = 0")])
def test_bad_arguments(call, message):
    program = uniform_program(2, 2, 1.0, 1.0)
    with pytest.raises(ValueError, match=message):
        makespans(program, np.arange(8)[None, :], **call)
    with pytest.raises(ValueError, match="stride = 0"):
        PrefixEmulator(program, stride=0)
