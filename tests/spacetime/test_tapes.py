import numpy as np
import pytest

from quire.spacetime import (
    between_hours,
    moments_within_stamps,
    read_tape,
    site_of,
    streams_of_tape,
)
from quire.spacetime.geometry.earth import geodesic_km
from quire.spacetime.peers import geographiclib

MS = 1_000_000
DAY = 86_400_000 * MS


def tape(**changed):
    columns = {
        "stamps_ns": np.array([5, 5, 6]) * MS + DAY + np.array([92, -3, 0]),
        "letters": ["N", "T", "N"],
        "bids": [1.0, 2.0, 3.0],
        "asks": [1.5, 2.5, 3.5],
        "symbols": ["ABC"] * 3,
    }
    return read_tape(**(columns | changed))


def test_rows_are_cleaned_and_counted() -> None:
    found = tape(bids=[1.0, 0.0, 3.0], asks=[1.5, 2.5, 30.0])
    assert (len(found), found.dropped) == (1, 2)
    whole = tape()
    assert whole.stamps.tolist() == [5 * MS, 5 * MS, 6 * MS]  # the noise is rounded away
    streams = streams_of_tape(whole, "simultaneous")
    assert streams["N"].bids.tolist() == [100, 300]
    assert streams["T"].times.tolist() == [5 * MS]
    hour = 5 * MS / 3.6e12
    assert len(between_hours(whole, hour, hour * 1.1)) == 2


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"letters": ["N", "?", "N"]}, "letter = '[?]'"),
        ({"letters": ["N", "D", "N"]}, "letter = 'D'"),
        ({"letters": ["N", "T"]}, "letters = 2"),
        ({"symbols": ["X", "Y", "X"]}, "symbols"),
        ({"symbols": []}, "symbols"),
        ({"stamps_ns": np.array([6, 5, 7]) * MS}, "decrease"),
        ({"stamps_ns": np.array([5, 5, DAY // MS + 6]) * MS}, "2 days"),
        ({"stamps_ns": np.array([5.5, 6, 7])}, "whole"),
        ({"bids": [0, 0, 0]}, "at least one row"),
        ({"bids": [np.nan] * 3}, "at least one row"),
        ({"widest": 0}, "widest"),
    ],
)
def test_what_is_no_tape_is_refused(changed, told) -> None:
    with pytest.raises(ValueError, match=told):
        tape(**changed)


def test_no_row_between_two_hours_is_told() -> None:
    with pytest.raises(ValueError, match="start, stop"):
        between_hours(tape(), 20, 21)


def test_sites_of_venues() -> None:
    assert [site_of(letter) for letter in "NTZ"] == ["Mahwah", "Carteret", "Secaucus"]


@pytest.mark.parametrize("model", ["uniform", "even", "simultaneous"])
def test_moments_stay_in_their_stamp_and_venues_in_their_order(model) -> None:
    random = np.random.default_rng(0)
    stamps = np.sort(random.integers(0, 20, 300)) * MS
    venues = random.integers(0, 4, 300)
    moments = moments_within_stamps(stamps, venues, model, seed=3)
    assert (moments // MS * MS == stamps).all()
    for venue in range(4):
        assert (np.diff(moments[venues == venue]) >= 0).all()
    again = moments_within_stamps(stamps, venues, model, seed=3)
    assert (moments == again).all()


def test_even_moments_are_evenly_spaced() -> None:
    found = moments_within_stamps([0, 0, 0, 0, MS], [0, 1, 0, 1, 0], "even")
    assert found.tolist() == [0, MS // 4, MS // 2, 3 * MS // 4, MS]


def test_uniform_moments_are_uniform() -> None:
    stamps = np.repeat(np.arange(2000) * MS, 2)
    found = moments_within_stamps(stamps, np.tile([0, 1], 2000), "uniform", seed=1) - stamps
    assert found.mean() == pytest.approx(MS / 2, rel=0.03)
    assert found.std() == pytest.approx(MS / 12**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("stamps", "venues", "model", "told"),
    [
        ([1], [0], "even", "multiples"),
        ([MS, 0], [0, 0], "even", "decrease"),
        ([0], [0, 1], "even", "venues"),
        ([0.0], [0], "even", "stamps"),
        ([], [], "even", "stamps"),
        ([0], [0], "odd", "model"),
        ([-MS], [0], "even", "stamps"),
    ],
)
def test_what_is_no_stamp_is_refused(stamps, venues, model, told) -> None:
    with pytest.raises(ValueError, match=told):
        moments_within_stamps(stamps, venues, model)


def test_our_geodesics_are_geographiclibs() -> None:
    pytest.importorskip("geographiclib")
    random = np.random.default_rng(9)
    for _ in range(200):
        a, b = random.uniform(-80, 80, 2)
        c, d = random.uniform(-80, 80, 2)
        assert geodesic_km(a, c, b, d) == pytest.approx(
            geographiclib.geodesic_km(a, c, b, d), abs=2e-6
        )
