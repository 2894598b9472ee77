"""Seconds per step of nano models, per row of an exact fit, per entry of a ledger; with bounds."""

import hashlib

import numpy as np
import pytest

from quire.world_model.determinism import state_hash
from quire.world_model.kernel.ledger import GrowingTree
from quire.world_model.learning.statistics import solve, statistics
from quire.world_model.nano.population import random_population

MODELS, STEPS = 10_000, 64
ROWS = 30_000
ENTRIES = 2000


@pytest.fixture(scope="module")
def population():
    made = random_population(MODELS, 4)
    made.run(1)  # compile
    return made


@pytest.mark.benchmark(group="a step of a nano model among ten thousand")
def test_stepped(benchmark, population):
    benchmark.extra_info["items"] = MODELS * STEPS
    benchmark(lambda: population.run(STEPS))


@pytest.mark.benchmark(group="a step of a nano model among ten thousand")
def test_stepped_and_hashed(benchmark, population):
    benchmark.extra_info["items"] = MODELS * STEPS
    benchmark(lambda: state_hash(population.run(STEPS)))


@pytest.mark.benchmark(group="a step of a nano model among ten thousand")
def test_state_copied_once_a_step(benchmark, population):
    state = population.run(1)
    kept = np.empty_like(state)

    def copy():
        for _ in range(STEPS):
            np.copyto(kept, state)

    benchmark.extra_info.update(items=MODELS * STEPS, bound=True)
    benchmark(copy)


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(5)
    x = random.normal(size=(ROWS, 9))
    return x, x @ random.normal(size=9) + 0.1 * random.normal(size=ROWS)


@pytest.mark.benchmark(group="a fit of nine features to thirty thousand rows")
def test_exact_sums_that_can_be_taken_back(benchmark, table):
    fitted = benchmark(lambda: solve(statistics(*table)))
    assert np.allclose(fitted, np.linalg.lstsq(*table, rcond=None)[0], atol=1e-6)


@pytest.mark.benchmark(group="a fit of nine features to thirty thousand rows")
def test_numpy_least_squares(benchmark, table):
    benchmark(lambda: np.linalg.lstsq(*table, rcond=None))


@pytest.mark.benchmark(group="a fit of nine features to thirty thousand rows")
def test_its_products_alone(benchmark, table):
    both = np.column_stack(table)
    benchmark.extra_info["bound"] = True
    benchmark(lambda: both.T @ both)


@pytest.fixture(scope="module")
def entries():
    random = np.random.default_rng(6)
    return [random.bytes(120) for _ in range(ENTRIES)]


@pytest.mark.benchmark(group="an entry of a ledger, with the root after it")
def test_growing_tree(benchmark, entries):
    def grow():
        tree = GrowingTree()
        for entry in entries:
            tree.append(entry)
            tree.root()

    benchmark.extra_info["items"] = ENTRIES
    benchmark(grow)


@pytest.mark.benchmark(group="an entry of a ledger, with the root after it")
def test_its_two_hashes_alone(benchmark, entries):
    def hashes():
        for entry in entries:
            hashlib.sha256(entry).digest()
            hashlib.sha256(entry[:65]).digest()

    benchmark.extra_info.update(items=ENTRIES, bound=True)
    benchmark(hashes)
