"""The chapter's experiments on small cases, and its exercises with right and wrong answers."""

import numpy as np
import pytest

from quire.serving import (
    A6000_SERVER,
    HBM2_PIM,
    LLAMA_8B,
    Curve,
    LatencyTable,
    SchedulerConfig,
    Tier,
    exercises,
    linear_profile,
    poisson_trace,
    replay,
)
from quire.serving.experiments.artefact import averages, series_error
from quire.serving.experiments.cases import case_rows, shared_tier, side_by_side
from quire.serving.experiments.exactness import jax_rows, loops
from quire.serving.experiments.gradients import START, by_simplex, fit_rows, objective
from quire.serving.experiments.hopper import work_of
from quire.serving.experiments.memory import (
    PARTS,
    answers,
    component_energy,
    figure_10,
    fixed_requests,
    work_ratio,
)
from quire.serving.experiments.pictures import by_hand, picture, toy_profile
from quire.serving.experiments.replays import Run, calibrate, carried, error_rows, simulate
from quire.serving.experiments.speed import replay_times, sweep, together
from quire.serving.profiles.skew import fit_alpha

PROFILE = linear_profile(LLAMA_8B, 5.0, 0.5, 1000)


def run_with(host_ns=0.0, per_second=20.0):
    trace = poisson_trace(40, per_second, (20, 200), (5, 50), 1)
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


LAYER = Curve(np.array([1.0, 64.0]), np.array([1e4, 2e4]))
DENSE = LatencyTable(
    LLAMA_8B, {}, (("q_proj", LAYER), ("o_proj", LAYER)), {"lm_head": LAYER}, PROFILE.attention
)


def test_energy_by_hand():
    spent = component_energy(A6000_SERVER, 10.0, 6.0, 1.0, None)
    assert spent["Others"] == 2190 and spent["GPU"] == 330 + 267 * 6 + 56 and spent["Link"] == 50
    assert spent["CPU"] == pytest.approx(97.5 * 10 + 35 * 6) and spent["Memory"] == 320
    assert component_energy(A6000_SERVER, 10.0, 6.0, 1.0, 7)["Memory"] == 7


def test_work_that_was_left_out_shows_in_the_energy():
    rest = 256 * 0.16 * 10
    table = {"component": ["Others", "Memory"], "gpu-only": [0.0, 0.0],
             "pim": [2190.0, rest + 80], "pim-sbi": [2190.0, rest + 10]}  # fmt: skip
    assert work_ratio(table, HBM2_PIM, A6000_SERVER) == pytest.approx(0.125)


def test_cases_of_attention_in_memory():
    trace = fixed_requests(poisson_trace(9, 50.0, (20, 200), (5, 50), 1), 6, 40, 12)
    assert len(trace) == 6 and set(trace.n_in) == {40} and set(trace.n_out) == {12}
    config = SchedulerConfig(300, 256, 16, prefix_caching=False)
    table = {"component": list(PARTS), **{n: [219.0] * 7 for n in ("gpu-only", "pim", "pim-sbi")}}
    rows = figure_10(trace, DENSE, config, HBM2_PIM, A6000_SERVER, table, {n: [1.0] for n in table})
    assert len(rows) == 5 and all(row.published_s == 1.0 and row.joules > 0 for row in rows)
    by = {row.case: row for row in rows}
    assert by["in one piece, mended"].seconds <= by["memory, in one piece"].seconds
    (row,) = answers(trace, DENSE, HBM2_PIM, (12,), 16)
    assert row.one_piece == pytest.approx(by["in one piece, mended"].seconds)
    assert row.two == pytest.approx(by["two sub-batches, mended"].seconds)
    assert row.ratio == row.two / row.one_piece


def test_cases_have_a_row_for_each_metric():
    trace = poisson_trace(9, 50.0, (20, 200), (5, 50), 1)
    config = SchedulerConfig(300, 256, 16, prefix_caching=False)
    result = replay(trace, PROFILE, config)
    real = {"framework": ["APEX", "vLLM"], "throughput_tok_s": [1, result.served().tokens_per_s],
            "mean_ttft_ms": [1, 2.0], "mean_tpot_ms": [1, 4.0]}  # fmt: skip
    parsed = {"throughput_tok_s": [1], "mean_ttft_ms": [1.0], "mean_tpot_ms": [8.0]}
    rows = case_rows("one", result, real, parsed)
    assert [row.metric for row in rows] == ["tokens/s", "TTFT", "TPOT"]
    assert abs(rows[0].error) < 1e-9 and rows[1].published == -50 and rows[2].published == 100
    (row,) = side_by_side(rows)
    assert row.case == "one" and row.ttft == rows[1].error and row.tpot_published == 100


def test_a_shared_tier_counts_apart_what_came_back():
    trace = poisson_trace(8, 5.0, (300, 301), (2, 3), 1)
    same = type(trace)(
        trace.arrival_ns, trace.n_in, trace.n_out, np.arange(9) * 18, np.tile(np.arange(18), 8)
    )
    series = {"time_s": [0, 100], "prefix_hit_pct": [0, 50.0], "shared_cpu_mem_mb": [0, 32.0]}
    found = shared_tier(
        same, PROFILE, SchedulerConfig(300), Tier(10, 1e12), [series] * 3, [series] * 3
    )
    # the first request of each instance finds nothing on its device; the second's comes back
    asked = [int(trace.n_in[k::2].sum()) for k in range(2)]
    assert [rows[-1].ours for rows in found.hits] == pytest.approx([3 * 28800 / n for n in asked])
    assert found.tier_mb == 32 and found.recalled == pytest.approx(25600 / sum(asked))
    assert found.difference(0) == pytest.approx((0 + 3 * 28800 / asked[0] - 50) / 2)


def test_constants_are_fitted_and_judged_elsewhere():
    hidden = run_with(300_000.0, 1000.0)
    none, slopes, grid, simplex = fit_rows(hidden, [run_with(300_000.0, 1000.0)], 6)
    assert none.simulations == 0 and none.fitted == none.aside > 1
    assert slopes.simulations == 24 and grid.simulations == 27 and simplex.simulations <= 24
    for row in (slopes, grid, simplex):
        assert row.objective < none.objective and row.aside == row.fitted
    assert slopes.fitted < none.fitted / 3
    point, _ = by_simplex(hidden, 60)
    assert objective(np.zeros(3), START) == 0 and point[2] >= 0


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
