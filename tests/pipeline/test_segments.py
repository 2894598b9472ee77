"""Segments, pieces, static cuts and multimodal baselines."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.pipeline import (
    Hardware,
    ListScheduler,
    Microbatch,
    Rules,
    balanced_plan,
    balancing_piece_tokens,
    cut_items,
    disttrain_like,
    fsdp_like_seconds,
    layer_times,
    list_schedule,
    lower_bound,
    model_named,
    optimal_cut,
    optimus_like,
    segmented_program,
    static_schedule,
    swap_search,
    violations,
    vision_microbatch,
)

MODEL, HARDWARE = model_named("vlm_m"), Hardware()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 5))
def test_the_cut_is_optimal(seconds, stages):
    times = np.array(seconds, dtype=float)
    if stages > len(times):
        with pytest.raises(ValueError, match="stages"):
            optimal_cut(times, stages)
        return
    cut = optimal_cut(times, stages)
    assert cut[0] == 0
    assert cut[-1] == len(times)
    assert (np.diff(cut) > 0).all()
    best = min(
        np.add.reduceat(times, [0, *inner]).max()
        for inner in itertools.combinations(range(1, len(times)), stages - 1)
    )
    assert np.add.reduceat(times, cut[:-1]).max() == best


@settings(max_examples=30)
@given(st.lists(st.integers(1, 50), max_size=12), st.integers(10, 200))
def test_pieces_hold_every_item_once(items, cap):
    lengths = np.array(items, dtype=float)
    pieces = cut_items(lengths, float(cap))
    assert sorted(x for piece in pieces for x in piece) == sorted(items)
    assert all(len(piece) for piece in pieces)
    if items:
        assert len(pieces) == max(1, min(int(np.ceil(sum(items) / cap)), len(items)))


def test_work_is_the_models_work(vlm_batch):
    program = segmented_program(MODEL, vlm_batch, balanced_plan(MODEL, 4, (1, 2)), HARDWARE)
    expected = layer_times(MODEL, vlm_batch, HARDWARE)[:, :, :3].sum()
    assert program.work().sum() == pytest.approx(expected)


def test_splitting_the_backward_conserves_work(vlm_batch):
    plan = balanced_plan(MODEL, 4, (1, 2))
    whole = segmented_program(MODEL, vlm_batch, plan, HARDWARE)
    split = segmented_program(MODEL, vlm_batch, plan, HARDWARE, split_backward=True)
    assert split.operations == whole.operations * 3 // 2
    np.testing.assert_allclose(split.work(), whole.work())


def test_a_microbatch_without_images_has_no_vision_chain():
    text = vision_microbatch(0, np.array([0.5]))
    program = segmented_program(MODEL, [text], balanced_plan(MODEL, 2, (1, 1)), HARDWARE)
    assert set(program.module.tolist()) == {1}
    with pytest.raises(ValueError, match="microbatch 0 holds no items"):
        nothing = Microbatch((np.zeros(0), np.zeros(0)))
        segmented_program(MODEL, [nothing], balanced_plan(MODEL, 2, (1, 1)), HARDWARE)


def test_the_language_model_waits_for_all_its_pieces():
    many = vision_microbatch(24, np.array([0.5]))
    plan = balanced_plan(MODEL, 2, (1, 1), (8 * 1024.0, np.inf))
    program = segmented_program(MODEL, [many], plan, HARDWARE)
    assert set(program.piece[program.module == 0].tolist()) == {0, 1, 2}
    schedule = list_schedule(program)
    vision, language = (program.module == u for u in (0, 1))
    forward = program.kind == 0
    assert schedule.start[language & forward].min() >= schedule.end[vision & forward].max()
    assert schedule.start[vision & ~forward].min() >= schedule.end[language & ~forward].max()


def test_automatic_pieces_last_about_as_long_as_a_language_slice(vlm_batch):
    plan = balanced_plan(MODEL, 4, (1, 4))
    caps = balancing_piece_tokens(MODEL, vlm_batch, plan, HARDWARE)
    assert caps[1] == np.inf
    cut = balanced_plan(MODEL, 4, (1, 4), caps)
    program = segmented_program(MODEL, vlm_batch, cut, HARDWARE)
    forward = program.kind == 0
    vision, language = (program.duration[forward & (program.module == u)].max() for u in (0, 1))
    assert vision < 1.5 * language


def test_the_best_number_of_pieces_is_interior():
    """Cutting hides the pipeline's fill, but small kernels are slow: neither end is best."""
    batch = [vision_microbatch(32, np.array([0.5])) for _ in range(4)]
    spans = []
    for pieces in (1, 2, 4, 8, 32):
        plan = balanced_plan(MODEL, 4, (1, 2), (32 * 1024 / pieces, np.inf))
        spans.append(list_schedule(segmented_program(MODEL, batch, plan, HARDWARE)).makespan)
    assert 0 < int(np.argmin(spans)) < 4


def test_baselines_are_valid_and_above_the_bound(vlm_batch):
    plan = balanced_plan(MODEL, 4, (1, 2))
    rules = Rules(
        memory_limit=6 * segmented_program(MODEL, vlm_batch, plan, HARDWARE).memory_need().max(0)
    )
    schedules = [
        static_schedule(MODEL, vlm_batch, vlm_batch, 4, HARDWARE),
        static_schedule(MODEL, vlm_batch, vlm_batch, 4, HARDWARE, chunks=2, reorder=True),
        optimus_like(MODEL, vlm_batch, plan, HARDWARE, rules),
        disttrain_like(MODEL, vlm_batch, vlm_batch, 4, HARDWARE),
    ]
    for schedule in schedules:
        assert violations(schedule) == []
        assert schedule.makespan >= lower_bound(schedule.program).value
    assert violations(schedules[2], rules.memory_limit) == []
    assert fsdp_like_seconds(MODEL, vlm_batch, 4, HARDWARE) > 0
    found = swap_search(ListScheduler(segmented_program(MODEL, vlm_batch, plan, HARDWARE), rules))
    assert found.schedule.makespan < schedules[0].makespan


def test_reordering_is_never_worse(vlm_batch):
    plain = static_schedule(MODEL, vlm_batch, vlm_batch, 4, HARDWARE)
    assert (
        static_schedule(MODEL, vlm_batch, vlm_batch, 4, HARDWARE, reorder=True).makespan
        <= plain.makespan
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: balanced_plan(MODEL, 0, (1, 1)), "ranks = 0"),
        (lambda: balanced_plan(MODEL, 4, (1,)), "one number per module"),
        (lambda: balanced_plan(MODEL, 16, (4, 1)), "'vit' has 45 layers, cannot fill 16·4 slices"),
        (lambda: balanced_plan(MODEL, 4, (1, 1), (0.0, 1.0)), "piece_tokens"),
        (
            lambda: segmented_program(MODEL, [], balanced_plan(MODEL, 4, (1, 1)), HARDWARE),
            "batch is",
        ),
        (lambda: disttrain_like(MODEL, [], [], 1, HARDWARE), "ranks = 1"),
        (lambda: optimal_cut(np.array([1.0, np.nan]), 1), "finite"),
        (lambda: layer_times(MODEL, [], HARDWARE), "batch is empty"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
