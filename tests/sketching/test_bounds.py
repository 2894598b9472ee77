import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.sketching import (
    Shape,
    classical_bound,
    free_operand_bound,
    grid_cost,
    grids,
    minimise_free_operand,
    minimise_nystrom_decoupled,
    nystrom_coupled_bound,
    nystrom_decoupled_bound,
    nystrom_words,
)

sizes = st.integers(1, 300)
ranks = st.integers(1, 4096)


def test_the_three_cases_by_hand():
    shape = Shape(4, 256, 64)
    first = free_operand_bound(shape, 4)
    assert (first.case, first.words, first.grid) == (1, 0.0, (4.0, 1.0, 1.0))
    second = free_operand_bound(shape, 8)
    assert (second.case, second.words, second.grid) == (2, 64 * (1 - 4 / 8), (4.0, 2.0, 1.0))
    third = free_operand_bound(shape, 64)
    assert third.case == 3
    assert third.words == pytest.approx(2 * math.sqrt(4 * 256 * 64 / 64) - 4 * 320 / 64)
    assert third.grid == pytest.approx((4.0, 8.0, 2.0))


def test_closed_form_equals_numerical_minimisation_on_361_points():
    rng = np.random.default_rng(361)
    cases = set()
    for _ in range(361):
        n1, n2, r = (round(2 ** rng.uniform(0, 9)) for _ in range(3))
        shape = Shape(n1, n2, r)
        count = round(shape.products ** rng.uniform(0, 1))
        bound = free_operand_bound(shape, count)
        cases.add(bound.case)
        touched = bound.words + n1 * (n2 + r) / count
        numeric = minimise_free_operand(shape, count) + n1 * (n2 + r) / count
        assert numeric == pytest.approx(touched, rel=1e-6), (shape, count)
    assert cases == {1, 2, 3}


@given(sizes, sizes, sizes, ranks)
@settings(max_examples=200)
def test_invariants_of_the_free_operand_bound(n1, n2, r, count):
    shape = Shape(n1, n2, r)
    count = min(count, shape.products)
    bound = free_operand_bound(shape, count)
    assert bound.words >= 0
    for larger in (Shape(n1, n2 + 1, r), Shape(n1, n2, r + 1)):
        assert free_operand_bound(larger, count).words >= bound.words - 1e-9
    assert free_operand_bound(Shape(n1, r, n2), count).words == pytest.approx(bound.words)
    assert bound.words <= classical_bound(shape, count).words + 1e-9 * (1 + bound.words)
    assert math.prod(bound.grid) == pytest.approx(count)


@given(sizes, sizes, sizes, st.integers(1, 512))
@settings(max_examples=60)
def test_no_grid_costs_less_than_the_bound(n1, n2, r, count):
    shape = Shape(n1, n2, r)
    if count > shape.products:
        return
    try:
        feasible = grids(shape, count)
    except ValueError:
        return
    bound = free_operand_bound(shape, count).words
    for grid in feasible:
        assert grid_cost(shape, grid).words >= bound - 1e-9 * (1 + bound)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=60)
def test_the_bound_is_continuous_at_its_borders(n1, low, factor):
    # P is whole, so the borders are approached from both sides: one step of P moves little
    shape = Shape(n1, low * factor, low)
    for border in (n1, n1 * factor):
        if border + 1 > shape.products:
            continue
        below = free_operand_bound(shape, border)
        above = free_operand_bound(shape, border + 1)
        assert above.case > below.case or above.case == 3
        # W changes by at most lo n1/P^2 per processor in case 2, and 2 lo/P covers case 3
        assert abs(above.words - below.words) <= 2 * low * (n1 + 1) / border
    # at P = n1 hi/lo the formulas of cases 2 and 3 are the same number
    border = n1 * factor
    third = 2 * math.sqrt(shape.products / border) - n1 * (shape.n2 + shape.r) / border
    assert free_operand_bound(shape, border).words == pytest.approx(third, abs=1e-9)


def test_one_processor_more_than_rows_has_to_send():
    for n1 in (1, 3, 7, 100):
        shape = Shape(n1, 256, 64)
        assert free_operand_bound(shape, n1).words == 0
        assert free_operand_bound(shape, n1 + 1).words == pytest.approx(64 / (n1 + 1))


@pytest.mark.parametrize("seed", range(20))
def test_no_set_of_products_escapes_loomis_and_whitney(seed):
    # the inequality under the bound, on random sets of products (i, l, j)
    rng = np.random.default_rng(seed)
    n1, n2, r = rng.integers(1, 9, 3)
    chosen = rng.random((n1, n2, r)) < rng.uniform(0.05, 1)
    x, y, w = (int(chosen.any(axis).sum()) for axis in (2, 1, 0))
    assert x * y * w >= int(chosen.sum()) ** 2


def test_the_bound_is_not_monotone_in_the_number_of_ranks():
    shape = Shape(1, 64, 64)
    assert free_operand_bound(shape, 1024).words < free_operand_bound(shape, 16).words


def test_classical_cases_by_hand():
    assert classical_bound(Shape(100, 10, 10), 10).words == pytest.approx(
        (1000 + 1000) / 10 + 100 - 2100 / 10
    )
    assert classical_bound(Shape(64, 64, 64), 64).words == pytest.approx(
        3 * 64**2 / 16 - 3 * 64 * 64 / 64
    )
    assert classical_bound(Shape(64, 64, 4), 16).case == 2


@pytest.mark.parametrize(("n", "r"), [(64, 8), (100, 100), (50, 3)])
def test_decoupled_bound_equals_numerical_minimisation(n, r):
    cases = set()
    for count in (1, 2, r, r + 1, 2 * r, n, n * (n + r) // r, n * (n + r), n * n * r):
        bound = nystrom_decoupled_bound(n, r, count)
        cases.add(bound.case)
        owned = (n * n + n * r + r * r) / count
        assert minimise_nystrom_decoupled(n, r, count) + owned == pytest.approx(
            bound.words + owned, rel=1e-5
        ), count
    assert cases == {1, 2, 3}


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 400))
@settings(max_examples=100)
def test_nystrom_bounds_are_ordered_and_attained(n, r, count):
    r, count = min(r, n), min(count, n)
    coupled = nystrom_coupled_bound(n, r, count)
    best = min(nystrom_words(n, r, count, name) for name in ("noredist", "redist"))
    assert coupled == pytest.approx(best)
    assert nystrom_decoupled_bound(n, r, count).words <= coupled + 1e-9


def test_the_nystrom_algorithms_meet_at_n_over_r():
    assert nystrom_words(1024, 64, 16, "noredist") == nystrom_words(1024, 64, 16, "redist")
    assert nystrom_words(1024, 64, 8, "noredist") < nystrom_words(1024, 64, 8, "redist")
    assert nystrom_words(1024, 64, 32, "noredist") > nystrom_words(1024, 64, 32, "redist")


def test_the_two_dimensional_variant_never_moves_less_than_redist():
    for p2 in (2, 4, 8):
        words = nystrom_words(1024, 64, 8, "2d-noredist", p2)
        assert words == (p2 - 1) * 1024 * 64 / 8 + 3584
        assert words > nystrom_words(1024, 64, 8, "redist")
    assert nystrom_words(1024, 64, 8, "2d-noredist") == 3584


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: free_operand_bound(Shape(2, 2, 2), 0), "ranks = 0"),
        (lambda: classical_bound(Shape(2, 2, 2), 9), "ranks = 9: at most the 8"),
        (lambda: nystrom_coupled_bound(4, 5, 2), "r = 5: at most n = 4"),
        (lambda: nystrom_coupled_bound(4, 2, 5), "ranks = 5: at most n = 4"),
        (lambda: nystrom_decoupled_bound(4, 2, 33), "ranks = 33: at most the 32"),
        (lambda: nystrom_words(4, 2, 2, "2d"), "algorithm = '2d'"),
        (lambda: nystrom_words(4, 2, 4, "2d-noredist", 3), "p2 = 3"),
        (lambda: nystrom_words(4, 2, 4, "redist", 2), "p2 = 2"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
