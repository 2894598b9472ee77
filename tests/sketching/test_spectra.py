import numpy as np
import pytest

from quire.sketching import eigenvalues, matrix_of, nystrom, rbf_gram


@pytest.mark.parametrize("spectrum", ["exp8", "poly1", "poly2", "flat-noise"])
def test_the_matrix_has_the_spectrum_it_was_given(spectrum):
    values = eigenvalues(spectrum, 40)
    assert np.all(np.diff(values) <= 0)
    got = np.linalg.eigvalsh(np.asarray(matrix_of(values, 1)))[::-1]
    np.testing.assert_allclose(got, values, atol=1e-12)


def test_unknown_names_and_sizes_are_refused():
    with pytest.raises(ValueError, match="n = 0"):
        eigenvalues("exp8", 0)
    with pytest.raises(Exception, match="spectrum"):
        eigenvalues("exp9", 4)
    with pytest.raises(ValueError, match="points has non-finite"):
        rbf_gram(np.array([[1.0, np.nan]]))


def test_integers_are_promoted_before_arithmetic():
    # uint8: 0 - 2 and 20 * 20 would overflow
    points = np.array([[0, 0], [2, 0], [20, 200]], np.uint8)
    assert float(rbf_gram(points, gamma=1.0)[0, 1]) == pytest.approx(np.exp(-4), rel=1e-12)
    np.testing.assert_array_equal(rbf_gram(points), rbf_gram(points.astype(float)))


@pytest.mark.parametrize("value", [0.0, 7.0, 1e300])
def test_points_that_are_all_the_same_are_close(value):
    np.testing.assert_array_equal(rbf_gram(np.full((3, 2), value)), np.ones((3, 3)))


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_neither_shift_nor_scale_loses_the_default_kernel(scale, shift):
    points = np.arange(8.0).reshape(4, 2)
    got = rbf_gram((points + shift) * scale)
    np.testing.assert_allclose(got, rbf_gram(points), rtol=1e-9)


def test_a_kernel_without_width_or_points_is_refused():
    with pytest.raises(ValueError, match=r"gamma = -1"):
        rbf_gram(np.ones((2, 2)), gamma=-1.0)
    with pytest.raises(ValueError, match="gamma = nan"):
        rbf_gram(np.ones((2, 2)), gamma=float("nan"))
    with pytest.raises(ValueError, match="points = "):
        rbf_gram(np.ones((0, 2)))
    with pytest.raises(Exception, match=r"points|features"):
        rbf_gram(np.array([["a", "b"]]))


def test_the_digits_gram_is_a_kernel_and_compresses():
    datasets = pytest.importorskip("sklearn.datasets")
    metrics = pytest.importorskip("sklearn.metrics.pairwise")
    points = datasets.load_digits().data[:200]
    gram = rbf_gram(points)
    width = 1 / (64 * points.var())
    np.testing.assert_allclose(gram, metrics.rbf_kernel(points, gamma=width), atol=1e-12)
    error = np.linalg.norm(np.asarray(gram - nystrom(gram, 100, 0).matrix()))
    assert error < 0.05 * np.linalg.norm(np.asarray(gram))
