"""Real messages beside the compiled program: two implementations that share no line of code."""

from dataclasses import dataclass

from quire.sketching.messages import MessageCase
from quire.sketching.peers.mpi4py import count_messages
from quire.sketching.problem import Grid, Shape
from quire.sketching.programs.algorithms import grid_sketch, input_spec, nystrom_products
from quire.sketching.programs.certificates import certify


@dataclass(frozen=True)
class Traffic:
    """Words of one algorithm on one grid, counted in messages and read from a program."""

    algorithm: str
    grid: str
    sent: float  # words that the busiest MPI process sent
    received: float
    compiled: float  # words read from the compiled program
    error: float  # of the MPI result against the dense product, largest entry

    @property
    def disagreement(self) -> float:
        """Largest relative difference between the three counts of words."""
        counts = (self.sent, self.received, self.compiled)
        return (max(counts) - min(counts)) / max(*counts, 1.0)


def message_cases(ranks: int, seed: int) -> tuple[MessageCase, ...]:
    """Return both Nystrom algorithms and the sketch on every kind of grid of so many ranks.

    Among them a grid that cuts contraction and columns at once, p2 and p3 above 1.
    """
    half = ranks // 2
    grids = {(ranks, 1, 1), (1, ranks, 1), (1, 1, ranks), (2, half, 1), (1, 2, half)}
    grids |= {(2, 2, ranks // 4)} if ranks >= 8 else set()
    sides = sorted(g for g in grids if g[0] * g[1] * g[2] == ranks)
    cases = [MessageCase("sketch", 16, 256, 128, *grid, seed=seed) for grid in reversed(sides)]
    cases += [MessageCase("noredist", 256, 256, 32, ranks, seed=seed)]
    cases += [MessageCase("redist", 256, 256, 32, ranks, seed=seed)]
    return tuple(cases)


def counted_and_compiled(ranks: int, seed: int) -> tuple[Traffic, ...]:
    """Run the cases under MPI, compile the same ones for as many host devices, and compare."""
    rows = []
    for counted in count_messages(message_cases(ranks, seed)):
        case = counted.case
        grid, shape = Grid(case.p1, case.p2, case.p3), Shape(case.n1, case.n2, case.r)
        program = (
            grid_sketch(shape, grid, seed)
            if case.algorithm == "sketch"
            else nystrom_products(case.n1, case.r, ranks, case.algorithm, seed)
        )
        compiled = certify(program, input_spec(shape, grid)).words
        rows.append(
            Traffic(
                case.algorithm, str(grid), counted.words_sent, max(counted.bytes_received) / 8,
                compiled, counted.error,
            )
        )  # fmt: skip
    return tuple(rows)
