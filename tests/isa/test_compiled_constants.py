"""Addresses that are known before anything runs, and the slices that they become."""

import jax.numpy as jnp
import numpy as np
import pytest

from quire.isa.engines.compiled.constants import arrangement, run_start, take_rows

TABLE = jnp.arange(256 * 3, dtype=jnp.uint32).reshape(256, 3)


@pytest.mark.parametrize(
    "rows",
    [
        np.arange(5, 69),
        np.repeat(np.arange(3, 67, 8), 8),  # a column of a tile, for each of eight lanes
        np.tile(np.arange(16, 24), 8),  # a row of a tile, again and again
        np.arange(2, 200, 7),
        np.array([9, 9, 9, 9]),
        np.array([4, 1, 200, 1]),
        np.array([17]),
    ],
    ids=["run", "repeated", "tiled", "strided", "one", "any", "single"],
)
def test_rows_are_those_that_were_asked_for(rows):
    assert np.array_equal(take_rows(TABLE, rows), np.asarray(TABLE)[rows])


def test_a_range_that_is_filled_once_is_found_in_any_order():
    words = np.random.default_rng(1).permutation(np.arange(40, 72))
    start, lane = arrangement(words)
    assert start == 40 and np.array_equal(words[lane], np.arange(40, 72))
    assert arrangement(np.array([1, 2, 2])) is None and arrangement(np.array([1, 3])) is None
    assert run_start(np.array([7, 8, 9])) == 7 and run_start(np.array([7, 9, 8])) is None
