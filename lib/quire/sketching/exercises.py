"""The checks of the chapter's exercises: each computes the right answer and compares.

Every check takes whatever a reader wrote and returns whether it is right. None, NaN, a wrong type
or a wrong value is False; nothing raises.
"""

from numbers import Integral
from typing import Any

from quire.answers import called, is_near
from quire.sketching.bounds.processor_grids import Rates, grid_cost, grids, optimal_grid
from quire.sketching.bounds.sketch_bounds import free_operand_bound
from quire.sketching.problem import Grid, Shape


def last_of_case_two(answer: Any) -> bool:
    """Whether the answer is the largest P of case 2 for (n1, n2, r) = (4, 4096, 256)."""
    shape = Shape(4, 4096, 256)
    right = max(p for p in range(1, 1024) if free_operand_bound(shape, p).case == 2)
    return is_near(answer, float(right), rel=0.0)


def cost_with_all_reduce(answer: Any) -> bool:
    """Whether the answer is a function of (n1, n2, r, p1, p2, p3): words with an all-reduce."""
    cases = [
        (Shape(n1, n2, r), grid)
        for n1, n2, r in ((8, 64, 16), (2, 64, 64), (3, 36, 18))
        for p in (1, 2, 4, 6, 8)
        for grid in grids(Shape(n1, n2, r), p)
    ]
    return callable(answer) and all(
        is_near(
            called(answer, shape.n1, shape.n2, shape.r, grid.p1, grid.p2, grid.p3),
            (1 - 1 / grid.p3) * shape.n1 * shape.n2 / (grid.p1 * grid.p2)
            + 2 * (1 - 1 / grid.p2) * shape.n1 * shape.r / (grid.p1 * grid.p3),
            rel=1e-9,
        )
        for shape, grid in cases
    )


def grid_of_fewest_words(answer: Any) -> bool:
    """Whether the answer is a grid (p1, p2, p3) of fewest words for (2, 128, 32) on 16."""
    shape, ranks = Shape(2, 128, 32), 16
    given = answer.tolist() if hasattr(answer, "tolist") else answer
    if not isinstance(given, list | tuple) or len(given) != 3:
        return False
    if any(isinstance(side, bool) or not isinstance(side, Integral) for side in given):
        return False
    if min(given) < 1:
        return False
    grid = Grid(*(int(side) for side in given))
    if grid.ranks != ranks or not grid.fits(shape):
        return False
    return grid_cost(shape, grid).words == optimal_grid(shape, ranks).words


def first_power_for_four_parts(answer: Any) -> bool:
    """Whether the answer is the least power of two at which p2 = 4 beats p2 = 2.

    n1 = n2 = 4096, r = 64, a word as dear as three random numbers.
    """
    shape, rates = Shape(4096, 4096, 64), Rates(word=3.0, random_number=1.0, flop=0.0)
    right = next(
        2**k
        for k in range(2, 13)
        if rates.seconds(grid_cost(shape, Grid(2 ** (k - 2), 4, 1)))
        < rates.seconds(grid_cost(shape, Grid(2 ** (k - 1), 2, 1)))
    )
    return is_near(answer, float(right), rel=0.0)
