import numpy as np
import pytest

from quire.sketching import (
    fit_message_time,
    fit_rates,
    flip,
    nystrom_timings,
    nystrom_words,
    sketch_timings,
    speedups,
    strong_scaling,
)
from quire.sketching.timings.published import least_speedup, series

RANKS = [4, 8, 16, 32, 64, 128]
SKETCH_COLUMNS = (
    "alg", "system", "nproc", "thread_per_proc", "a_rows", "a_cols", "b_cols", "gen_b_time",
    "gather_b_time", "local_multiply_time",
)  # fmt: skip


def columns(names, rows) -> dict[str, np.ndarray]:
    return {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def sketch_table() -> dict[str, np.ndarray]:
    rows = []
    for p in RANKS:
        for alg, gen, gather in (("matmul1gen", 0.5, 0.0), ("matmul1comm", 0.5 / p, 2.0)):
            case = (alg, "m", p, 32, 1000, 1000, 100, gen, gather * (1 - 1 / p))
            rows += [(*case, run) for run in (0.9, 1.0, 5.0)]  # a slow run must not count
            rows.append((alg, "m", p, 32, 1000, 1000, 100, 0.0, 0.0, 0.0))  # a failed run
    return columns(SKETCH_COLUMNS, rows)


def nystrom_table() -> dict[str, np.ndarray]:
    rows = []
    for r in (500, 5000):
        for p in RANKS:
            for name, p2 in (("1d-noredist", 1), ("1d-redist", 1), ("2d-noredist", 2)):
                words = nystrom_words(50_000, r, p, name.removeprefix("1d-"), p2)
                seconds = 1e-3 + 2e-5 * (p - 1) + 1e-9 * words
                parts = (seconds / 2, 0, 0, 0, seconds / 4, seconds / 4)
                if name != "1d-redist":
                    parts = (0, seconds / 2, seconds / 4, seconds / 4, 0, 0)
                rows.append((f"nystrom-{name}-1d", "m", 50_000, r, p, p2, *parts, 1.0))
    sums = [f"reduce_scatter{part}_time" for part in ("", "_1", "_2")]
    return columns(
        ("alg", "system", "n", "r", "nproc", "matmul1p2", "all2all_time", *sums, "pack_time",
         "unpack_time", "total_time"),
        rows,
    )  # fmt: skip


def test_medians_leave_out_failed_runs_and_bear_slow_ones():
    timings = sketch_timings(sketch_table())
    assert len(timings) == 2 * len(RANKS)
    assert {row.runs for row in timings} == {3}
    assert {row.multiply for row in timings} == {1.0}
    found = {row.ranks: row.speedup for row in speedups(timings)}
    assert found[4] == pytest.approx((0.125 + 1.5 + 1) / 1.5)
    assert found[128] > found[4]


def test_a_table_of_rows_in_another_order_gives_the_same_medians():
    table = sketch_table()
    order = np.random.default_rng(0).permutation(len(table["alg"]))
    shuffled = {name: column[order] for name, column in table.items()}
    assert sketch_timings(shuffled) == sketch_timings(table)


def test_scaling_is_measured_from_the_smallest_run():
    rows = strong_scaling(sketch_timings(sketch_table()))
    assert [row.ranks for row in rows] == RANKS
    assert rows[0].efficiency == 1
    # the time does not fall at all in this table: efficiency is 4/P
    assert rows[-1].efficiency == pytest.approx(4 / 128)
    assert rows[0].generate_share == pytest.approx(0.5 / 1.5)


def test_rates_are_recovered():
    timings = sketch_timings(sketch_table())
    rates = fit_rates(timings)
    assert rates.word == pytest.approx(2.0 / 1e5)
    assert rates.random_number == pytest.approx(0.5 / 1e5)
    with pytest.raises(ValueError, match="at least one of each"):
        fit_rates([row for row in timings if row.variant == "gather"])


def test_communication_is_the_sum_of_its_parts():
    timings = nystrom_timings(nystrom_table())
    for row in timings:
        words = nystrom_words(row.n, row.r, row.ranks, row.algorithm, row.p2)
        assert row.communicate == pytest.approx(1e-3 + 2e-5 * (row.ranks - 1) + 1e-9 * words)
    assert {row.algorithm for row in timings} == {"noredist", "redist", "2d-noredist"}


def test_the_flip_follows_the_volumes():
    timings = nystrom_timings(nystrom_table())
    for r, between in ((5000, (8.0, 16.0)), (500, (64.0, 128.0))):
        ranks, noredist = series(timings, "m", "noredist", 50_000, r)
        _, redist = series(timings, "m", "redist", 50_000, r)
        assert flip(ranks, noredist, redist) == between  # around n/r = 10 and 100


def test_the_flip_at_the_ends():
    ranks = np.array([4.0, 8.0, 16.0])
    assert flip(ranks, np.ones(3), np.zeros(3)) == (0.0, 4.0)
    assert flip(ranks, np.zeros(3), np.ones(3)) == (16.0, float("inf"))
    # once reversed: only the last change counts
    assert flip(ranks, np.ones(3), np.array([0.0, 2.0, 0.0])) == (8.0, 16.0)


def test_a_fit_recovers_latency_and_bandwidth():
    ranks = np.array(RANKS, float)
    words = 1e6 * (1 - 1 / ranks)
    fit = fit_message_time(ranks - 1, words, 1e-3 + 2e-5 * (ranks - 1) + 1e-9 * words)
    assert fit.seconds(np.array([255.0]), np.array([1e6])) == pytest.approx(
        1e-3 + 2e-5 * 255 + 1e-3, rel=1e-3
    )


def test_a_fit_is_never_negative():
    ranks = np.array([1.0, 2.0, 3.0, 4.0])
    fit = fit_message_time(ranks, 10 - ranks, ranks**2)
    assert min(fit.constant, fit.alpha, fit.beta) >= 0


def test_bad_tables_are_named():
    with pytest.raises(ValueError, match="table = without"):
        sketch_timings({"alg": np.array([])})
    with pytest.raises(ValueError, match="table = without"):
        nystrom_timings({"alg": np.array([])})
    with pytest.raises(ValueError, match="equal lengths"):
        sketch_timings(sketch_table() | {"nproc": np.array([1])})
    with pytest.raises(ValueError, match="no such runs"):
        series(nystrom_timings(nystrom_table()), "x", "redist", 50_000, 500)
    with pytest.raises(ValueError, match="3 or more positive"):
        fit_message_time(np.ones(2), np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="seconds has non-finite"):
        fit_message_time(np.ones(3), np.ones(3), np.array([1.0, np.nan, 1.0]))
    with pytest.raises(Exception, match=r"redist"):
        flip(np.ones(3), np.ones(3), np.ones(2))


def test_the_least_speedup_carries_a_bootstrap_interval():
    value, low, high = least_speedup(sketch_table(), 3, 1)
    assert value == pytest.approx((0.125 + 1.5 + 1) / 1.5)
    assert low <= value <= high
    assert low < high  # one run in three is slow
