import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.spacetime import CORRIDOR, NEW_JERSEY, Sites, cartesian_km, delay_matrix, geodesic_km
from quire.spacetime.geometry.sites import NS_PER_KM

degrees = st.tuples(st.floats(-89, 89), st.floats(-180, 180))


def test_published_distances_of_the_corridor() -> None:
    aurora, carteret = (41.7965645, -88.243012), (40.5843303, -74.2434266)
    assert geodesic_km(*aurora, *carteret) == pytest.approx(1180.817, abs=5e-4)
    assert geodesic_km(*aurora, 40.7772608, -74.071748) == pytest.approx(1191.135, abs=5e-4)


def test_geodesics_of_a_quarter_meridian_and_of_the_equator() -> None:
    assert geodesic_km(0, 0, 90, 0) == pytest.approx(10001.965729, abs=1e-6)  # WGS84's own
    assert geodesic_km(0, 0, 0, 90) == pytest.approx(6378.137 * math.pi / 2, rel=1e-12)
    assert geodesic_km(40, 170, 40, -170) == pytest.approx(geodesic_km(40, 10, 40, -10), rel=1e-12)
    assert geodesic_km(12, 34, 12, 34) == 0


def test_points_opposite_each_other_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="must not lie opposite"):
        geodesic_km(0, 0, 0.5, 179.7)


@given(degrees, degrees)
def test_no_way_along_the_ground_is_shorter_than_the_chord(a, b) -> None:
    try:
        ground = geodesic_km(*a, *b)
    except ValueError:
        return
    chord = np.linalg.norm(np.diff(cartesian_km([a[0], b[0]], [a[1], b[1]]), axis=0))
    assert ground >= chord * (1 - 1e-9) - 1e-6
    assert ground == pytest.approx(geodesic_km(*b, *a), rel=1e-9, abs=1e-6)


def test_heights_raise_a_site() -> None:
    low, high = cartesian_km([40], [10]), cartesian_km([40], [10], [1000])
    assert np.linalg.norm(high - low) == pytest.approx(1)


def test_delays_are_rounded_up_and_never_below_the_light_time() -> None:
    delays = CORRIDOR.delays_ns()
    exact = CORRIDOR.distances_km * NS_PER_KM
    assert ((delays - exact) >= -1e-6).all()
    assert ((delays - exact) < 1).all()


def test_a_distance_of_whole_nanoseconds_stays_whole() -> None:
    sites = Sites(("a", "b"), np.array([[0, 0, 0], [300 / NS_PER_KM, 0, 0]]))
    assert sites.delays_ns()[0, 1] == 300


def test_choosing_sites_keeps_their_distances() -> None:
    two = CORRIDOR.choose("Aurora", "Carteret")
    assert two.distances_km[0, 1] == CORRIDOR.distances_km[3, 2]
    with pytest.raises(ValueError, match="'Mars'"):
        CORRIDOR.choose("Mars")


@pytest.mark.parametrize(
    ("latitudes", "longitudes"),
    [([91], [0]), ([0], [361]), ([math.nan], [0]), ([0, 1], [0]), ([], []), (["x"], [0]), (0, 0)],
)
def test_what_is_no_coordinate_is_refused(latitudes, longitudes) -> None:
    with pytest.raises(ValueError, match="itudes"):
        cartesian_km(latitudes, longitudes)


@pytest.mark.parametrize(
    ("names", "positions", "told"),
    [
        (("a", "b"), [[0, 0, 0], [0, 0, 0]], "one place"),
        (("a", "a"), [[0, 0, 0], [1, 0, 0]], "different"),
        (("a",), [[0, 0, 0], [1, 0, 0]], "one per position"),
        (("a", ""), [[0, 0, 0], [1, 0, 0]], "not empty"),
        (("a", "b"), [[0, 0], [1, 0]], "must be 3"),
        (("a", "b"), [[0, 0, 0], [1e15, 0, 0]], "light years"),
    ],
)
def test_what_is_no_set_of_sites_is_refused(names, positions, told) -> None:
    with pytest.raises(ValueError, match=told):
        Sites(names, np.array(positions, dtype=float))


@pytest.mark.parametrize(
    ("delays", "told"),
    [
        ([[0, 1], [2, 0]], "symmetric"),
        ([[1, 1], [1, 0]], "itself"),
        ([[0, 0], [0, 0]], "1 ns apart"),
        ([[0, 1, 5], [1, 0, 1], [5, 1, 0]], "triangle"),
        ([[0, 1.5], [1.5, 0]], "whole"),
        ([[0, math.inf], [math.inf, 0]], "non-finite"),
        ([[0, -1], [-1, 0]], "0 or more"),
        ([[0, 2**60], [2**60, 0]], "below"),
        ([0, 1], "dimensions"),
        ([[0, 1]], "square"),
    ],
)
def test_what_is_no_metric_is_refused(delays, told) -> None:
    with pytest.raises(ValueError, match=told):
        delay_matrix(delays)


@pytest.mark.parametrize("index", [0.5, 0, -1, math.nan, math.inf, True])
def test_nothing_is_faster_than_light(index) -> None:
    with pytest.raises(ValueError, match="refractive_index"):
        NEW_JERSEY.delays_ns(index)
