"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from quire.sketching import (
    Grid,
    Rates,
    Shape,
    best_nystrom_bound,
    block,
    from_products,
    grids,
    key_of,
    matrix_of,
    mesh_of,
    minimise_nystrom_decoupled,
    normal_from_bits,
    nystrom,
    nystrom_bound,
    nystrom_decoupled_bound,
    range_error,
    range_finder_bound,
    regeneration_limit,
    sketch,
    threefry2x32,
    truncation_error,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

SPECTRUM = np.array([4.0, 2.0, 1.0, 0.5, 0.25])
A = np.arange(12.0).reshape(4, 3) % 5
KEY = key_of(3)
WORDS = np.arange(3, dtype=np.uint32)


def test_a_seed_may_be_numpys() -> None:
    for seed in (np.int64(3), np.uint8(3)):
        assert np.array_equal(key_of(seed), KEY)


def test_small_integers_do_not_overflow() -> None:
    whole = block(3, 4, 5)
    assert np.array_equal(block(3, np.int8(4), np.uint8(5)), whole)
    small = np.int8(8), np.int8(3), np.int8(4)
    assert nystrom_decoupled_bound(*small) == nystrom_decoupled_bound(8, 3, 4)
    assert minimise_nystrom_decoupled(*small) == minimise_nystrom_decoupled(8, 3, 4)


def test_lists_hold_doubles() -> None:
    assert np.array_equal(sketch(A.tolist(), 2, 3), sketch(A, 2, 3))
    square = (A @ A.T).tolist()
    assert np.array_equal(nystrom(square, 2, 3).eigenvalues, nystrom(A @ A.T, 2, 3).eigenvalues)
    assert range_error(A.tolist(), A[:, :2].tolist()) == range_error(A, A[:, :2])


def test_many_columns_take_no_more_time_than_there_are_eigenvalues() -> None:
    assert best_nystrom_bound(SPECTRUM, 10**12) == 0


def test_the_words_of_the_generator_are_unsigned_and_of_32_bits() -> None:
    right = threefry2x32(KEY, WORDS, WORDS)
    assert all(part.dtype == np.uint32 for part in right)
    for kind in (np.int32, np.int64, np.uint64, float):
        for name, arguments in {
            "key": (KEY.astype(kind), WORDS, WORDS),
            "high": (KEY, WORDS.astype(kind), WORDS),
            "low": (KEY, WORDS, WORDS.astype(kind)),
        }.items():
            with pytest.raises(ValueError, match=f"^{name} = "):
                threefry2x32(*arguments)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: threefry2x32(KEY[:1], WORDS, WORDS), "key"),
        (lambda: threefry2x32(KEY, [1, 2], WORDS), "high"),
        (lambda: block(3, 4, 5, row_start=2.5), "row_start"),
        (lambda: block(3, 4, 5, column_start="1"), "column_start"),
        (lambda: block(3, 4, 5, column_start=True), "column_start"),
        (lambda: block(3, 4, 5, row_start=jnp.zeros(2, int)), "row_start"),
        (lambda: block(3, 4, 5, row_start=jnp.asarray(1.0)), "row_start"),
        (lambda: nystrom_bound(SPECTRUM, np.nan, 1), "columns"),
        (lambda: nystrom_bound(SPECTRUM, 4, True), "rank"),
        (lambda: range_finder_bound(SPECTRUM, np.inf, 1), "columns"),
        (lambda: range_finder_bound(SPECTRUM, 4, 1.0), "rank"),
        (lambda: truncation_error(SPECTRUM, 1.0), "rank"),
        (lambda: range_error(A * np.nan, A), "a"),
        (lambda: range_error(A[None], A), "a"),
        (lambda: range_error(A, A[1:]), "b"),
        (lambda: matrix_of(SPECTRUM, -1), "seed"),
        (lambda: matrix_of(SPECTRUM, 1.5), "seed"),
        (lambda: sketch(None, 2, 3), "A"),
        (lambda: sketch([[1j, 2]], 2, 3), "A"),
        (lambda: from_products(A, A * np.nan), "omega"),
        (lambda: normal_from_bits([1, 2]), "bits"),
        (lambda: mesh_of(None), "grid"),
        (lambda: grids(None, 4), "shape"),
        (lambda: regeneration_limit(Shape(8, 6, 4), Rates(1, 1, 1), None), "ranks"),
        (lambda: regeneration_limit(Shape(8, 6, 4), Rates(1, 1, 1), [1, np.inf]), "ranks"),
        (lambda: Grid(1, 2.0, 1), "p2"),
    ],
)
def test_another_kind_of_argument_is_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}( |:)"):
        call()
