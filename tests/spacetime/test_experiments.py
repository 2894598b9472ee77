"""The chapter's experiments on small input, each against something computed in another way."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from quire.spacetime import (
    LIGHT_KM_PER_S,
    NEW_JERSEY,
    best_of,
    light_cone_nbbo,
    links_by_licensee,
)
from quire.spacetime.experiments import exactness, feeds, routes, session, speed, theory

MS = 1_000_000
DAY = 17_533 * 86_400_000 * MS  # 2 January 2018


def columns(rows: int = 400, seed: int = 3) -> dict[str, np.ndarray]:
    """Return an invented quote file in the form of the real one, five minutes from the opening."""
    random = np.random.default_rng(seed)
    middle = 100 + np.cumsum(random.integers(-1, 2, rows)) * 0.01
    return {
        "DT": DAY + np.sort(random.integers(0, 300_000, rows)) * MS + int(14.5 * 3600) * 1000 * MS,
        "EX": random.choice(list("NTZ"), rows),
        "BID": np.round(middle, 2),
        "OFR": np.round(middle + random.integers(1, 4, rows) * 0.01, 2),
        "SYMBOL": np.full(rows, "ABC"),
    }


@pytest.fixture(scope="module")
def day() -> session.Session:
    return session.sessions(columns(), 1, 0.25)[0]


def test_only_spacelike_pairs_are_reversed() -> None:
    space, causal = theory.reversals(3000, 1)
    assert (space.kind, space.reversed, causal.reversed) == ("spacelike", space.pairs, 0)
    assert space.pairs + causal.pairs == 3000
    assert min(space.pairs, causal.pairs) > 500
    assert space.largest_error < 1e-9


def test_distances_name_the_pairs_nearest_to_the_paper() -> None:
    rows = theory.distances()
    assert [row.pair for row in rows if row.stated_us] == ["Mahwah-Secaucus", "Carteret-Aurora"]
    assert all(row.chord_km < row.geodesic_km for row in rows)
    assert rows[0].light_us == pytest.approx(rows[0].geodesic_km / LIGHT_KM_PER_S * 1e6)


def test_cut_shares_have_their_known_limits() -> None:
    two, jersey, line, corridor = theory.cut_shares(20_000, 1)
    assert (two.sampled, line.sampled) == (1, 0)
    assert jersey.low < jersey.exact < jersey.high
    assert 0.02 < corridor.sampled < 0.05
    assert 0 < jersey.errors < 4
    assert (two.errors, line.errors, corridor.errors) == (None, None, None)
    assert replace(jersey, sampled=jersey.exact + 0.02).errors > 5


def test_the_rate_law_within_its_errors() -> None:
    rows = theory.rate_cells([100.0, 2000.0], 100_000, 5)
    assert len(rows) == 6
    assert max(abs(row.errors) for row in rows) < 4
    # and a law of half the rate is far outside
    spread = [abs(row.simulated - row.law) for row in rows]
    assert max(spread) < 0.05


def test_shares_between_edges_sum_to_the_share_of_all() -> None:
    seen = light_cone_nbbo(feeds.tiny_market(), NEW_JERSEY.delays_ns(), 0)
    edges = np.linspace(0, 2_400_000, 7)
    parts = theory.shares_between(seen, seen.ambiguous, edges)
    assert parts.mean() == pytest.approx(seen.share(seen.ambiguous, 0, 2_400_000), abs=1e-9)


def test_every_lateness_pays_both_distances() -> None:
    rows = theory.lateness(1000.0, 20.0)
    assert len(rows) == 18
    same = next(r for r in rows if (r.quote, r.trader, r.processor) == ("Mahwah",) * 3)
    assert (same.direct_us, same.sip_us, same.ratio) == (20.0, 1000.0, 50.0)
    far = next(
        r for r in rows if (r.quote, r.trader, r.processor) == ("Carteret", "Carteret", "Mahwah")
    )
    assert far.sip_us == pytest.approx(1000 + 2 * 184.763, abs=1e-2)


def test_the_ratio_is_the_processing_beside_the_exchange_and_the_distance_apart() -> None:
    least, twenty = theory.ratios([0.0, 20.0])
    assert (least.beside_least, least.apart_most) == (math.inf, pytest.approx(16.5, abs=0.1))
    assert (twenty.beside_least, twenty.apart_most) == (56.4, pytest.approx(13.4, abs=0.1))
    assert twenty.beside_most == pytest.approx((1128 + 2 * 184.763) / 20, abs=0.01)


def test_magnitudes_are_positive_and_frames_stay_below_light() -> None:
    rows = theory.magnitudes()
    light = next(row for row in rows if row.effect == "light, one way")
    assert all(0 < row.jersey_us <= row.chicago_us for row in rows)
    assert all(row.chicago_us < light.chicago_us for row in rows if row.kind == "relativity")
    jersey, chicago = theory.signals_over_relativity(rows)
    assert (jersey, chicago) == (pytest.approx(20 / 0.228, rel=0.01), pytest.approx(4.12, rel=0.01))


def test_the_shortest_batch_is_twice_the_largest_distance() -> None:
    assert theory.shortest_batch_ns(NEW_JERSEY, 1) == 2 * NEW_JERSEY.delays_ns().max()


def test_fast_and_slow_methods_agree() -> None:
    for found in (
        exactness.against_enumeration(25, 2),
        exactness.frames_against_least_distance(25, 2),
    ):
        assert (found.cases, found.mismatches) == (25, 0)
        assert found.ambiguous > 5


def test_a_session_is_read_cut_and_shared_out(day) -> None:
    assert day.stop - day.start == session.HOUR_NS // 4
    streams = session.quotes_by_site(day.tape, NEW_JERSEY, "uniform", 1)
    assert sum(map(len, streams)) <= len(day.tape)
    two = columns()
    two["DT"] = two["DT"] + np.repeat([0, 86_400_000 * MS], 200)
    assert len(session.sessions(two, 2, 1.0)) == 2


def test_ambiguity_is_that_of_the_light_cone(day) -> None:
    rows = session.ambiguity(day, NEW_JERSEY, ["vacuum", "fibre"], "uniform", 2, 7)
    assert len(rows) == 2 * 2 * 3
    streams = session.quotes_by_site(day.tape, NEW_JERSEY, "uniform", 8)
    seen = light_cone_nbbo(streams, NEW_JERSEY.delays_ns(), 1)
    mine = next(r for r in rows if (r.draw, r.medium, r.anchor) == (1, "vacuum", "Secaucus"))
    assert mine.ambiguous == seen.share(seen.ambiguous, day.start, day.stop) > 0
    by_medium = {
        m: np.mean([r.ambiguous for r in rows if r.medium == m]) for m in ("vacuum", "fibre")
    }
    assert by_medium["fibre"] > by_medium["vacuum"]
    assert len(session.ambiguity(day, NEW_JERSEY, ["vacuum"], "even", 5, 7)) == 3
    caused = session.causes(day, NEW_JERSEY, 2, 7)
    assert {(r.draw, r.anchor, r.site) for r in caused} == {
        (k, a, b) for k in (0, 1) for a in NEW_JERSEY.names for b in NEW_JERSEY.names if a != b
    }
    # of the same draws: while it is ambiguous at least one other site is open
    for row in (r for r in rows if r.medium == "vacuum"):
        parts = [r.share for r in caused if (r.draw, r.anchor) == (row.draw, row.anchor)]
        assert max(parts) <= row.ambiguous <= sum(parts) + 1e-15


def test_slow_observers_see_less(day) -> None:
    rows = session.slow_shares(day, NEW_JERSEY, [LIGHT_KM_PER_S, 30_000.0, 370.0], 1, 7)
    shares = [row.share for row in rows]
    assert shares[0] > shares[1] > shares[2] > 0
    wide = session.ambiguity(day, NEW_JERSEY, ["vacuum"], "uniform", 1, 7)[0]
    assert shares[0] <= wide.ambiguous


def test_unseen_states_are_counted_after_the_opening(day) -> None:
    (row,) = session.unseen(day, NEW_JERSEY, 1, 7)
    assert row.of_frames <= row.dissenting <= row.states
    assert list(row.speeds_km_s) == sorted(row.speeds_km_s)
    (simultaneous,) = session.unseen(day, NEW_JERSEY, 1, 7, "simultaneous")
    assert simultaneous.slowest_km_s in (0.0, float("inf")) or simultaneous.of_frames


def test_pairs_are_counted_by_a_loop_as_well(day) -> None:
    (row,) = session.consecutive_pairs(day, NEW_JERSEY, 1, 7)
    assert row.consecutive == len(day.tape) - 1
    (changes,) = session.consecutive_changes(day, NEW_JERSEY, 1, 7)
    streams = session.quotes_by_site(day.tape, NEW_JERSEY, "uniform", 7)
    events = sorted((int(t), a) for a, each in enumerate(streams) for t in each.times)
    delays = NEW_JERSEY.delays_ns()
    cross = [(t, a, u, b) for (t, a), (u, b) in pairwise(events) if a != b]
    assert changes.cross_site == len(cross)
    assert changes.spacelike == sum(u - t < delays[a, b] for t, a, u, b in cross)


def test_the_spread_of_draws_is_students() -> None:
    mean, low, high = session.spread_of([1.0, 2.0, 3.0])
    assert (mean, high - mean) == (2.0, pytest.approx(4.302653 / 3**0.5))
    assert mean - low == pytest.approx(high - mean)
    assert session.spread_of([5.0]) == (5.0, 5.0, 5.0)


def test_feeds_differ_longer_with_more_processing(day) -> None:
    rows = feeds.feed_rows(day, NEW_JERSEY, [0.0, 100.0, 1000.0], 1, 7)
    shares = [row.share_of_time for row in rows]
    assert 0 < shares[0] < shares[1] < shares[2]


def test_what_a_faster_sip_would_leave_depends_on_the_place(day) -> None:
    own = {"Mahwah": 50.0, "Carteret": 20.0}
    rows = feeds.remaining_without_processing(day, NEW_JERSEY, own, 2, 7)
    assert [(r.processor, r.trader) for r in rows] == [
        ("Mahwah", "Secaucus"), ("Mahwah", "Carteret"),
        ("Carteret", "Mahwah"), ("Carteret", "Secaucus"),
    ]  # fmt: skip
    assert all(0 < r.low <= r.share <= r.high for r in rows) and max(r.share for r in rows) < 1
    (beside,) = feeds.feed_rows(day, NEW_JERSEY, [0.0], 1, 7, "Mahwah", "Mahwah")
    assert beside.share_of_time == 0


def test_trades_are_held_against_the_quotes_before(day) -> None:
    trades = {"DT": columns(200, seed=9)["DT"]}
    (row,) = feeds.trade_rows(day, trades, 1130.0, 1, 7)
    (never,) = feeds.trade_rows(day, trades, 0.0, 1, 7)
    assert row.trades == 200
    assert 0 <= row.coincide <= row.dislocated
    assert (never.dislocated, never.control, never.beyond_chance) == (0, 0, 0)


def test_trades_that_follow_quotes_coincide_and_shifted_ones_do_so_by_chance(day) -> None:
    nbbo = best_of(list(session.streams_of_tape(day.tape, "uniform", 7).values()))
    after = {"DT": DAY + nbbo.times[1:] // MS * MS}  # in the very millisecond of each change
    (row,) = feeds.trade_rows(day, after, 1130.0, 1, 7)
    assert row.dislocated > 0.4 > 4 * row.control
    assert row.beyond_chance > 0.9
    elsewhere = {"DT": DAY + day.start + np.arange(40_000) * 7 * MS}
    (chance,) = feeds.trade_rows(day, elsewhere, 1130.0, 1, 7)
    assert abs(chance.beyond_chance) < 0.2 and chance.control > 0


def test_the_tiny_market_is_read_inside_its_bands() -> None:
    rows = feeds.tiny_moments(200.0)
    assert rows[0].start_us == 300 and rows[-1].stop_us == 2400
    assert all(a.stop_us == b.start_us for a, b in pairwise(rows))
    assert all(r.bid_low <= r.rest_bid <= r.bid_high for r in rows)
    rest = best_of(feeds.tiny_market())
    assert all(rest.at(int(r.start_us * 1000)) == (r.rest_bid, r.rest_ask) for r in rows)
    assert any(not r.bid_low <= r.sip_bid <= r.bid_high for r in rows if r.sip_bid is not None)


def test_routes_answer_only_what_the_links_can() -> None:
    link = {
        "entity": "New_Line_Networks", "lat_a": "41.79", "lon_a": "-88.2",
        "lat_b": "40.78", "lon_b": "-74.1", "length_km": "1186",
    }  # fmt: skip
    rows = routes.route_rows(links_by_licensee([link]))
    assert {row.end for row in rows} == {"Secaucus", "Mahwah", "Carteret"}
    assert rows[0].licensee == "New Line Networks"
    assert rows[0].milliseconds > 1186 / 300


def test_timings_count_what_they_ran() -> None:
    rows = speed.rounds_of(6, 3000, 3, NEW_JERSEY, 1)
    assert len(rows) == 3 * len(speed.METHODS)
    assert all(row.seconds > 0 and row.rate > 0 for row in rows)
    middle, low, high = speed.ratios(rows, speed.METHODS[2], speed.METHODS[2])
    assert middle == low == high == 1
