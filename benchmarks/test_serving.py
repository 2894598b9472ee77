"""Seconds per request of a replay and of a router, and per cell of a grid of plans."""

import numpy as np
import pytest

from quire.serving import (
    LLAMA_8B,
    SchedulerConfig,
    linear_profile,
    poisson_trace,
    replay,
    replay_batch,
)
from quire.serving.peers import simpy

REQUESTS = 300
ITEMS = REQUESTS
CONFIGURATIONS = 16
RULES = SchedulerConfig(2000, 2048, 64, prefix_caching=False)


@pytest.fixture(scope="module")
def trace():
    return poisson_trace(REQUESTS, 8.0, (20, 800), (1, 200), seed=8)


@pytest.fixture(scope="module")
def profile():
    return linear_profile(LLAMA_8B, 12.0, 0.6)


@pytest.mark.benchmark(group="a request served by one engine")
def test_loop_from_event_to_event(timed, trace, profile):
    costs = profile.costs(RULES.budget, RULES.max_sequences)
    replay(trace, costs, RULES)  # compile
    timed(lambda: replay(trace, costs, RULES))


@pytest.mark.benchmark(group="a request served by one engine")
def test_loop_step_by_step(timed, trace, profile):
    costs = profile.costs(RULES.budget, RULES.max_sequences)
    replay(trace, costs, RULES, compressed=False)
    timed(lambda: replay(trace, costs, RULES, compressed=False))


@pytest.mark.benchmark(group="a request served by one engine")
def test_batch_in_jax(benchmark, trace, profile):
    blocks = np.full(CONFIGURATIONS, RULES.blocks)

    def batch():
        return replay_batch(
            trace, profile, blocks, max_sequences=RULES.max_sequences, budget=RULES.budget
        )

    batch()
    benchmark.extra_info["items"] = REQUESTS * CONFIGURATIONS
    benchmark(batch)


@pytest.mark.benchmark(group="a request served by one engine")
def test_simpy(timed, trace, profile):
    pytest.importorskip("simpy")
    ends = timed(lambda: simpy.serve(trace, profile, RULES))
    assert np.array_equal(ends, replay(trace, profile, RULES).last_ns)
