"""Geodesics by Karney's GeographicLib, the reference."""


def geodesic_km(
    latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float
) -> float:
    """Return the length of the geodesic on WGS84, km (accurate to nanometres)."""
    from geographiclib.geodesic import Geodesic

    found = Geodesic.WGS84.Inverse(latitude_a, longitude_a, latitude_b, longitude_b)
    return float(found["s12"]) / 1000
