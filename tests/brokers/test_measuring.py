import json
import math
import os
import sys
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.brokers import (
    Arrivals,
    Histogram,
    Stamp,
    Workload,
    loss_of,
    percentile_interval,
    schedule,
    spread,
    stamped,
    summary,
)
from quire.brokers.measuring.histograms import bucket_of, highest_of, lowest_of
from quire.brokers.measuring.latencies import percentile_ms
from quire.brokers.measuring.processes import is_loopback, usage

VALUES = st.lists(st.integers(0, 10**11), max_size=60)


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_and_commutative(a, b, c):
    x, y, z = (Histogram.of(np.array(v, dtype=np.int64)) for v in (a, b, c))
    one, two = x.merge(y).merge(z), x.merge(y.merge(z))
    assert (one.counts == two.counts).all()
    assert (x.merge(y).counts == y.merge(x).counts).all()
    assert one.total == len(a) + len(b) + len(c)
    assert (one.counts == Histogram.of(np.array(a + b + c, dtype=np.int64)).counts).all()


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=80), st.floats(0, 1))
def test_a_percentile_is_the_order_statistic_within_one_part_in_a_thousand(values, q):
    exact = sorted(values)[max(1, math.ceil(q * len(values) - 1e-9)) - 1]
    found = Histogram.of(np.array(values, dtype=np.int64)).percentile(q)
    assert exact <= found <= exact * (1 + 1 / 1024) + 1e-9


@given(st.integers(0, 2**62 - 1))
def test_a_value_lies_in_its_bucket(value):
    k = bucket_of(np.array([value]))
    assert lowest_of(k)[0] <= value <= highest_of(k)[0]


def test_buckets_leave_no_gap():
    k = np.arange(40_000)
    assert (bucket_of(lowest_of(k)) == k).all()
    assert (bucket_of(highest_of(k)) == k).all()
    assert (highest_of(k[:-1]) + 1 == lowest_of(k[1:])).all()


def test_the_correction_puts_back_what_a_closed_loop_left_out():
    seen = Histogram.of(np.array([1_000_000] * 99 + [100_000_000]))
    whole = seen.corrected(1_000_000)
    assert whole.total == 100 + 99  # 99, 98, ..., 1 ms
    assert whole.percentile(0.75) == pytest.approx(50e6, rel=0.03)
    assert (seen.corrected(10**9).counts == seen.counts).all()


def test_values_beyond_the_largest_are_counted_apart():
    held = Histogram.of(np.array([5, 10_000, 20_000]), largest=9_999)
    assert held.beyond == 2
    assert held.percentile(1.0) == 9_999


@pytest.mark.parametrize(
    "wrong", [[-1], [0.5], [math.nan], [[1, 2]], ["a"], [2.0**63], [True]], ids=str
)
def test_what_is_no_count_of_units_is_refused(wrong):
    with pytest.raises(ValueError, match="values"):
        Histogram.of(np.array(wrong))


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_percentile_outside_of_the_unit_interval_is_refused(q):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Histogram.of(np.array([1])).percentile(q)


def test_an_empty_histogram_has_no_percentile():
    with pytest.raises(ValueError, match="without values"):
        Histogram.of(np.array([], dtype=np.int64)).percentile(0.5)
    with pytest.raises(ValueError, match="same range"):
        Histogram.of(np.array([1])).merge(Histogram.of(np.array([1]), largest=5000))


def test_the_interval_of_a_percentile_covers_it():
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        low, high = percentile_interval(random.exponential(1.0, 200), 0.9)
        hits += low <= -math.log(0.1) <= high
    assert hits >= 0.93 * 300
    assert percentile_interval([1.0, 2.0], 0.99)[1] == math.inf


@given(st.integers(1, 6), st.floats(0.5, 40), st.floats(0.1, 4), st.integers(0, 9))
def test_each_publisher_sends_as_often_as_its_rate_says(publishers, rate, seconds, seed):
    plan = schedule(publishers, rate, seconds, seed=seed)
    counts = np.bincount(plan.publisher, minlength=publishers)
    assert (np.abs(counts - math.floor(rate * seconds)) <= 1).all()
    assert (np.diff(plan.due_ns) >= 0).all()
    assert plan.due_ns.size == 0 or plan.due_ns[-1] < seconds * 1e9
    for k in range(publishers):
        assert (plan.number[plan.publisher == k] == np.arange(counts[k])).all()


def test_poisson_gaps_have_the_rate_and_the_variation_of_an_exponential():
    plan = schedule(1, 1000.0, 20.0, arrival="poisson", seed=1)
    gaps = np.diff(plan.due_ns) / 1e9
    assert gaps.mean() == pytest.approx(1e-3, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.05)
    assert schedule(1, 1000.0, 20.0, arrival="poisson", seed=1).due_ns[7] == plan.due_ns[7]


def test_phases_are_spread():
    plan = schedule(500, 1.0, 1.0, seed=2)
    assert np.quantile(plan.due_ns / 1e9, [0.25, 0.5, 0.75]) == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.08
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"publishers": 0},
        {"rate_per_s": 0.0},
        {"rate_per_s": math.inf},
        {"seconds": -1.0},
        {"arrival": "bursts"},
        {"seed": -1},
        {"publishers": 10**6, "rate_per_s": 1e6},
    ],
    ids=str,
)
def test_impossible_schedules_are_refused_by_name(wrong):
    right = {"publishers": 2, "rate_per_s": 1.0, "seconds": 1.0}
    arguments = right | wrong
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=name):
        schedule(
            arguments.pop("publishers"),
            arguments.pop("rate_per_s"),
            arguments.pop("seconds"),
            **arguments,
        )


def arrivals(rows):
    held = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return Arrivals(*(held[:, k] for k in range(5)))


def test_a_summary_by_hand():
    plan = schedule(1, 10.0, 1.0, seed=0)
    start = 1_000
    due = (plan.due_ns + start).tolist()
    rows = [(0, k, due[k], due[k] + 100, due[k] + 1_000_000 * (k + 1)) for k in range(10) if k != 4]
    rows.append((0, 2, due[2], due[2] + 100, due[2] + 9_000_000))  # a late copy
    told = summary(plan, arrivals(rows), start_ns=start, window_ns=(0, 10**9))
    assert (told.due, told.delivered, told.duplicates, told.gaps) == (10, 9, 1, 1)
    assert told.loss == pytest.approx(0.1)
    assert told.p50_ms == 6.0  # 1 2 3 4 . 6 7 8 9 10: the fifth of nine
    assert told.max_ms == 10.0
    assert told.lag_p99_ms == pytest.approx(1e-4)
    assert told.sent_p99_ms == pytest.approx(10 - 1e-4)
    assert not told.generator_limited


def test_nothing_came():
    plan = schedule(1, 10.0, 1.0, seed=0)
    told = summary(plan, arrivals([]), start_ns=0, window_ns=(0, 10**9))
    assert told.loss == 1.0
    assert math.isnan(told.p99_ms)
    assert told.generator_limited  # a row without latencies proves nothing


def test_a_fan_out_is_due_to_every_subscriber():
    plan = schedule(1, 10.0, 1.0, seed=0)
    rows = [(s, 0, plan.due_ns[0], plan.due_ns[0], plan.due_ns[0] + 5) for s in range(3)]
    told = summary(plan, arrivals(rows), start_ns=0, window_ns=(0, 10**9), subscribers=3)
    assert (told.due, told.delivered) == (30, 3)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_loss_is_a_share(due, delivered):
    if delivered > due:
        with pytest.raises(ValueError, match="delivered"):
            loss_of(due, delivered)
    else:
        assert 0 <= loss_of(due, delivered) <= 1


@settings(max_examples=50)
@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(0, 1))
def test_an_exact_percentile(values, q):
    found = percentile_ms(np.array(values), q)
    assert found == np.quantile(values, q, method="inverted_cdf") / 1e6 or q < 1e-9


def test_spread_of_rounds():
    assert spread([3, 1, 2]) == (2.0, 1.0, 3.0)
    with pytest.raises(ValueError, match="at least one round"):
        spread([])


def test_addresses_of_this_host():
    assert is_loopback("127.0.0.1:80")
    assert is_loopback("::ffff:127.0.0.1:80")
    assert is_loopback("::1:80")
    assert not is_loopback("0.0.0.0:80")
    assert not is_loopback("::ffff:10.0.0.1:80")


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' /proc")
def test_processor_time_is_counted_finer_than_in_ticks():
    own = process_time()
    before = usage(os.getpid()).cpu_s
    assert before >= own  # the process' own clock, looked at a little later
    while process_time() < own + 0.005:
        pass
    assert usage(os.getpid()).cpu_s - before > 0.004


def test_a_process_that_is_gone_uses_nothing():
    assert usage(2**22 - 3).processes in (0, 1)
    with pytest.raises(ValueError, match="pid"):
        usage(0)


def test_numbers_that_would_fill_the_memory_are_refused():
    long = Histogram.of(np.array([100_000_000_000]))
    with pytest.raises(ValueError, match="expected = 1:"):
        long.corrected(1)
    assert long.corrected(10_000_000_000).total == 10
    for wrong, name in (
        ((10**9, 1e-3, 1.0), "publishers"),
        ((1, 1e-320, 1.0), "rate_per_s"),
        ((1, 1e-9, 1e11), "seconds"),
    ):
        with pytest.raises(ValueError, match=name):
            schedule(*wrong)
    with pytest.raises(ValueError, match="size"):
        stamped(Stamp(0, 0, 0), 10**12)


def unchecked(**changes):
    """Return a workload as a caller makes it, without the type checks of the tests."""
    load = object.__new__(Workload)
    for name, value in {**Workload().as_dict(), **changes}.items():
        object.__setattr__(load, name, value)
    load.__post_init__()
    return load


def test_a_workload_of_numpy_numbers_can_be_told_to_another_process():
    load = unchecked(
        pairs=np.int64(2), rate_per_s=np.float64(5), payload=np.int32(64), nodelay=np.bool_(False)
    )
    assert json.loads(json.dumps(load.as_dict())) == load.as_dict()
    assert load == Workload(pairs=2, rate_per_s=5.0, payload=64, nodelay=False)
    with pytest.raises(ValueError, match="nodelay"):
        unchecked(nodelay="no")
