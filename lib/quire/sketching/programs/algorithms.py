"""Sketching and Nystrom products on a processor grid, with Ω generated where it is used.

Ω is the same matrix on every grid. Sums over it are taken in the order that the grid and the tiles
give, so that B agrees to rounding, |ΔB| <= 2 n2 eps |A| |Ω|, and not to the last bit.

Each builder returns a jitted function of a global array that is sharded over the mesh's axes i
(rows of A), j (contraction) and k (columns of Ω); compile it to see its messages, call it to run
it.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, DTypeLike, Float, UInt32

from quire.checks import integer, real_array
from quire.signatures import checked
from quire.sketching.problem import Grid, Shape, check_nystrom
from quire.sketching.programs.devices import mesh_of
from quire.sketching.random_matrix.blocks import Distribution, block_of_key, key_of

Sketch = Callable[[Float[Array, "n1 n2"]], Float[Array, "n1 r"]]
TILE_ENTRIES = 2**21  # of Ω at a time: 16 MiB of doubles


@checked
def sketch(
    a: Float[Array, "n1 n2"],
    r: int,
    seed: int,
    *,
    distribution: Distribution = "gaussian",
    tile_entries: int = TILE_ENTRIES,
) -> Float[Array, "n1 r"]:
    """Return A Ω, computed on one device.

    Ω is generated ``tile_entries`` at a time; another number sums in another order, which changes
    the result by rounding.

    Raises
    ------
    ValueError
        When A is not a matrix of floats, is empty or has a non-finite entry, or r < 1.
    """
    a = as_matrix("A", a)
    r = integer("r", r)
    tile_entries = integer("tile_entries", tile_entries)
    b, finite = _sketch(a, key_of(seed), r, distribution, tile_entries)
    # one non-finite entry of A spoils its whole row of B, which is far smaller than A
    if not finite and not jnp.isfinite(a).all():
        raise ValueError("A has non-finite entries: finite numbers are allowed")
    return b


def as_matrix(name: str, a: Any) -> Array:
    """Return ``a`` if it is a float32 or float64 matrix that is not empty; lists hold doubles.

    Raises
    ------
    ValueError
        For anything else.
    """
    if isinstance(a, list | tuple):
        a = real_array(name, a, 2)
    elif not isinstance(a, jax.Array | np.ndarray):
        raise ValueError(f"{name} = {a!r}: a non-empty float32 or float64 matrix is allowed")
    if a.ndim != 2 or a.size == 0 or a.dtype not in (jnp.float32, jnp.float64):
        raise ValueError(
            f"{name} = {a.dtype} of shape {tuple(a.shape)}: a non-empty float32 or float64 matrix "
            "is allowed"
        )
    return cast(Array, a)


@partial(jax.jit, static_argnames=("r", "distribution", "tile_entries"))
def _sketch(
    a: Float[Array, "n1 n2"],
    key: UInt32[Array, " 2"],
    r: int,
    distribution: Distribution,
    tile_entries: int,
) -> tuple[Float[Array, "n1 r"], Bool[Array, ""]]:
    b = multiply(a, r, key, 0, 0, 1, distribution, tile_entries)
    return b, jnp.isfinite(b).all()


def multiply(
    a: Float[Array, "n1 n2"],
    columns: int,
    key: UInt32[Array, " 2"] | UInt32[np.ndarray, " 2"],
    row_start: int | Array,
    column_start: int | Array,
    row_multiple: int,
    distribution: Distribution = "gaussian",
    tile_entries: int = TILE_ENTRIES,
) -> Float[Array, "n1 columns"]:
    """Return A times a block of Ω, generated in tiles.

    At most ``tile_entries`` of Ω exist at once. ``row_multiple`` divides ``row_start``. For use
    inside a traced function; nothing is checked.
    """
    generate = partial(block_of_key, distribution=distribution, dtype=a.dtype)
    rows = a.shape[1]
    tile = max(64, tile_entries // columns // 64 * 64)
    if rows <= tile:
        return a @ generate(
            key, rows, columns, row_start=row_start, column_start=column_start,
            row_multiple=row_multiple,
        )  # fmt: skip
    whole = rows // tile
    aligned = math.gcd(row_start if isinstance(row_start, int) else row_multiple, 64)

    def step(total: Array, index: Array) -> tuple[Array, None]:
        omega = generate(
            key, tile, columns, row_start=row_start + index * tile, column_start=column_start,
            row_multiple=aligned,
        )  # fmt: skip
        return total + lax.dynamic_slice_in_dim(a, index * tile, tile, 1) @ omega, None

    first = a[:, :tile] @ generate(
        key, tile, columns, row_start=row_start, column_start=column_start, row_multiple=aligned
    )
    total, _ = lax.scan(step, first, jnp.arange(1, whole))
    if rows % tile:
        omega = generate(
            key, rows % tile, columns, row_start=row_start + whole * tile,
            column_start=column_start, row_multiple=aligned,
        )  # fmt: skip
        total = total + a[:, whole * tile :] @ omega
    return total


def _divides(shape: Shape, grid: Grid) -> None:
    grid.check(shape)
    p1, p2, p3 = grid.p1, grid.p2, grid.p3
    for name, size, parts in (
        ("n1", shape.n1, p1), ("n2", shape.n2, p2 * p3), ("r", shape.r, p3 * p2)
    ):  # fmt: skip
        if size % parts:
            raise ValueError(f"{name} = {size}: a multiple of {parts} is allowed on grid {grid}")


@checked
def input_spec(
    shape: Shape, grid: Grid, dtype: DTypeLike = jnp.float64, mesh: Mesh | None = None
) -> jax.ShapeDtypeStruct:
    """Return the A that :func:`grid_sketch` takes: rows over i, columns over j and then k."""
    spec = PartitionSpec("i", ("j", "k"))
    sharding = NamedSharding(mesh if mesh is not None else mesh_of(grid), spec)
    return jax.ShapeDtypeStruct((shape.n1, shape.n2), dtype, sharding=sharding)


@checked
def grid_sketch(
    shape: Shape,
    grid: Grid,
    seed: int,
    *,
    distribution: Distribution = "gaussian",
    mesh: Mesh | None = None,
) -> Sketch:
    """Return the algorithm on ``grid``: gather A along k, generate, multiply, reduce along j.

    B returns with rows over i and columns over k and then j.

    Raises ``ValueError`` when the grid does not divide the shape. Raises ``RuntimeError`` when
    there are too few devices.
    """
    _divides(shape, grid)
    mesh = mesh if mesh is not None else mesh_of(grid)
    key, rows, columns = key_of(seed), shape.n2 // grid.p2, shape.r // grid.p3

    def local(a: Float[Array, "m1 m2"]) -> Float[Array, "m1 s"]:
        if grid.p3 > 1:
            a = lax.all_gather(a, "k", axis=1, tiled=True)
        row_start = lax.axis_index("j") * rows if grid.p2 > 1 else 0
        column_start = lax.axis_index("k") * columns if grid.p3 > 1 else 0
        c = multiply(a, columns, key, row_start, column_start, rows, distribution)
        if grid.p2 > 1:
            c = lax.psum_scatter(c, "j", scatter_dimension=1, tiled=True)
        return c

    return _mapped(local, mesh, PartitionSpec("i", ("j", "k")), PartitionSpec("i", ("k", "j")))


@checked
def gathered_sketch(
    shape: Shape,
    ranks: int,
    seed: int,
    *,
    distribution: Distribution = "gaussian",
    mesh: Mesh | None = None,
) -> Sketch:
    """Return the authors' gathering variant: generate 1/P of Ω's rows, all-gather, multiply.

    Raises
    ------
    ValueError
        When P does not divide n1 and n2.
    """
    grid = Grid(ranks, 1, 1)
    _divides(shape, grid)
    if shape.n2 % ranks:
        raise ValueError(f"n2 = {shape.n2}: a multiple of ranks = {ranks} is allowed")
    key, rows = key_of(seed), shape.n2 // ranks

    def local(a: Float[Array, "m1 n2"]) -> Float[Array, "m1 r"]:
        part = block_of_key(
            key, rows, shape.r, row_start=lax.axis_index("i") * rows, row_multiple=rows,
            distribution=distribution, dtype=a.dtype,
        )  # fmt: skip
        return a @ lax.all_gather(part, "i", axis=0, tiled=True)

    spec = PartitionSpec("i", ("j", "k"))
    return _mapped(local, mesh if mesh is not None else mesh_of(grid), spec, PartitionSpec("i"))


@checked
def partitioned_sketch(
    shape: Shape,
    ranks: int,
    seed: int,
    *,
    distribution: Distribution = "gaussian",
    mesh: Mesh | None = None,
) -> Sketch:
    """Return ``a @ block(...)`` for A by rows, its partition left to XLA.

    No axis, no collective, no share of Ω and no place of B is prescribed: XLA alone decides whether
    processors generate the same numbers or send them to each other. ``ranks`` must divide n1.
    """
    grid = Grid(ranks, 1, 1)
    _divides(shape, grid)
    key = key_of(seed)

    def whole(a: Float[Array, "n1 n2"]) -> Float[Array, "n1 r"]:
        return a @ block_of_key(key, shape.n2, shape.r, distribution=distribution, dtype=a.dtype)

    rows = NamedSharding(mesh if mesh is not None else mesh_of(grid), PartitionSpec("i"))
    return jax.jit(whole, in_shardings=rows)


@checked
def nystrom_products(
    n: int,
    r: int,
    ranks: int,
    algorithm: str,
    seed: int,
    *,
    distribution: Distribution = "gaussian",
    mesh: Mesh | None = None,
) -> Callable[[Float[Array, "n n"]], tuple[Float[Array, "n r"], Float[Array, "r r"]]]:
    """Return the program for Y = A Ω and Z = Ωᵀ Y on P ranks that each hold n/P rows of A.

    ``"noredist"`` returns Y by rows and reduce-scatters Z by rows; ``"redist"`` turns Y into
    columns by an all-to-all and returns both by columns.

    Raises
    ------
    ValueError
        When P does not divide n and r, or for another name.
    """
    n, r, ranks = check_nystrom(n, r, ranks)
    if algorithm not in ("noredist", "redist"):
        raise ValueError(f"algorithm = {algorithm!r}: 'noredist' or 'redist' is allowed")
    for name, size in (("n", n), ("r", r)):
        if size % ranks:
            raise ValueError(f"{name} = {size}: a multiple of ranks = {ranks} is allowed")
    key, rows = key_of(seed), n // ranks

    def local(a: Float[Array, "m n"]) -> tuple[Float[Array, "m1 r1"], Float[Array, "r2 r3"]]:
        omega = partial(block_of_key, key, distribution=distribution, dtype=a.dtype)
        y = multiply(a, r, key, 0, 0, n, distribution)
        if algorithm == "noredist":
            start = lax.axis_index("i") * rows
            z = omega(rows, r, row_start=start, row_multiple=rows).T @ y
            return y, lax.psum_scatter(z, "i", tiled=True) if ranks > 1 else z
        if ranks > 1:
            y = lax.all_to_all(y, "i", split_axis=1, concat_axis=0, tiled=True)
        return y, multiply(y.T, r, key, 0, 0, n, distribution).T

    out = PartitionSpec("i") if algorithm == "noredist" else PartitionSpec(None, "i")
    grid_mesh = mesh if mesh is not None else mesh_of(Grid(ranks, 1, 1))
    return _mapped(local, grid_mesh, PartitionSpec("i", ("j", "k")), (out, out))


def _mapped(local: Callable, mesh: Mesh, spec: PartitionSpec, out: object) -> Callable:
    # replication is not checked: results over axes of size 1 are trivially replicated
    mapped = jax.shard_map(local, mesh=mesh, in_specs=spec, out_specs=out, check_vma=False)
    return jax.jit(mapped, in_shardings=NamedSharding(mesh, spec))
