"""Percentiles by the package hdrhistogram, a port of HdrHistogram by its users."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def percentiles(
    values: Int[np.ndarray, " n"], shares: Sequence[float], *, largest: int = 120_000_000_000
) -> list[float]:
    """Return percentiles of whole values with three significant digits."""
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, largest, 3)
    for value in values.tolist():
        histogram.record_value(value)
    return [float(histogram.get_value_at_percentile(100 * q)) for q in shares]
