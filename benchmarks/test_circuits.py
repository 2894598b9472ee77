"""Seconds per system of equations, and per variant of a rectifier, beside other people's."""

import numpy as np
import pytest
from scipy import linalg

from quire.circuits import gauss_jordan_blocked, run_variants
from quire.circuits.batched.monte_carlo import draw_values
from quire.circuits.experiments.variants import RECTIFIER, SPREAD, VARIED, rectifier_batch
from quire.circuits.peers import neospice, ngspice

SIZES = (64, 512)
VARIANTS, FEW = 256, 16


@pytest.fixture(autouse=True)
def grouped(request):
    """Compare what solves systems of the same size."""
    if "unknowns" in request.fixturenames:
        size = request.node.callspec.params["unknowns"]
        request.getfixturevalue("benchmark").group = f"{size} equations, one right side"


def system(unknowns):
    random = np.random.default_rng(9)
    return random.normal(size=(unknowns, unknowns)), random.normal(size=unknowns)


@pytest.mark.parametrize("unknowns", SIZES)
def test_gauss_jordan_in_blocks(benchmark, unknowns):
    a, b = system(unknowns)
    assert np.allclose(a @ benchmark(lambda: gauss_jordan_blocked(a, b)).x, b)


@pytest.mark.parametrize("unknowns", SIZES)
def test_lapack_lu(benchmark, unknowns):
    a, b = system(unknowns)
    benchmark(lambda: linalg.solve(a, b))


@pytest.mark.parametrize("unknowns", SIZES)
def test_product_of_the_matrix_with_itself(benchmark, unknowns):
    a, _ = system(unknowns)
    benchmark.extra_info["bound"] = True
    benchmark(lambda: a @ a)


GROUP = "a variant of a rectifier, a thousand steps"


@pytest.fixture(scope="module")
def batch():
    return rectifier_batch()


@pytest.fixture(scope="module")
def values(batch):
    return draw_values(batch.varied, VARIANTS, SPREAD, 10)


@pytest.mark.benchmark(group=GROUP)
def test_batch_of_variants(benchmark, batch, values):
    run_variants(batch, values)  # compile
    benchmark.extra_info["items"] = VARIANTS
    benchmark(lambda: run_variants(batch, values))


@pytest.mark.benchmark(group=GROUP)
def test_ngspice_with_its_start(benchmark, values):
    if not ngspice.available():
        pytest.skip("needs ngspice")
    few = {name: row[:FEW] for name, row in values.items()}
    benchmark.extra_info["items"] = FEW
    benchmark(lambda: ngspice.time_variants(RECTIFIER, "tran 3u 3m 0 3u", few))


@pytest.mark.benchmark(group=GROUP)
def test_neospice(benchmark):
    pytest.importorskip("neospice")
    deck = neospice.parametrised(RECTIFIER, ".tran 3u 3m 0 3u", VARIED)
    benchmark.extra_info["items"] = FEW
    benchmark(lambda: neospice.time_monte_carlo(deck, VARIED, SPREAD, FEW, 10))
