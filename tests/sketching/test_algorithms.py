import jax.numpy as jnp
import numpy as np
import pytest

from quire.sketching import (
    Grid,
    Shape,
    block,
    gathered_sketch,
    grid_sketch,
    key_of,
    nystrom_products,
    partitioned_sketch,
    sketch,
)
from quire.sketching.programs.algorithms import multiply

pytestmark = pytest.mark.usefixtures("eight_devices")
SEED = 20260321


def matrix(n1: int, n2: int, dtype=np.float64) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n1, n2)).astype(dtype)


@pytest.mark.parametrize(
    "sides", [(1, 1, 1), (2, 1, 1), (4, 1, 1), (8, 1, 1), (1, 8, 1), (1, 1, 8), (2, 2, 2)]
)
def test_b_is_the_same_on_every_grid(sides):
    a, shape = matrix(16, 64), Shape(16, 64, 64)
    exact = a @ np.asarray(block(SEED, 64, 64))
    b = grid_sketch(shape, Grid(*sides), SEED)(jnp.asarray(a))
    np.testing.assert_allclose(b, exact, atol=1e-12)


def test_the_gathered_variant_gives_the_same_b():
    a = matrix(16, 64)
    b = gathered_sketch(Shape(16, 64, 64), 8, SEED)(jnp.asarray(a))
    np.testing.assert_allclose(b, a @ np.asarray(block(SEED, 64, 64)), atol=1e-12)


@pytest.mark.parametrize("distribution", ["rademacher", "uniform01"])
def test_distributions_pass_through_a_grid(distribution):
    # n2/p2 = 18 rows per rank: blocks of signs do not start on a draw of 64
    a = matrix(2, 72)
    b = grid_sketch(Shape(2, 72, 8), Grid(2, 2, 2), SEED, distribution=distribution)(a)
    exact = a @ np.asarray(block(SEED, 72, 8, distribution=distribution))
    np.testing.assert_allclose(b, exact, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["noredist", "redist"])
def test_nystrom_products_equal_the_dense_ones(algorithm):
    a = matrix(64, 64)
    omega = np.asarray(block(SEED, 64, 16))
    y, z = nystrom_products(64, 16, 8, algorithm, SEED)(a)
    np.testing.assert_allclose(y, a @ omega, atol=1e-11)
    np.testing.assert_allclose(z, omega.T @ a @ omega, atol=1e-10)


@pytest.mark.parametrize("distribution", ["gaussian", "rademacher"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiles_do_not_change_the_product(dtype, distribution):
    a = matrix(8, 300, dtype)  # 300 = 2 tiles of 128 and a remainder
    exact = a @ np.asarray(block(SEED, 300, 8, dtype=dtype, distribution=distribution))
    b = sketch(jnp.asarray(a), 8, SEED, distribution=distribution, tile_entries=1024)
    assert b.dtype == dtype
    np.testing.assert_allclose(b, exact, atol=1e-3 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("tile_entries", [64, 1024, 4096, 2**21])
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher", "uniform", "uniform01"])
def test_tiles_do_not_change_the_random_matrix(distribution, tile_entries):
    # A = identity shows Ω itself, generated inside the product
    b = sketch(jnp.eye(300), 8, SEED, distribution=distribution, tile_entries=tile_entries)
    omega = np.asarray(block(SEED, 300, 8, distribution=distribution))
    if distribution == "gaussian":  # fused multiplications may round once less: two units at most
        np.testing.assert_array_less(np.abs(np.asarray(b) - omega), 2.01 * np.spacing(omega.max()))
    else:
        np.testing.assert_array_equal(b, omega)


@pytest.mark.parametrize("tile_entries", [64, 1024, 4096])
def test_another_tile_changes_a_sum_by_rounding_only(tile_entries):
    a = jnp.asarray(matrix(27, 1024))
    omega = np.abs(np.asarray(block(SEED, 1024, 16)))
    change = np.abs(sketch(a, 16, SEED, tile_entries=tile_entries) - sketch(a, 16, SEED))
    rounding = 2 * 1024 * np.finfo(float).eps * (np.abs(np.asarray(a)) @ omega)
    assert (np.asarray(change) <= rounding).all()


def test_xla_partitions_the_plain_product_to_the_same_b():
    a, shape = matrix(16, 64), Shape(16, 64, 64)
    b = partitioned_sketch(shape, 8, SEED)(jnp.asarray(a))
    np.testing.assert_allclose(b, a @ np.asarray(block(SEED, 64, 64)), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"r": 0}, "r = 0"),
        ({"tile_entries": 0}, "tile_entries = 0"),
        ({"r": 0, "tile_entries": 0}, "r = 0"),
        ({"a": jnp.ones((4, 4), jnp.int32)}, r"A = int32 of shape|i32"),
        ({"a": jnp.zeros((0, 4))}, "A = float64 of shape"),
    ],
)
def test_a_sketch_of_nothing_is_refused(arguments, message):
    with pytest.raises(Exception, match=message):  # the shape's own check may come first
        sketch(**({"a": jnp.ones((4, 4)), "r": 2, "seed": 0} | arguments))


def test_tiles_of_a_block_that_starts_off_a_draw():
    a = matrix(8, 300)
    exact = a @ np.asarray(block(SEED, 300, 8, row_start=7, distribution="rademacher"))
    b = multiply(jnp.asarray(a), 8, key_of(SEED), 7, 0, 1, "rademacher", 1024)
    np.testing.assert_allclose(b, exact, atol=1e-12)


def test_the_sketch_is_linear():
    a1, a2 = jnp.asarray(matrix(8, 300)), jnp.asarray(matrix(8, 300)[::-1].copy())
    whole = sketch(a1 + a2, 8, SEED)
    np.testing.assert_allclose(whole, sketch(a1, 8, SEED) + sketch(a2, 8, SEED), atol=1e-11)


@pytest.mark.parametrize("spoiler", [np.nan, np.inf, -np.inf])
def test_a_non_finite_entry_is_refused(spoiler):
    a = matrix(8, 300)
    a[3, 4] = spoiler
    with pytest.raises(ValueError, match="non-finite"):
        sketch(jnp.asarray(a), 8, SEED)


def test_a_sum_that_overflows_is_not_mistaken_for_a_bad_entry():
    a = jnp.full((8, 300), 1e308)
    assert sketch(a, 8, SEED).shape == (8, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grid_sketch(Shape(4, 4, 4), Grid(8, 1, 1), 0), "p1 = 8: at most n1 = 4"),
        (lambda: grid_sketch(Shape(9, 8, 8), Grid(2, 1, 1), 0), "n1 = 9: a multiple of 2"),
        (lambda: grid_sketch(Shape(8, 9, 8), Grid(1, 2, 1), 0), "n2 = 9: a multiple of 2"),
        (lambda: gathered_sketch(Shape(8, 9, 8), 8, 0), "n2 = 9: a multiple of ranks = 8"),
        (lambda: nystrom_products(8, 16, 2, "redist", 0), "r = 16: at most n = 8"),
        (lambda: nystrom_products(8, 3, 2, "redist", 0), "r = 3: a multiple of ranks = 2"),
        (lambda: nystrom_products(8, 4, 2, "other", 0), "algorithm = 'other'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_seed_that_is_not_a_key_is_refused():
    with pytest.raises(ValueError, match="seed = -1"):
        grid_sketch(Shape(8, 8, 8), Grid(1, 1, 1), -1)
    with pytest.raises(ValueError, match="seed = -1"):
        sketch(jnp.zeros((8, 8)), 4, -1)
