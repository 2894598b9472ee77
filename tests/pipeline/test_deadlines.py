"""Schedules with a deadline: never a stall, and a fresh one whenever the planner makes it."""

import time

import numpy as np
import pytest

from quire.pipeline import (
    Hardware,
    ListScheduler,
    Planner,
    balanced_plan,
    decode_batch,
    decode_orders,
    emulate_ranks,
    encode_batch,
    encode_orders,
    fifo_schedule,
    fresh_fraction,
    generate_schedules,
    model_named,
    sample_batch,
    swap_search,
    timed_search,
    uniform_program,
)

MODEL, HARDWARE = model_named("vlm_s"), Hardware()


def batches(count):
    return [sample_batch(MODEL, 4, np.random.default_rng(k)) for k in range(count)]


def planner(search):
    return Planner(MODEL, balanced_plan(MODEL, 2, (1, 1)), HARDWARE, search)


def short(scheduler, seconds):
    return swap_search(scheduler, evaluations=5)


def late(scheduler, seconds):
    time.sleep(seconds + 0.2)
    return swap_search(scheduler, evaluations=5)


def test_a_short_search_is_always_fresh_and_every_phase_is_timed():
    steps = list(generate_schedules(batches(4), planner(short), budget=5.0))
    assert [step.fresh for step in steps] == [False, True, True, True]
    assert fresh_fraction(steps) == 1.0
    for step in steps[1:]:
        phases = (step.timing.parse, step.timing.build, step.timing.search, step.timing.move)
        assert min(phases) > 0
        assert step.timing.total == pytest.approx(sum(phases))
        assert step.timing.total <= step.deadline


def test_a_late_planner_falls_back_to_fifo():
    given, plan = batches(3), planner(late)
    steps = list(generate_schedules(given, plan, budget=0.05))
    assert not any(step.fresh for step in steps)
    for step, batch in zip(steps, given, strict=True):
        np.testing.assert_array_equal(step.schedule.end, fifo_schedule(plan.scheduler(batch)).end)


def test_the_deadline_is_the_step_before():
    steps = list(generate_schedules(batches(3), planner(short), time_scale=0.5))
    assert steps[1].deadline == pytest.approx(0.5 * steps[0].schedule.makespan)
    assert steps[2].deadline == pytest.approx(0.5 * steps[1].schedule.makespan)


def test_a_search_within_time_keeps_to_it():
    scheduler = ListScheduler(uniform_program(2, 4, 1.0, 2.5))
    began = time.perf_counter()
    timed_search(scheduler, 0.05)
    assert time.perf_counter() - began < 2.0


def test_no_budget_warns_and_runs_fifo():
    with pytest.warns(UserWarning, match="budget = 0"):
        steps = list(generate_schedules(batches(2), planner(short), budget=0.0))
    assert [step.fresh for step in steps] == [False, False]
    assert np.isnan(fresh_fraction(steps[:1]))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_share_of_time_is_a_positive_number(scale):
    with pytest.raises(ValueError, match="time_scale"):
        next(generate_schedules(batches(1), planner(short), time_scale=scale))


def test_messages_carry_batches_and_orders():
    batch = batches(1)[0]
    again = decode_batch(encode_batch(batch))
    for a, b in zip(batch, again, strict=True):
        for x, y in zip(a.lengths, b.lengths, strict=True):
            np.testing.assert_array_equal(x, y)
    schedule = fifo_schedule(planner(short).scheduler(batch))
    sent = emulate_ranks(schedule.program, decode_orders(encode_orders(schedule)))
    np.testing.assert_array_equal(sent.end, schedule.end)


@pytest.mark.parametrize("message", [b"", b"[]", b"nonsense", b'[[["a"]]]', b"[[[-1.0]]]"])
def test_a_torn_message_is_refused(message):
    with pytest.raises(ValueError, match="message"):
        decode_batch(message)
