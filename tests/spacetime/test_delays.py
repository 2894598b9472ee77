import math

import numpy as np
import pytest

from quire.spacetime import (
    NO_BID,
    Links,
    Processor,
    ambiguous_share,
    best_of,
    consolidated_view,
    direct_view,
    dislocations,
    fastest_route,
    half_rate_per_s,
    light_cone_nbbo,
    links_by_licensee,
    links_of_graph,
    race_profit,
    spacelike_share,
    straight_ms,
    stream,
)
from quire.spacetime.delays.consolidated_feed import served

DELAYS = [[0, 10], [10, 0]]


def test_rate_laws() -> None:
    assert half_rate_per_s(3_938_800) == pytest.approx(87.99, abs=0.01)
    assert ambiguous_share([half_rate_per_s(184_800)], [184_800]) == pytest.approx(0.5)
    assert ambiguous_share([10, 20], [1e6, 2e6]) == pytest.approx(1 - math.exp(-0.1))
    assert spacelike_share(0, 5) == 0
    assert ambiguous_share([1e-9], [1.0]) == pytest.approx(2e-18)  # no digits lost near zero


def test_the_rate_law_is_what_a_poisson_feed_does() -> None:
    random = np.random.default_rng(4)
    times = np.cumsum(random.exponential(5_000, 20_000)).astype(np.int64)  # 200,000 a second
    far = stream(
        np.unique(times), np.arange(len(np.unique(times))) % 2 + 1, [9] * len(np.unique(times))
    )
    seen = light_cone_nbbo([stream([0], [0], [9]), far], [[0, 2_000], [2_000, 0]], 0)
    share = seen.share(seen.ambiguous, 0, int(times[-1]))
    assert share == pytest.approx(ambiguous_share([2e5], [2_000]), abs=0.01)


def test_a_server_works_through_its_queue() -> None:
    assert served(np.array([0, 1, 100]), np.array([10, 10, 10])).tolist() == [10, 20, 110]


def test_the_consolidated_feed_is_late_and_in_order_of_arrival() -> None:
    near = stream([100], [5], [9])
    far = stream([95], [7], [9])  # made first, arrives second
    view = consolidated_view([near, far], [0, 1], DELAYS, 0, Processor(20), 0)
    assert view.times.tolist() == [120, 140]  # served one after the other
    assert view.bids.tolist() == [5, 7]
    direct = direct_view([near, far], [0, 1], DELAYS, 0)
    assert direct.times.tolist() == [100, 105]
    elsewhere = consolidated_view([near, far], [0, 1], DELAYS, 0, Processor(20), 1)
    assert elsewhere.times.tolist() == [130, 150]


def test_dislocations_are_where_the_views_differ() -> None:
    one, other = (
        stream([10, 20, 50], [1, 4, 5], [9, 9, 9]),
        stream([10, 30, 50], [1, 4, 5], [9, 9, 9]),
    )
    found = dislocations(one, other, 0, 100)
    assert (found.starts.tolist(), found.stops.tolist()) == ([20], [30])
    assert found.bid_gaps.tolist() == [3]
    assert found.lengths.sum() == 10
    assert found.covers([19, 20, 29, 30]).tolist() == [False, True, True, False]
    assert race_profit(found, 100) == 3.0
    assert len(dislocations(one, one, 0, 100)) == 0
    assert not dislocations(one, one, 0, 100).covers([5]).any()


def test_dislocations_agree_with_a_look_at_every_nanosecond() -> None:
    random = np.random.default_rng(2)
    for _ in range(10):
        views = []
        for _ in range(2):
            bids = random.integers(1, 4, 6)
            views.append(stream(np.sort(random.integers(5, 60, 6)), bids, bids + 1))
        found = dislocations(*views, 2, 70)
        differ = [views[0].at(t) != views[1].at(t) for t in range(2, 70)]
        assert found.covers(np.arange(2, 70)).tolist() == differ


def test_the_absence_of_a_quote_is_a_difference_and_no_gap() -> None:
    late = dislocations(stream([10], [1], [2]), stream([40], [1], [2]), 0, 50)
    assert (late.starts.tolist(), late.bid_gaps.tolist()) == ([10], [0])
    assert best_of([stream([10], [1], [2])]).at(9)[0] == NO_BID


def test_processing_times_have_the_median_asked_for() -> None:
    times = Processor(20_000, 0.5, seed=1).times_ns(20_001)
    assert np.median(times) == pytest.approx(20_000, rel=0.02)
    assert (Processor(20_000, 0.5, seed=1).times_ns(5) == times[:5]).all()


ROWS = [
    {"entity": "X", "lat_a": "41.8", "lon_a": "-88.0", "lat_b": "41.2", "lon_b": "-81.0",
     "length_km": "590"},
    {"entity": "X", "lat_a": "41.2", "lon_a": "-81.0", "lat_b": "40.8", "lon_b": "-74.1",
     "length_km": "585"},
    {"entity": "Y", "lat_a": "41.8", "lon_a": "-88.0", "lat_b": "41.2", "lon_b": "-81.0",
     "length_km": "590"},
]  # fmt: skip


def test_a_route_is_fibre_links_and_fibre() -> None:
    links = links_by_licensee(ROWS)
    start, end = (41.7965645, -88.243012), (40.7772608, -74.071748)
    route = fastest_route(links["X"], start, end)
    assert route.towers == 3
    assert route.link_km == pytest.approx(1175)
    first = straight_ms(start, (41.8, -88.0), 200.0)
    last = straight_ms((40.8, -74.1), end, 200.0)
    assert route.milliseconds == pytest.approx(1175 / 300 + first + last)
    assert route.fibre_km == pytest.approx((first + last) * 200)
    assert fastest_route(links["Y"], start, end) is None
    assert fastest_route(links["X"], end, start).milliseconds == pytest.approx(route.milliseconds)


def test_of_parallel_links_the_shortest_counts() -> None:
    ends = [[41.8, -88.0], [41.8, -88.0]], [[40.8, -74.1], [40.8, -74.1]]
    links = Links(*map(np.array, ends), np.array([1200.0, 1180.0]))
    route = fastest_route(links, (41.8, -88.0), (40.8, -74.1))
    assert route.link_km == 1180
    assert route.milliseconds == pytest.approx(1180 / 300, abs=1e-9)


GRAPH = """!!python/object:networkx.classes.digraph.DiGraph
_adj: &id003
  0:
    1: &id001
      frequency_list:
      - '''006123.10000000'''
      length: 72.5
  1:
    0: &id002
      length: 72.5
_node: &id004
  0:
    elevation: 637.6m
    lat_deg: 40.72231
    long_deg: -77.12208
  1:
    lat_deg: '40.89325'
    long_deg: -76.28628
_pred:
  0:
    1: *id002
"""


def test_a_stored_graph_is_read_as_text() -> None:
    links = links_of_graph(GRAPH)
    assert links.lengths_km.tolist() == [72.5]
    assert links.ends_a.tolist() == [[40.72231, -77.12208]]
    assert links.ends_b.tolist() == [[40.89325, -76.28628]]
    assert links_of_graph("_adj: {}\n") is None
    with pytest.raises(ValueError, match="coordinates"):
        links_of_graph(GRAPH.replace("lat_deg", "latitude"))


@pytest.mark.parametrize(
    ("function", "arguments", "told"),
    [
        (ambiguous_share, ([-1], [1]), "rates_per_s"),
        (ambiguous_share, ([1, 2], [1]), "delays_ns"),
        (ambiguous_share, ([math.nan], [1]), "rates_per_s"),
        (half_rate_per_s, (0,), "delay_ns"),
        (spacelike_share, (1, -1), "delay_ns"),
        (Processor, (-1,), "median_ns"),
        (Processor, (2**60,), "median_ns"),
        (links_by_licensee, ([],), "rows"),
        (links_by_licensee, ([{"entity": "X"}],), "number 1"),
        (Links, ([[0, 0]], [[0, 0]], [0]), "lengths_km"),
        (Links, ([[0, 0, 0]], [[0, 0]], [1]), "ends_a"),
        (straight_ms, ((0, 0), (0, 1), 0), "km_per_ms"),
        (fastest_route, ("x", (0, 0), (0, 1)), "links ="),
        (links_of_graph, (3,), "text ="),
        (race_profit, ([1], 100), "shares ="),
        (consolidated_view, ([stream([1], [1], [2])], [0], DELAYS, 0, 17_000, 1), "processor ="),
    ],
)
def test_what_does_not_fit_is_refused(function, arguments, told) -> None:
    with pytest.raises(ValueError, match=told):
        function(*arguments)


def test_venues_need_a_place_each() -> None:
    streams = [stream([1], [1], [2])] * 2
    with pytest.raises(ValueError, match="places"):
        direct_view(streams, [0], DELAYS, 0)
    with pytest.raises(ValueError, match="places"):
        direct_view(streams, [0, 2], DELAYS, 0)
    with pytest.raises(ValueError, match="trader_site"):
        direct_view(streams, [0, 1], DELAYS, 2)
