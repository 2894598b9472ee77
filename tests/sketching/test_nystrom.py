import jax.numpy as jnp
import numpy as np
import pytest

from quire.sketching import (
    best_nystrom_bound,
    block,
    eigenvalues,
    from_products,
    matrix_of,
    nystrom,
    nystrom_bound,
    range_error,
    range_finder_bound,
    sketch,
    truncation_error,
)

N, R = 96, 24


@pytest.mark.parametrize("spectrum", ["exp8", "poly1", "poly2", "flat-noise"])
def test_mean_errors_stay_below_the_expectation_bounds(spectrum):
    values = eigenvalues(spectrum, N)
    a = matrix_of(values, 3)
    nuclear, frobenius = [], []
    for seed in range(20):
        approximation = nystrom(a, R, seed)
        rest = np.linalg.eigvalsh(np.asarray(a - approximation.matrix()))
        assert rest.min() > -1e-8  # A - A_nys is positive semidefinite
        nuclear.append(np.abs(rest).sum())
        frobenius.append(range_error(a, sketch(a, R, seed)))
    assert np.mean(nuclear) <= best_nystrom_bound(values, R)
    assert np.mean(frobenius) <= range_finder_bound(values, R, R - 4)
    assert min(frobenius) >= truncation_error(values, R) * (1 - 1e-9)


def test_a_matrix_of_low_rank_is_recovered():
    values = np.where(np.arange(N) < 8, 2.0, 0.0)
    a = matrix_of(values, 1)
    got = nystrom(a, R, 0)
    np.testing.assert_allclose(got.matrix(), a, atol=1e-6)
    np.testing.assert_allclose(got.eigenvalues[:8], 2.0, atol=1e-6)
    np.testing.assert_allclose(got.vectors.T @ got.vectors, np.eye(R), atol=1e-10)


def test_a_zero_core_and_a_scaled_matrix_are_survived():
    a = matrix_of(eigenvalues("exp8", N), 1)
    small = nystrom(a * 1e-200, R, 0).matrix() * 1e200
    np.testing.assert_allclose(small, nystrom(a, R, 0).matrix(), atol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1.0, 1e200, 1e300])
def test_the_scale_of_a_matrix_does_not_matter(scale):
    a = matrix_of(eigenvalues("poly1", N), 1)
    got, plain = nystrom(a * scale, R, 0), nystrom(a, R, 0)
    np.testing.assert_allclose(got.eigenvalues / scale, plain.eigenvalues, rtol=1e-10)
    np.testing.assert_allclose(got.matrix() / scale, plain.matrix(), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_matrix_of_zeros_is_approximated_by_zeros(dtype):
    got = nystrom(jnp.zeros((N, N), dtype), R, 0)
    assert got.eigenvalues.dtype == dtype
    np.testing.assert_array_equal(got.eigenvalues, 0)
    np.testing.assert_array_equal(got.matrix(), 0)
    np.testing.assert_allclose(got.vectors.T @ got.vectors, np.eye(R), atol=1e-5)


def test_a_tiny_indefinite_matrix_is_still_refused():
    with pytest.raises(ValueError, match="a positive semidefinite matrix is allowed"):
        nystrom(-1e-300 * jnp.eye(N), R, 0)


def test_products_that_do_not_fit_each_other_are_refused():
    omega = block(5, N, R)
    with pytest.raises(Exception, match=r"omega = |n r"):
        from_products(omega, omega[:, :4])
    with pytest.raises(ValueError, match="non-finite"):
        from_products(omega.at[0, 0].set(jnp.inf), omega)


def test_bounds_promote_and_check_their_spectra():
    # squares of int8 and sums of uint8 overflow
    assert range_finder_bound(np.full(8, 100, np.int8), 4, 1) == pytest.approx(
        range_finder_bound(np.full(8, 100.0), 4, 1)
    )
    assert nystrom_bound(np.full(8, 200, np.uint8), 4, 1) == pytest.approx(1.5 * 7 * 200)
    for wrong in (np.array([1.0, np.nan]), np.array([1.0, -0.5]), np.array([]), np.array(["a"])):
        with pytest.raises(Exception, match=r"eigenvalues (=|has)|type"):
            nystrom_bound(wrong, 4, 1)
    with pytest.raises(ValueError, match="rank = -1"):
        truncation_error(np.ones(4), -1)


def test_exact_at_full_rank():
    a = matrix_of(eigenvalues("poly1", N), 2)
    np.testing.assert_allclose(nystrom(a, N, 0).matrix(), a, atol=1e-6)


def test_products_give_what_the_matrix_gives():
    a = matrix_of(eigenvalues("poly2", N), 2)
    omega = block(5, N, R)
    np.testing.assert_allclose(
        from_products(a @ omega, omega).matrix(), nystrom(a, R, 5).matrix(), atol=1e-10
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a.at[0, 1].add(1.0), "a symmetric matrix is allowed"),
        (lambda a: -a, "positive semidefinite"),
        (lambda a: a.at[2, 2].set(jnp.nan), "non-finite"),
        (lambda a: a[:8, :8], "r = 24: at most n = 8"),
    ],
)
def test_bad_matrices_are_refused(spoil, message):
    with pytest.raises(ValueError, match=message):
        nystrom(spoil(matrix_of(eigenvalues("exp8", N), 3)), R, 0)


def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(Exception, match=r"square|n n"):  # the shape's own check comes first here
        nystrom(matrix_of(eigenvalues("exp8", N), 3)[:, :50], R, 0)


def test_bounds_need_oversampling():
    with pytest.raises(ValueError, match="is allowed with r = 4 columns"):
        nystrom_bound(np.ones(8), 4, 3)
    with pytest.raises(ValueError, match="is allowed with r = 4 columns"):
        range_finder_bound(np.ones(8), 4, 0)
