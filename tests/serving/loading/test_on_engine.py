"""Chapter 06's engine behind the stages of loading, learned priorities, finite stores."""

from dataclasses import replace

import numpy as np
import pytest

from quire.serving import LLAMA_8B, Instance, PrefixTrace, SchedulerConfig, Trace, linear_profile
from quire.serving.experiments.loading import devices, learning, settings, store
from quire.serving.loading import (
    ComputeCost,
    Engine,
    LoadingCosts,
    Policy,
    capacity,
    learn,
    random_requests,
    serve,
    serve_on_engine,
)

PROFILE = linear_profile(LLAMA_8B, 20.0, 1e-6)  # a step takes 20 ms, whatever it holds
COSTS = LoadingCosts(6e9, 24e9, compute=ComputeCost(0.02, 0, 0, 0, 0))
ONE = SchedulerConfig(blocks=100_000, budget=100_000, max_sequences=1, prefix_caching=False)
DRAWN = random_requests(60, 8000, 0.8, seed=2)
COMING = DRAWN.retimed(1.2 * capacity(DRAWN, COSTS).decoupled, 3).due_after(COSTS)


@pytest.mark.parametrize("policy", ["fifo", "sjf_compute", "sjf_total", "edf"])
def test_one_seat_and_whole_prompts_are_the_closed_form(policy):
    mine = serve(COMING, COSTS, Engine(), policy)
    found = serve_on_engine(COMING, COSTS, PROFILE, ONE, policy)
    assert found.first_s == pytest.approx(mine.first_s, abs=1e-5)
    assert found.attainment == pytest.approx(mine.attainment, abs=2)
    assert (found.last_s == found.first_s).all() and found.preemptions == 0


@pytest.mark.parametrize("window", [1, 2, 5])
def test_windows_are_those_of_the_stages(window):
    mine = serve(COMING, COSTS, Engine(window=window))
    found = serve_on_engine(COMING, COSTS, PROFILE, ONE, window=window)
    assert found.first_s == pytest.approx(mine.first_s, abs=1e-4)
    free = serve_on_engine(COMING, COSTS, PROFILE, ONE)
    wide = serve_on_engine(COMING, COSTS, PROFILE, ONE, window=1000)
    assert wide.first_s == pytest.approx(free.first_s, abs=1e-7)


def test_decodes_share_the_steps():
    some = replace(COMING, n_out=np.full(60, 40))
    many = replace(ONE, max_sequences=64, budget=512)
    one = serve_on_engine(some, COSTS, PROFILE, many)
    assert (one.last_s - one.first_s >= 39 * 0.0199).all()
    assert one.first_s.mean() > serve_on_engine(COMING, COSTS, PROFILE, many).first_s.mean()
    with pytest.raises(ValueError, match="policy = 'hybrid'"):
        serve_on_engine(some, COSTS, PROFILE, many, "hybrid")
    with pytest.raises(ValueError, match="window = 2: first come first served only"):
        serve_on_engine(some, COSTS, PROFILE, many, "edf", window=2)


def test_what_is_preloaded_is_not_computed():
    trace = Trace(np.zeros(2, int), np.array([1000, 1000]), np.ones(2, int))
    engine = Instance(trace, PROFILE, replace(ONE, budget=100, max_sequences=4))
    engine.preload([950, 0], [2.0, 1.0])
    found = engine.replay()
    assert found.first_ns[1] < found.first_ns[0]  # who has less goes first
    assert found.steps == 11  # 1,000 and 50 tokens in steps of 100
    fresh = Instance(trace, PROFILE, ONE)
    for computed, says in (([1000, 0], "less than each"), ([0.5, 0], "whole"), ([0], "must be 2")):
        with pytest.raises(ValueError, match=says):
            fresh.preload(computed, np.zeros(len(computed)))


CASE = settings.Case("drawn", random_requests(120, 12_000, 0.8, seed=1), LoadingCosts(6e9, 24e9))


def test_learning_is_never_worse_where_it_learns():
    runs = [(CASE.arrivals(0.9, 5), CASE.costs)]
    plain = serve(*runs[0], Engine(), "sjf_total").attainment
    few, more = (learn("linear", runs, trials, 3) for trials in (1, 30))
    assert few.on_time == pytest.approx(plain, abs=1) and more.on_time >= few.on_time
    assert more.on_time == serve(*runs[0], Engine(), more.policy).attainment
    even = serve(*runs[0], Engine(), Policy("linear")).first_s
    assert (even == serve(*runs[0], Engine(), "sjf_total").first_s).all()
    due = serve(*runs[0], Engine(quantum_tokens=None), Policy("linear", weights=(0, 0, 0, 1.0)))
    assert due.attainment != serve(*runs[0], Engine(quantum_tokens=None), "fifo").attainment
    with pytest.raises(ValueError, match="family = 'deep'"):
        learn("deep", runs, 3, 0)
    with pytest.raises(ValueError, match="runs = "):
        learn("linear", [], 3, 0)
    with pytest.raises(ValueError, match="weights = 3 numbers"):
        Policy("linear", weights=(1, 1, 1))
    rows = learning.learned_rows([CASE, replace(CASE, name="other")], 0.9, 3, 1, 2, 7)
    assert [r.rule for r in rows[:4]] == ["sjf_total", "linear", "sjf_total, aged", "hybrid"]
    assert rows[0].gain == 0 and rows[0].learned_on != rows[0].judged_on
    with pytest.raises(ValueError, match="cases = 1"):
        learning.learned_rows([CASE], 0.9, 3, 1, 2, 7)


def test_layers_and_devices():
    (row,) = devices.layered_capacity(CASE, [6.0], 7)
    assert 0 < row.coupled < row.layered <= 1.01
    sides = {(s.engine, s.policy): s for s in devices.layer_sides(CASE, 0.9, 2, 7)}
    assert sides["E0, layer by layer", "fifo"].mean_s < sides["E0", "fifo"].mean_s
    talks = replace(CASE, requests=replace(CASE.requests, n_out=np.full(120, 20)))
    rows = devices.device_rows(talks, PROFILE, 0.8, 40, 2, 7)
    assert [r.side for r in rows] == [name for name, _, _ in devices.SIDES]
    assert rows[0].steps_s >= rows[2].steps_s and len(rows[0].each_steps) == 2


def test_a_smaller_store_keeps_less():
    rng = np.random.default_rng(4)
    blocks = np.concatenate([[k % 7 * 10, k % 7 * 10 + 1, k % 7 * 10 + 2, 100 + k]
                             for k in rng.integers(0, 50, 80).tolist()])  # fmt: skip
    blocks[3::4] = 1000 + np.arange(80)
    trace = PrefixTrace(
        Trace(np.arange(80), np.full(80, 2000), np.ones(80, int), np.arange(0, 321, 4), blocks)
    )
    rows = store.store_rows("drawn", trace, 0.5, 60, LoadingCosts(), [1.0, 0.1], 0.7, 2, 7)
    assert rows[0].lru == rows[0].fifo == rows[0].farthest == 100
    assert 0 <= rows[1].fifo <= rows[1].lru < 100 and rows[1].farthest >= rows[1].lru
    assert rows[0].terabytes == pytest.approx(101 * 512 * 131_072 / 1e12, rel=0.01)
