"""One batch under every scheduler: complete, valid, within memory, above the bounds."""

from dataclasses import replace

import numpy as np
import pytest

from quire.pipeline import (
    Hardware,
    Validation,
    choose_plan,
    model_named,
    peak_memory,
    plan_free_bound,
    sample_batch,
    search_step,
    segmented_program,
    static_gpipe,
    static_zero_bubble,
    violations,
)
from quire.pipeline.experiments import comparison, memory, tables
from quire.pipeline.experiments.setting import Setting, equal_memory, named, prepare
from quire.pipeline.experiments.statistics import mean
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules

SMALL = named("vlm_s", microbatches=8, depth=3, evaluations=40, choosing=9, layer_moves=1)
NONE = np.zeros(4)  # no memory beyond that of a schedule's definition


@pytest.fixture(scope="module")
def prepared():
    return prepare(SMALL)


@pytest.fixture(scope="module")
def compared(prepared):
    return comparison.compare(prepared, 0, split=True)


def test_every_schedule_is_there_and_valid(compared):
    names = {*comparison.RIVALS, *comparison.ABLATION, comparison.UNSEARCHED, "+ split"}
    assert set(compared.schedules) == names | set(comparison.ZERO_BUBBLE)
    assert set(compared.seconds) - set(compared.schedules) == {comparison.IDEAL}
    for name, schedule in compared.schedules.items():
        assert violations(schedule) == [], name


def test_what_is_searched_keeps_to_its_memory_and_its_bounds(compared):
    for name in (*comparison.ABLATION[2:], "+ split", "Optimus-like", comparison.UNSEARCHED):
        assert violations(compared.schedules[name], compared.memory_limit) == [], name
    assert compared.seconds[comparison.OURS] >= compared.bound
    assert compared.seconds["+ split"] >= compared.split_bound
    for name in (*comparison.RIVALS, *comparison.ABLATION):
        assert compared.seconds[name] >= compared.plan_free, name


def test_a_searched_rival_is_never_longer_than_the_rival(compared):
    assert compared.seconds["interleaved + search"] <= compared.seconds["interleaved"]


def test_the_depth_is_shared(prepared):
    for trial in (prepared.choice.segments, prepared.choice.pieces, prepared.choice.layers):
        assert sum(trial.segments) <= SMALL.depth
        assert [int(layers.sum()) for layers in trial.plan.layers] == [45, 32]
    assert 1 <= prepared.chunks <= SMALL.depth
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
        comparison.compare(prepare_cheaply(), 0, stages=False)


def prepare_cheaply():
    done = prepare(replace(SMALL, depth=2, choosing=3, layer_moves=0))
    return replace(done, setting=replace(done.setting, method="luck"))


def test_tables_count_every_batch(prepared, compared):
    other = comparison.compare(prepared, 1, split=True)
    runs = {"vlm_s": (prepared, (compared, other))}
    rows = {row.rival: row for row in tables.gain_rows([compared, other])}
    assert set(rows) == {*comparison.RIVALS, "best of these, batch by batch", comparison.IDEAL}
    best = rows["best of these, batch by batch"]
    assert all(best.least <= rows[name].least for name in comparison.RIVALS)
    worth = {row.idea: row for row in tables.idea_worth(runs)}
    assert worth["all of it"].low <= worth["all of it"].ratio <= worth["all of it"].high
    assert 0 <= tables.lost_share(runs).value <= 1
    assert tables.excess(runs, "plan_free").value > 0
    assert tables.split_ratio((compared, other)).value > 0
    assert tables.memory_breaches(runs) == 0
    assert tables.chosen_plans(runs)[0].model == "vlm_s"


def test_limits_that_bind_are_kept(prepared):
    pytest.importorskip("ortools")
    rows = memory.short_memory(prepared, 0, (1.5,))
    assert memory.idle_limits(rows) == 0
    assert rows[0].peak <= 1 + 1e-9 < rows[0].breach
    assert memory.idle_limits([replace(rows[0], breach=0.9)]) == 1


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


def test_an_interval_holds_its_mean():
    found = mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.value == 3.0
    assert found.low == pytest.approx(3 - 2.7764 * np.sqrt(2.5 / 5), abs=2e-4)
    assert found.low <= found.value <= found.high
    assert mean([2.0, 2.0]).interval == (2.0, 2.0)
    for wrong in ([1.0], [1.0, np.nan], []):
        with pytest.raises(ValueError, match="two or more finite numbers"):
            mean(wrong)
