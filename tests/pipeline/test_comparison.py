"""One batch under every scheduler: complete, valid, within memory, above the bounds."""

import numpy as np
import pytest

from quire.pipeline import (
    BASELINES,
    SPLIT,
    STAGES,
    Hardware,
    compare,
    equal_memory,
    model_named,
    peak_memory,
    sample_batch,
    static_gpipe,
    static_zero_bubble,
    violations,
)

MODEL, HARDWARE = model_named("vlm_s"), Hardware()
NONE = np.zeros(4)  # no memory beyond that of a schedule's definition


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(3)
    return sample_batch(MODEL, 8, rng), sample_batch(MODEL, 32, rng)


@pytest.fixture(scope="module")
def comparison(batches):
    return compare(MODEL, *batches, 4, HARDWARE, segments=(1, 2), evaluations=60, split=True)


def test_every_schedule_is_there_and_valid(comparison):
    assert set(comparison.seconds) == {*BASELINES, *STAGES, *SPLIT}
    assert set(comparison.schedules) == set(comparison.seconds) - {"FSDP-like"}
    for name, schedule in comparison.schedules.items():
        assert violations(schedule) == [], name


def test_what_is_segmented_keeps_to_its_memory_and_its_bound(comparison):
    for name in (*STAGES[1:], "+ split", "Optimus-like"):
        assert violations(comparison.schedules[name], comparison.memory_limit) == [], name
    for name, bound in comparison.bounds.items():
        assert comparison.seconds[name] >= bound
    # a whole backward is a split one whose halves follow each other
    assert comparison.bounds["+ split"] <= comparison.bound * (1 + 1e-12)
    assert comparison.speed_up("static 1F1B") > 0


def test_zero_bubble_keeps_what_its_name_says(batches):
    one, two = (
        static_zero_bubble(MODEL, *batches, 4, HARDWARE, name, NONE) for name in ("ZB-1P", "ZB-2P")
    )
    need = one.program.memory_need().max(axis=0)
    assert (peak_memory(one) <= 4 * need * (1 + 1e-9)).all()
    assert (peak_memory(two) <= 8 * need * (1 + 1e-9)).all()
    assert one.makespan < static_gpipe(MODEL, *batches, 4, HARDWARE).makespan
    folded = static_zero_bubble(MODEL, *batches, 4, HARDWARE, "ZB-V", NONE).program
    assert folded.rank[folded.stage == 7].tolist() == folded.rank[folded.stage == 0].tolist()


def test_pieces_can_be_cut_by_hand(batches):
    fixed = (MODEL, *batches, 4, HARDWARE)
    fine = compare(*fixed, segments=(1, 1), evaluations=10, piece_tokens=(4 * 1024.0, np.inf))
    coarse = compare(*fixed, segments=(1, 1), evaluations=10, piece_tokens=(np.inf, np.inf))
    assert fine.schedules["+ pieces"].program.operations > len(coarse.schedules["+ pieces"].order)
    assert coarse.seconds["+ pieces"] == coarse.seconds["segments"]


def test_bad_values_are_named(batches):
    with pytest.raises(ValueError, match="search = 'luck'"):
        compare(MODEL, *batches, 4, HARDWARE, segments=(1, 1), search="luck")
    with pytest.raises(ValueError, match="schedule 'ZB-3P' is unknown"):
        static_zero_bubble(MODEL, *batches, 4, HARDWARE, "ZB-3P", NONE)


def test_a_v_of_unequal_chunks_keeps_the_memory_of_its_definition():
    """Too few outbound chunks fit for the V order; list scheduling admits what does."""
    rng = np.random.default_rng([0, 1, 12])
    model = model_named("vlm_m")
    history, batch = sample_batch(model, 64, rng), sample_batch(model, 16, rng)
    tight = static_zero_bubble(model, batch, history, 4, HARDWARE, "ZB-V", NONE)
    own = 4 * tight.program.memory_need().max(axis=0)
    assert violations(tight, own) == []
    limit = equal_memory(model, batch, history, 4, HARDWARE, 2.0)
    folded = static_zero_bubble(model, batch, history, 4, HARDWARE, "ZB-V", limit)
    assert violations(folded, np.maximum(own, limit)) == []
    assert folded.makespan <= tight.makespan
