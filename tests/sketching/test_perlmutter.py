"""Experiments on published timings, tried on timings made from given rates."""

import numpy as np
import pytest

from quire.sketching import (
    Grid,
    NystromTiming,
    Rates,
    SketchTiming,
    grid_cost,
    nystrom_words,
)
from quire.sketching.experiments import perlmutter

RATES = Rates(word=3e-9, random_number=2e-9, flop=2e-12)


def timing(variant: str, ranks: int, threads: int = 8, runs: int = 10) -> SketchTiming:
    generate = RATES.random_number * 1e9 if variant == "regenerate" else 0.0
    gather = RATES.word * (1 - 1 / ranks) * 1e9 if variant == "gather" else 0.0
    multiply = RATES.flop * 2e15 / ranks
    return SketchTiming(
        "m", variant, threads, 10**6, 10**6, 1000, ranks, runs, generate, gather, multiply,
        generate + gather + multiply,
    )  # fmt: skip


TIMINGS = [timing("regenerate", p) for p in (1024, 2048, 4096, 8192)]
TIMINGS += [timing("gather", 256, threads=32, runs=1)]


def nystroms(constant: float, alpha: float, beta: float) -> list[NystromTiming]:
    return [
        NystromTiming("m", name, 50_000, r, p, 1, 10, seconds, 2 * seconds)
        for name in ("noredist", "redist")
        for r in (500, 5000)
        for p in (4, 8, 16, 32, 64, 128, 256, 512)
        for seconds in [constant + alpha * (p - 1) + beta * nystrom_words(50_000, r, p, name)]
    ]


PRICES = (1e-9, 3e-9, 9e-9)


def test_a_forecast_from_true_rates_is_exact():
    told = perlmutter.forecast(TIMINGS, 4096, PRICES)
    assert told.ranks == 8192
    assert told.error < 1e-9
    assert 1 < told.gain_low < told.gain < told.gain_high
    # p2 = 2 saves n2 r/2 numbers for n1 r/P words: from P > 2 beta/rho on
    assert told.pays_from == pytest.approx((1, 9))
    p1, p2, p3 = (int(side) for side in told.best_grid.split("×"))
    assert told.words == grid_cost(perlmutter.MILLION, Grid(p1, p2, p3)).words
    # words dearer than all generation together leave the silent grid alone
    assert perlmutter.forecast(TIMINGS, 4096, (1.0, 1.0, 1.0)).gain == pytest.approx(1)


def test_the_largest_run_is_held_out():
    slow = [
        row if row.ranks < 8192 else timing("regenerate", 8192, runs=10).__class__(
            **{**vars(row), "total": 2 * row.total}
        )
        for row in TIMINGS
    ]  # fmt: skip
    assert perlmutter.forecast(slow, 4096, PRICES).error == pytest.approx(0.5)


def test_true_latency_and_bandwidth_predict_every_flip():
    timings = nystroms(1e-3, 2e-5, 1e-9)
    fits = perlmutter.flips(timings, ["m"], 50_000, [500, 5000])
    assert len(fits) == 2 * 2 * 4
    assert all(fit.agrees for fit in fits)
    assert max(fit.residual for fit in fits) < 1e-6
    assert {fit.measured for fit in fits} == {"8-16", "64-128"}
    crossed = perlmutter.crossings(timings, ["m"], 50_000, [500, 5000])
    assert all(row.factor < 1.5 for row in crossed)


def test_another_law_is_not_predicted():
    slowing = [
        NystromTiming(**{**vars(row), "communicate": row.communicate * (1 + row.ranks / 50)})
        if row.algorithm == "noredist" else row
        for row in nystroms(1e-3, 2e-5, 1e-9)
    ]  # fmt: skip
    fits = perlmutter.flips(slowing, ["m"], 50_000, [500, 5000])
    assert max(fit.residual for fit in fits) > 0.05


def test_a_flip_outside_the_table_is_left_out():
    never = nystroms(1e-3, 2e-5, 0.0)  # words cost nothing: both are equal, redist is never faster
    assert perlmutter.crossings(never, ["m"], 50_000, [500]) == ()
    assert perlmutter.flips(never, ["m"], 50_000, [500])[0].measured == "beyond 512"


def test_halves_cover_the_rows():
    ranks = nystroms(1, 1, 1)[:5]
    for chosen in perlmutter.splits(np.array([row.ranks for row in ranks], float)).values():
        assert 2 <= chosen.sum() <= 3


def test_series_tell_where_they_turn():
    nystrom = nystroms(1e-3, 1e-3, 1e-12)
    found = perlmutter.total_series(TIMINGS, nystrom)
    sketch = next(row for row in found if row.algorithm == "regenerate")
    assert (sketch.first, sketch.fastest, sketch.last) == (1024, 8192, 8192)
    assert (sketch.rises, sketch.steps) == (0, 3)
    # latency grows with P: the least time is at the first, and every step rises
    for row in found:
        if row.algorithm != "regenerate":
            assert (row.fastest, row.rises, row.steps) == (4, 7, 7)
    assert len(found) == 5  # the single gathering run is left out


def test_prices_are_those_of_the_reduce_scatters():
    low, middle, high = perlmutter.word_prices(nystroms(0.0, 0.0, 2e-9), "m")
    assert low == pytest.approx(2e-9)
    assert middle == pytest.approx(2e-9)
    assert high == pytest.approx(2e-9)
