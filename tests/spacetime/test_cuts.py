import math
from itertools import permutations

import networkx as nx
import numpy as np
import pytest

from quire.spacetime import (
    CORRIDOR,
    LIGHT_KM_PER_S,
    NEW_JERSEY,
    Sites,
    batch_ambiguous_share,
    consistent,
    cut_speeds,
    inertial_share,
    least_ambiguous_place,
    least_batch_ns,
    light_cone_nbbo,
    lost_order,
    precedes,
    sampled_inertial_share,
    stream,
    vector_clocks,
)

LINE = Sites(("a", "b", "c"), np.array([[0.0, 0, 0], [10, 0, 0], [25, 0, 0]]))


def test_the_share_of_the_new_jersey_triangle() -> None:
    assert inertial_share(NEW_JERSEY) == pytest.approx(0.5655, abs=1e-4)
    sampled = sampled_inertial_share(NEW_JERSEY, 100_000, 3)
    assert sampled.low < inertial_share(NEW_JERSEY) < sampled.high


def test_two_sites_share_all_and_three_on_a_line_nothing() -> None:
    two = CORRIDOR.choose("Aurora", "Carteret")
    assert inertial_share(two) == 1.0
    assert sampled_inertial_share(two, 2_000, 1).share == 1.0
    assert inertial_share(LINE) == 0.0
    assert sampled_inertial_share(LINE, 2_000, 1).share == 0.0


def test_an_equilateral_triangle_has_its_closed_form() -> None:
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0.5, math.sqrt(0.75), 0]])
    # ellipse pi * sqrt(3)/2 in a hexagon of area 3
    assert inertial_share(Sites(("a", "b", "c"), corners)) == pytest.approx(
        math.pi * math.sqrt(3) / 6
    )


def test_cuts_of_an_observer_are_consistent_and_have_his_speed() -> None:
    random = np.random.default_rng(1)
    beta = random.normal(size=(500, 3))
    beta *= 0.9 * random.random((500, 1)) / np.linalg.norm(beta, axis=1)[:, None]
    corners = Sites(tuple("abcd"), random.normal(size=(4, 3)))
    cuts = 50 + beta @ corners.positions_ns.T
    assert consistent(cuts, corners).all()
    assert cut_speeds(cuts, corners) == pytest.approx(np.linalg.norm(beta, axis=1))


def test_a_cut_that_light_joins_is_not_consistent() -> None:
    light = 1e9 / LIGHT_KM_PER_S * 10
    cuts = [[0, light * (1 - 1e-9), 0], [0, light, 0], [0, 0, 0]]
    assert consistent(cuts, LINE).tolist() == [True, False, True]
    assert np.isinf(cut_speeds([[0, 5.0, 0]], LINE)[0])  # no plane passes it


def events(random, count, sites):
    times = np.sort(random.integers(0, 300, count))
    return times, random.integers(0, len(sites), count)


@pytest.mark.parametrize("seed", range(8))
def test_vector_clocks_tell_the_order_of_light(seed) -> None:
    random = np.random.default_rng(seed)
    sites = Sites(tuple("abc"), random.normal(size=(3, 3)) * 0.02)
    times, places = events(random, 40, sites)
    before = precedes(times, places, sites.delays_ns())
    clocks = vector_clocks(times, places, sites.delays_ns())
    below = (clocks[:, None, :] <= clocks[None, :, :]).all(axis=2)
    np.fill_diagonal(below, False)
    assert (before == below).all()
    graph = nx.from_numpy_array(before, create_using=nx.DiGraph)
    assert nx.is_directed_acyclic_graph(graph)
    assert nx.transitive_closure_dag(graph).number_of_edges() == graph.number_of_edges()


@pytest.mark.parametrize("seed", range(6))
def test_lost_order_counts_what_enumeration_counts(seed) -> None:
    random = np.random.default_rng(seed)
    sites = Sites(tuple("abc"), random.normal(size=(3, 3)) * 0.02)
    times, places = events(random, 6, sites)
    before = precedes(times, places, sites.delays_ns())
    orders = sum(
        all(
            not before[later, earlier]
            for k, earlier in enumerate(order)
            for later in order[k + 1 :]
        )
        for order in permutations(range(6))
    )
    masks = [[bool(mask >> e & 1) for e in range(6)] for mask in range(64)]
    cuts = sum(
        all(mask[e] for f in range(6) if mask[f] for e in range(6) if before[e, f])
        for mask in masks
    )
    found = lost_order(times, places, sites.delays_ns())
    assert (found.orders, found.cuts) == (orders, cuts)


def test_far_sites_lose_all_order_and_one_site_none() -> None:
    far = np.array([[0, 10**6], [10**6, 0]])
    found = lost_order([1, 2, 3, 4], [0, 1, 0, 1], far)
    assert found.orders == math.comb(4, 2)
    assert lost_order([1, 2, 3], [0, 0, 0], [[0]]).orders == 1
    assert lost_order([1, 2, 3], [0, 0, 0], [[0]]).digits == 0


def test_simultaneous_events_of_one_site_keep_the_order_of_the_file() -> None:
    before = precedes([5, 5], [0, 0], [[0]])
    assert before.tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    ("times", "places", "told"),
    [
        ([], [], "times"),
        ([1.5], [0], "times"),
        ([1], [2], "places"),
        ([1], [-1], "places"),
        ([1, 2], [0], "places"),
        ([2**61], [0], "times"),
    ],
)
def test_what_is_no_event_is_refused(times, places, told) -> None:
    with pytest.raises(ValueError, match=told):
        precedes(times, places, [[0, 5], [5, 0]])


def test_vector_clocks_need_events_in_the_order_of_their_site() -> None:
    with pytest.raises(ValueError, match="site 0"):
        vector_clocks([2, 1], [0, 0], [[0, 5], [5, 0]])


def test_too_many_cuts_are_refused() -> None:
    with pytest.raises(ValueError, match="cuts"):
        lost_order(range(3000), [0, 1] * 1500, [[0, 10**6], [10**6, 0]])


def test_the_shortest_batch_leaves_one_unambiguous_instant_and_a_shorter_none() -> None:
    delays = NEW_JERSEY.delays_ns()
    least = least_batch_ns(delays)
    assert least == 2 * 184_764
    for batch, some in ((least, True), (least - 1, False)):
        streams = [stream(np.arange(9) * batch, np.arange(9) % 2 + k, [20] * 9) for k in (1, 3, 5)]
        seen = light_cone_nbbo(streams, delays, 0)
        open_ns = seen.share(seen.open_sites == 0, 3 * batch, 5 * batch) * 2 * batch
        assert (open_ns > 0) == some
    assert batch_ambiguous_share(delays, least) == 1.0
    assert batch_ambiguous_share(delays, 4 * least) == 0.25


def test_where_to_stand() -> None:
    corners = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0]])
    assert least_ambiguous_place(corners, [1, 1, 1, 1]) == pytest.approx([2, 2, 0], abs=1e-6)
    assert least_ambiguous_place(corners, [9, 1, 1, 1]).tolist() == [0, 0, 0]
    random = np.random.default_rng(0)
    rates = [1, 2, 0.5, 1.5]
    place = least_ambiguous_place(corners, rates)

    def cost(x):
        return rates @ np.linalg.norm(corners - x, axis=1)

    assert all(cost(place + step) >= cost(place) for step in random.normal(size=(50, 3)) * 0.1)


@pytest.mark.parametrize(
    ("function", "arguments", "told"),
    [
        (consistent, ([[0.0, 1]], NEW_JERSEY), "times_ns"),
        (consistent, ([[0.0, 1]], [0, 1]), "sites ="),
        (cut_speeds, ([[0.0, 1]], "ab"), "sites ="),
        (inertial_share, ("x",), "sites ="),
        (sampled_inertial_share, ("xyz", 9, 1), "sites ="),
        (consistent, ([[0.0, 1, math.nan]], NEW_JERSEY), "times_ns"),
        (inertial_share, (CORRIDOR,), "at most 3"),
        (sampled_inertial_share, (NEW_JERSEY, 0, 1), "samples"),
        (sampled_inertial_share, (NEW_JERSEY.choose("Mahwah"), 9, 1), "sites"),
        (batch_ambiguous_share, ([[0, 5], [5, 0]], 0), "batch_ns"),
        (least_ambiguous_place, ([[0, 0, 0]], [0]), "rates_per_s"),
        (least_ambiguous_place, ([[0, 0, 0]], [-1]), "rates_per_s"),
        (least_ambiguous_place, ([[0, 0, 0]], [1, 1]), "positions_km"),
    ],
)
def test_what_does_not_fit_is_refused(function, arguments, told) -> None:
    with pytest.raises(ValueError, match=told):
        function(*arguments)
