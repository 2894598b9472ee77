"""Chapter 11's experiments on small cases, and its exercises with right and wrong answers."""

from dataclasses import replace

import numpy as np
import pytest

from quire.serving import LLAMA_8B, PrefixTrace, Trace, exercises, linear_profile
from quire.serving.experiments.loading import (
    agreement,
    attainment,
    headline,
    laws,
    optimum,
    outside,
    pictures,
    settings,
)
from quire.serving.loading import (
    CopyTable,
    Engine,
    LoadingCosts,
    Policy,
    chunked_prefill_s,
    random_requests,
    serve,
)
from quire.serving.peers import ciw, simpy

COSTS = LoadingCosts(6e9, 24e9)
CASE = settings.Case("drawn", random_requests(150, 12_000, 0.8, seed=1), COSTS)


def test_arrivals_have_the_load_and_the_deadline():
    coming = CASE.arrivals(0.5, 3)
    rate = len(coming) / coming.arrival_s[-1]
    assert rate == pytest.approx(0.5 * CASE.capacity.decoupled, rel=0.3)
    limit = np.maximum(5 * coming.alone_s(COSTS), 1.0)
    assert coming.deadline_s - coming.arrival_s == pytest.approx(limit)
    assert settings.mean_interval([2.0, 2.0]) == (2.0, 2.0, 2.0)
    mean, low, high = settings.mean_interval([1.0, 2.0, 3.0])
    assert mean == 2 and (low, high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)


def test_chosen_counts_hits_before_choosing():
    blocks = np.array([0, 1, 0, 2, 0, 1, 3])
    trace = PrefixTrace(
        Trace(np.arange(3), np.array([1024, 1024, 1100]), np.ones(3, int),
              np.array([0, 2, 4, 7]), blocks)
    )  # fmt: skip
    some = settings.chosen(trace, 0.9, 5)
    assert some.remote.tolist() == [1024] and some.uncached.tolist() == [76]
    with pytest.raises(ValueError, match=r"least_hit = 0\.99"):
        settings.chosen(trace, 0.99, 5)


def test_pairs_of_runs():
    rows = attainment.runs([CASE], [0.9], 3, 7)
    found = {(c.engine, c.policy): c for c in attainment.cells(rows)}
    assert len(found) == 11
    (gap,) = attainment.differences(rows, ("E2", "sjf_total"), ("E1", "fifo"))
    means = found["E2", "sjf_total"].on_time - found["E1", "fifo"].on_time
    assert gap.mean == pytest.approx(means) and gap.low < gap.mean < gap.high
    each = attainment.by_seed(rows, ("E2", "sjf_total"), ("E1", "fifo"))
    assert np.mean(each) == pytest.approx(means) and len(each) == 3
    assert attainment.smallest([gap]) is gap
    (row,) = attainment.best_windows([CASE], [0.9], ["fifo"], 2, 7)
    assert row.mean >= 0 and row.window in (
        2,
        4,
        8,
    )  # first come first served, a window only delays
    variants = {(v.variant, v.policy): v for v in attainment.variants(CASE, 0.9, 2, 7)}
    assert variants["window of 2", "fifo"].mean_s >= variants["no window", "fifo"].mean_s
    others = attainment.other_settings([CASE], 0.9, 2, 7)
    assert len(others) == 4  # they come at once: there are no arrivals of their own to stretch
    assert others[1].e2_fifo <= others[2].e2_fifo


def test_gains_tell_rates_apart():
    found = headline.gains([CASE], [6.0], [0.3, 0.9], [5.0], 2, 7)
    assert len(found) == 2 * (3 + 2)
    rows = headline.reach(found)
    assert sum(r.cells for r in rows) == len(found)
    same = headline.fresh(CASE, found[0], 2, 7)
    assert len(same) == 2 and np.isfinite(same).all()
    own = headline.saturation(CASE, "E0", 7)
    assert own == pytest.approx(CASE.capacity.coupled, rel=0.02)
    assert headline.Gain("", 6.0, 0.9, 5.0, "E0", 1.0, 0.0, 50.0).relative == np.inf
    assert headline.Gain("", 6.0, 0.9, 5.0, "E0", 1.0, 40.0, 50.0).relative == 25


def test_the_law_holds_with_room():
    (row,) = laws.capacity_rows(CASE, [6.0], 7)
    assert abs(row.miss) < 2 and row.little_room < row.measured


def test_map_points_do_not_depend_on_their_company():
    one = laws.map_points([512], requests=80, seeds=2)
    two = laws.map_points([7, 512], requests=80, seeds=2)
    assert two[1] == one[0] and one[0].hit == laws.HITS[8]
    told = laws.summary(two)
    assert told.points == 2 and 0 <= told.on_network_side <= 1
    with pytest.raises(ValueError, match="which = 1024"):
        laws.map_points([1024])


def test_optimum_rows():
    weight = optimum.tuned_weight(CASE, 0.9, 1, 9)
    assert weight in optimum.WEIGHTS
    rows = optimum.bound_rows([CASE], [0.9], [weight], 2, 7)
    assert all(0 < row.ratio <= 1 and row.mean_ratio >= 1 for row in rows)
    still, wrong = optimum.noise_rows([CASE], [0.0, 2.0], 0.9, 2, 7)
    assert still.loss == 0 and wrong.loss > 0
    tenths = optimum.tenths([CASE], [Policy("fifo"), Policy("sjf_total", aging=0.5)], 0.9, 2, 7)
    assert [t.tenth for t in tenths] == 2 * list(range(1, 11))
    assert tenths[0].alone_s < tenths[9].alone_s and tenths[10].policy == "sjf_total, aging 0.5"
    talks = replace(CASE, requests=replace(CASE.requests, n_out=np.full(150, 20)))
    decodes = optimum.decode_rows([talks], [0.7], 1, 7)
    ratios = optimum.longest_ratios(CASE, 0.9, 2, 7)
    assert len(ratios) == 2 and min(ratios) > 0
    assert len(decodes) == 4 and all(row.tpot_ms > 6 for row in decodes)
    (again,) = optimum.recompute_rows([CASE], [weight], 0.9, 2, 7)
    assert 0 <= again.share_not_loaded < 1


def test_pieces_and_threads():
    table = CopyTable([65_536, 2**26], [1e-5, 1e-3])
    rows = outside.piece_rows(table)
    assert rows[1].seconds == pytest.approx(0.4) and rows[1].pieces == 40_000
    assert rows[-1].bandwidth_only_s <= rows[-1].seconds
    assert outside.piece_errors(table)[0].longer_us == 13.5
    systems = outside.piece_systems(CASE, table, [6.0], 1, 7)
    assert systems[0].on_time >= systems[-1].on_time and systems[0].bottleneck == "network"
    assert outside.cached_queries_s() == pytest.approx(7.49, abs=0.005)
    hit, factor = outside.full_hit_s(LoadingCosts(1.25e9, 1e15))
    slow = factor * COSTS.compute.prefill_s(65_536 - 256, 256)[0]
    assert hit == pytest.approx((65_536 - 256) * 131_072 / 1.25e9 + slow, rel=1e-5)
    rng = np.random.default_rng(4)
    blocks = np.concatenate([[0, 1, 2, 3, 4 + k] for k in range(60)])
    trace = PrefixTrace(
        Trace(np.sort(rng.integers(0, 10**9, 60)), np.full(60, 2500), np.ones(60, int),
              np.arange(0, 301, 5), blocks)
    )  # fmt: skip
    starved, ample = outside.prefetch_rows(trace, COSTS, [0.0, 1.0], 50, 2, 7)
    assert starved.hits_near == 0 and ample.hits_near == 1
    assert starved.reduction > ample.reduction


def test_agreement_of_codes_and_peers():
    coming = CASE.arrivals(0.9, 7)
    assert agreement.scan_difference(coming, COSTS) < 1e-5
    assert agreement.later_decoupled(coming, COSTS) == 0
    assert agreement.standstills(20, 3) == (0, 1)
    whole = Engine(quantum_tokens=None)
    for policy in ("fifo", "sjf_total"):
        mine = serve(coming, COSTS, whole, policy).first_s
        assert simpy.serve_stages(coming, COSTS, policy) == pytest.approx(mine, abs=1e-9)
    some = agreement.loading_only(coming)
    assert ciw.serve_tandem(some, COSTS) == pytest.approx(
        serve(some, COSTS, whole).first_s, abs=1e-9
    )
    with pytest.raises(ValueError, match="policy = 'edf'"):
        simpy.serve_stages(coming, COSTS, "edf")
    rows = agreement.speed_rows(coming, COSTS, 1, simpy.serve_stages)
    assert [row.who.split(",")[0] for row in rows] == ["loop", "loop", "simpy"]


def test_chunks_from_a_table():
    profile = linear_profile(LLAMA_8B, 5.0, 0.5, 1000)
    one = chunked_prefill_s(profile, [0], [100])
    two = chunked_prefill_s(profile, [0, 4096], [2048, 3000])
    assert one.shape == (1,) and two[1] > two[0] > 0
    assert chunked_prefill_s(profile, [0], [0]).tolist() == [0.0]


def test_pictures():
    rows = pictures.bars()
    assert {(r.engine, r.policy) for r in rows} >= {("E0", "fifo"), ("E2", "srpt_total")}
    for engine in ("E0", "E2"):
        work = [r for r in rows if (r.engine, r.policy, r.stage) == (engine, "fifo", "network")]
        assert sum(r.end_s - r.start_s for r in work) == pytest.approx(2.9)
    hand = pictures.by_hand()
    assert [round(r.first_token_s, 6) for r in hand] == [0.8, 1.5, 0.8, 1.2]


CHECKS = ("capacity_gain", "bottleneck_moves", "deadlock_room", "shared_link")


@pytest.mark.parametrize("wrong", [None, 0, 5, np.nan, True, "10", [1], [0, 0], 1e300, object()])
def test_wrong_answers(wrong):
    assert not any(getattr(exercises, name)(wrong) for name in CHECKS)


def test_right_answers():
    def gain(net, copy, device):
        link, device = net.mean() + copy.mean(), device.mean()
        return float((link + device) / max(link, device))

    assert exercises.capacity_gain(gain)
    assert not exercises.capacity_gain(lambda n, c, d: float((n + c + d).mean()))
    assert not exercises.capacity_gain(
        lambda n, c, d: float((n + c + d).mean() / max(n.mean(), c.mean(), d.mean()))
    )
    assert not exercises.capacity_gain(
        lambda n, c, d: float((n + c + d).mean() / np.maximum(np.maximum(n, c), d).mean())
    )
    assert not exercises.capacity_gain(lambda n, c, d: 1 / 0)
    assert exercises.bottleneck_moves(31.46)
    assert not exercises.bottleneck_moves(31.46e9) and not exercises.bottleneck_moves(29.3)
    for right in (1900, np.int64(1900), 1900.0):
        assert exercises.deadlock_room(right)
    for wrong in (1800, 2000, 1000, 1900.5, True):
        assert exercises.deadlock_room(wrong) is False
    assert exercises.shared_link((2.5, 3.0)) and exercises.shared_link(np.array([2.5, 3.0]))
    for pair in ((3.0, 2.5), (2.5, 2.5), (2.5,), (2.5, 3.0, 1.0), "23"):
        assert not exercises.shared_link(pair)
