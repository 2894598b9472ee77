"""Bank conflicts, profiles, critical paths, and the model of time against measured cards."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.isa import Launch, RunOptions, assemble, kernels
from quire.isa.costs.bank_conflicts import (
    conflict_degree,
    multiplicity,
    transactions,
    wide_passes,
)
from quire.isa.costs.cards import H100, MEASURED
from quire.isa.costs.critical_path import Latencies, path_cycles
from quire.isa.costs.fits import Measured, fit, judge, read_measured
from quire.isa.costs.model import Fitted, predict
from quire.isa.costs.profiles import profile
from quire.isa.costs.ranges import UNMEASURED, draw
from quire.isa.costs.workloads import (
    VARIANTS,
    Variant,
    grid_stride,
    histogram_work,
    product_work,
    reduction_work,
    tiles,
)
from quire.isa.experiments.hardware import against_a_copy, held, small_tiles

OPTIONS = RunOptions(lanes=1024)
EVERY = np.ones((1, 32), bool)


def wave(*addresses):
    return np.array([addresses], np.uint32)


def test_bank_conflicts_by_hand():
    lanes = np.arange(32)
    assert conflict_degree(wave(*(4 * lanes)), EVERY)[0] == 1
    assert conflict_degree(wave(*(0 * lanes)), EVERY)[0] == 1  # broadcast
    assert conflict_degree(wave(*(8 * lanes)), EVERY)[0] == 2
    assert conflict_degree(wave(*(128 * lanes)), EVERY)[0] == 32
    assert conflict_degree(wave(*(132 * lanes)), EVERY)[0] == 1  # a padded column
    assert conflict_degree(wave(*(128 * lanes)), ~EVERY)[0] == 0
    assert conflict_degree(wave(*(4 * lanes)), EVERY, banks=16)[0] == 2


@given(seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_the_conflict_degree_is_the_most_crowded_bank(seed):
    generator = np.random.default_rng(seed)
    addresses = generator.integers(0, 64, (1, 32)).astype(np.uint32) * 4
    active = generator.random((1, 32)) < 0.7
    words = {int(a) // 4 for a in addresses[active]}
    wanted = max(sum(w % 32 == bank for w in words) for bank in range(32))
    assert conflict_degree(addresses, active)[0] == wanted


def test_transactions_and_multiplicity():
    lanes = np.arange(32)
    assert transactions(wave(*(4 * lanes)), EVERY, 4)[0] == 4
    assert transactions(wave(*(4 * lanes)), EVERY, 4, line=128)[0] == 1
    assert transactions(wave(*(64 * lanes)), EVERY, 4)[0] == 32
    assert transactions(wave(*(28 + 0 * lanes)), EVERY, 8)[0] == 2
    assert multiplicity(wave(*(4 * (lanes // 8))), EVERY)[0] == 8


def test_wide_loads_are_served_half_a_wave_at_a_time():
    lanes = np.arange(32)
    assert wide_passes(wave(*(16 * lanes)))[0] == 4  # every word once: 512 bytes
    assert wide_passes(wave(*(0 * lanes)))[0] == 2  # broadcast, once a half
    assert wide_passes(wave(*(128 * lanes)))[0] == 32  # a column of rows of 32 words


@pytest.fixture(scope="module")
def reductions():
    launch = Launch((4, 1, 1), (256, 1, 1), 32)
    memory = np.arange(4096, dtype=np.uint32)
    return [
        profile(assemble(text).kernel(), launch, memory, options=OPTIONS)
        for text in (kernels.reduce_shuffle(8192), kernels.reduce_local(8192))
    ]


def test_profiles_count_what_the_reference_counts(reductions):
    shuffle, local = reductions
    assert (shuffle.events.instructions, local.events.instructions) == (2624, 4768)
    assert (shuffle.barriers, local.barriers) == (1, 10)
    assert shuffle.instructions / local.instructions == pytest.approx(0.550, abs=5e-4)
    # the loop's last round, in which every lane has left, runs its shuffle as well
    assert shuffle.events.wave == 4 * 8 * 6 and local.events.wave == 0
    assert local.device_bytes == 1024 + 32
    assert local.worst_conflict == 1


@pytest.mark.parametrize(
    ("tile", "padding", "by_columns", "worst"),
    [
        *((32, 0, False, 1), (32, 1, False, 1), (32, 0, True, 32), (32, 1, True, 1)),
        # a wave of 32 lanes covers two rows of 16 words: padded, they overlap in one bank
        *((16, 0, False, 1), (16, 1, False, 2), (16, 0, True, 8), (16, 4, False, 2)),
    ],
)
def test_padding_saves_columns_and_costs_rows(tile, padding, by_columns, worst):
    found = tiles(Variant(tile, by_columns, padding).name)
    assert found.variant.tile == tile and found.profile.worst_conflict == worst


def test_an_odd_row_length_loses_wide_loads(hopper):
    """What the compiler emitted (gemm_shared_loads) is what the addresses allow."""
    emitted = {
        *(("tile16_rows_unpadded", 4), ("tile16_rows_padded", 0), ("tile16_columns_unpadded", 8)),
        *(("tile16_columns_padded", 0), ("tile16_rows_padded_by_4", 4)),
        *(("tile32_rows_unpadded", 8), ("tile32_rows_padded", 0), ("tile32_rows_padded_by_4", 8)),
        *(("tile32_columns_unpadded", 16), ("tile32_columns_padded", 0)),
    }
    for name, wide in emitted:
        found = tiles(name).profile
        assert found.wide_loads / found.waves == wide, name


LATENCIES = Latencies(4.0, 29.0, 37.0, 12.0, 2.0)


def test_the_critical_path_of_a_few_instructions_by_hand():
    text = """
    .kernel k
    .registers 8
    mov_imm r1, 0
    local_load_u32 r2, r1
    iadd r3, r2, r2
    iadd r4, r1, r1
    barrier
    device_load_u32 r5, r1
    iadd r6, r5, r3
    halt
    .end
    """
    code = assemble(text).kernel().instructions
    # the load waits 4 for r1 and takes 29; its sum starts at 33, the next a cycle later; the
    # barrier of eight waves starts at 35 and takes 28; the load at 63, its sum at 63 + 500
    assert path_cycles(code[:3], LATENCIES, 500.0, 8) == 33 + 4
    assert path_cycles(code, LATENCIES, 500.0, 8) == 63 + 500 + 4


def works(card):
    return [
        reduction_work(card, "tree", 2**22),
        reduction_work(card, "shuffle", 2**26),
        reduction_work(card, "tree", 2**26, grid_stride(card, 2**26)),
        product_work(card, "tile16_rows_padded", 1024),
        histogram_work(card, 2**26),
    ]


def test_more_work_takes_longer_and_a_launch_has_a_floor():
    fitted = Fitted()
    for work in works(H100):
        time = predict(work, H100, fitted)
        assert time.total > fitted.launch
        longer = predict(replace(work, workgroups=2 * work.workgroups), H100, fitted)
        assert longer.total > time.total
        assert set(time.cycles) == {"dispatch", "issue", "local memory", "barriers", "latency"}
    tiny = predict(reduction_work(H100, "tree", 1024), H100, fitted)
    assert (tiny.total, tiny.bound) == (fitted.launch, "launch")


def test_constants_that_made_the_times_are_found_again():
    rows = [Measured("product", name, n, 1.0) for name in VARIANTS for n in (1024, 2048)]
    rows += [
        Measured("reduction", f"{size}_{how}", 2**e, 1.0)
        for size in ("one", "many")
        for how in ("local", "shuffle", "read")
        for e in range(10, 29, 2)
    ]
    truth = Fitted(5.0, 2.0, 170.0, 280.0, 0.12, 1.2, 1.2, 2.5)
    made = [replace(r, us=j.predicted) for r, j in zip(rows, judge(rows, H100, truth), strict=True)]
    found = fit(made, H100)
    assert max(abs(row.error) for row in judge(made, H100, found)) < 0.02
    for name in ("launch", "dispatch", "barrier", "local_pass"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=0.05), name


def test_one_disturbed_row_does_not_move_the_fit(hopper):
    rows = read_measured(hopper["h200"])
    whole = fit(rows, MEASURED["h200"])
    disturbed = [replace(rows[0], us=5 * rows[0].us), *rows[1:]]
    moved = fit(disturbed, MEASURED["h200"])
    for name in ("dispatch", "barrier", "local_pass"):
        assert getattr(moved, name) == pytest.approx(getattr(whole, name), rel=0.05), name


def test_the_other_card_is_predicted_from_one_with_tile_32_unseen(hopper):
    rows = {card: read_measured(hopper[card]) for card in MEASURED}
    fitted = fit(small_tiles(rows["h100"]), MEASURED["h100"])
    table = held(rows["h200"], "h200", fitted, rows["h100"])
    assert sum(row.rows for row in table) == len(rows["h200"])
    assert max(abs(row.worst_error) for row in table) < 0.15


def test_a_plain_copy_is_held_against_the_same_launches(hopper):
    rows = {card: read_measured(hopper[card]) for card in MEASURED}
    table = held(rows["h200"], "h200", Fitted(), rows["h100"])
    copied = {row.kernel: row.copied_within for row in table}
    assert sum(n for kind, n in copied.items() if kind.startswith("reduction")) == 107
    assert sum(n for kind, n in copied.items() if not kind.startswith("reduction")) == 24 + 3
    itself = held(rows["h200"], "h200", Fitted(), rows["h200"])
    assert {row.copied_median for row in itself} == {0.0}
    rivals = against_a_copy(rows["h200"], "h200", Fitted(), rows["h100"])
    assert rivals.rows == 54 + 24 + 3
    assert rivals.ratio == rivals.model / rivals.copied


def test_ranges_hold_what_is_drawn_and_are_the_same_for_the_same_seed():
    card = UNMEASURED["T4"]
    drawn = draw(card, 16, seed=3)
    assert [known.clock for known, _ in drawn] == [known.clock for known, _ in draw(card, 16, 3)]
    for known, fitted in drawn:
        for name, (low, high) in card.ranges.items():
            for holder in (known, fitted, known.latencies):
                if hasattr(holder, name) and name not in ("barrier",):
                    assert low <= getattr(holder, name) <= high
