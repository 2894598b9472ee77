"""The chapter's experiments: what they return, on the smallest cases."""

import math
from dataclasses import replace

import numba
import numpy as np
import pytest

from quire.circuits.experiments import (
    decks,
    elimination,
    project_tests,
    simulations,
    threads,
    variants,
    winners,
)
from quire.circuits.peers import neospice

DECK = """* a divider
V1 in 0 1
R1 in out 1k
R2 out 0 1k
* analysis: dc V1 0 2 1
* saved: v(out) i(V1)
.end
"""
TABLE = np.array([[0.0, 0.0, 0.0], [1.0, 0.5, -0.5e-3], [2.0, 1.0, -1e-3]])


def test_a_deck_names_its_analysis() -> None:
    row = decks.compare_deck("divider", DECK, TABLE)
    assert (row.analysis, row.unknowns, row.points) == ("DcSweep", 3, 3)
    assert row.coarse == row.fine < 1e-9
    by_elimination = decks.solved_by_elimination("divider", DECK, TABLE)
    assert by_elimination.points == 3 and by_elimination.difference < 1e-9
    with pytest.raises(decks.CircuitError, match="comments"):
        decks.analysed("* nothing\nr1 1 0 1\n")


def test_what_is_refused_is_told_with_its_line() -> None:
    good, bad = decks.refused({"good": DECK, "bad": DECK.replace("R2", "J2")})
    assert (good.line, bad.line) == (0, 4)
    assert "element J" in bad.why


def test_vectors_have_a_form() -> None:
    result = decks.solve_deck(decks.analysed(DECK)[0])
    assert decks.vector(result, "v(in,out)").tolist() == pytest.approx([0, 0.5, 1])
    with pytest.raises(decks.CircuitError, match="must be"):
        decks.vector(result, "p(r1)")


def test_grids_are_symmetric_and_definite() -> None:
    for n in (2, 10, 16):
        a = elimination.grid_matrix(n, 1)
        np.testing.assert_array_equal(a, a.T)
        assert np.linalg.eigvalsh(a).min() > 0


def test_the_divider_loses_what_it_should() -> None:
    row = elimination.divider_pivoting()
    assert row.partial < 1e-14 and row.zero_only > 1e-6
    mild = elimination.divider_pivoting(1.0, 2.0)
    assert mild.zero_only < 1e-12


def test_gains_hold_the_solution() -> None:
    (row,) = elimination.reduction_gains([30], [0.2], 5, 1)
    assert row.m == 6 and row.error < 1e-12
    assert row.counted > 1 and math.isfinite(row.predicted)
    met = replace(row, predicted=3.0, measured=2.0, paid_low=1.5, paid_high=4.0)
    factor, (low, high) = elimination.prediction_factor(met)
    assert (factor, low, high) == (1.5, 1.0, 2.0)
    never = replace(row, measured=math.inf, paid_low=math.inf, paid_high=math.inf)
    assert elimination.prediction_factor(never)[0] == elimination.NEVER_PAID


def test_an_odd_number_of_rows_is_covered_by_devices() -> None:
    u = elimination.incidences(9, np.array([1, 3, 4, 6, 8]))
    assert u.shape == (9, 3) and np.flatnonzero(np.abs(u).sum(axis=1)).tolist() == [1, 3, 4, 6, 8]
    assert u.sum(axis=0).tolist() == [0, 0, 1]


def test_gains_are_modelled_from_whole_solves_alone() -> None:
    rows = elimination.reduction_gains([20, 40], [0.2], 5, 1)
    modelled = elimination.modelled_gains(rows)
    assert all(row.modelled > 1 for row in modelled)
    slower = [replace(row, reduced=100 * row.reduced) for row in rows]
    assert [r.modelled for r in elimination.modelled_gains(slower)] == [
        r.modelled for r in modelled
    ]


def _threaded(n: int, m: int, speedup: float, model: float) -> threads.Threaded:
    return threads.Threaded(n, m, 5, 1.0, 1.0, speedup, speedup - 0.1, speedup + 0.1, model)


def test_threads_are_judged_only_where_rounds_were_kept() -> None:
    rows = [
        _threaded(64, 64, 0.5, 0.8), _threaded(64, 13, 0.4, 0.5),
        _threaded(256, 256, 1.5, 1.6), _threaded(256, 51, 1.5, 1.2),
    ]  # fmt: skip
    found = threads.judged(rows, [64, 256])
    assert found.largest is rows[2]
    assert found.medium is not None and found.medium[0] == 1.0 and found.medium[1] < 1
    assert found.crossing is not None and 64 < found.crossing < 256
    # all ahead: nobody saw where two threads begin to win
    assert threads.judged(rows[2:], [256]).crossing is None
    lost = [threads.Threaded(64, 64, 2, *[math.nan] * 5, 0.8)]
    found = threads.judged(lost, [64])
    assert found.largest is None and found.medium is None


@pytest.mark.skipif(
    int(vars(numba.config)["NUMBA_NUM_THREADS"]) < 2, reason="one processor: numba has one thread"
)
def test_coupling_is_the_same_on_two_threads() -> None:
    rng = np.random.default_rng(1)
    free, pivots, weights = (rng.standard_normal(shape) for shape in ((7, 7), (7, 9), (9, 7)))
    one, two = (threads.couple(free, pivots, weights, p) for p in (1, 2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one, free - pivots @ weights, atol=1e-12)


def test_a_reduced_simulation_has_the_same_waves() -> None:
    (row,) = simulations.simulated_rows(
        {"ladder": simulations.diode_ladder(6)}, {"ladder": 0.02}, 5
    )
    assert (row.n, row.m) == (8, 1) and row.difference < 1e-9
    assert row.bound >= 1 and row.low <= row.gain <= row.high


def test_every_method_of_the_map_gives_the_same_solution() -> None:
    (cell,) = winners.winners([12], [3], [2], 5, 1)
    assert cell.error < 1e-10 and cell.low <= cell.lead <= cell.high
    assert cell.winner in (*winners.NAMES.values(), winners.UNDECIDED)


def test_printed_results_are_read() -> None:
    text = (
        "Initial Transient Solution\n----\n\nNode     Voltage\n----     -------\n"
        "99                    5\n1:2:9         0.0179277\n"
        "vin#branch        -1.5e-10\n\nNo. of Data Rows : 2\n"
    )
    assert project_tests.printed_solution(text) == {
        "99": 5.0,
        "x1.x2.9": 0.0179277,
        "vin#branch": -1.5e-10,
    }
    plot = " 0.000e+00  0.000e+00 .   X\n 1.000e-01  4.830e-02 .*\n"
    assert project_tests.printed_plot(plot).tolist() == [[0, 0], [0.1, 0.0483]]
    assert project_tests.printed_currents("\tv1#branch            -1.00000e-04\n") == {
        "v1#branch": -1e-4
    }


def test_rows_that_devices_touch_are_counted() -> None:
    deck = "t\nv1 a 0 1\nr1 a b 1\nd1 b 0 dm\n.model dm d\n"
    assert project_tests.varying_share(deck) == (1, 3)


def test_a_deck_for_neospice() -> None:
    deck = neospice.parametrised(variants.RECTIFIER, ".tran 3u 3m", variants.VARIED)
    assert "R1 out 0 {p_r1}" in deck and ".param p_c1=1e-06" in deck
    assert deck.rstrip().endswith(".end")


def test_rates_are_compared_round_by_round() -> None:
    ours = variants.Runner("ours", (10.0, 30.0, 20.0, 40.0, 50.0), 0.0, 1.0)
    theirs = variants.Runner("theirs", (1.0, 2.0, 2.0, 2.0, 2.0), 0.0, 1.0)
    assert ours.times(theirs) == (15.0, 10.0, 25.0)
