"""One batch under every scheduler: complete, valid, within memory, above the bounds."""

from dataclasses import replace

import numpy as np
import pytest

from quire.pipeline import (
    Hardware,
    RankedSteps,
    Validation,
    choose_plan,
    model_named,
    peak_memory,
    plan_free_bound,
    sample_batch,
    search_step,
    segmented_program,
    smaller_microbatches,
    static_gpipe,
    static_zero_bubble,
    violations,
)
from quire.pipeline.experiments import comparison, memory, tables
from quire.pipeline.experiments.setting import Setting, equal_memory, named, prepare
from quire.pipeline.experiments.statistics import mean, proportion
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules
from quire.pipeline.search.replay import follow, pattern

SMALL = named("vlm_s", microbatches=8, depth=3, evaluations=40, choosing=9, layer_moves=1)
NONE = np.zeros(4)  # no memory beyond that of a schedule's definition


@pytest.fixture(scope="module")
def prepared():
    return prepare(SMALL)


@pytest.fixture(scope="module")
def compared(prepared):
    return comparison.compare(prepared, 0, split=True)


def test_every_schedule_is_there_and_valid(compared):
    names = {*comparison.RIVALS, *comparison.SEARCHED, comparison.UNSEARCHED, comparison.REPLAYED}
    assert set(compared.schedules) == names | {*comparison.ZERO_BUBBLE, "+ split"}
    assert set(compared.seconds) - set(compared.schedules) == {comparison.IDEAL}
    for name, schedule in compared.schedules.items():
        assert violations(schedule) == [], name


def test_what_is_searched_keeps_to_its_memory_and_its_bounds(compared):
    orders = (comparison.UNSEARCHED, comparison.REPLAYED)
    for name in (*comparison.SEARCHED[2:], *orders, "+ split", "Optimus-like"):
        assert violations(compared.schedules[name], compared.memory_limit) == [], name
    assert compared.seconds[comparison.OURS] >= compared.bound
    assert compared.seconds["+ split"] >= compared.split_bound
    for name in (*comparison.RIVALS, *comparison.SEARCHED):
        assert compared.seconds[name] >= compared.plan_free, name


def test_a_searched_rival_is_never_longer_than_where_it_starts(prepared, compared):
    batch = SMALL.batch(0)
    for name, depth in (
        ("interleaved + search", prepared.rival.whole_searched),
        ("interleaved, cut + search", prepared.rival.cut_searched),
    ):
        assert compared.seconds[name] <= prepared.interleaved(batch, depth).makespan
    assert compared.seconds[comparison.REPLAYED] <= compared.seconds[comparison.UNSEARCHED]


def test_cutting_is_chosen_where_microbatches_are_few():
    """As few microbatches as ranks, wild images: whole ones leave gaps that smaller ones fill."""
    setting = named(
        "vlm_s", ranks=4, microbatches=4, image_mean=32.0, shape=1.0, depth=2, choosing=3,
        evaluations=6, layer_moves=0,
    )  # fmt: skip
    done = prepare(setting)
    assert done.rival.whole.parts == done.rival.whole_searched.parts == 1
    assert done.rival.cut.parts > 1
    c = comparison.compare(done, 0, stages=False)
    assert c.seconds[comparison.CUT] < c.seconds["interleaved"]
    assert c.best_whole in comparison.WHOLE
    assert tables.gain(c, tables.BEST) <= tables.gain(c, tables.BEST_WHOLE)


def test_dealing_keeps_every_item_and_balances():
    batch = sample_batch(model_named("vlm_m"), 4, np.random.default_rng(5))
    for parts in (1, 2, 4):
        smaller = smaller_microbatches(batch, parts)
        assert len(smaller) == parts * len(batch)
        for k, microbatch in enumerate(batch):
            own = smaller[k * parts : (k + 1) * parts]
            for u, lengths in enumerate(microbatch.lengths):
                dealt = np.concatenate([part.lengths[u] for part in own])
                np.testing.assert_array_equal(np.sort(dealt), np.sort(lengths))
                sums = [part.lengths[u].sum() for part in own]
                assert max(sums) - min(sums) <= lengths.max(initial=0.0)
    with pytest.raises(ValueError, match="parts = 0"):
        smaller_microbatches(batch, 0)


def test_a_replayed_order_names_every_group_once(prepared):
    program = segmented_program(
        SMALL.model, SMALL.batch(3), prepared.choice.layers.plan, SMALL.hardware
    )
    steps = RankedSteps(ListScheduler(program))
    rng = np.random.default_rng(0)
    ranking = rng.permutation(len(steps.groups))
    np.testing.assert_array_equal(follow(steps, pattern(steps, ranking)), ranking)
    for order in (*prepared.orders, ()):
        found = follow(steps, order)
        np.testing.assert_array_equal(np.sort(found), np.arange(len(steps.groups)))
    sizes = np.bincount(steps.groups[:, 0], weights=steps.work)
    first = follow(steps, ((0, 1),))[0]
    assert steps.groups[first].tolist() == [int(np.argmax(sizes)), 1]


def test_the_depth_is_shared(prepared):
    for trial in (prepared.choice.segments, prepared.choice.pieces, prepared.choice.layers):
        assert sum(trial.segments) <= SMALL.depth
        assert [int(layers.sum()) for layers in trial.plan.layers] == [45, 32]
    for depth in vars(prepared.rival).values():
        assert 1 <= depth.chunks <= SMALL.depth
    assert prepared.choice.pieces.seconds <= prepared.choice.segments.seconds
    assert prepared.choice.layers.seconds <= prepared.choice.pieces.seconds


def test_the_same_numbers_give_the_same_comparison(prepared, compared):
    again = comparison.compare(prepared, 0, split=True)
    assert again.seconds == compared.seconds
    other = comparison.compare(prepared, 1, stages=False)
    assert other.seconds[comparison.OURS] != compared.seconds[comparison.OURS]
    assert "segments" not in other.seconds


@pytest.mark.parametrize("name", ["vlm_m", "t2v_l"])
def test_the_plan_free_bound_is_below_every_plan(name):
    """Random layers, pieces and orders: none is shorter."""
    model, hardware = model_named(name), Hardware()
    rng = np.random.default_rng(5)
    batch = sample_batch(model, 6, rng)
    for ranks in (2, 4):
        bound = plan_free_bound(model, batch, ranks, hardware)
        validation = Validation((batch,), (np.full(ranks, 1e15),))
        choice = choose_plan(
            model, ranks, hardware, validation, depth=3, evaluations=9, keep=1, layer_moves=1
        )
        for trial in (choice.segments, choice.pieces, choice.layers):
            program = segmented_program(model, batch, trial.plan, hardware)
            found = search_step(ListScheduler(program), evaluations=60).schedule
            assert bound <= found.makespan
            assert bound >= 0.9 * program.work().sum() / ranks or trial.parts != (1, 1)


def test_more_ranks_never_raise_the_plan_free_work():
    model, hardware = model_named("vlm_m"), Hardware()
    batch = sample_batch(model, 8, np.random.default_rng(0))
    bounds = [plan_free_bound(model, batch, ranks, hardware) for ranks in (1, 2, 4, 8)]
    assert bounds == sorted(bounds, reverse=True)
    with pytest.raises(ValueError, match="ranks = 0"):
        plan_free_bound(model, batch, 0, hardware)


def test_plans_need_a_depth_and_layers():
    model, hardware = model_named("vlm_s"), Hardware()
    batch = sample_batch(model, 4, np.random.default_rng(0))
    validation = Validation((batch,), (np.full(4, 1e15),))
    with pytest.raises(ValueError, match="depth = 1"):
        choose_plan(model, 4, hardware, validation, depth=1)
    with pytest.raises(ValueError, match="ranks = 64"):
        choose_plan(model, 64, hardware, validation, depth=2)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="slack = -1"):
        named("vlm_s", slack=-1.0)
    with pytest.raises(ValueError, match="evaluations = 0"):
        Setting(model_named("vlm_s"), evaluations=0)
    with pytest.raises(ValueError, match="search = 'luck'"):
        replace(SMALL, method="luck")
    with pytest.raises(ValueError, match="depth = 0"):
        replace(SMALL, depth=0)
    with pytest.raises(ValueError, match="segment_depth = 0"):
        replace(SMALL, segment_depth=0)


def test_a_limit_of_the_segments_is_none_of_the_rival():
    setting = replace(SMALL, depth=3, segment_depth=2)
    assert setting.most_segments == 2
    limited = prepare(setting)
    assert sum(limited.choice.layers.segments) <= 2
    whole = prepare(replace(SMALL, depth=3)).rival
    assert limited.rival == whole and whole.whole.chunks == 3


def test_tables_count_every_batch(prepared, compared):
    other = comparison.compare(prepared, 1, split=True)
    runs = {"vlm_s": (prepared, (compared, other))}
    rows = {row.rival: row for row in tables.gain_rows([compared, other])}
    extra = (tables.BEST_WHOLE, tables.BEST, comparison.IDEAL)
    assert set(rows) == {*comparison.RIVALS, *extra}
    assert all(rows[tables.BEST].least <= rows[name].least for name in comparison.RIVALS)
    assert rows[tables.BEST].mean <= rows[tables.BEST_WHOLE].mean
    worth = {row.idea: row for row in tables.idea_worth(runs)}
    together = worth["all ideas together"]
    assert together.low <= together.ratio <= together.high
    assert 0 <= tables.lost_share(runs).value <= 1
    assert tables.excess(runs, "plan_free").value > 0
    assert tables.split_ratio((compared, other)).value > 0
    assert tables.memory_breaches(runs) == 0
    assert tables.chosen_plans(runs)[0].model == "vlm_s"


def test_the_largest_gain_is_taken_draw_by_draw(prepared, compared):
    other = comparison.compare(prepared, 1, stages=False)
    at = ("vlm_s", 4, 8, 16.0, 2.18, 1)
    rows = [
        tables.Regime(*at, batch=k, compared=c) for k, c in ((0, compared), (0, other), (1, other))
    ]
    gains = [tables.gain(c, tables.BEST) for c in (compared, other)]
    assert tables.largest_gains(rows, tables.BEST) == [max(gains), gains[1]]


def test_shifting_reports_every_scheduler(prepared):
    drift = tables.shifting(prepared, 4, seed=1, evaluations=6)
    assert [step.images for step in drift] == [0.0, 60.0, 4.0, 4.0]
    for step in drift:
        assert 1 <= step.searched <= step.unsearched
    strays = tables.strays([drift, drift])
    assert strays["static"] == [tables.spread([step.static for step in drift])] * 2


def test_limits_that_bind_are_kept(prepared):
    pytest.importorskip("ortools")
    rows = memory.short_memory(prepared, 0, (1.5,))
    assert memory.idle_limits(rows) == 0
    assert rows[0].peak <= 1 + 1e-9 < rows[0].breach
    for wrong in (replace(rows[0], breach=0.9), replace(rows[0], broken=1)):
        assert memory.idle_limits([wrong]) == 1
    assert memory.tuning_ratios(prepared, [0], 1.5) == [rows[0].tuned / rows[0].even]


def test_zero_bubble_keeps_what_its_name_says():
    batch, history = SMALL.batch(0), SMALL.draw(32, 1)
    fixed = (SMALL.model, batch, history, 4, SMALL.hardware)
    one, two = (static_zero_bubble(*fixed, name, NONE) for name in ("ZB-1P", "ZB-2P"))
    need = one.program.memory_need().max(axis=0)
    assert (peak_memory(one) <= 4 * need * (1 + 1e-9)).all()
    assert (peak_memory(two) <= 8 * need * (1 + 1e-9)).all()
    assert one.makespan < static_gpipe(*fixed).makespan
    folded = static_zero_bubble(*fixed, "ZB-V", NONE).program
    assert folded.rank[folded.stage == 7].tolist() == folded.rank[folded.stage == 0].tolist()
    with pytest.raises(ValueError, match="schedule 'ZB-3P' is unknown"):
        static_zero_bubble(*fixed, "ZB-3P", NONE)


def test_a_v_of_unequal_chunks_keeps_the_memory_of_its_definition():
    """Too few outbound chunks fit for the V order; list scheduling admits what does."""
    rng = np.random.default_rng([0, 1, 12])
    setting = named("vlm_m")
    history, batch = sample_batch(setting.model, 64, rng), sample_batch(setting.model, 16, rng)
    fixed = (setting.model, batch, history, 4, setting.hardware)
    tight = static_zero_bubble(*fixed, "ZB-V", NONE)
    own = 4 * tight.program.memory_need().max(axis=0)
    assert violations(tight, own) == []
    limit = equal_memory(setting, batch, history)
    folded = static_zero_bubble(*fixed, "ZB-V", limit)
    assert violations(folded, np.maximum(own, limit)) == []
    assert folded.makespan <= tight.makespan


def test_searching_from_a_start_keeps_its_memory():
    batch, history = SMALL.batch(0), SMALL.draw(32, 1)
    start = static_gpipe(SMALL.model, batch, history, 4, SMALL.hardware)
    room = peak_memory(start)
    found = search_step(
        ListScheduler(start.program, Rules(memory_limit=room)), evaluations=20, start=start
    ).schedule
    assert found.makespan <= start.makespan
    assert violations(found, room) == []


def test_the_interval_of_a_share_is_exact():
    """Clopper and Pearson: of forty out of forty the lower end is the fortieth root of 0.025."""
    found = proportion(40, 40)
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(0.025 ** (1 / 40))
    assert proportion(0, 10).high == pytest.approx(1 - 0.025**0.1)
    for wrong in ((1, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="= "):
            proportion(*wrong)


def test_an_interval_holds_its_mean():
    found = mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.value == 3.0
    assert found.low == pytest.approx(3 - 2.7764 * np.sqrt(2.5 / 5), abs=2e-4)
    assert found.low <= found.value <= found.high
    assert mean([2.0, 2.0]).interval == (2.0, 2.0)
    for wrong in ([1.0], [1.0, np.nan], []):
        with pytest.raises(ValueError, match="two or more finite numbers"):
            mean(wrong)
