"""Distances on the Earth and through it, by WGS84.

Light in a straight line takes the chord, which no signal can beat; a cable or a radio path along
the surface takes the geodesic at least.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import between, real_array
from quire.signatures import checked

LIGHT_KM_PER_S = 299_792.458
"""The speed of light in vacuum, km/s (exact, by the definition of the metre)."""

EQUATOR_KM = 6378.137
FLATTENING = 1 / 298.257223563
SPHERE_KM = 6371.0
"""The mean radius that the published microwave distances use, km."""

_STEPS = 200
_CLOSE = 1e-12  # radians: six micrometres on the ground


@checked
def cartesian_km(
    latitudes: Any, longitudes: Any, heights_m: Any | None = None, *, sphere: bool = False
) -> Float[np.ndarray, "sites 3"]:
    """Return Earth-centred, Earth-fixed positions in km.

    Parameters
    ----------
    latitudes, longitudes
        Degrees, one per site; north and east positive.
    heights_m
        Metres above the ellipsoid, one per site; zero without them.
    sphere
        On a sphere of radius `SPHERE_KM` instead of the WGS84 ellipsoid.

    Raises
    ------
    ValueError
        For coordinates that are no numbers, out of range, or of different lengths.
    """
    latitude, longitude = _degrees(latitudes, longitudes)
    height = (
        np.zeros_like(latitude)
        if heights_m is None
        else real_array("heights_m", heights_m, 1, least=-12_000.0) / 1000
    )
    if height.shape != latitude.shape:
        raise ValueError(f"heights_m = {len(height)} heights: must be one per latitude")
    squeeze = 0.0 if sphere else FLATTENING * (2 - FLATTENING)
    radius = SPHERE_KM if sphere else EQUATOR_KM
    normal = radius / np.sqrt(1 - squeeze * np.sin(latitude) ** 2)
    return np.stack(
        [
            (normal + height) * np.cos(latitude) * np.cos(longitude),
            (normal + height) * np.cos(latitude) * np.sin(longitude),
            (normal * (1 - squeeze) + height) * np.sin(latitude),
        ],
        axis=1,
    )


def geodesic_km(latitude_a: Any, longitude_a: Any, latitude_b: Any, longitude_b: Any) -> float:
    """Return the length of the shortest path on the ellipsoid, km (Vincenty's iteration, 1975).

    Raises
    ------
    ValueError
        For coordinates out of range, and for points so nearly opposite each other that the
        iteration does not settle.
    """
    for name, value in (
        ("latitude_a", latitude_a),
        ("longitude_a", longitude_a),
        ("latitude_b", latitude_b),
        ("longitude_b", longitude_b),
    ):
        between(name, value, -361, 361)
    (a, b), (start, end) = _degrees([latitude_a, latitude_b], [longitude_a, longitude_b])
    u1, u2 = (math.atan((1 - FLATTENING) * math.tan(x)) for x in (a, b))
    apart = math.remainder(end - start, 2 * math.pi)
    s1, c1, s2, c2 = math.sin(u1), math.cos(u1), math.sin(u2), math.cos(u2)
    turn = apart
    for _ in range(_STEPS):
        sine = math.hypot(c2 * math.sin(turn), c1 * s2 - s1 * c2 * math.cos(turn))
        if sine < 1e-15:
            return 0.0
        cosine = s1 * s2 + c1 * c2 * math.cos(turn)
        arc = math.atan2(sine, cosine)
        azimuth = c1 * c2 * math.sin(turn) / sine
        square = 1 - azimuth * azimuth
        middle = cosine - 2 * s1 * s2 / square if square > 1e-15 else 0.0
        c = FLATTENING / 16 * square * (4 + FLATTENING * (4 - 3 * square))
        before = turn
        turn = apart + (1 - c) * FLATTENING * azimuth * (
            arc + c * sine * (middle + c * cosine * (2 * middle * middle - 1))
        )
        if abs(turn - before) < _CLOSE:
            return _vincenty_length(square, sine, cosine, middle, arc)
    raise ValueError(
        f"latitude_b, longitude_b = {latitude_b!r}, {longitude_b!r}: must not lie opposite the "
        "first point on the globe, where the iteration does not settle"
    )


def _vincenty_length(square: float, sine: float, cosine: float, middle: float, arc: float) -> float:
    polar = EQUATOR_KM * (1 - FLATTENING)
    u = square * (EQUATOR_KM**2 - polar**2) / polar**2
    big = 1 + u / 16384 * (4096 + u * (-768 + u * (320 - 175 * u)))
    small = u / 1024 * (256 + u * (-128 + u * (74 - 47 * u)))
    twice = 2 * middle * middle - 1
    correction = (
        small
        * sine
        * (
            middle
            + small
            / 4
            * (
                cosine * twice
                - small / 6 * middle * (4 * sine * sine - 3) * (4 * middle * middle - 3)
            )
        )
    )
    return polar * big * (arc - correction)


def _degrees(
    latitudes: Any, longitudes: Any
) -> tuple[Float[np.ndarray, " sites"], Float[np.ndarray, " sites"]]:
    """Return coordinates in radians.

    Raises
    ------
    ValueError
        For anything else.
    """
    latitude = real_array("latitudes", latitudes, 1)
    longitude = real_array("longitudes", longitudes, 1)
    if latitude.shape != longitude.shape:
        raise ValueError(f"longitudes = {len(longitude)} of them: must be one per latitude")
    for name, values, most in (("latitudes", latitude, 90.0), ("longitudes", longitude, 360.0)):
        far = np.abs(values) > most
        if far.any():
            raise ValueError(f"{name} = {values[far][0]:g}: must lie from {-most:g} to {most:g}")
    return np.radians(latitude), np.radians(longitude)
