"""Choosing the processor grid: fewest words, or the least time of three resources."""

import math
from dataclasses import dataclass

from quire.checks import instance, integer, integers, non_negative
from quire.signatures import checked
from quire.sketching.problem import Grid, Shape


@dataclass(frozen=True)
class GridCost:
    """What one processor does under the three-dimensional algorithm on a grid."""

    grid: Grid
    words: float  # sent (and received) per processor
    random_numbers: float  # entries of Ω generated per processor
    flops: float  # floating-point operations per processor


@dataclass(frozen=True)
class Rates:
    """Seconds per unit of the three resources that a sketch uses."""

    word: float  # per word communicated, β
    random_number: float  # per entry of Ω generated, ρ
    flop: float  # per floating-point operation, γ

    def __post_init__(self) -> None:
        for name in ("word", "random_number", "flop"):
            object.__setattr__(self, name, non_negative(name, getattr(self, name)))

    def seconds(self, cost: GridCost) -> float:
        """Return the time of ``cost`` when the three resources are used one after another."""
        return (
            self.word * cost.words
            + self.random_number * cost.random_numbers
            + self.flop * cost.flops
        )


@checked
def grid_cost(shape: Shape, grid: Grid) -> GridCost:
    """Return the words, random numbers and flops per processor on ``grid``.

    All-gather of A over p3, (1 - 1/p3) n1 n2/(p1 p2) = (p3 - 1) n1 n2/P, and reduce-scatter of B
    over p2, (1 - 1/p2) n1 r/(p1 p3) = (p2 - 1) n1 r/P, each bandwidth-optimal.

    Raises ``ValueError`` when the grid exceeds a dimension.
    """
    grid.check(shape)
    words, numbers = _exact_cost(shape, grid)
    return GridCost(grid, words / grid.ranks, numbers / grid.ranks, 2 * shape.products / grid.ranks)


def _exact_cost(shape: Shape, grid: Grid) -> tuple[int, int]:
    """P times the words and P times the random numbers of a grid, as integers.

    Ties between grids are ties of these: quotients, rounded, may differ where the costs do not.
    """
    words = shape.n1 * ((grid.p3 - 1) * shape.n2 + (grid.p2 - 1) * shape.r)
    return words, shape.n2 * shape.r * grid.p1


@checked
def grids(shape: Shape, ranks: int) -> tuple[Grid, ...]:
    """Return every grid p1 p2 p3 = ``ranks`` that fits the shape.

    Raises
    ------
    ValueError
        When there is none.
    """
    shape, ranks = instance("shape", shape, Shape), integer("ranks", ranks, 1, 10**12)
    divisors = [d for d in range(1, math.isqrt(ranks) + 1) if ranks % d == 0]
    divisors = sorted({*divisors, *(ranks // d for d in divisors)})
    found = tuple(
        grid
        for p1 in divisors
        for p2 in divisors
        if ranks % (p1 * p2) == 0 and (grid := Grid(p1, p2, ranks // (p1 * p2))).fits(shape)
    )
    if not found:
        raise ValueError(f"ranks = {ranks}: no grid of so many processors fits {shape}")
    return found


@checked
def optimal_grid(shape: Shape, ranks: int, *, divides: bool = False) -> GridCost:
    """Return the grid of fewest words; ties go to the one that generates fewer random numbers.

    ``divides`` admits only grids whose blocks have one size, as compiled programs need.

    Raises
    ------
    ValueError
        When no grid fits, or divides, the shape.
    """
    candidates = [g for g in grids(shape, ranks) if not divides or g.divides(shape)]
    if not candidates:
        raise ValueError(f"ranks = {ranks}: no grid of so many processors divides {shape}")
    return grid_cost(shape, min(candidates, key=lambda grid: _exact_cost(shape, grid)))


@checked
def fastest_grid(shape: Shape, ranks: int, rates: Rates) -> GridCost:
    """Return the grid of least β words + ρ random numbers + γ flops. Source: ours."""
    return min(
        (grid_cost(shape, grid) for grid in grids(shape, ranks)),
        key=lambda cost: (rates.seconds(cost), *_exact_cost(shape, cost.grid)),
    )


@checked
def pareto_front(shape: Shape, ranks: int) -> tuple[GridCost, ...]:
    """Return the grids that none beats in both words and random numbers, by increasing words."""
    front: list[Grid] = []
    for grid in sorted(grids(shape, ranks), key=lambda grid: _exact_cost(shape, grid)):
        # random numbers n2 r/(p2 p3) = n2 r p1/P: fewer rows cut, fewer numbers
        if not front or grid.p1 < front[-1].p1:
            front.append(grid)
    return tuple(grid_cost(shape, grid) for grid in front)


@checked
def regeneration_limit(shape: Shape, rates: Rates, ranks: list[int]) -> int | None:
    """Return the least of ``ranks`` at which another grid than (P, 1, 1) is fastest, or None.

    Raises
    ------
    ValueError
        When ``ranks`` is not a list of positive integers.
    """
    for count in sorted(integers("ranks", ranks)):
        if fastest_grid(shape, count, rates).grid.p1 != count:
            return count
    return None
