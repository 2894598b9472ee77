import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from quire.spacetime import (
    CORRIDOR,
    LIGHT_KM_PER_S,
    NEW_JERSEY,
    Sites,
    achievable,
    achievable_by_frames,
    add_speeds_km_s,
    best_of,
    boost,
    flip_speed_km_s,
    flippable_ns,
    frame_dependent_ns,
    gravity_ns_per_day,
    interval_km2,
    sagnac_ns,
    slowest_beta,
    spacelike,
    stream,
    unseen_states,
)
from quire.spacetime.cuts.segments import segments_of
from quire.spacetime.frames import observers

from .markets import market

speeds = st.floats(-0.9, 0.9).map(lambda beta: beta * LIGHT_KM_PER_S)
finite = st.floats(-1e6, 1e6)
vectors = st.tuples(*[st.floats(-0.55, 0.55)] * 3)


@given(finite, st.tuples(finite, finite, finite), vectors)
def test_the_interval_is_the_same_for_every_observer(dt, dx, beta) -> None:
    t, x = boost([0.0, dt], [[0.0, 0, 0], dx], np.array(beta) * LIGHT_KM_PER_S)
    before = interval_km2([dt], [dx])[0]
    after = interval_km2(np.diff(t), np.diff(x, axis=0))[0]
    scale = (LIGHT_KM_PER_S * dt / 1e9) ** 2 + float(np.dot(dx, dx))
    # an observer at beta stretches both terms by up to (1 + beta)/(1 - beta) before they cancel
    assert after == pytest.approx(before, abs=1e-12 * scale * 1000)


@given(speeds, speeds)
def test_two_boosts_along_a_line_make_one(v, w) -> None:
    event = ([5.0], [[2.0, 0, 0]])
    once = boost(*event, [float(add_speeds_km_s([v], [w])[0]), 0, 0])
    twice = boost(*boost(*event, [v, 0, 0]), [w, 0, 0])
    assert twice[0] == pytest.approx(once[0], rel=1e-9, abs=1e-9)
    assert twice[1] == pytest.approx(once[1], rel=1e-9, abs=1e-9)


@given(st.floats(1, 1e5), st.floats(1, 1e5), vectors)
def test_causal_pairs_keep_their_order_and_others_flip_beyond_their_speed(dt, d, beta) -> None:
    speed = float(flip_speed_km_s([dt], [d])[0])
    moved = boost([0.0, dt], [[0.0, 0, 0], [d, 0, 0]], np.array(beta) * LIGHT_KM_PER_S)[0]
    if not spacelike([dt], [[d, 0, 0]])[0]:
        assert math.isinf(speed)
        assert moved[1] > moved[0]
        return
    assert speed < LIGHT_KM_PER_S
    for factor, flips in ((1 - 1e-9, False), (1 + 1e-9, True)):
        v = speed * factor
        if v < LIGHT_KM_PER_S:
            t = boost([0.0, dt], [[0.0, 0, 0], [d, 0, 0]], [v, 0, 0])[0]
            assert (t[1] < t[0]) == flips


def test_light_itself_orders() -> None:
    d = LIGHT_KM_PER_S / 1e9 * 1024  # 1,024 light ns
    assert spacelike([1023.0, 1024.0, 1025.0], [[d, 0, 0]] * 3).tolist() == [True, False, False]
    assert np.isinf(flip_speed_km_s([1024.0], [d]))[0]
    assert flip_speed_km_s([0.0], [0.0])[0] == np.inf  # one event beside itself


def test_what_real_frames_flip_between_chicago_and_new_jersey() -> None:
    found = flippable_ns([369.82, 0.25], [1180.817, 1180.817])
    assert found == pytest.approx([4859, 3.28], rel=2e-3)


def test_sagnac_and_gravity_have_their_textbook_size() -> None:
    turned = sagnac_ns(CORRIDOR)
    assert turned == pytest.approx(-turned.T)
    assert abs(turned[3, 2]) == pytest.approx(4.56, abs=0.05)
    assert turned[3, 2] > 0  # eastwards, light has to catch up
    around = Sites.on_earth(tuple("abcd"), [0] * 4, [0, 90, 180, 270])
    loop = sagnac_ns(around)
    chord_loop = loop[0, 1] + loop[1, 2] + loop[2, 3] + loop[3, 0]
    assert chord_loop == pytest.approx(207.4 * 2 / math.pi, rel=2e-3)  # 207.4 ns is the circle's
    assert gravity_ns_per_day([200, 0]) == pytest.approx([1.885, 0], abs=1e-3)


def shortest_by_least_distance(normals, lows, highs) -> float:
    """Lawson and Hanson's least distance programming: min |x| with G x >= h by one NNLS."""
    g = np.concatenate([normals, -normals])
    h = np.concatenate([lows, -np.asarray(highs)])
    scale = np.abs(h[np.isfinite(h)]).max()
    keep = np.isfinite(h)
    system = np.concatenate([g[keep].T, h[keep][None] / scale])
    target = np.zeros(len(system))
    target[-1] = 1
    solution, _ = nnls(system, target, maxiter=1000)
    left = system @ solution - target
    return math.inf if abs(left[-1]) < 1e-9 else float(np.linalg.norm(left[:-1] / left[-1])) * scale


@pytest.mark.parametrize("seed", range(30))
def test_the_slowest_observer_is_the_one_of_least_distance_programming(seed) -> None:
    random = np.random.default_rng(seed)
    strips = int(random.integers(1, 7))
    normals = random.normal(size=(strips, 3)) * 100
    if seed % 3 == 0:
        normals[:, 2] = 0
    lows = random.normal(size=strips) * 30
    highs = lows + random.exponential(5, strips)
    lows[random.random(strips) < 0.2] = -np.inf
    want = shortest_by_least_distance(normals, np.where(np.isfinite(lows), lows, -np.inf), highs)
    found = slowest_beta(normals, lows, highs)
    assert found == pytest.approx(want, rel=1e-5, abs=1e-7)


def test_strips_that_exclude_each_other_leave_nobody() -> None:
    assert slowest_beta([[1, 0, 0], [1, 0, 0]], [1, 3], [2, 4]) == math.inf
    assert slowest_beta([[1, 0, 0], [2, 0, 0]], [1, 2], [2, 4]) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(12))
def test_frames_show_part_of_what_cuts_show(seed) -> None:
    random = np.random.default_rng(seed)
    sites, streams = market(random, int(random.integers(2, 5)))
    anchor, rest = int(random.integers(0, len(sites))), best_of(streams)
    for time in random.integers(-20, 90, 4).tolist():
        frames = achievable_by_frames(streams, sites, anchor, time)
        cuts = achievable(streams, sites.delays_ns(), anchor, time)
        assert rest.at(time) in frames <= cuts
        if len(sites) == 2:
            assert frames == cuts  # two sites: every cut is somebody's present
        slow = achievable_by_frames(streams, sites, anchor, time, 1.0)
        assert slow <= achievable_by_frames(streams, sites, anchor, time, 1e5) <= frames


@pytest.mark.parametrize("seed", range(6))
def test_random_observers_see_nothing_else(seed) -> None:
    random = np.random.default_rng(seed)
    sites, streams = market(random, 4)
    beta = random.normal(size=(4000, 3))
    beta *= (random.random((4000, 1)) ** (1 / 3)) * 0.999 / np.linalg.norm(beta, axis=1)[:, None]
    places = sites.positions_ns - sites.positions_ns[1]
    for time in (10, 25, 40):
        moments = time + beta @ places.T
        seen = set()
        for row in moments:
            quotes = [s.at(int(np.floor(t))) for s, t in zip(streams, row, strict=True)]
            seen.add((max(b for b, _ in quotes), min(a for _, a in quotes)))
        frames = achievable_by_frames(streams, sites, 1, time)
        assert seen <= frames
        assert len(frames - seen) <= 1  # a sliver may be missed by chance


@pytest.mark.parametrize("seed", range(10))
def test_frame_dependent_time_counts_the_nanoseconds(seed) -> None:
    random = np.random.default_rng(seed)
    sites, streams = market(random, int(random.integers(2, 5)), 3, flat=seed % 4 == 0)
    speed = float(random.choice([1, 0.5, 0.1])) * LIGHT_KM_PER_S
    anchor, rest = int(random.integers(0, len(sites))), best_of(streams)
    counted = sum(
        achievable_by_frames(streams, sites, anchor, time, speed) != {rest.at(time)}
        for time in range(-20, 80)
    )
    assert frame_dependent_ns(streams, sites, anchor, -20, 80, speed) == counted


def test_two_swapped_updates_have_the_textbook_flip_speed() -> None:
    sites = Sites(("a", "b"), np.array([[0, 0, 0], [30.0, 0, 0]]))
    streams = [
        stream([0, 1_000_000], [1, 5], [9, 9]),
        stream([0, 1_000_040], [3, 2], [9, 9]),
    ]
    found = unseen_states(streams, sites)
    late = found.until == 1_000_040
    assert found.speeds_km_s[late] == pytest.approx(flip_speed_km_s([40.0], [30.0]))
    # before: best bid 3; then 5; at last 5. Who sees b change first finds 2 against 1: bid 2.
    assert found.bids[late].tolist() == [2]
    assert found.dissents[late].tolist() == [True]


def test_no_observer_slower_than_the_slowest_reads_an_unseen_state_from_any_site() -> None:
    random = np.random.default_rng(8)
    sites, streams = market(random, 3)
    found, table = unseen_states(streams, sites), segments_of(streams)
    reached = 0
    for k in np.flatnonzero((found.speeds_km_s > 0) & np.isfinite(found.speeds_km_s)):
        betas = np.array(
            [
                observers._anchored_speeds(
                    table.starts, table.ends, found.states[k : k + 1], sites.positions_ns, 0, time
                )[0]
                for time in range(int(found.since[k]) - 90, int(found.until[k]) + 90)
            ]
        )
        assert betas.min() >= found.speeds_km_s[k] / LIGHT_KM_PER_S - 1e-6
        reached += bool(betas.min() < found.speeds_km_s[k] / LIGHT_KM_PER_S + 0.1)
    assert reached > 3


@pytest.mark.parametrize(
    ("function", "arguments", "told"),
    [
        (boost, ([0.0], [[0, 0, 0]], [LIGHT_KM_PER_S, 0, 0]), "velocity_km_s"),
        (boost, ([0.0], [[0, 0, 0]], [math.nan, 0, 0]), "velocity_km_s"),
        (boost, ([0.0], [[0, 0, 0]], [0, 0]), "velocity_km_s"),
        (boost, ([0.0, 1], [[0, 0, 0]], [0, 0, 0]), "positions_km"),
        (flip_speed_km_s, ([1.0], [-1.0]), "distance_km"),
        (flip_speed_km_s, ([math.inf], [1.0]), "dt_ns"),
        (flippable_ns, ([LIGHT_KM_PER_S], [1.0]), "speed_km_s"),
        (add_speeds_km_s, ([LIGHT_KM_PER_S], [0.0]), "first"),
        (gravity_ns_per_day, ([1e6],), "heights_m"),
        (slowest_beta, ([[1, 0, 0]], [2], [1]), "lows"),
        (slowest_beta, ([[1, 0, 0]], [math.nan], [1]), "lows"),
        (slowest_beta, ([[1, 0]], [0], [1]), "normals"),
        (interval_km2, ([], []), "dt_ns"),
        (sagnac_ns, ([[0, 0, 0]],), "sites ="),
        (unseen_states, ([stream([0], [1], [2])], "x"), "sites ="),
        (achievable_by_frames, ([stream([0], [1], [2])], None, 0, 5), "sites ="),
        (frame_dependent_ns, ([stream([0], [1], [2])], [0], 0, 0, 5), "sites ="),
    ],
)
def test_what_is_no_motion_is_refused(function, arguments, told) -> None:
    with pytest.raises(ValueError, match=told):
        function(*arguments)


@pytest.mark.parametrize("speed", [0, -1, LIGHT_KM_PER_S * 1.01, math.nan, True])
def test_no_observer_is_faster_than_light(speed) -> None:
    streams = [stream([0], [1], [2])] * 3
    with pytest.raises(ValueError, match="speed_km_s"):
        achievable_by_frames(streams, NEW_JERSEY, 0, 5, speed)
    with pytest.raises(ValueError, match="speed_km_s"):
        frame_dependent_ns(streams, NEW_JERSEY, 0, 0, 5, speed)
