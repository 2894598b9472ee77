"""The chapter's experiments on small cases, and its exercises with right and wrong answers."""

import numpy as np
import pytest

from quire.serving import (
    LLAMA_8B,
    SchedulerConfig,
    exercises,
    linear_profile,
    poisson_trace,
    replay,
)
from quire.serving.experiments.artefact import averages, series_error
from quire.serving.experiments.exactness import jax_rows, loops
from quire.serving.experiments.hopper import work_of
from quire.serving.experiments.pictures import by_hand, picture, toy_profile
from quire.serving.experiments.replays import Run, calibrate, carried, error_rows, simulate
from quire.serving.experiments.speed import replay_times, sweep, together
from quire.serving.profiles.skew import fit_alpha

PROFILE = linear_profile(LLAMA_8B, 5.0, 0.5, 1000)


def run_with(host_ns=0.0):
    trace = poisson_trace(40, 20.0, (20, 200), (5, 50), 1)
    config = SchedulerConfig(300, 256, 16, prefix_caching=False)
    real = replay(trace, PROFILE, config, host_ns=host_ns).served()
    cells = {cell: (value, value) for cell, value in real.cells().items()}
    return Run("run", trace, PROFILE, config, real, real, cells, 100.0)


def test_errors_are_none_where_nothing_differs():
    run = run_with()
    rows = error_rows(run, simulate(run).served(), ("mean", "P99"))
    assert len(rows) == 6 and all(abs(row.error) < 1e-12 for row in rows)


def test_a_hidden_time_between_steps_is_found():
    found = calibrate(run_with(300_000.0))
    assert found.host_us == pytest.approx(300, abs=20)
    assert abs(found.fitted) < abs(found.without) / 5
    ((without, fitted),) = carried([run_with(300_000.0)], 300.0)
    assert without < -1 and abs(fitted) < 1e-9


def test_loops_and_jax_agree():
    rows = loops([run_with()], PROFILE, 0)
    assert [row.difference_ns for row in rows] == [0.0] * 4
    assert all(row.events < row.steps for row in rows)
    trace = poisson_trace(15, 20.0, (20, 200), (5, 50), 1)
    for row in jax_rows(trace, PROFILE, 3, 60, 0):
        assert row.difference < 0.01 and row.preemptions == row.preemptions_jax


def test_speeds_have_a_row_for_each():
    rows = replay_times([run_with()], 2)
    assert len(rows) == 2 and len(together(rows)) == 2
    run = run_with()
    spent, told = sweep(run.trace, run.profile, 6, 60, 0)
    assert spent.configurations == 6 and len(told) == 6 and spent.for_1024 > 0


def test_averages_by_hand():
    cells = {"a": [("TTFT", -8.0), ("tokens/s", 1.0)], "b": [("W", 3.0)]}
    found = {row.definition: row.average for row in averages(cells)}
    assert found["all cells, mean"] == pytest.approx(4.0)
    assert found["all but TTFT, mean"] == pytest.approx(2.0)
    assert found["mean of the figures' means"] == pytest.approx(3.75)
    assert found["errors with their signs, size of the mean"] == pytest.approx(4 / 3)
    assert found["largest"] == 8.0
    series = ({"time_s": [0, 1], "x": [10, 10]}, {"time_s": [0, 1], "y": [11, 9]})
    more = {row.definition: row.average for row in averages(cells, [series])}
    assert more["all cells and Figure 5 by its totals, mean"] == pytest.approx(12 / 4)
    assert more["all cells and Figure 5 by its seconds, mean"] == pytest.approx(22 / 4)


def test_series_error():
    total, pointwise = series_error(
        {"time_s": [0, 1], "x": [10, 10]}, {"time_s": [0, 1, 2], "y": [11, 9, 2]}
    )
    assert (total, pointwise) == pytest.approx((10.0, 10.0))


def test_work_by_hand():
    flops, moved = work_of(LLAMA_8B, "decode", 1, 0)
    weights = 8.03e9 - 0.525e9
    assert flops == pytest.approx(2 * weights, rel=1e-3) and moved == pytest.approx(flops, rel=1e-6)
    long, _ = work_of(LLAMA_8B, "prefill", 1, 4096)
    assert long > 4096 * 2 * (weights - 0.525e9)


def test_pictures():
    rows = picture()
    does = {row.does for row in rows}
    assert {"waits", "chunk of prompt", "decode", "put back"} <= does
    steps = by_hand()
    assert steps[0].first == "32 of prompt" and steps[0].second == "-"
    assert steps[0].free == 2


@pytest.mark.parametrize("wrong", [None, 0, 5, np.nan, True, "10", [1], 1e300, object()])
def test_wrong_answers(wrong):
    for check in (
        exercises.least_pool,
        exercises.skew_share,
        exercises.link_share,
        exercises.tokens_per_joule,
    ):
        assert check(wrong) is False


def test_right_answers():
    assert exercises.least_pool(10)
    assert not exercises.least_pool(9) and not exercises.least_pool(11)
    assert not exercises.least_pool(10.0)
    assert exercises.skew_share(fit_alpha)
    assert not exercises.skew_share(lambda mean, longest, mixed: 0.2)
    assert not exercises.skew_share(
        lambda mean, longest, mixed: float(np.mean((mixed - mean) / (longest - mean)))
    )
    assert not exercises.skew_share(lambda: 1 / 0)
    assert exercises.link_share(15.6)
    assert not exercises.link_share(7.8) and not exercises.link_share(16.8)
    assert exercises.tokens_per_joule(73.3)
    assert not exercises.tokens_per_joule(118.6) and not exercises.tokens_per_joule(158.3)
    assert toy_profile().model is LLAMA_8B
