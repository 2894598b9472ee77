"""List scheduling: validity, memory, deadlock, anomalies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.pipeline import (
    Chain,
    InfeasibleMemory,
    ListScheduler,
    Rules,
    ScheduleDeadlock,
    assemble,
    critical_path,
    list_schedule,
    lower_bound,
    peak_memory,
    schedule_table,
    uniform_program,
    violations,
)

from .steps import step_programs


@settings(max_examples=60)
@given(
    step_programs(), st.integers(0, 99), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]),
    st.floats(1.0, 3.0),
)  # fmt: skip
def test_every_schedule_is_valid_and_within_memory(program, seed, first, patience, room):
    limit = np.maximum(program.memory_need().max(axis=0) * room, 1e-9)
    rules = Rules(memory_limit=limit, backward_first=first, patience=patience)
    schedule = list_schedule(program, np.random.default_rng(seed).random(program.operations), rules)
    assert violations(schedule, limit) == []
    assert (peak_memory(schedule) <= limit * (1 + 1e-9)).all()
    assert schedule.makespan >= lower_bound(program, limit).value * (1 - 1e-12)
    np.testing.assert_allclose((schedule.end - schedule.start).sum(), program.duration.sum())


@settings(max_examples=30)
@given(step_programs())
def test_the_critical_path_is_as_long_as_the_schedule(program):
    schedule = list_schedule(program)
    path = critical_path(schedule)
    assert schedule.start[path[0]] == 0
    assert schedule.end[path[-1]] == schedule.makespan
    assert (np.diff(schedule.start[path]) >= 0).all()
    table = schedule_table(schedule)
    assert table["critical"].sum() == len(path)
    assert {len(column) for column in table.values()} == {program.operations}


@settings(max_examples=20)
@given(step_programs(), st.integers(0, 99))
def test_more_memory_never_raises_the_best_over_the_same_orders(program, seed):
    """A set of orders is emulated; a larger limit only admits more of them."""
    rng = np.random.default_rng(seed)
    need = program.memory_need().max(axis=0)
    schedules = [list_schedule(program, rng.random(program.operations)) for _ in range(6)]

    def best(limit):
        inside = [s.makespan for s in schedules if (peak_memory(s) <= limit).all()]
        return min(inside, default=np.inf)

    limits = [best(need * room) for room in (1.0, 1.5, 2.0, 4.0, 1e9)]
    assert limits == sorted(limits, reverse=True)


@settings(max_examples=20)
@given(st.integers(2, 5), st.integers(0, 99))
def test_relabelling_equal_microbatches_keeps_the_makespan(microbatches, seed):
    program = uniform_program(3, microbatches, 2.0, 3.0)
    names = np.random.default_rng(seed).permutation(microbatches)
    renamed = replace(program, microbatch=names[program.microbatch])
    assert list_schedule(renamed).makespan == list_schedule(program).makespan


@pytest.mark.parametrize(("second", "makespan"), [(2.0, 25.0), (1.0, 27.0)])
def test_a_shorter_operation_can_lengthen_a_list_schedule(second, makespan):
    """Graham's anomaly: one forward a second shorter, and the step two seconds longer."""
    times = [([5, second], [4, 1]), ([2, 4], [3, 1]), ([4, 3], [5, 4])]
    chains = [
        Chain(
            i, 0, 0, 0, (0, 1), np.array(forward, float), np.array(backward, float), np.zeros(2),
            np.ones(2),
        )
        for i, (forward, backward) in enumerate(times)
    ]  # fmt: skip
    assert list_schedule(assemble(chains, 2)).makespan == makespan


def test_tight_memory_deadlocks_without_the_bankers_rule_and_finishes_with_it():
    """Two vision chains fill rank 0; neither language chain fits, so no backward ever frees it."""
    ones = np.ones(2)

    def step(i, module, feeds_on=()):
        return Chain(i, module, 0, 2 * module, (0, 1), ones, ones, 0 * ones, ones, 0.0, feeds_on)

    program = assemble([step(0, 0), step(1, 0), step(0, 1, (0,)), step(1, 1, (1,))], 2)
    limit = np.full(2, 2.0)
    vision_first = program.module.astype(float)
    with pytest.raises(ScheduleDeadlock, match="memory admits no forward"):
        list_schedule(program, vision_first, Rules(memory_limit=limit, banker=False))
    schedule = list_schedule(program, vision_first, Rules(memory_limit=limit))
    assert violations(schedule, limit) == []


def test_a_limit_below_one_microbatch_is_infeasible():
    program = uniform_program(2, 3, 1.0, 1.0, chunks=2)
    with pytest.raises(InfeasibleMemory, match=r"memory_limit\[1\] = 1\.5") as caught:
        list_schedule(program, None, Rules(memory_limit=np.array([2.0, 1.5])))
    assert (caught.value.rank, caught.value.need, caught.value.have) == (1, 2.0, 1.5)


def test_weight_gradients_free_memory_when_it_is_short():
    program = uniform_program(2, 6, 1.0, 1.0, 1.0)
    limit = np.full(2, 2.0)
    schedule = list_schedule(program, None, Rules(memory_limit=limit, patience=1e9))
    assert violations(schedule, limit) == []


def test_bad_rules():
    program = uniform_program(2, 3, 1.0, 1.0)
    with pytest.raises(ValueError, match="NaN"):
        list_schedule(program, np.full(program.operations, np.nan))
    with pytest.raises(ValueError, match="memory_limit = 3 entries"):
        ListScheduler(program, Rules(memory_limit=np.ones(3)))
