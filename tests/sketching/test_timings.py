import numpy as np
import pandas as pd
import pytest

from quire.sketching import (
    fit_message_time,
    fit_rates,
    flip,
    nystrom_medians,
    nystrom_words,
    predict_nystrom,
    regeneration_speedup,
    sketch_medians,
)

RANKS = [4, 8, 16, 32, 64, 128]


def sketch_rows() -> pd.DataFrame:
    rows = []
    for p in RANKS:
        for alg, gen, gather in (("matmul1gen", 0.5, 0.0), ("matmul1comm", 0.5 / p, 2.0)):
            case = (alg, "m", p, 32, 1000, 1000, 100, gen, gather * (1 - 1 / p))
            rows += [(*case, run) for run in (0.9, 1.0, 5.0)]  # a slow run must not count
            rows.append((alg, "m", p, 32, 1000, 1000, 100, 0.0, 0.0, 0.0))  # a failed run
    columns = ["alg", "system", "nproc", "thread_per_proc", "a_rows", "a_cols", "b_cols"]
    return pd.DataFrame(
        rows, columns=[*columns, "gen_b_time", "gather_b_time", "local_multiply_time"]
    )


def nystrom_rows(constant=1e-3, alpha=2e-5, beta=1e-9) -> pd.DataFrame:
    rows = []
    for r in (500, 5000):
        for p in RANKS:
            for name in ("noredist", "redist"):
                words = nystrom_words(50_000, r, p, name)
                seconds = constant + alpha * (p - 1) + beta * words
                redist = name == "redist"
                parts = (seconds * 0.75, 0.0, seconds * 0.125, seconds * 0.125)
                times = parts if redist else (0.0, seconds, 0.0, 0.0)
                rows.append((f"nystrom-1d-{name}-1d", "m", 50_000, r, p, *times, 1.0))
    times = ["all2all_time", "reduce_scatter_time", "pack_time", "unpack_time", "total_time"]
    return pd.DataFrame(rows, columns=["alg", "system", "n", "r", "nproc", *times])


def test_medians_leave_out_failed_runs_and_bear_slow_ones():
    medians = sketch_medians(sketch_rows())
    assert (medians["runs"] == 3).all()
    assert (medians["multiply"] == 1.0).all()
    speedup = regeneration_speedup(medians).set_index("nproc")["speedup"]
    assert speedup[4] == pytest.approx((0.125 + 1.5 + 1) / 1.5)
    assert speedup.is_monotonic_increasing


def test_rates_are_recovered():
    medians = sketch_medians(sketch_rows())
    rates = fit_rates(medians, medians)
    assert rates.word == pytest.approx(2.0 / 1e5)
    assert rates.random_number == pytest.approx(0.5 / 1e5)
    with pytest.raises(ValueError, match="needs matmul1gen rows"):
        fit_rates(medians[medians["alg"] == "matmul1comm"], medians)


def test_a_fit_on_half_of_the_rows_predicts_the_other_half():
    medians = nystrom_medians(nystrom_rows())
    got = predict_nystrom(medians, "m")
    assert got["held_out"].sum() == len(got) / 2
    for name in ("noredist", "redist"):
        np.testing.assert_allclose(got[f"{name}_predicted"], got[name], rtol=1e-6)


def test_the_flip_follows_the_volumes():
    got = predict_nystrom(nystrom_medians(nystrom_rows()), "m")
    for r, between in ((5000, (8.0, 16.0)), (500, (64.0, 128.0))):
        part = got[got["r"] == r]
        columns = [part[c].to_numpy(float) for c in ("nproc", "noredist", "redist")]
        assert flip(*columns) == between  # around n/r = 10 and 100


def test_the_flip_at_the_ends():
    ranks = np.array([4.0, 8.0, 16.0])
    assert flip(ranks, np.ones(3), np.zeros(3)) == (0.0, 4.0)
    assert flip(ranks, np.zeros(3), np.ones(3)) == (16.0, float("inf"))
    # once reversed: only the last change counts
    assert flip(ranks, np.ones(3), np.array([0.0, 2.0, 0.0])) == (8.0, 16.0)


def test_a_fit_is_never_negative():
    ranks = np.array([1.0, 2.0, 3.0, 4.0])
    fit = fit_message_time(ranks, 10 - ranks, ranks**2)
    assert min(fit.constant, fit.alpha, fit.beta) >= 0


def test_bad_tables_are_named():
    with pytest.raises(ValueError, match="lacks the columns"):
        sketch_medians(pd.DataFrame({"alg": []}))
    with pytest.raises(ValueError, match="lacks the columns"):
        nystrom_medians(pd.DataFrame({"alg": []}))
    with pytest.raises(ValueError, match="system 'x' is not among"):
        predict_nystrom(nystrom_medians(nystrom_rows()), "x")
    with pytest.raises(ValueError, match="3 or more positive"):
        fit_message_time(np.ones(2), np.ones(2), np.ones(2))
