"""The chapter's experiments: small runs whose results are right for a reason of their own."""

import math
import sys

import numpy as np
import pytest

from quire.sketching import Grid, Shape, free_operand_bound, grid_cost
from quire.sketching.experiments import accuracy, placement, speed, tightness, traffic, twice

pytestmark = pytest.mark.usefixtures("eight_devices")
SEED = 20260321


@pytest.mark.parametrize("ranks", [[2, 4], [2, 4, 8]])
def test_a_survey_holds_all_cases_and_starts_with_each(ranks):
    cases = tightness.survey(ranks, 12)
    bounds = [free_operand_bound(shape, p) for shape, p in cases]
    assert len(set(cases)) == len(cases) == 12
    assert {bound.case for bound in bounds} == {1, 2, 3}
    assert sum(bound.case == 3 and bound.integral for bound in bounds) >= 3
    assert any(not bound.integral for bound in bounds)
    assert all(p in ranks for _, p in cases)


def test_certified_sketches_are_what_the_grids_cost():
    cases = tightness.survey([4], 8)
    for (shape, ranks), row in zip(cases, tightness.certified_sketches(cases, SEED), strict=True):
        sides = (int(side) for side in row.grid.split("×"))
        assert row.words == grid_cost(shape, Grid(*sides)).words
        assert row.bound == free_operand_bound(shape, ranks).words
        assert row.ratio >= 1 - 1e-12


def test_the_numerical_minimum_meets_the_formula():
    rows = tightness.closed_form(30, SEED)
    assert len(rows) == 30
    assert max(row.error for row in rows) < 1e-4
    assert len({row.case for row in rows}) > 1


def test_silence_ends_with_one_row_too_few():
    assert {row.words for row in tightness.silent_programs([2, 4], SEED)} == {0.0}
    first = tightness.first_messages([2, 4], SEED)
    assert len(first) == 3
    assert all(row.words >= row.bound == 32 for row in first)
    assert first[0].words == 32


def test_only_who_generates_is_silent():
    rows = {(row.program, row.n1): row.words for row in tightness.rival_programs(4, SEED)}
    assert rows["ours", 4] == 0
    assert rows["Ω gathered", 4] == (1 - 1 / 4) * 256 * 64
    assert rows["Ω stored, XLA's partition", 4] > 0
    assert rows["ours", 2] == free_operand_bound(Shape(2, 256, 64), 4).words


def test_layouts_agree_to_rounding():
    rows = tightness.layouts([1, 4], SEED)
    assert {row.ranks for row in rows} == {1, 4}
    assert sum("tiles" in row.grid for row in rows) == 2
    assert max(row.difference for row in rows) < 1e-13


def test_compiled_nystrom_is_within_its_class_bound():
    rows = twice.certified_nystrom([2, 3, 4], 16, SEED)
    assert {row.ranks for row in rows} == {2, 4}  # 3 does not divide 16
    assert all(row.ratio == pytest.approx(1, abs=1e-12) for row in rows)
    assert all(row.decoupled_bound <= row.coupled_bound for row in rows)


def test_searches_find_the_bound_rounded_up():
    for row in twice.searched_instances(60.0):
        assert row.complete
        assert row.least == row.at_least == math.ceil(row.bound)
    assert not twice.SearchedInstance(4, 2, 2, "inside", 2.0, float("inf"), 0.0).complete


def test_beyond_r_the_bound_without_a_class_is_met_at_n():
    rows = twice.beyond(50_000, 500, [100, 5000, 50_000])
    assert [row.ranks for row in rows] == [5000, 50_000]
    assert rows[0].ratio == pytest.approx(11.1, abs=0.05)
    assert rows[1].ratio == pytest.approx(1.01, abs=0.005)


def test_past_the_rows_whole_grids_miss_by_n1_or_its_square():
    found = dict(tightness.past_the_rows(range(1, 8)))
    assert found[1] == pytest.approx(1)
    assert found[3] == pytest.approx(3)  # P = 4: half of the rows each
    assert found[4] == pytest.approx(16)  # P = 5 is prime: the rows cannot be cut
    assert found[7] == pytest.approx(7)


def test_message_cases_cut_contraction_and_columns_at_once():
    for ranks in (4, 8):
        cases = traffic.message_cases(ranks, SEED)
        assert {case.ranks for case in cases} == {ranks}
        assert any(min(case.p2, case.p3) > 1 for case in cases)
        assert {case.algorithm for case in cases} == {"sketch", "noredist", "redist"}


def test_mean_errors_carry_an_interval():
    rows = accuracy.mean_errors(["exp8", "poly1"], ["gaussian"], 64, 16, 5, SEED)
    for row in rows:
        assert row.nystrom_low < row.nystrom < row.nystrom_high
        assert 0 < row.nystrom < 1
        assert 0 < row.range_finder < 1


def test_the_interval_of_a_mean_is_student_s():
    mean, low, high = accuracy._mean(np.array([1.0, 2.0, 3.0]))
    assert mean == 2
    assert (high - low) / 2 == pytest.approx(4.3026527 / math.sqrt(3), rel=1e-6)
    assert all(math.isnan(end) for end in accuracy._mean(np.array([1.0]))[1:])


def test_entries_with_a_mean_help_only_where_a_direction_is_constant():
    rows = {(r.matrix, r.entries, r.over): r for r in accuracy.entry_errors(128, 16, 10, SEED)}
    assert rows["kernel", "uniform01", "uniform"].ratio < 1
    assert rows["kernel", "uniform01", "gaussian"].high < 1
    assert accuracy.constant_share(128, SEED) > 0.9


def test_a_placement_counts_the_words_of_the_cost():
    shape, grid = Shape(2, 8, 8), Grid(2, 2, 2)
    for i, j, k in np.ndindex(2, 2, 2):
        entries = placement.placement(shape, grid, i, j, k)
        count = {
            (matrix, part): sum((e.matrix, e.part) == (matrix, part) for e in entries)
            for matrix in "AΩB"
            for part in ("own", "received", "generated", "sent")
        }
        assert count["A", "own"] == count["B", "own"] == 2
        assert count["A", "received"] + count["B", "sent"] == grid_cost(shape, grid).words
        assert count["Ω", "generated"] == grid_cost(shape, grid).random_numbers


def test_placements_share_everything_and_overlap_nowhere():
    shape, grid = Shape(4, 8, 16), Grid(2, 2, 2)
    for matrix, size in (("A", 32), ("B", 64)):
        owned = [
            (e.row, e.column)
            for i, j, k in np.ndindex(2, 2, 2)
            for e in placement.placement(shape, grid, i, j, k)
            if (e.matrix, e.part) == (matrix, "own")
        ]
        assert len(owned) == len(set(owned)) == size


def test_a_placement_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="k = 2: 0 to 1 is allowed"):
        placement.placement(Shape(2, 8, 8), Grid(2, 2, 2), k=2)
    with pytest.raises(ValueError, match="a grid that divides"):
        placement.placement(Shape(3, 8, 8), Grid(2, 2, 2))


def test_a_ratio_is_the_median_of_the_rounds_with_trimmed_ends():
    rounds = speed.Rounds(
        {"a": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 70.0), "b": (1.0,) * 7, "c": (9.0,) * 7}
    )
    assert rounds.ratio("a", "b") == (4, 1, 70)
    many = speed.Rounds({"a": tuple(float(k) for k in range(1, 10)), "b": (1.0,) * 9})
    assert many.ratio("a", "b") == (5, 2, 8)
    assert rounds.faster(("a", "b", "c")) == "b"
    assert speed.Rounds({"a": (1.0, 9.0, 2.0), "b": (1.0,) * 3}).ratio("a", "b") == (2, 1, 9)
    rows = speed.speed_rows(rounds, "b")
    assert [row.times for row in rows] == [4, 1, 9]


def test_the_overhead_is_operations_over_uses():
    products = speed.Rounds({"XLA, Ω ready": (1.0,) * 5, "ours": (1.5,) * 5})
    numbers = speed.Rounds({"Gaussian, ours": (4.0,) * 5})
    found = speed.overhead(products, numbers, (10, 100, 7))
    assert found.flops == 2 * 10 * 100 * 7
    assert found.numbers == 700
    assert found.predicted == 2  # making all numbers takes as long as the product
    assert found.measured == 1.5


def test_products_are_the_same_product():
    runners = speed.products(32, 64, 8, SEED)
    assert np.asarray(runners["ours"]()).shape == (32, 8)
    ready = np.asarray(runners["numpy, Ω ready"]())
    np.testing.assert_allclose(np.asarray(runners["XLA, Ω ready"]()), ready, rtol=1e-3, atol=1e-3)
    for name in runners:  # unit variance over 64 terms; scikit-learn's columns have length one
        scale = 8 / math.sqrt(8) if name == "scikit-learn" else 8
        assert 0.6 < np.asarray(runners[name]()).std() / scale < 1.4, name


def test_too_few_rounds_or_a_failing_process_are_named(monkeypatch):
    with pytest.raises(ValueError, match="rounds = 3: at least 5"):
        speed.rounds_alone((8, 8, 8), 3, SEED)
    with pytest.raises(ValueError, match="n2 = 0"):
        speed.rounds_alone((8, 0, 8), 5, SEED)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="ended with status 1: no output"):
        speed.rounds_alone((8, 8, 8), 5, SEED)
