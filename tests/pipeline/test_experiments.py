"""The chapter's small experiments: what they return, and that they can come out differently."""

import csv

import numpy as np
import pytest

from quire.pipeline import ListScheduler, list_schedule, uniform_program, violations
from quire.pipeline.experiments import deadlines, dynamicity, emulation, examples, others
from quire.pipeline.experiments.setting import named, prepare
from quire.pipeline.experiments.tables import spread

from .conftest import GOLDEN

SMALL = named("vlm_m", microbatches=8, evaluations=60)


def test_theory_is_met():
    assert emulation.theory_difference() <= 1e-12


def test_the_two_by_two_step_is_what_a_pencil_finds():
    steps = examples.whole_and_cut()
    assert {name: schedule.makespan for name, schedule in steps.items()} == {
        "whole": 13.0, "cut in 3": 10.0,
    }  # fmt: skip
    assert steps["whole"].program.work().tolist() == [8.0, 8.0]
    for schedule in steps.values():
        assert violations(schedule) == []
    for row in examples.trace(steps["whole"]):
        assert row.start == max(row.rank_free, row.input_there)
    assert set(steps["cut in 3"].program.microbatch.tolist()) == {0, 1}


def test_surprises_surprise():
    assert examples.shorter_is_longer(1.0) > examples.shorter_is_longer(2.0)
    outcomes = [row.outcome for row in examples.surprises()]
    assert outcomes == [
        "step of 25 s", "step of 27 s", "deadlock on rank 1", "step of 14 s",
    ]  # fmt: skip


def test_reuse_changes_nothing_and_saves_updates():
    schedule = list_schedule(
        uniform_program(4, 8, 1.0, 2.0, chunks=2), np.random.default_rng(0).random(128)
    )
    for row in emulation.reuse_in_search(schedule, iterations=500, seeds=2):
        assert row.same
        assert row.fewer > 1
        assert row.full_updates == row.trials * 128


def test_variation_by_law_lies_within_what_is_drawn():
    found = dynamicity.work_variation(SMALL, draws=4, packed=300)
    assert found.by_law == pytest.approx(4.15, abs=0.01)
    assert 2 < found.low <= found.drawn <= found.high


def test_tamer_images_idle_less():
    rows = dynamicity.idle_by_shape(SMALL, 4)
    assert rows[-1].bubble < rows[0].bubble
    assert all(row.low <= row.bubble <= row.high for row in rows)


def test_zero_bubble_cases_are_counted():
    cases = others.zero_bubble_cases(list(csv.DictReader(GOLDEN.read_text().splitlines())), 6)
    rows = others.zero_bubble_summary(cases)
    assert sum(row.cases for row in rows) == 6
    assert all(row.longer == 0 for row in rows)
    worse = [c.__class__(c.scheduler, c.ranks, c.microbatches, True, 1.0, 2.0) for c in cases]
    assert sum(row.longer for row in others.zero_bubble_summary(worse)) == 6


def test_a_table_of_a_searched_batch_replays():
    schedule, text = others.exported(SMALL)
    assert violations(schedule) == []
    replayed = others.replay_table("ours", text)
    assert (replayed.ranks, replayed.columns) == (2, 16)
    assert others.exported_difference() == 0.0


def test_small_steps_are_proven():
    pytest.importorskip("ortools")
    proof = others.proofs(SMALL, [(2, 2)], seconds=20.0)[0]
    assert proof.certified
    assert proof.gap == pytest.approx(proof.search / proof.bound - 1)
    assert 0 <= proof.gap <= 0.05


def test_the_spread_is_the_largest_distance_from_the_mean():
    assert spread([1.0, 1.0]) == 0.0
    assert spread([0.9, 1.0, 1.1]) == pytest.approx(0.1)


def test_short_searches_are_held_against_a_longer_one():
    program = uniform_program(3, 6, 1.0, 2.5)
    found = emulation.converged(ListScheduler(program), evaluations=3, method="swap", seeds=3)
    assert len(found.excess) == len(found.seconds) == 3
    assert all(excess >= 0 for excess in found.excess)
    assert all(seconds > 0 for seconds in found.seconds)


def test_schedules_in_time_are_counted():
    setting = named("vlm_s", microbatches=4, depth=2, choosing=3, evaluations=6, layer_moves=0)
    rows = deadlines.deadlines(prepare(setting), 2, (1e3, 1e-7))  # no load is slow enough to matter
    assert [(row.steps, row.fresh) for row in rows] == [(2, 2), (2, 0)]
    assert rows[1].over_fifo == 1.0
    assert rows[0].over_fifo <= 1.0
    assert rows[1].in_time.low == 0.0 < rows[0].in_time.low


def test_speeds_are_positive():
    found = emulation.speeds(rounds=2)
    assert found.in_search.value > 0
    assert found.one_order.value > 0
    assert found.list_microseconds.value > 0
