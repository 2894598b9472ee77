from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.sketching import (
    Grid,
    Rates,
    Shape,
    fastest_grid,
    free_operand_bound,
    grid_cost,
    grids,
    optimal_grid,
    pareto_front,
    regeneration_limit,
)


def test_the_optimum_attains_the_bound_for_12_of_14_powers_of_two():
    shape = Shape(64, 4096, 256)
    exact = {
        count: optimal_grid(shape, count).words
        == pytest.approx(free_operand_bound(shape, count).words, abs=1e-9)
        for count in (2**k for k in range(1, 15))
    }
    assert [count for count, equal in exact.items() if not equal] == [2048, 8192]
    assert optimal_grid(shape, 2048).words == 248
    assert optimal_grid(shape, 8192).words == 158


def test_ties_go_to_less_random_number_work():
    # P = 4 of 8 rows: p1 = 4 is free; among the free grids there is only that one
    assert optimal_grid(Shape(8, 16, 16), 4).grid == Grid(4, 1, 1)
    # square case beyond n1: (1, 4, 1) and (1, 1, 4) move equally, and generate equally
    tie = optimal_grid(Shape(1, 16, 16), 4)
    rivals = [grid_cost(Shape(1, 16, 16), grid) for grid in grids(Shape(1, 16, 16), 4)]
    assert tie.random_numbers == min(c.random_numbers for c in rivals if c.words == tie.words)


def exactly(shape, grid):
    """Words and random numbers of a grid as fractions, straight from the two collectives."""
    gather = (1 - Fraction(1, grid.p3)) * Fraction(shape.n1 * shape.n2, grid.p1 * grid.p2)
    scatter = (1 - Fraction(1, grid.p2)) * Fraction(shape.n1 * shape.r, grid.p1 * grid.p3)
    return gather + scatter, Fraction(shape.n2 * shape.r, grid.p2 * grid.p3)


def test_ties_are_ties_of_exact_costs():
    assert optimal_grid(Shape(4, 9, 3), 36).grid in {
        grid
        for grid in grids(Shape(4, 9, 3), 36)
        if exactly(Shape(4, 9, 3), grid)
        == min(exactly(Shape(4, 9, 3), other) for other in grids(Shape(4, 9, 3), 36))
    }
    wrong = []
    for n1, n2, r in product(range(1, 10), repeat=3):
        shape = Shape(n1, n2, r)
        for count in (6, 12, 18, 24, 36):
            try:
                feasible = grids(shape, count)
            except ValueError:
                continue
            best = optimal_grid(shape, count)
            if exactly(shape, best.grid) != min(exactly(shape, grid) for grid in feasible):
                wrong.append((shape, count))
    assert wrong == []


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64), st.integers(1, 64))
@settings(max_examples=60)
def test_costs_are_those_of_the_two_collectives(n1, n2, r, count):
    shape = Shape(n1, n2, r)
    try:
        feasible = grids(shape, count)
    except ValueError:
        return
    for grid in feasible:
        words, numbers = exactly(shape, grid)
        cost = grid_cost(shape, grid)
        assert cost.words == pytest.approx(float(words), rel=1e-15)
        assert cost.random_numbers == pytest.approx(float(numbers), rel=1e-15)


def test_a_grid_that_must_divide_is_found_or_named():
    shape = Shape(3, 128, 64)
    assert optimal_grid(shape, 4).grid == Grid(2, 2, 1)  # 3 rows on 2: blocks of unequal size
    assert optimal_grid(shape, 4, divides=True).grid.divides(shape)
    with pytest.raises(ValueError, match="no grid of so many processors divides"):
        optimal_grid(Shape(3, 5, 5), 4, divides=True)


@pytest.mark.parametrize("name", ["word", "random_number", "flop"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_rate_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} = "):
        Rates(**({"word": 1.0, "random_number": 1.0, "flop": 1.0} | {name: value}))


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64), st.integers(1, 64))
@settings(max_examples=60)
def test_every_grid_is_a_divisor_triple_that_fits(n1, n2, r, count):
    shape = Shape(n1, n2, r)
    brute = {
        (a, b, count // (a * b))
        for a in range(1, count + 1)
        for b in range(1, count + 1)
        if count % (a * b) == 0 and a <= n1 and b <= n2 and count // (a * b) <= r
    }
    if not brute:
        with pytest.raises(ValueError, match="no grid"):
            grids(shape, count)
        return
    assert {(g.p1, g.p2, g.p3) for g in grids(shape, count)} == brute


@given(st.sampled_from([4, 8, 60, 64]), st.sampled_from([1, 4, 64]))
@settings(max_examples=12)
def test_the_pareto_front_is_the_set_of_undominated_grids(count, n1):
    shape = Shape(n1, 128, 32)
    front = pareto_front(shape, count)
    assert front[0] == optimal_grid(shape, count)
    costs = [grid_cost(shape, grid) for grid in grids(shape, count)]
    for point in front:
        assert not any(
            c.words <= point.words
            and c.random_numbers <= point.random_numbers
            and (c.words, c.random_numbers) != (point.words, point.random_numbers)
            for c in costs
        )
    words = {(p.words, p.random_numbers) for p in front}
    for cost in costs:
        assert (cost.words, cost.random_numbers) in words or any(
            w <= cost.words and g <= cost.random_numbers for w, g in words
        )


def test_free_random_numbers_give_the_grid_of_fewest_words():
    shape = Shape(64, 4096, 256)
    assert fastest_grid(shape, 256, Rates(1e-9, 0.0, 0.0)).words == optimal_grid(shape, 256).words


def test_dear_random_numbers_split_the_contraction():
    shape, rates = Shape(1024, 1024, 64), Rates(1e-9, 1e-9, 0.0)
    assert regeneration_limit(shape, rates, [2, 4, 8, 16]) == 4
    assert regeneration_limit(shape, Rates(1e-9, 0.0, 0.0), [2, 4, 8]) is None


def test_a_grid_beyond_a_dimension_has_no_cost():
    with pytest.raises(ValueError, match="p1 = 8: at most n1 = 4"):
        grid_cost(Shape(4, 4, 4), Grid(8, 1, 1))
