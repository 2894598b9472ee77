"""Rate laws: how often a far state is ambiguous when updates come as Poisson processes.

An update at distance L (light time) is in the window of an observer for 2 L. The window is empty
with probability exp(-2 lambda L).
"""

import math
from typing import Any

import numpy as np

from quire.checks import non_negative, positive, real_array


def ambiguous_share(rates_per_s: Any, delays_ns: Any) -> float:
    """Return the chance that some update lies in the window: 1 - exp(-sum 2 lambda_a L_a).

    Parameters
    ----------
    rates_per_s
        Updates a second of each far site, zero or more.
    delays_ns
        Light delay to each, ns.

    Raises
    ------
    ValueError
        For negative or non-finite values, or different lengths.
    """
    rates = real_array("rates_per_s", rates_per_s, 1, least=0.0)
    delays = real_array("delays_ns", delays_ns, 1, least=0.0)
    if rates.shape != delays.shape:
        raise ValueError(f"delays_ns = {len(delays)} delays: must be one per rate")
    return -math.expm1(-float(2e-9 * np.sum(rates * delays)))


def half_rate_per_s(delay_ns: Any) -> float:
    """Return the rate at which the far state is ambiguous half of the time: ln 2 / (2 L).

    A delay that is not positive is a ``ValueError``.
    """
    return math.log(2) / (2e-9 * positive("delay_ns", delay_ns))


def spacelike_share(total_rate_per_s: Any, delay_ns: Any) -> float:
    """Return the chance that the next update of two sites comes within L: 1 - exp(-lambda L).

    Of consecutive updates at different sites this share is spacelike, when both are Poisson.

    Raises
    ------
    ValueError
        For negative or non-finite values.
    """
    rate = non_negative("total_rate_per_s", total_rate_per_s)
    return -math.expm1(-1e-9 * rate * non_negative("delay_ns", delay_ns))
