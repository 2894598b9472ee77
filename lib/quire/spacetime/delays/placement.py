"""Where to stand so that little is ambiguous: the weighted geometric median.

By the rate law an observer's expected ambiguity grows with sum lambda_a L_a, the sum of distances
weighted by rates of updates.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import real_array

_STEPS = 10_000


def least_ambiguous_place(positions_km: Any, rates_per_s: Any) -> Float[np.ndarray, " 3"]:
    """Return the place with the least sum of rate times distance, km (Weiszfeld's iteration).

    A site is the answer itself when the pull of all others on it is no stronger than its own rate
    (Kuhn).

    Parameters
    ----------
    positions_km
        One row of three per site.
    rates_per_s
        Updates a second of each site, zero or more, not all zero.

    Raises
    ------
    ValueError
        For values that are negative or not finite, or shapes that do not fit.
    """
    places = real_array("positions_km", positions_km, 2)
    rates = real_array("rates_per_s", rates_per_s, 1, least=0.0)
    if places.shape != (len(rates), 3):
        raise ValueError(f"positions_km = shape {places.shape}: must be ({len(rates)}, 3)")
    if not rates.any():
        raise ValueError("rates_per_s: must not all be zero")
    for k, place in enumerate(places):
        away = np.linalg.norm(places - place, axis=1)
        here = away < 1e-12
        pull = ((rates / np.where(here, 1, away))[:, None] * (places - place))[~here].sum(axis=0)
        if rates[k] > 0 and np.linalg.norm(pull) <= rates[here].sum():
            return place.copy()
    point = rates @ places / rates.sum()
    for _ in range(_STEPS):
        away = np.linalg.norm(places - point, axis=1)
        weights = rates / np.maximum(away, 1e-12)
        following = weights @ places / weights.sum()
        if np.linalg.norm(following - point) < 1e-12 * max(1.0, float(np.abs(places).max())):
            return following
        point = following
    return point
