"""Seconds per latency in a histogram, and per wait in a queue, beside other ways to the same."""

import numpy as np
import pytest

from quire.brokers import Histogram
from quire.brokers.laws.queues import waits, waits_by_scan, waits_in_turn
from quire.brokers.peers import hdrhistogram

VALUES, JOBS = 100_000, 100_000
ITEMS = VALUES
SHARES = (0.5, 0.99, 0.999)


@pytest.fixture(scope="module")
def latencies():
    return np.random.default_rng(11).exponential(1e6, VALUES).astype(np.int64)


@pytest.mark.benchmark(group="a latency counted, and three percentiles told")
def test_histogram(timed, latencies):
    def told():
        counted = Histogram.of(latencies)
        return [counted.percentile(share) for share in SHARES]

    told_by_rank = np.quantile(latencies, SHARES, method="inverted_cdf")
    assert np.allclose(timed(told), told_by_rank, rtol=2e-3)


@pytest.mark.benchmark(group="a latency counted, and three percentiles told")
def test_hdrhistogram(timed, latencies):
    pytest.importorskip("hdrh")
    timed(lambda: hdrhistogram.percentiles(latencies, SHARES))


@pytest.mark.benchmark(group="a latency counted, and three percentiles told")
def test_sorted_values(timed, latencies):
    timed(lambda: np.quantile(latencies, SHARES, method="inverted_cdf"))


@pytest.mark.benchmark(group="a latency counted, and three percentiles told")
def test_values_copied(timed, latencies):
    timed.extra_info["bound"] = True
    timed(latencies.copy)


@pytest.fixture(scope="module")
def times():
    random = np.random.default_rng(12)
    return random.exponential(0.9, JOBS), random.exponential(1.0, JOBS)


@pytest.mark.benchmark(group="a message's wait at one server, from its history")
@pytest.mark.parametrize("way", [waits, waits_by_scan, waits_in_turn])
def test_waits(benchmark, times, way):
    way(*times)  # compile
    benchmark.extra_info["items"] = JOBS
    benchmark(lambda: way(*times))
