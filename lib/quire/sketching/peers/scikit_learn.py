"""scikit-learn: its digits as a real matrix, and its random projection as a rival."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float


def digits() -> Float[np.ndarray, "1797 64"]:
    """Return the 1797 digits of 8 x 8 pixels that scikit-learn carries.

    Raises
    ------
    RuntimeError
        When scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise RuntimeError("sklearn = missing: pip install scikit-learn") from missing
    return np.asarray(load_digits().data)


def gaussian_projection(a: Float[np.ndarray, "n1 n2"], r: int) -> Callable[[], Any]:
    """Return a call that draws a Gaussian matrix and multiplies, as :func:`sketch` does."""
    from sklearn.random_projection import GaussianRandomProjection

    return lambda: GaussianRandomProjection(r, random_state=0).fit_transform(a)
