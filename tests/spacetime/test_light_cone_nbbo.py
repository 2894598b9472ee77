import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.spacetime import (
    NEW_JERSEY,
    NO_ASK,
    NO_BID,
    Sites,
    achievable,
    achievable_by_enumeration,
    best_of,
    light_cone_nbbo,
    stream,
)
from quire.spacetime.cuts.lattice import combinations, passes

from .markets import market, summary

DELAYS = np.array([[0, 10], [10, 0]])


def piece(seen, time):
    k = seen.at(time)
    if k < 0:
        return NO_BID, NO_BID, NO_ASK, NO_ASK, False
    columns = (seen.bid_low, seen.bid_high, seen.ask_low, seen.ask_high, seen.crossed)
    return (*(int(column[k]) for column in columns[:4]), bool(seen.crossed[k]))


def test_a_far_quote_is_ambiguous_strictly_inside_the_light_cone() -> None:
    near = stream([0], [90], [110])
    far = stream([0, 100], [80, 95], [110, 110])
    seen = light_cone_nbbo([near, far], DELAYS, 0)
    ambiguous = [t for t in range(50, 150) if seen.bid_low[seen.at(t)] < seen.bid_high[seen.at(t)]]
    # at 90 and at 110 light joins the events, which orders them
    assert ambiguous == list(range(91, 110))
    assert seen.share(seen.ambiguous, 50, 150) == 19 / 100


def test_one_reading_extends_but_two_may_exclude_each_other() -> None:
    """The two far sites dip one after the other, too far apart for one cut to see both low."""
    sites = np.array([[0, 40, 40], [40, 0, 5], [40, 5, 0]])
    base = stream([0], [1], [99])
    dips = [
        stream([0, 100, 110], [9, 2, 9], [99, 99, 99]),
        stream([0, 130, 140], [9, 2, 9], [99] * 3),
    ]
    seen = light_cone_nbbo([base, *dips], sites, 0)
    assert piece(seen, 120)[:2] == (9, 9)
    together = [dips[0], stream([0, 112, 122], [9, 2, 9], [99] * 3)]
    seen = light_cone_nbbo([base, *together], sites, 0)
    assert piece(seen, 120)[:2] == (2, 9)


@pytest.mark.parametrize("seed", range(40))
def test_it_is_what_enumeration_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    sites, streams = market(random, int(random.integers(1, 5)), flat=seed % 5 == 0)
    delays, anchor = sites.delays_ns(), int(random.integers(0, len(sites)))
    seen = light_cone_nbbo(streams, delays, anchor)
    for time in random.integers(-30, 100, 3).tolist():
        found = achievable_by_enumeration(streams, delays, anchor, time)
        assert achievable(streams, delays, anchor, time) == found
        assert piece(seen, time) == summary(found)


def test_at_every_edge_of_a_piece_as_well() -> None:
    random = np.random.default_rng(77)
    for _ in range(12):
        sites, streams = market(random, 3)
        delays = sites.delays_ns()
        seen = light_cone_nbbo(streams, delays, 1)
        for edge in seen.times.tolist():
            for time in (edge - 1, edge):
                found = achievable_by_enumeration(streams, delays, 1, time)
                assert piece(seen, time) == summary(found)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_invariants(seed: int) -> None:
    random = np.random.default_rng(seed)
    sites, streams = market(random, 3)
    delays = sites.delays_ns()
    seen = light_cone_nbbo(streams, delays, 0)
    rest = best_of(streams)
    assert ((seen.bid_low <= seen.rest_bid) & (seen.rest_bid <= seen.bid_high)).all()
    assert ((seen.ask_low <= seen.rest_ask) & (seen.rest_ask <= seen.ask_high)).all()
    assert all(
        rest.at(int(t)) == (b, a)
        for t, b, a in zip(seen.times, seen.rest_bid, seen.rest_ask, strict=True)
    )
    # moved in time, and with sites in another order, all stays as it is
    later = light_cone_nbbo([each.later(1000) for each in streams], delays, 0)
    assert (later.times - seen.times == 1000).all()
    turned = [2, 0, 1]
    other = light_cone_nbbo([streams[k] for k in turned], delays[np.ix_(turned, turned)], 1)
    assert other.times.tolist() == seen.times.tolist()
    assert other.bid_low.tolist() == seen.bid_low.tolist()
    # farther sites leave more open, and near ones nothing
    wide = light_cone_nbbo(streams, delays * 3, 0)
    for time in range(-40, 100, 7):
        narrow_piece, wide_piece = piece(seen, time), piece(wide, time)
        assert wide_piece[0] <= narrow_piece[0] and narrow_piece[1] <= wide_piece[1]


def test_another_site_takes_no_state_of_the_others_away() -> None:
    random = np.random.default_rng(3)
    for _ in range(10):
        sites, streams = market(random, 4)
        few = set(combinations(streams[:3], sites.delays_ns()[:3, :3], 0, 30))
        many = {chosen[:3] for chosen in combinations(streams, sites.delays_ns(), 0, 30)}
        assert few == many


def test_without_the_triangle_inequality_pairs_would_not_suffice() -> None:
    """A reading that fits the anchor fits no cut when a detour is the faster way."""
    detour = [[0, 100, 1], [100, 0, 1], [1, 1, 0]]
    # 50 lies in site 1's window seen from site 0 at time 0, yet no time of site 2 is near to both
    assert not passes([(0, 0, True), (50, 50, True), (-99, 99, False)], detour)
    metric = [[0, 100, 60], [100, 0, 60], [60, 60, 0]]
    assert passes([(0, 0, True), (50, 50, True), (-99, 99, False)], metric)


def test_one_site_is_never_ambiguous() -> None:
    seen = light_cone_nbbo([stream([5, 9], [1, 2], [3, 4])], [[0]], 0)
    assert seen.times.tolist() == [5, 9]
    assert not seen.ambiguous.any()


def test_a_fast_feed_of_many_quotes_in_every_window() -> None:
    random = np.random.default_rng(1)
    streams = []
    for _ in range(3):
        bids = random.integers(90, 100, 200)
        streams.append(stream(np.sort(random.integers(0, 2_000, 200)), bids, bids + 3))
    delays = np.array([[0, 60, 60], [60, 0, 60], [60, 60, 0]])
    seen = light_cone_nbbo(streams, delays, 2)
    for time in (500, 1000, 1500):
        assert piece(seen, time) == summary(achievable(streams, delays, 2, time))


@pytest.mark.parametrize(
    ("anchor", "count", "told"),
    [
        (3, 3, "anchor"),
        (-1, 3, "anchor"),
        (0, 2, "one per site"),
        (True, 3, "anchor"),
        (0.0, 3, "anchor"),
    ],
)
def test_what_does_not_fit_is_refused(anchor, count, told) -> None:
    streams = [stream([0], [1], [2])] * count
    with pytest.raises(ValueError, match=told):
        light_cone_nbbo(streams, NEW_JERSEY.delays_ns(), anchor)


def test_shares_of_no_time_are_refused() -> None:
    seen = light_cone_nbbo([stream([0], [1], [2])], [[0]], 0)
    with pytest.raises(ValueError, match="stop"):
        seen.share(seen.ambiguous, 5, 5)
    with pytest.raises(ValueError, match="marked"):
        seen.share([1.0], 0, 5)


def test_enumeration_refuses_what_it_can_not_finish() -> None:
    many = stream(list(range(0, 4000, 2)), [k % 2 + 1 for k in range(2000)], [5] * 2000)
    sites = Sites(("a", "b"), np.array([[0.0, 0, 0], [1, 0, 0]]))
    with pytest.raises(ValueError, match="combinations"):
        next(combinations([many, many], sites.delays_ns(), 0, 5))
