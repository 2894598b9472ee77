"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from quire.spacetime import (
    NEW_JERSEY,
    Processor,
    between_hours,
    boost,
    geodesic_km,
    light_cone_nbbo,
    read_tape,
    slowest_beta,
    straight_ms,
    stream,
    streams_of_tape,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

QUOTES = [stream([0, 5], [1, 2], [3, 4]), stream([0], [1], [3]), stream([0], [1], [3])]
SEEN = light_cone_nbbo(QUOTES, NEW_JERSEY.delays_ns(), 0)
TAPE = read_tape([0, 10], ["A", "B"], [1.0, 1.01], [1.05, 1.05], ["X", "X"])
PLANES, LIMITS = [[1.0, 0.0, 0.0]], [0.1]


def test_a_place_may_be_any_pair_of_numbers() -> None:
    right = straight_ms((40.0, -74.0), (41.0, -73.0))
    assert straight_ms(jnp.array([40.0, -74.0]), np.array([41, -73])) == right


def test_a_moment_is_a_whole_number_of_any_kind() -> None:
    for moment in (np.int64(5), np.int8(5), 5):
        assert QUOTES[0].at(moment) == (2, 4)
        assert SEEN.at(moment) == SEEN.at(5)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: QUOTES[0].at("5"), "time"),
        (lambda: QUOTES[0].at(np.nan), "time"),
        (lambda: SEEN.at("5"), "time"),
        (lambda: SEEN.at(2.5), "time"),
        (lambda: Processor(5.0).times_ns(None), "count"),
        (lambda: Processor(5.0).times_ns([4]), "count"),
        (lambda: Processor(5.0).times_ns(-1), "count"),
        (lambda: between_hours(None, 9, 10), "tape"),
        (lambda: between_hours(TAPE, "9", 10), "start"),
        (lambda: between_hours(TAPE, 0, [1]), "stop"),
        (lambda: streams_of_tape(None, "even"), "tape"),
        (lambda: boost([np.nan], [[0.0, 0.0, 0.0]], [1.0, 0.0, 0.0]), "times_ns"),
        (lambda: boost([0.0], [[0.0, 0.0]], [1.0, 0.0, 0.0]), "positions_km"),
        (lambda: geodesic_km(np.nan, 0, 1, 1), "latitude_a"),
        (lambda: geodesic_km(0, 0, 1, True), "longitude_b"),
        (lambda: slowest_beta(PLANES, ["0.1"], LIMITS), "lows"),
        (lambda: straight_ms("40", (1.0, 2.0)), "start"),
        (lambda: straight_ms((1.0, 2.0), (1.0, 2.0, 3.0)), "end"),
    ],
)
def test_another_kind_of_argument_is_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}\\b"):
        call()
