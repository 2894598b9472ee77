"""Choosing the processor grid: fewest words, or the least time of three resources."""

from dataclasses import dataclass

from quire.sketching.problem import Grid, Shape, positive_integer


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

    def seconds(self, cost: GridCost) -> float:
        """Time of ``cost`` when the three resources are used one after another."""
        return (
            self.word * cost.words
            + self.random_number * cost.random_numbers
            + self.flop * cost.flops
        )


def grid_cost(shape: Shape, grid: Grid) -> GridCost:
    """Words, random numbers and flops per processor on ``grid``.

    All-gather of A over p3, (1 - 1/p3) n1 n2/(p1 p2), and reduce-scatter of B over p2,
    (1 - 1/p2) n1 r/(p1 p3), each bandwidth-optimal. Raises ``ValueError`` when the grid exceeds a
    dimension.
    """
    grid.check(shape)
    gather = (1 - 1 / grid.p3) * shape.n1 * shape.n2 / (grid.p1 * grid.p2)
    scatter = (1 - 1 / grid.p2) * shape.n1 * shape.r / (grid.p1 * grid.p3)
    return GridCost(
        grid,
        gather + scatter,
        shape.n2 * shape.r / (grid.p2 * grid.p3),
        2 * shape.products / grid.ranks,
    )


def grids(shape: Shape, ranks: int) -> tuple[Grid, ...]:
    """Every grid p1 p2 p3 = ``ranks`` that fits the shape; ``ValueError`` when there is none."""
    positive_integer("ranks", ranks)
    divisors = [d for d in range(1, int(ranks**0.5) + 1) if ranks % d == 0]
    divisors = sorted({*divisors, *(ranks // d for d in divisors)})
    found = tuple(
        grid
        for p1 in divisors
        for p2 in divisors
        if ranks % (p1 * p2) == 0 and (grid := Grid(p1, p2, ranks // (p1 * p2))).fits(shape)
    )
    if not found:
        raise ValueError(f"no grid of ranks={ranks} fits {shape}; use another number of processors")
    return found


def optimal_grid(shape: Shape, ranks: int) -> GridCost:
    """The grid of fewest words; ties go to the one that generates fewer random numbers."""
    return min(
        (grid_cost(shape, grid) for grid in grids(shape, ranks)),
        key=lambda cost: (cost.words, cost.random_numbers),
    )


def fastest_grid(shape: Shape, ranks: int, rates: Rates) -> GridCost:
    """The grid of least β words + ρ random numbers + γ flops. Source: ours."""
    return min(
        (grid_cost(shape, grid) for grid in grids(shape, ranks)),
        key=lambda cost: (rates.seconds(cost), cost.words),
    )


def pareto_front(shape: Shape, ranks: int) -> tuple[GridCost, ...]:
    """Grids that no other beats in both words and random numbers, by increasing words."""
    front: list[GridCost] = []
    costs = (grid_cost(shape, grid) for grid in grids(shape, ranks))
    for cost in sorted(costs, key=lambda cost: (cost.words, cost.random_numbers)):
        if not front or cost.random_numbers < front[-1].random_numbers:
            front.append(cost)
    return tuple(front)


def gather_hybrid(shape: Shape, ranks: int, rates: Rates) -> tuple[int, float]:
    """Best group size g, and its seconds, for generating 1/g of Ω and all-gathering the rest.

    On the row grid (P, 1, 1) each processor of a group of g generates n2 r/g entries and receives
    the other (1 - 1/g) n2 r: g = 1 is full regeneration, g = P the gathered variant. The cost is
    linear in 1/g, so that the best g is 1 when ρ <= β and P otherwise. Source: ours.
    """
    shape.check_ranks(ranks)
    numbers = shape.n2 * shape.r

    def seconds(group: int) -> float:
        return (
            rates.random_number * numbers / group
            + rates.word * (1 - 1 / group) * numbers
            + rates.flop * 2 * shape.products / ranks
        )

    return min(
        ((g, seconds(g)) for g in range(1, ranks + 1) if ranks % g == 0), key=lambda pair: pair[1]
    )
