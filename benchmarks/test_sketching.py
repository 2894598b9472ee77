"""The sketch beside its peers: same shapes, dtype and session.

``pytest benchmarks/test_sketching.py --benchmark-group-by=group`` prints one table per group.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quire.sketching import block, sketch

SIZES = (4096, 4096, 256)
TYPES = [np.float32, np.float64]


def matrix(dtype) -> np.ndarray:
    n1, n2, _ = SIZES
    return np.random.default_rng(0).standard_normal((n1, n2)).astype(dtype)


@pytest.fixture(params=TYPES, ids=["float32", "float64"])
def a(request, benchmark) -> np.ndarray:
    benchmark.group = f"sketch {SIZES} {np.dtype(request.param).name}"
    return matrix(request.param)


def test_sketch(benchmark, a):
    on_device = jnp.asarray(a)
    benchmark(lambda: sketch(on_device, SIZES[2], 1).block_until_ready())


@pytest.mark.parametrize("distribution", ["rademacher", "uniform"])
def test_sketch_with_cheaper_entries(benchmark, a, distribution):
    on_device = jnp.asarray(a)
    benchmark(lambda: sketch(on_device, SIZES[2], 1, distribution=distribution).block_until_ready())


def test_sketch_in_tiles(benchmark, a):
    on_device = jnp.asarray(a)
    benchmark(
        lambda: sketch(on_device, SIZES[2], 1, tile_entries=512 * SIZES[2]).block_until_ready()
    )


def test_numpy_product_with_ready_random_matrix(benchmark, a):
    omega = np.asarray(block(1, SIZES[1], SIZES[2], dtype=a.dtype))
    benchmark(lambda: a @ omega)


def test_jax_product_with_ready_random_matrix(benchmark, a):
    omega, on_device = block(1, SIZES[1], SIZES[2], dtype=a.dtype), jnp.asarray(a)
    product = jax.jit(jnp.matmul)
    benchmark.extra_info["bound"] = True  # a sketch makes its matrix as well
    benchmark(lambda: product(on_device, omega).block_until_ready())


def test_scikit_learn_gaussian_random_projection(benchmark, a):
    projection = pytest.importorskip("sklearn.random_projection")
    peer = projection.GaussianRandomProjection(n_components=SIZES[2], random_state=1)
    benchmark(lambda: peer.fit_transform(a))


def test_dask_svd_compressed_sketch(benchmark, a):
    array = pytest.importorskip("dask.array")
    linalg = pytest.importorskip("dask.array.linalg")
    blocks = array.from_array(a, chunks=(2048, SIZES[1]))
    # the range finder of svd_compressed without power iterations: sketch, then QR and projection
    benchmark(
        lambda: linalg.compression_matrix(
            blocks, q=SIZES[2] - 10, n_oversamples=10, n_power_iter=0, seed=1
        ).compute()
    )


def test_dask_ready_product(benchmark, a):
    """The multiplication inside svd_compressed alone, its random matrix included."""
    array = pytest.importorskip("dask.array")
    blocks = array.from_array(a, chunks=(2048, SIZES[1]))

    def multiply():
        omega = array.random.default_rng(1).standard_normal(
            (SIZES[1], SIZES[2]), chunks=(SIZES[1], SIZES[2])
        )
        return blocks.dot(omega.astype(a.dtype)).compute()

    benchmark(multiply)


@pytest.mark.parametrize("dtype", TYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("distribution", ["gaussian", "rademacher", "uniform"])
def test_numbers(benchmark, dtype, distribution):
    benchmark.group = f"random numbers {SIZES[1:]} {np.dtype(dtype).name}"
    benchmark(
        lambda: block(
            1, SIZES[1], SIZES[2], dtype=dtype, distribution=distribution
        ).block_until_ready()
    )


@pytest.mark.parametrize("dtype", TYPES, ids=["float32", "float64"])
def test_numbers_of_numpy_philox(benchmark, dtype):
    benchmark.group = f"random numbers {SIZES[1:]} {np.dtype(dtype).name}"
    peer = np.random.Generator(np.random.Philox(1))
    benchmark(lambda: peer.standard_normal(SIZES[1:], dtype=dtype))


@pytest.mark.parametrize("dtype", TYPES, ids=["float32", "float64"])
def test_numbers_of_jax_random(benchmark, dtype):
    benchmark.group = f"random numbers {SIZES[1:]} {np.dtype(dtype).name}"
    normal = jax.jit(lambda key: jax.random.normal(key, SIZES[1:], dtype))
    key = jax.random.key(1)
    benchmark(lambda: normal(key).block_until_ready())
