import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.brokers import (
    Batching,
    FanOut,
    InsufficientLevels,
    NotIdentified,
    Utilisation,
    averaged_snapshots,
    backlog_percentile_s,
    closed_loop_latencies,
    erlang_c,
    fit_batching,
    fit_fanout,
    fit_memory,
    fit_utilisation,
    mean_wait,
    open_loop_latencies,
    snapshot_percentile_s,
    stall_percentile_s,
    stall_tail,
    token_bucket,
    waits,
    waits_by_scan,
    waits_in_turn,
    which_percentiles,
)
from quire.brokers.laws.fanout import dispatch


@given(st.permutations(range(5)), st.floats(0, 2), st.floats(1e-5, 1e-4))
def test_a_fit_knows_no_order(order, idle, cost):
    rates = np.array([1e3, 3e3, 7e3, 1e4, 2e4])
    used = idle + cost * rates + np.array([0.01, -0.01, 0.02, 0.0, -0.02])
    one = fit_utilisation(rates, used)
    two = fit_utilisation(rates[list(order)], used[list(order)])
    assert one == two


def test_a_line_gives_its_capacity_back_with_whole_numbers_too():
    law = fit_utilisation([1000, 2000, 4000], [1, 2, 4])
    assert law.idle == pytest.approx(0, abs=1e-12)
    assert law.capacity_per_s(3.0) == pytest.approx(3000)
    assert fit_utilisation([1, 2, 3], [5.0, 5.1, 5.2]).capacity_per_s(1.0) == 0.0


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_too_few_levels_are_told(levels):
    with pytest.raises((InsufficientLevels, ValueError)):
        fit_utilisation(np.arange(1.0, 1 + levels), np.arange(1.0, 1 + levels))
    with pytest.raises(InsufficientLevels, match="3 or more"):
        fit_utilisation([5.0, 5.0, 5.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("rates", "used"),
    [
        ([1, 2, 3], [3, 2, 1]),
        ([1, 2, math.nan], [1, 2, 3]),
        ([1, 2, 3], [1, 2]),
        ([-1, 2, 3], [1, 2, 3]),
        ([1, 2, 3], [1, math.inf, 3]),
        ([[1, 2, 3]], [[1, 2, 3]]),
    ],
    ids=["falling", "nan", "lengths", "negative", "infinite", "shape"],
)
def test_levels_that_are_none_are_refused(rates, used):
    with pytest.raises(ValueError):
        fit_utilisation(rates, used)


def simulated_batches(law, rate, batches, seed):
    """Take all that waits, again and again; busy share and mean batch."""
    random = np.random.default_rng(seed)
    waiting, busy, idle, served = 1, 0.0, 0.0, 0
    for _ in range(batches):
        span = law.per_batch_s + law.per_message_s * waiting
        busy, served = busy + span, served + waiting
        waiting = int(random.poisson(rate * span))
        if waiting == 0:
            idle, waiting = idle + float(random.exponential(1 / rate)), 1
    return busy / (busy + idle), served / batches


@pytest.mark.parametrize("rate", [2_000.0, 10_000.0, 30_000.0])
def test_the_batching_law_is_near_a_simulation(rate):
    law = Batching(60e-6, 20e-6)
    busy, size = simulated_batches(law, rate, 40_000, 1)
    assert law.busy_share(rate) == pytest.approx(busy, rel=0.06)
    assert law.batch(rate) == pytest.approx(size, rel=0.12)


def test_batching_at_its_edges():
    law = Batching(60e-6, 20e-6)
    assert law.capacity_per_s() == pytest.approx(50_000)
    assert law.busy_share(0.0) == 0
    assert law.busy_share(60_000.0) == 1
    assert law.batch(1.0) == pytest.approx(1, abs=1e-3)
    costs = [law.cost_s(r) for r in (100.0, 10_000.0, 20_000.0, 45_000.0)]
    assert costs == sorted(costs, reverse=True)


def test_a_batching_law_is_found_again():
    law = Batching(60e-6, 20e-6)
    rates = np.array([2e3, 5e3, 1e4, 2e4, 3e4])
    found = fit_batching(rates, np.array([law.busy_share(float(r)) for r in rates]))
    assert found.capacity_per_s() == pytest.approx(50_000, rel=0.02)
    with pytest.raises(ValueError, match="busy"):
        fit_batching(rates, rates)


def test_a_batching_law_that_the_levels_do_not_tell_is_refused():
    rates = np.array([2e3, 5e3, 1e4, 2e4])
    alone = np.array([Batching(1e-4, 1e-9).busy_share(float(r)) for r in rates])
    with pytest.raises(NotIdentified, match="cost of a message"):
        fit_batching(rates, alone)
    with pytest.raises(NotIdentified, match="cost of a batch"):
        fit_batching(rates, 3e-5 * rates)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=20))
def test_three_ways_to_the_same_waits(pairs):
    padded = [*pairs, *[(0.0, 1.0)] * (20 - len(pairs))]  # one shape, compiled once
    service, gaps = np.array(padded).T
    exact = waits_in_turn(service, gaps)
    assert waits(service, gaps) == pytest.approx(exact, abs=1e-9)
    assert waits_by_scan(service, gaps) == pytest.approx(exact, abs=1e-9)


def test_waits_by_hand_in_whole_numbers():
    assert waits([3, 3, 3], [1, 5, 1]).tolist() == [0, 2, 0]
    for wrong in ([-1.0], [math.nan], []):
        with pytest.raises(ValueError, match="service_s"):
            waits(np.array(wrong), np.array(wrong))


def test_known_queues():
    assert erlang_c(1, 0.5) == pytest.approx(0.5)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(3, 3.0) == 1.0
    assert erlang_c(400, 380.0) < 1
    assert mean_wait(0.5, 1.0) == pytest.approx(1.0)
    assert mean_wait(0.5, 1.0, service_scv=0.0) == pytest.approx(0.5)
    assert mean_wait(2.0, 1.0, 2) == math.inf
    for wrong in (0, True):
        with pytest.raises(ValueError, match="servers"):
            erlang_c(wrong, 0.5)
    with pytest.raises(ValueError, match="load"):
        erlang_c(2, -0.5)


def test_a_backlog_against_a_simulation():
    offered, capacity, seconds = 1000.0, 600.0, 50.0
    out = np.arange(int(capacity * seconds)) / capacity
    late = out - np.arange(out.size) / offered
    assert np.quantile(late, 0.5) == pytest.approx(
        backlog_percentile_s(0.5, offered, capacity, seconds), rel=0.01
    )
    assert averaged_snapshots(out, late, 0.5) == pytest.approx(
        snapshot_percentile_s(0.5, offered, capacity, seconds), rel=0.03
    )
    assert backlog_percentile_s(0.9, 100.0, 200.0, 10.0) == 0


def test_a_stall_by_hand_and_by_simulation():
    assert stall_percentile_s(0.99, 0.2, 2.0) == pytest.approx(0.18)
    assert stall_tail(0.05, 0.2, 10.0) == pytest.approx(0.015)
    late = open_loop_latencies(1000.0, 2.0, 0.2, 0.5, 0.0)
    assert np.quantile(late, 0.99, method="inverted_cdf") == pytest.approx(0.18, abs=0.002)
    assert (late > 0.05).mean() == pytest.approx(stall_tail(0.05, 0.2, 2.0), abs=0.001)
    closed = closed_loop_latencies(1000.0, 2.0, 0.2, 0.5, 1e-4)
    assert (closed > 0.05).sum() == 1
    assert closed.size == pytest.approx(1800, abs=3)
    with pytest.raises(ValueError, match="stall_s"):
        stall_tail(0.1, 3.0, 2.0)


def test_an_even_spread_has_other_ratios_than_its_tail():
    times = dispatch(1000, 1e-5, rounds=20, jitter=0.5, seed=1)
    quartiles = np.quantile(times, [0.25, 0.5, 0.75])
    tail = np.quantile(times, [0.5, 0.95, 0.99])
    assert which_percentiles(*map(float, quartiles)) == "p25, p50, p75"
    assert which_percentiles(*map(float, tail)) == "p50, p95, p99"
    with pytest.raises(ValueError, match="first"):
        which_percentiles(0.0, 1.0, 2.0)


def test_fan_out_and_memory_are_found_again():
    law = fit_fanout([10, 100, 1000], [1.1e-3, 2e-3, 11e-3])
    assert law.per_delivery_s == pytest.approx(1e-5)
    assert law.deliveries_per_s(1000) == pytest.approx(1000 / 11e-3)
    assert law.percentile_s(0.5, 100) == pytest.approx(1.5e-3)
    memory = fit_memory([0, 100], [10, 12])
    assert (memory.base_mb, memory.per_pair_kb) == (pytest.approx(10), pytest.approx(20))
    assert memory.mb(50.0, backlog=1000.0, message_bytes=1000.0) == pytest.approx(12)
    with pytest.raises(ValueError, match="two levels"):
        fit_memory([5, 5], [1, 2])


def test_a_token_bucket_drops_what_it_owes_and_tells_nobody():
    whole = token_bucket(1000.0, 2.0)
    assert whole.sent.all()
    held = token_bucket(1000.0, 2.0, blocked_from_s=1.0, blocked_s=0.3)
    assert (~held.sent).sum() == pytest.approx(200, abs=20)  # 300 due, 100 kept
    assert token_bucket(1000.0, 2.0, blocked_from_s=1.0, blocked_s=0.05).sent.all()


def test_snapshots_of_a_steady_stream_are_its_percentile():
    random = np.random.default_rng(0)
    at, late = np.sort(random.random(50_000) * 20), random.exponential(1.0, 50_000)
    assert averaged_snapshots(at, late, 0.9) == pytest.approx(-math.log(0.1), rel=0.03)
    with pytest.raises(ValueError, match="latencies_s"):
        averaged_snapshots([1.0, 2.0], [1.0], 0.5)


REFUSED = {
    "utilisation of nothing": (lambda: Utilisation(0.0, 0.0), "per_message_s"),
    "utilisation of NaN": (lambda: Utilisation(math.nan, 1e-5), "idle"),
    "batching of nothing": (lambda: Batching(1e-5, 0.0), "per_message_s"),
    "batching below zero": (lambda: Batching(-1.0, 1e-5), "per_batch_s"),
    "fan-out of nothing": (lambda: FanOut(0.0, 0.0), "one of them"),
    "a server never busy": (lambda: fit_batching([1, 2, 3], [0, 0, 0]), "busy_share"),
    "servers without number": (lambda: erlang_c(10**9, 5.0), "servers"),
    "bucket held up for ever": (lambda: token_bucket(1e3, 1.0, blocked_s=math.inf), "blocked_s"),
    "bucket held up for NaN": (lambda: token_bucket(1e3, 1.0, blocked_s=math.nan), "blocked_s"),
    "bucket held up long": (lambda: token_bucket(1e3, 1.0, blocked_s=1e9), "ticks"),
    "bucket held up before": (lambda: token_bucket(1e3, 1.0, blocked_from_s=-1.0), "blocked_from"),
    "bucket of no ticks": (lambda: token_bucket(1e3, 1.0, tick_s=1e-18), "ticks"),
    "snapshots for ages": (lambda: averaged_snapshots([0.5, 1e12], [1.0, 2.0], 0.5), "seconds"),
    "open stall outside": (lambda: open_loop_latencies(10.0, 2.0, 0.2, 1.9, 0.0), "begin_s"),
    "closed stall outside": (lambda: closed_loop_latencies(10.0, 2.0, 0.2, 5.0, 0.0), "begin_s"),
    "columns that fall": (lambda: which_percentiles(3.0, 2.0, 1.0), "ascend"),
    "dispatches without number": (lambda: dispatch(10**6, 1.0, rounds=10**6), "subscribers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_laws_refuse_what_has_no_answer(case):
    call, name = REFUSED[case]
    with pytest.raises(ValueError, match=name):
        call()


def test_a_slow_bucket_sends_and_snapshots_may_begin_at_any_time():
    assert token_bucket(1.0, 10.0).sent.all()  # one token is kept, however slow the rate
    assert averaged_snapshots([0.0], [1.0], 0.5) == 1
    assert averaged_snapshots([1e7, 1e7 + 1], [1.0, 3.0], 1.0) == 2
