"""dask: a product with a random array that its workers draw, as a rival."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float


def random_product(a: Float[np.ndarray, "n1 n2"], r: int) -> Callable[[], Any]:
    """Return a call that draws a Gaussian matrix in chunks and multiplies, two blocks of rows."""
    import dask.array as da

    blocks = da.from_array(a, chunks=(-(-a.shape[0] // 2), a.shape[1]))

    def run() -> Any:
        generator = da.random.default_rng(0)
        omega = generator.standard_normal((a.shape[1], r), chunks=(a.shape[1], r))
        return (blocks @ omega.astype(a.dtype)).compute()

    return run
