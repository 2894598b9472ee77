"""Memory that computes attention, a tier that two instances share, slopes along a replay."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.serving import (
    LLAMA_8B,
    Curve,
    Instance,
    LatencyTable,
    ModelShape,
    PhaseTables,
    SchedulerConfig,
    Tier,
    Trace,
    linear_profile,
    poisson_trace,
    replay,
    serve_pool,
)
from quire.serving.engine.batched import replay_batch
from quire.serving.engine.offloaded import serve_offloaded
from quire.serving.engine.slopes import means_and_slopes
from quire.serving.profiles.offload import HBM2_PIM, MemoryDevice, packed

MODEL = ModelShape("tiny", 3, 64, 4, 2, 16, 128, 1000)
FLAT = Curve(np.array([1.0]), np.array([100.0]))
STEP = Curve(np.array([1.0, 64.0]), np.array([100.0, 730.0]))
PROFILE = LatencyTable(
    MODEL,
    {"embedding": FLAT},
    (("q_proj", STEP), ("o_proj", STEP), ("down_proj", STEP)),
    {"lm_head": FLAT},
    PhaseTables(np.full((1, 5), 500.0), np.full((9, 9), 400.0)),
)
MEMORY = MemoryDevice(4, 2.0, 40.0, split=2, idle_w=1.0, active_w=3.0)
CONFIG = SchedulerConfig(200, 64, 8, prefix_caching=False)


def test_one_request_is_split_over_channels():
    # 100 tokens on one channel take 240 ns, on two 120 each
    assert MEMORY.attention_ns([100]) == (120.0, 240.0)
    assert MEMORY.attention_ns([100], parts=1) == (120.0, 120.0)
    assert MEMORY.attention_ns([]) == (0.0, 0.0)
    # the third request finds two channels of 60 tokens less loaded than those of 100
    ends, work = MEMORY.attention_ns([10, 100, 60])
    assert work == pytest.approx(2 * 170 + 3 * 40)
    assert ends == pytest.approx(max(120.0, (60 * 2 + 40) / 2 + (10 * 2 + 40) / 2))
    assert MEMORY.energy_j(10.0, 4.0) == 4 * 1.0 * 10 + 2.0 * 4


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60), st.integers(1, 8))
@settings(max_examples=40)
def test_channels_share_the_work(lengths, split):
    device = MemoryDevice(8, 3.0, 7.0, split=split)
    ends, work = device.attention_ns(lengths)
    assert work == pytest.approx(3.0 * sum(lengths) + 7.0 * len(lengths))
    longest = (3.0 * max(lengths) + 7.0) / split
    # no schedule is shorter than the mean or the longest part; the greedy one is near both
    assert max(work / 8, longest) - 1e-6 <= ends <= work / 8 + longest + 7.0 * len(lengths)
    assert device.attention_ns(lengths[::-1]) == pytest.approx((ends, work))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.sampled_from([1, 2, 3, 4, 8]))
@settings(max_examples=40)
def test_channels_that_fill_up_side_by_side_are_those_of_every_part_alone(lengths, split):
    device = MemoryDevice(8, 3.0, 7.0, split=split)
    held, placed = packed(-np.sort(-np.array(lengths, dtype=float)), 8, split)
    each = 3.0 / split * held + 7.0 / split * placed
    assert device.attention_ns(lengths) == (each.max(), each.sum())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"split": 5}, "split = 5"),
        ({"token_ns": 0.0}, "token_ns"),
        ({"active_w": 0.5}, "active_w = 0.5"),
        ({"channels": 0}, "channels"),
    ],
)
def test_devices_are_checked(fields, said):
    with pytest.raises(ValueError, match=said):
        replace(MEMORY, **fields)
    with pytest.raises(ValueError, match="parts"):
        MEMORY.attention_ns([1], parts=3)


def one(n_in, n_out, **kwargs):
    trace = Trace(np.array([0]), np.array([n_in]), np.array([n_out]))
    return serve_offloaded(trace, PROFILE, CONFIG, MEMORY, **kwargs)


def test_a_single_request_by_hand():
    # a chunk of 32 on the accelerator, then one decode of 32 tokens in the memory
    dense = lambda t: 3 * (100 + 10 * (t - 1))  # noqa: E731
    prompt = 200 + 3 * (dense(32) + 500)
    decode = 200 + 3 * (dense(1) + (2 * 32 + 40) / 2)
    found = one(32, 2)
    assert found.replay.end_ns == pytest.approx(prompt + decode)
    assert found.memory_s == pytest.approx(3 * (2 * 32 + 40) / 1e9)
    assert found.device_s == pytest.approx((prompt + 200 + 3 * dense(1)) / 1e9)
    assert found.steps_s == pytest.approx(found.replay.end_ns / 1e9)
    for switch in ({"sub_batches": True}, {"decodes_again": True}, {"prompts_wait": True}):
        assert one(32, 2, **switch).replay.end_ns == pytest.approx(prompt + decode)


def test_two_decodes_in_two_sub_batches_by_hand():
    trace = Trace(np.zeros(2, int), np.array([2, 2]), np.array([2, 2]))
    slow = MemoryDevice(4, 1000.0, 0.0, split=1)
    whole, halves = (
        serve_offloaded(trace, PROFILE, CONFIG, slow, sub_batches=each).replay
        for each in (False, True)
    )
    # the prompts take 1,000 ns of attention or less; the decodes 2,000 ns a layer in the memory
    step = whole.last_ns[0] - whole.first_ns[0]
    assert step == pytest.approx(200 + 3 * (3 * 110 + 2000))
    # in halves the memory is free while dense layers run: 3 x 4,000 ns, the first and last layers
    # apart (one channel at a time holds each sub-batch)
    step = halves.last_ns[0] - halves.first_ns[0]
    assert step == pytest.approx(2 * 200 + 100 + 3 * 2 * 2000 + 200)


def test_memory_takes_over_only_what_it_can():
    trace = poisson_trace(20, 1e5, (4, 40), (3, 20), 3)
    nothing = MemoryDevice(64, 1e-9, 0.0)
    base = replay(trace, PROFILE, CONFIG)
    found = serve_offloaded(trace, PROFILE, CONFIG, nothing)
    assert found.replay.end_ns < base.end_ns
    assert found.device_s <= found.steps_s + 1e-12
    again = serve_offloaded(trace, PROFILE, CONFIG, nothing, decodes_again=True)
    assert found.replay.end_ns < again.replay.end_ns <= base.end_ns + 1
    slow = serve_offloaded(trace, PROFILE, CONFIG, MEMORY, prompts_wait=True)
    assert slow.replay.end_ns >= serve_offloaded(trace, PROFILE, CONFIG, MEMORY).replay.end_ns
    with pytest.raises(ValueError, match="'o_proj'"):
        serve_offloaded(trace, linear_profile(LLAMA_8B, 1.0, 1.0), CONFIG, HBM2_PIM)
    with pytest.raises(ValueError, match="never fit"):
        serve_offloaded(trace, PROFILE, replace(CONFIG, blocks=1), MEMORY)


def test_two_instances_lose_nothing_that_the_other_wrote():
    # each serves four prompts of its own, then both are asked for all eight again
    names = np.concatenate([np.arange(8 * k, 8 * k + 8) for k in [*range(8), *range(8)]])
    trace = Trace(
        np.arange(16) * 10**9, np.full(16, 128), np.full(16, 2), np.arange(17) * 8, names
    )  # fmt: skip
    profile = linear_profile(LLAMA_8B, 5.0, 0.5, 1000)
    config = SchedulerConfig(9, 256, 4)
    tier = Tier(100, 1e12, 64)
    pair = [Instance(trace, profile, config, tier=tier) for _ in range(2)]
    pair[1].share_tier(pair[0])
    found = serve_pool(pair, lambda r, each: (r + (r >= 8)) % 2)
    assert found.written_chunks == 8 * 2, "each chunk is written once"
    assert found.hit.tolist() == [0] * 8 + [64] * 8, "the last token is always computed"
    recalled = pair[0].requests.recalled + pair[1].requests.recalled
    assert recalled.tolist() == found.hit.tolist()


def test_slopes_are_the_path_s():
    trace = poisson_trace(6, 20.0, (20, 200), (5, 50), 1)
    profile = linear_profile(LLAMA_8B, 5.0, 0.5, 1000)
    config = SchedulerConfig(300, 256, 16, prefix_caching=False)
    means, slopes = means_and_slopes(trace, profile, config, [1.0, 1.0, 0.0])
    served = replay(trace, profile, config).served()
    for k, metric in enumerate(("TTFT", "TPOT", "latency")):
        assert means[k] == pytest.approx(served.cell(metric, "mean"), rel=1e-4)
    few = replay_batch(
        trace, profile, 300, max_sequences=16, budget=256,
        dense=[1.0, 1.001, 1.0, 1.0], attention=[1.0, 1.0, 1.001, 1.0], host_us=[0, 0, 0, 1.0],
    )  # fmt: skip
    for k, step in enumerate((1e-3, 1e-3, 1.0)):
        change = (few.tpot_ms[k + 1] - few.tpot_ms[0]) / step
        assert slopes[1, k] == pytest.approx(change, rel=0.05, abs=2e-5)
    with pytest.raises(ValueError, match="constants = 2 numbers"):
        means_and_slopes(trace, profile, config, [1.0, 1.0])
