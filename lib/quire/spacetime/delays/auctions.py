"""Batches: auctions at fixed times make an instant at which all observers agree.

When quotes change only at multiples of B, on clocks that agree, an observer at distance L reads the
same as everybody from L after a batch until L before the next: there is such a time when B >= 2 L.
"""

from typing import Any

import numpy as np

from quire.checks import positive
from quire.spacetime.geometry.sites import delay_matrix


def least_batch_ns(delays: Any) -> int:
    """Return the shortest batch, in whole ns, that leaves every observer an unambiguous instant.

    A matrix that is no metric of delays is a ``ValueError``.
    """
    return 2 * int(delay_matrix(delays).max())


def batch_ambiguous_share(delays: Any, batch_ns: Any) -> float:
    """Return the share of time in which some pair of sites may read different batches: 2 L / B.

    Raises
    ------
    ValueError
        For a matrix that is no metric, or a batch that is not positive.
    """
    longest = float(np.max(delay_matrix(delays)))
    return min(1.0, 2 * longest / positive("batch_ns", batch_ns))
