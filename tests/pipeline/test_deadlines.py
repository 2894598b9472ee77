"""Schedules with a deadline: never a stall, and a fresh one whenever the search makes it."""

import time

import numpy as np
import pytest

from quire.pipeline import (
    ListScheduler,
    fifo_schedule,
    fresh_fraction,
    generate_schedules,
    swap_search,
    uniform_program,
)


def schedulers(count):
    return [ListScheduler(uniform_program(2, 4, 1.0 + k, 2.0)) for k in range(count)]


def quick(scheduler, seconds):
    return swap_search(scheduler, evaluations=5)


def late(scheduler, seconds):
    time.sleep(seconds + 0.2)
    return swap_search(scheduler, evaluations=5)


def test_a_quick_search_is_always_fresh():
    steps = list(generate_schedules(schedulers(4), search=quick, budget=5.0))
    assert [step.fresh for step in steps] == [False, True, True, True]
    assert fresh_fraction(steps) == 1.0


def test_a_late_search_falls_back_to_fifo():
    given = schedulers(3)
    steps = list(generate_schedules(given, search=late, budget=0.02))
    assert not any(step.fresh for step in steps)
    for step, scheduler in zip(steps, given, strict=True):
        np.testing.assert_array_equal(step.schedule.end, fifo_schedule(scheduler).end)


def test_the_deadline_is_the_step_before():
    steps = list(generate_schedules(schedulers(3), search=quick, time_scale=0.1))
    assert steps[1].deadline == pytest.approx(0.1 * steps[0].schedule.makespan)
    assert steps[2].deadline == pytest.approx(0.1 * steps[1].schedule.makespan)


def test_no_budget_warns_and_runs_fifo():
    with pytest.warns(UserWarning, match="budget = 0"):
        steps = list(generate_schedules(schedulers(2), search=quick, budget=0.0))
    assert [step.fresh for step in steps] == [False, False]
    assert np.isnan(fresh_fraction(steps[:1]))
