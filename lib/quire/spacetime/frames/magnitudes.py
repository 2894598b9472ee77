"""How large each effect is between sites: frames, rotation, gravity."""

from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import real_array
from quire.spacetime.geometry.earth import LIGHT_KM_PER_S
from quire.spacetime.geometry.sites import check_sites

EARTH_TURNS = 7.2921150e-5
"""The Earth's rotation, rad/s (WGS84)."""
STANDARD_GRAVITY = 9.80665
"""m/s^2, by convention."""
DAY_S = 86_400.0

FRAMES_KM_S = {
    "airliner": 0.25,
    "space station": 7.66,
    "Earth's orbit": 29.78,
    "Sun in the Galaxy": 230.0,
    "cosmic background": 369.82,
}
"""Speeds of frames that something real rests in, against the ground, km/s."""


def sagnac_ns(sites: Any) -> Float[np.ndarray, "sites sites"]:
    """Return by how much light from a to b is late, seen from the turning Earth, ns.

    2 omega A / c^2, where A is the area that the straight path sweeps around the axis:
    omega (x_a y_b - x_b y_a) / c^2. Positive eastwards. Needs sites `on_earth`, whose coordinates
    turn about the third axis.

    Raises
    ------
    ValueError
        For what is no `Sites`.
    """
    check_sites(sites)
    x, y = sites.positions_km[:, 0], sites.positions_km[:, 1]
    swept = np.outer(x, y) - np.outer(y, x)
    return EARTH_TURNS * swept / LIGHT_KM_PER_S**2 * 1e9


def gravity_ns_per_day(heights_m: Any) -> Float[np.ndarray, " heights"]:
    """Return how much a clock gains a day on one that stands that many metres lower: g h / c^2.

    Raises
    ------
    ValueError
        For heights that are not finite or leave the field that is nearly uniform (100 km).
    """
    heights = real_array("heights_m", heights_m, 1)
    if (np.abs(heights) > 100_000).any():
        raise ValueError(f"heights_m = {np.abs(heights).max():g}: must be within 100 km")
    return STANDARD_GRAVITY * heights / (LIGHT_KM_PER_S * 1e3) ** 2 * DAY_S * 1e9
