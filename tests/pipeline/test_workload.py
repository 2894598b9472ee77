"""Costs and batches: the accounting, and what dynamicity it is calibrated to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.pipeline import (
    CALIBRATED_SHAPE,
    MODELS,
    Hardware,
    Model,
    Module,
    calibrate_shape,
    hop_seconds,
    kernel_efficiency,
    layer_cost,
    layer_flops,
    microbatch_flops,
    model_named,
    sample_batch,
    vision_microbatch,
    work_ratio,
)
from quire.pipeline.workload.batches import deal_items
from quire.pipeline.workload.costs import layer_costs

TOY = Module("toy", 2, 8, 16, 4, 2, gated=True, causal=False)


def test_flops_by_hand():
    linear, attention = layer_flops(TOY, np.array([3.0, 5.0]))
    assert linear == 2 * 8 * (2 * 64 * 1.5 + 3 * 8 * 16)
    assert attention == 4 * 8 * (9 + 25)


def test_a_backward_is_two_forwards_and_attention_is_in_b_alone():
    cost = layer_cost(TOY, np.array([64.0]), Hardware(half_tokens=0.0))
    again = layer_cost(TOY, np.array([64.0]), Hardware(half_tokens=0.0), recompute=True)
    assert cost.backward + cost.weight == pytest.approx(2 * cost.forward)
    assert cost.weight < cost.backward
    assert again.backward == pytest.approx(cost.backward + cost.forward)
    assert again.memory < cost.memory


@settings(max_examples=30)
@given(st.floats(1, 1e5), st.integers(2, 16))
def test_splitting_tokens_never_makes_kernels_faster(tokens, pieces):
    hardware = Hardware()
    whole = tokens / kernel_efficiency(tokens, hardware)
    split = pieces * (tokens / pieces) / kernel_efficiency(tokens / pieces, hardware)
    assert split > whole


def test_a_hop_is_latency_and_bytes():
    hardware = Hardware(tensor_parallel=2, hop_latency=1e-3, bandwidth=1e9)
    assert hop_seconds(TOY, 100.0, hardware) == pytest.approx(1e-3 + 2 * 100 * 8 / 2e9)


@pytest.mark.parametrize(
    ("name", "billions"), [("vlm_s", 12.5), ("vlm_m", 36.7), ("vlm_l", 92.0), ("t2v_l", 28.7)]
)
def test_the_named_models_have_the_sizes_they_claim(name, billions):
    assert model_named(name).parameters / 1e9 == pytest.approx(billions, rel=0.01)


def test_the_frozen_shape_is_the_calibrated_one():
    model = model_named("vlm_m")
    assert work_ratio(model, shape=CALIBRATED_SHAPE) == pytest.approx(4.15, abs=0.2)
    assert calibrate_shape(model) == pytest.approx(CALIBRATED_SHAPE, abs=0.1)
    assert work_ratio(model, shape=1.0) > work_ratio(model, shape=4.0) > 1


@pytest.mark.parametrize("name", MODELS)
def test_batches_follow_their_seed_and_carry_work(name):
    model = model_named(name)
    first = sample_batch(model, 5, np.random.default_rng(1))
    second = sample_batch(model, 5, np.random.default_rng(1))
    for a, b in zip(first, second, strict=True):
        for x, y in zip(a.lengths, b.lengths, strict=True):
            np.testing.assert_array_equal(x, y)
    work = [microbatch_flops(model, microbatch) for microbatch in first]
    assert min(work) > 0
    assert max(work) > 1.05 * min(work)


def test_text_fills_the_packed_sequence():
    ends = np.array([0.1, 0.5])
    assert vision_microbatch(0, ends).lengths[1].sum() == 8192
    assert vision_microbatch(40, ends).lengths[1].sum() == 40 * 256
    assert len(vision_microbatch(0, ends).lengths[0]) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sample_batch(model_named("vlm_m"), 0, np.random.default_rng(0)),
            "microbatches = 0",
        ),
        (
            lambda: sample_batch(
                model_named("vlm_m"), 1, np.random.default_rng(0), image_mean=-1.0
            ),
            "image_mean",
        ),
        (
            lambda: sample_batch(model_named("vlm_m"), 1, np.random.default_rng(0), shape=0.0),
            "shape",
        ),
        (lambda: vision_microbatch(-1, np.zeros(1)), "images = -1"),
        (lambda: calibrate_shape(model_named("vlm_m"), target=1e6), "out of reach"),
        (lambda: Hardware(peak_flops=0.0), "peak_flops"),
        (lambda: Hardware(hop_latency=-1.0), "hop_latency"),
        (lambda: Model("empty", ()), "modules of model 'empty' is empty"),
        (lambda: Model("twice", (TOY, TOY)), "share a name"),
        (lambda: model_named("gpt"), "choose one of"),
        (lambda: Module("m", 0, 8, 16, 4, 2, gated=True, causal=False), "layers of module 'm'"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kinds", [1, 3, 50])
def test_items_go_to_the_lightest_part_longest_first(seed, kinds):
    rng = np.random.default_rng([seed, kinds])
    lengths = rng.permutation(100)[:kinds].astype(float)[rng.integers(0, kinds, 17)]
    parts = int(rng.integers(1, 6))
    load, bins = np.zeros(parts), [[] for _ in range(parts)]
    for length in sorted(lengths, reverse=True):
        place = int(np.argmin(load))
        bins[place].append(length)
        load[place] += length
    assert [part.tolist() for part in deal_items(lengths, parts)] == bins


@pytest.mark.parametrize("recompute", [False, True])
def test_costs_of_several_are_those_of_each(recompute):
    module, hardware = model_named("vlm_s").modules[1], Hardware()
    each = [np.array([100.0, 7.0]), np.zeros(0), np.array([4096.0])]
    rows = layer_costs(module, each, hardware, recompute=recompute)
    for row, lengths in zip(rows, each, strict=True):
        cost = layer_cost(module, lengths, hardware, recompute=recompute)
        assert row.tolist() == [cost.forward, cost.backward, cost.weight, cost.memory]
    assert rows[1].tolist() == [0.0] * 4
