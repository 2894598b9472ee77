import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtri

from quire.sketching import normal_from_bits


@pytest.mark.parametrize(("word", "tolerance"), [(np.uint32, 2e-6), (np.uint64, 1e-11)])
def test_the_quantile_agrees_with_scipy_far_into_the_tail(word, tolerance):
    width = np.dtype(word).itemsize * 8
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**width, 60_000, dtype=word)
    # magnitudes close to the largest: tails of every depth
    depths = (2 ** rng.uniform(0, width - 2, 20_000)).astype(word)
    bits[:20_000] = word(2 ** (width - 1) - 1) - depths
    bits[0], bits[1] = word(2 ** (width - 1) - 1), word(2**width - 1)
    magnitude = (bits & word(2 ** (width - 1) - 1)).astype(np.float64)
    # exact complement in integers: 1 - u loses the tail
    below = (word(2 ** (width - 1) - 1) - (bits & word(2 ** (width - 1) - 1))).astype(np.float64)
    exact = -ndtri((below + 0.5) / 2.0**width)
    exact = np.where(bits >> word(width - 1), -exact, exact)
    got = np.asarray(normal_from_bits(jnp.asarray(bits)), dtype=np.float64)
    away = magnitude > 2.0 ** (width - 12)  # near 0, ndtri itself loses digits
    assert np.abs(got[away] / exact[away] - 1).max() < tolerance
    assert np.abs(got - exact).max() < tolerance * 7
    assert np.isfinite(got).all()
    assert got[0] == -got[1] > 6


def test_words_of_another_type_are_refused():
    with pytest.raises(ValueError, match="uint32 or uint64 is allowed"):
        normal_from_bits(jnp.zeros(3, jnp.uint8))
