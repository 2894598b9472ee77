import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.spacetime import NO_ASK, NO_BID, CrossedQuote, best_of, stream, ticks

quotes = st.lists(
    st.tuples(st.integers(0, 50), st.integers(90, 99), st.integers(99, 110)), min_size=1, max_size=9
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def made(rows):
    return stream(*(list(column) for column in zip(*rows, strict=True)))


def test_of_quotes_at_one_time_the_last_in_the_file_holds() -> None:
    found = stream([3, 3, 3, 7], [1, 2, 3, 4], [9, 9, 9, 9])
    assert (found.times.tolist(), found.bids.tolist()) == ([3, 7], [3, 4])


def test_a_repeated_quote_is_left_out() -> None:
    found = stream([1, 2, 3], [5, 5, 6], [9, 9, 9])
    assert found.times.tolist() == [1, 3]


def test_a_quote_holds_from_its_time_on_and_none_before() -> None:
    found = stream([10, 20], [5, 6], [9, 8])
    assert [found.at(t) for t in (9, 10, 19, 20, 10**9)] == [
        (NO_BID, NO_ASK),
        (5, 9),
        (5, 9),
        (6, 8),
        (6, 8),
    ]
    assert found.later(5).times.tolist() == [15, 25]


@given(st.lists(quotes, min_size=1, max_size=4), st.integers(-1, 60))
def test_the_best_of_venues_is_the_best_at_every_time(venues, time) -> None:
    streams = [made(rows) for rows in venues]
    bids, asks = zip(*(each.at(time) for each in streams), strict=True)
    assert best_of(streams).at(time) == (max(bids), min(asks))


def test_prices_become_ticks_and_zero_is_no_quote() -> None:
    assert ticks([156.57, 0, math.nan], "bid").tolist() == [15657, NO_BID, NO_BID]
    assert ticks(np.array([158, 0]), "ask", 0.5).tolist() == [316, NO_ASK]


@pytest.mark.parametrize(
    ("prices", "side", "tick", "told"),
    [
        ([1.005], "bid", 0.01, "multiples"),
        ([-1.0], "bid", 0.01, "zero or more"),
        ([math.inf], "ask", 0.01, "finite"),
        ([1.0], "mid", 0.01, "side"),
        ([1.0], "bid", 0.0, "tick"),
        ([True], "bid", 0.01, "numbers"),
        (1.0, "bid", 0.01, "numbers"),
    ],
)
def test_what_is_no_price_is_refused(prices, side, tick, told) -> None:
    with pytest.raises(ValueError, match=told):
        ticks(prices, side, tick)


@pytest.mark.parametrize(
    ("times", "bids", "asks", "told"),
    [
        ([], [], [], "times"),
        ([2, 1], [1, 1], [2, 2], "decrease"),
        ([-1], [1], [2], "times = -1"),
        ([math.nan], [1], [2], "times"),
        ([0.5], [1], [2], "whole"),
        ([2**60], [1], [2], "below"),
        ([True], [1], [2], "whole"),
        (["1"], [1], [2], "whole"),
        ([1, 2], [1], [2, 2], "one per time"),
        ([1], [1], [2, 2], "one per time"),
        ([1], [2**61], [2], "bids"),
        ([1], [NO_ASK], [2], "bids"),
        ([[1]], [1], [2], "times"),
        ([1], [1.5], [2], "bids"),
        ([1e300], [1], [2], "times"),
    ],
)
def test_what_is_no_stream_is_refused(times, bids, asks, told) -> None:
    with pytest.raises(ValueError, match=told):
        stream(times, bids, asks)


def test_a_venue_that_crosses_itself_is_told() -> None:
    with pytest.warns(CrossedQuote, match="1 of 2"):
        stream([1, 2], [5, 9], [6, 8])


def test_no_stream_is_no_market() -> None:
    with pytest.raises(ValueError, match="at least one"):
        best_of([])


@pytest.mark.parametrize("streams", [None, 5, "x", {}, [None], [[1, 2]], np.zeros(2)])
def test_what_is_no_list_of_streams_is_refused(streams) -> None:
    with pytest.raises(ValueError, match="streams"):
        best_of(streams)
