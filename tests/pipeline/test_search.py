"""The three levels of the search, local search, and their peers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.pipeline import (
    Hardware,
    InfeasibleMemory,
    ListScheduler,
    RankedSteps,
    Rules,
    anneal_order,
    balanced_plan,
    list_schedule,
    longest_span,
    lower_bound,
    model_named,
    segmented_program,
    solve_exactly,
    swap_search,
    tree_search,
    tune_plan,
    uniform_program,
    violations,
)

from .steps import step_programs


@pytest.fixture(scope="module")
def scheduler(vlm_program):
    limit = 6 * vlm_program.memory_need().max(axis=0)
    return ListScheduler(vlm_program, Rules(memory_limit=limit))


@pytest.mark.parametrize("search", [swap_search, tree_search])
def test_searching_improves_on_fifo_and_stays_valid(search, scheduler):
    steps = RankedSteps(scheduler)
    result = search(scheduler, evaluations=300, seed=1, epsilon=0.0)
    assert result.bound <= result.schedule.makespan < steps.makespan(steps.fifo())
    assert result.evaluations == 300
    assert violations(result.schedule, scheduler.rules.memory_limit) == []
    assert [entry[2] for entry in result.trace] == sorted(
        (e[2] for e in result.trace), reverse=True
    )
    again = search(scheduler, evaluations=300, seed=1, epsilon=0.0)
    np.testing.assert_array_equal(again.ranking, result.ranking)


@pytest.mark.parametrize("search", [swap_search, tree_search])
def test_a_search_stops_at_the_bound(search):
    scheduler = ListScheduler(uniform_program(2, 4, 1.0, 2.0))
    result = search(scheduler, evaluations=1000)
    assert result.evaluations == 1
    assert result.schedule.makespan == result.bound


def test_equal_microbatches_are_one_action():
    steps = RankedSteps(ListScheduler(uniform_program(2, 4, 1.0, 2.0)))
    assert steps.twin.tolist() == [-1, 0, 1, 2]
    assert steps.predecessor.tolist() == [-1] * 4


def test_a_ranking_is_a_key(scheduler):
    steps = RankedSteps(scheduler)
    key = steps.key(steps.fifo()[::-1])
    assert np.array_equal(np.sort(key), np.arange(len(key)))
    program = scheduler.program
    first = program.microbatch[np.argmin(key)]
    assert first == program.microbatches - 1


@settings(max_examples=30)
@given(step_programs(), st.integers(0, 9), st.booleans())
def test_annealing_never_worsens_keeps_memory_and_reuse_changes_nothing(program, seed, spans):
    limit = 1.5 * program.memory_need().max(axis=0)
    schedule = list_schedule(program, None, Rules(memory_limit=limit))
    found, plain = (
        anneal_order(
            schedule, iterations=300, seed=seed, memory_limit=limit, spans=spans, reuse=reuse
        )
        for reuse in (True, False)
    )
    measure = longest_span if spans else lambda s: s.makespan
    assert measure(found.schedule) <= measure(schedule) + 1e-12
    assert violations(found.schedule, limit) == []
    np.testing.assert_array_equal(found.schedule.order, plain.schedule.order)
    assert found.trials == plain.trials
    assert plain.updates == plain.trials * program.operations
    assert found.updates <= plain.updates


def test_annealing_repairs_a_bad_order():
    program = uniform_program(3, 6, 1.0, 2.0, chunks=2)
    wild = np.random.default_rng(0).random(program.operations)
    bad = list_schedule(program, wild, Rules(backward_first=False))
    assert bad.makespan > lower_bound(program).value
    assert anneal_order(bad, iterations=5000, seed=0).schedule.makespan < bad.makespan
    with pytest.raises(ValueError, match="iterations = -1"):
        anneal_order(bad, iterations=-1, seed=0)
    with pytest.raises(ValueError, match="exceeds its memory limit"):
        anneal_order(bad, iterations=1, seed=0, memory_limit=np.full(3, 0.5))


def test_the_solver_agrees_with_the_textbook():
    pytest.importorskip("ortools")
    program = uniform_program(2, 3, 1.0, 2.0)
    found = solve_exactly(program, list_schedule(program), seconds=10.0, workers=2)
    assert found.certified
    assert found.schedule.makespan == found.bound == lower_bound(program).value == 12.0


def test_the_solver_keeps_the_memory_limit():
    pytest.importorskip("ortools")
    program = uniform_program(2, 3, 1.0, 1.0)
    limit = np.ones(2)
    hint = list_schedule(program, None, Rules(memory_limit=limit))
    found = solve_exactly(program, hint, seconds=10.0, workers=2, memory_limit=limit)
    assert found.certified
    assert violations(found.schedule, limit) == []
    assert found.bound > lower_bound(program).value


def test_layers_and_recomputation_are_tuned(vlm_batch):
    pytest.importorskip("ortools")
    model, hardware = model_named("vlm_m"), Hardware()
    plan = balanced_plan(model, 4, (1, 2))
    need = segmented_program(model, vlm_batch, plan, hardware).memory_need().max(axis=0)
    roomy = tune_plan(model, vlm_batch, plan, hardware, np.full(4, 4.0), 8 * need)
    assert [int(layers.sum()) for layers in roomy.layers] == [45, 64]
    assert not any(marks.any() for marks in roomy.recompute)
    tight = tune_plan(model, vlm_batch, plan, hardware, np.full(4, 4.0), 1.2 * need)
    assert any(marks.any() for marks in tight.recompute)
    with pytest.raises(InfeasibleMemory):
        tune_plan(model, vlm_batch, plan, hardware, np.full(4, 4.0), 1e-3 * need)


def test_mctx_searches_the_same_rankings():
    pytest.importorskip("mctx")
    from quire.pipeline.peers.mctx import mctx_search

    program = uniform_program(2, 3, 1.0, 2.0)
    result = mctx_search(ListScheduler(program), evaluations=12)
    assert result.schedule.makespan == lower_bound(program).value


def test_bad_budgets(scheduler):
    with pytest.raises(ValueError, match="evaluations = 0"):
        tree_search(scheduler, evaluations=0)
    with pytest.raises(ValueError, match="seconds = 0"):
        solve_exactly(scheduler.program, list_schedule(scheduler.program), seconds=0.0)
