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
    with pytest.raises(ValueError, match="n must be"):
        eigenvalues("exp8", 0)
    with pytest.raises(Exception, match="spectrum"):
        eigenvalues("exp9", 4)
    with pytest.raises(ValueError, match="points has non-finite"):
        rbf_gram(np.array([[1.0, np.nan]]))


def test_the_digits_gram_is_a_kernel_and_compresses():
    datasets = pytest.importorskip("sklearn.datasets")
    metrics = pytest.importorskip("sklearn.metrics.pairwise")
    points = datasets.load_digits().data[:200]
    gram = rbf_gram(points)
    width = 1 / (64 * points.var())
    np.testing.assert_allclose(gram, metrics.rbf_kernel(points, gamma=width), atol=1e-12)
    error = np.linalg.norm(np.asarray(gram - nystrom(gram, 100, 0).matrix()))
    assert error < 0.05 * np.linalg.norm(np.asarray(gram))
