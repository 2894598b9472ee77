"""How tight the bound is: compiled programs beside it, on shapes of all three cases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product, zip_longest

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from quire.sketching.bounds.minimisation import minimise_free_operand
from quire.sketching.bounds.processor_grids import grids, optimal_grid
from quire.sketching.bounds.sketch_bounds import free_operand_bound
from quire.sketching.problem import Grid, Shape
from quire.sketching.programs.algorithms import (
    gathered_sketch,
    grid_sketch,
    input_spec,
    partitioned_sketch,
    sketch,
)
from quire.sketching.programs.certificates import Certificate, certify
from quire.sketching.programs.devices import mesh_of


@dataclass(frozen=True)
class CertifiedSketch:
    """A compiled sketch beside the lower bound."""

    n1: int
    n2: int
    r: int
    ranks: int
    case: int  # of the bound
    integral: bool  # the grid that attains the bound has whole sides
    grid: str  # the best whole-numbered grid whose blocks have one size
    words: float  # read from the compiled program
    bound: float
    ratio: float
    collectives: int


@dataclass(frozen=True)
class ClosedForm:
    """The bound by formula and by numerical minimisation, in words touched per processor."""

    shape: Shape
    ranks: int
    case: int
    formula: float
    minimum: float

    @property
    def error(self) -> float:
        """Relative difference."""
        return abs(self.minimum - self.formula) / self.formula


@dataclass(frozen=True)
class Program:
    """What one program for the same product sends."""

    program: str
    n1: int
    ranks: int
    words: float
    bound: float
    collectives: str


@dataclass(frozen=True)
class Layout:
    """The sketch on one grid against the sketch on one device."""

    ranks: int
    grid: str
    difference: float  # largest, over the largest entry


def closed_form(points: int, seed: int) -> tuple[ClosedForm, ...]:
    """Return formula and numerical minimum at random shapes and numbers of processors."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(points):
        n1, n2, r = (int(2**e) for e in rng.uniform(0, 12, 3))
        shape = Shape(n1, n2, r)
        ranks = int(2 ** rng.uniform(0, min(20, np.log2(shape.products))))
        bound = free_operand_bound(shape, ranks)
        own = n1 * (n2 + r) / ranks
        rows.append(
            ClosedForm(
                shape, ranks, bound.case, bound.words + own,
                minimise_free_operand(shape, ranks) + own,
            )
        )  # fmt: skip
    return tuple(rows)


def survey(ranks: Sequence[int], count: int) -> tuple[tuple[Shape, int], ...]:
    """Return ``count`` configurations: all cases in turn, integral and not, larger P first.

    Integral ones are built backwards from a grid: case 3 wants n2 = s p2 and r = s p3 for some s.
    The others are powers of two whose attaining grid has sides that are not.
    """
    kinds = [list(kind(ranks)) for kind in (_third_case, _second_case, _not_integral, _first_case)]
    in_turn = (case for cases in zip_longest(*kinds) for case in cases if case is not None)
    return tuple(dict.fromkeys(in_turn))[:count]


def _factors(ranks: Sequence[int]) -> Iterator[tuple[int, Grid]]:
    for p in sorted(ranks, reverse=True):
        for grid in grids(Shape(p, p, p), p):
            yield p, grid


def _third_case(ranks: Sequence[int]) -> Iterator[tuple[Shape, int]]:
    for p, grid in _factors(ranks):
        if min(grid.p2, grid.p3) > 1:
            for k in (2, 4, 8):
                side = grid.p2 * grid.p3 * k
                yield Shape(grid.p1, side * grid.p2, side * grid.p3), p


def _second_case(ranks: Sequence[int]) -> Iterator[tuple[Shape, int]]:
    for p, grid in _factors(ranks):
        cut = max(grid.p2, grid.p3)
        if min(grid.p2, grid.p3) == 1 < cut:
            for low, factor in ((16, 2), (8, 4)):
                long, short = low * cut * cut * factor, low * cut
                sides = (long, short) if grid.p2 > 1 else (short, long)
                yield Shape(grid.p1, *sides), p


def _first_case(ranks: Sequence[int]) -> Iterator[tuple[Shape, int]]:
    for p in sorted(ranks, reverse=True):
        for rows, sides in product((p, 8 * p), ((256, 64), (64, 256))):
            yield Shape(rows, *sides), p


def _not_integral(ranks: Sequence[int]) -> Iterator[tuple[Shape, int]]:
    sides = ((64, 64), (256, 64), (64, 256), (128, 64), (512, 128), (128, 512))
    for p, n1, (n2, r) in product(sorted(ranks, reverse=True), (1, 2, 4, 8), sides):
        shape = Shape(n1, n2, r)
        if not free_operand_bound(shape, p).integral and any(
            grid.divides(shape) for grid in grids(shape, p)
        ):
            yield shape, p


def certified_sketches(
    cases: Sequence[tuple[Shape, int]], seed: int
) -> tuple[CertifiedSketch, ...]:
    """Compile the best grid of every configuration and read what its program sends."""
    rows = []
    for shape, ranks in cases:
        bound = free_operand_bound(shape, ranks)
        grid = optimal_grid(shape, ranks, divides=True).grid
        program = grid_sketch(shape, grid, seed)
        read = certify(program, input_spec(shape, grid), bound=bound.words)
        rows.append(
            CertifiedSketch(
                shape.n1, shape.n2, shape.r, ranks, bound.case, bound.integral, str(grid),
                read.words, bound.words, read.ratio, len(read.collectives),
            )
        )  # fmt: skip
    return tuple(rows)


def silent_programs(ranks: Sequence[int], seed: int) -> tuple[Program, ...]:
    """Compile ``A @ block(...)`` for A by rows, P <= n1, and read what XLA makes it send.

    Nothing tells XLA to generate Ω everywhere: it might share the work and send the numbers.
    """
    rows = []
    for p in ranks:
        for n1 in (p, 8 * p):
            shape = Shape(n1, 256, 64)
            read = certify(partitioned_sketch(shape, p, seed), input_spec(shape, Grid(p, 1, 1)))
            rows.append(_program("XLA's partition", n1, p, 0.0, read))
    return tuple(rows)


def first_messages(ranks: Sequence[int], seed: int) -> tuple[Program, ...]:
    """Compile products with one row too few, P = n1 + 1, ours and XLA's by every sharding of A.

    n1 = 1 on two ranks, where blocks have one size: A by columns; B by columns, or whole on both.
    """
    shape = Shape(1, 256, 64)
    bound = free_operand_bound(shape, 2).words
    rows = []
    if max(ranks) >= 2:
        mesh = mesh_of(Grid(1, 2, 1))
        best = optimal_grid(shape, 2, divides=True).grid
        ours = certify(grid_sketch(shape, best, seed), input_spec(shape, best))
        rows.append(_program(f"ours on {best}", 1, 2, bound, ours))
        by_columns = NamedSharding(mesh, PartitionSpec(None, "j"))
        for name, out in (("by columns", PartitionSpec(None, "j")), ("whole", PartitionSpec())):
            product_of = jax.jit(
                lambda a: sketch_of_block(a, shape, seed),
                in_shardings=by_columns,
                out_shardings=NamedSharding(mesh, out),
            )
            read = certify(product_of, jax.ShapeDtypeStruct((1, 256), jnp.float64))
            rows.append(_program(f"XLA's partition, B {name}", 1, 2, bound, read))
    return tuple(rows)


def sketch_of_block(a: jax.Array, shape: Shape, seed: int) -> jax.Array:
    """Return the plain product of A and a generated block, for a compiler to partition."""
    from quire.sketching.random_matrix.blocks import block

    return a @ block(seed, shape.n2, shape.r, dtype=a.dtype)


def past_the_rows(rows: Sequence[int]) -> tuple[tuple[int, float], ...]:
    """Return n1, and what the best whole-numbered grid of P = n1 + 1 sends over the bound."""
    found = []
    for n1 in rows:
        shape = Shape(n1, 256, 64)
        words = optimal_grid(shape, n1 + 1).words
        found.append((n1, words / free_operand_bound(shape, n1 + 1).words))
    return tuple(found)


def rival_programs(ranks: int, seed: int) -> tuple[Program, ...]:
    """Compile one product in four ways: (n1, n2, r) = (P, 256, 64) and (P/2, 256, 64) on P ranks.

    With too few rows for a processor each, the gathering variant and XLA's row partition do not
    exist. Where Ω is stored, it lies spread evenly in the grid's blocks, B is asked for as ours
    has it, and XLA chooses what to send.
    """
    rows = []
    for n1 in (ranks, max(1, ranks // 2)):
        shape = Shape(n1, 256, 64)
        bound = free_operand_bound(shape, ranks).words
        grid = optimal_grid(shape, ranks, divides=True).grid
        spec = input_spec(shape, grid)
        mesh = spec.sharding.mesh
        programs = {"ours": certify(grid_sketch(shape, grid, seed), spec)}
        if n1 == ranks:
            programs["Ω left to XLA"] = certify(partitioned_sketch(shape, ranks, seed), spec)
            programs["Ω gathered"] = certify(gathered_sketch(shape, ranks, seed), spec)
        stored = jax.ShapeDtypeStruct(
            (shape.n2, shape.r),
            jnp.float64,
            sharding=NamedSharding(mesh, PartitionSpec("j", ("k", "i"))),
        )
        whole = jax.jit(
            jnp.matmul, out_shardings=NamedSharding(mesh, PartitionSpec("i", ("k", "j")))
        )
        programs["Ω stored, XLA's partition"] = certify(whole, spec, stored)
        rows += [_program(name, n1, ranks, bound, read) for name, read in programs.items()]
    return tuple(rows)


def _program(name: str, n1: int, ranks: int, bound: float, read: Certificate) -> Program:
    kinds = sorted({collective.kind for collective in read.collectives})
    return Program(name, n1, ranks, read.words, bound, ", ".join(kinds) or "none")


def _spread(items: list[Grid], count: int) -> list[Grid]:
    """Return at most ``count`` items, first and last among them."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[round(place)] for place in places]


def layouts(ranks: Sequence[int], seed: int) -> tuple[Layout, ...]:
    """Run one sketch of 64 x 512 to r = 64 on up to three grids of every P, and in tiles."""
    shape = Shape(64, 512, 64)
    a = jax.random.normal(jax.random.key(seed), (shape.n1, shape.n2), jnp.float64)
    alone = np.asarray(sketch(a, shape.r, seed))

    def difference(b: jax.Array) -> float:
        return float(np.abs(np.asarray(b) - alone).max() / np.abs(alone).max())

    rows = [
        Layout(1, f"tiles of {tile} rows", difference(sketch(a, 64, seed, tile_entries=64 * tile)))
        for tile in (64, 128)
    ]
    for p in ranks:
        for grid in _spread([g for g in grids(shape, p) if g.divides(shape)], 3):
            placed = jax.device_put(a, input_spec(shape, grid).sharding)
            b = grid_sketch(shape, grid, seed)(placed)
            rows.append(Layout(p, str(grid), difference(b)))
    return tuple(rows)
