"""The chapter's experiments: each returns rows that a wrong machine would change."""

import numpy as np
import pytest

from quire.isa import ENGINES, run
from quire.isa.costs.model import Fitted
from quire.isa.experiments import conformance, hardware, mechanisms, speed, stepping, widths
from quire.isa.experiments import golden as authors


def test_containers_are_compared_byte_for_byte(golden):
    first = golden[0]
    assert authors.different_containers([(first.source, first.wbin)]) == 0
    assert (
        authors.different_containers(
            [(first.source, first.wbin[:-2] + "ff"), (first.source, first.wbin)]
        )
        == 1
    )


def test_replays_differ_where_a_deviation_is_touched_and_nowhere_else(golden):
    chosen = [p for p in golden if p.name in ("vadd_w8", "vadd_w16", "waveops_w8", "waveops_w32")]
    rows = authors.replay(chosen)
    for row in rows:
        assert (row.words == 0) == row.expected and row.words_switched == row.counters == 0


def test_separate_rounding_is_told_from_fused(golden):
    product = next(p for p in golden if p.name.startswith("gemm8"))
    assert authors.separate_rounding(product) > 0


def test_a_wrong_engine_would_be_seen(golden, monkeypatch):
    program = next(p for p in golden if p.name.startswith("vadd"))

    def wrong(*args, engine="mask stack", **options):
        outcome = run(*args, engine=engine, **options)
        if engine == "predication":
            memory = outcome.memory.copy()
            memory[-1] ^= 1
            return type(outcome)(memory, outcome.counted)
        return outcome

    monkeypatch.setattr(authors, "run", wrong)
    rows = authors.everywhere([program], [8, 32], ["mask stack", "predication"])
    assert {row.engine: row.wrong for row in rows} == {"mask stack": 0, "predication": 2}


def test_stated_deviations_agree_with_their_switch(stated):
    rows = authors.control_deviations(stated)
    assert len(rows) == 4 and all(row.agrees for row in rows)
    assert rows[1].reference == rows[1].switched == "never ends"


def test_widths_see_a_kernel_that_depends_on_them():
    rows = widths.widths(3, [8, 32])
    assert all(row.same for row in rows) and len(rows) == 2 * len(widths.KERNELS)
    collatz = {row.width: row.efficiency for row in rows if row.kernel == "collatz"}
    assert collatz[32] < collatz[8] < 1


def test_schedules_and_counts():
    with_barriers, without = widths.orders(5, schedules=2)
    assert with_barriers.wrong == 0 < without.wrong <= without.schedules
    (row,) = widths.counted(5, [32])
    assert (row.tree, row.shuffle) == (4768, 2624)
    assert row.ratio_skipping == pytest.approx(0.691, abs=1e-3)


def test_engines_agree_on_random_programs():
    rows = mechanisms.agreements(7, 2, [8], [name for name in ENGINES if "exec" not in name], [])
    assert [(row.engine, row.programs, row.differ) for row in rows] == [
        ("predication", 2, 0),
        ("lane counters", 2, 0),
    ]


def test_runs_are_added_up_by_engine():
    rows = [mechanisms.Agreement(8, "a", 2, 0), mechanisms.Agreement(16, "a", 2, 1)]
    rows.append(mechanisms.Agreement(8, "b", 1, 0))
    assert [vars(row) for row in mechanisms.by_engine(rows)] == [
        {"engine": "a", "widths": "8, 16", "programs": 4, "differ": 1},
        {"engine": "b", "widths": "8", "programs": 1, "differ": 0},
    ]


def test_compiled_widths_are_those_asked_for_and_the_programs_own(golden, monkeypatch):
    program = next(p for p in golden if p.launch.wave_width == 32)
    ran = []

    def counted(*args, engine="mask stack", **options):
        ran.append((engine, args[1].wave_width))
        return run(*args, **options)  # on the mask stack: nothing is compiled here

    monkeypatch.setattr(authors, "run", counted)
    (row,) = authors.everywhere([program], [8, 16], ["execution masks"], [16])
    assert [width for engine, width in ran if engine == "execution masks"] == [16, 32]
    assert (row.runs, row.wrong) == (2, 0)


def test_hunts_name_what_they_found():
    rows = conformance.hunts(20260322, 1)
    assert len(rows) == 7 and all(row.found == bool(row.smallest) for row in rows)
    assert all((row.statements is not None) == row.found for row in rows)
    seconds, low, high = conformance.slowest(rows, 20260322, 3)
    assert seconds == max(row.seconds for row in rows) and 0 < low <= seconds <= high


def test_problems_are_what_numpy_does():
    for name in speed.PROBLEMS:
        given = speed.problem(name, 4, seed=1)
        memory = run(given.kernel, given.launch, given.memory, lanes=1024).memory
        result = np.asarray(given.numpy()).reshape(-1)
        start = result.size if name in ("vadd", "gemm") else 1024
        start = 2 * start if name in ("vadd", "gemm") else start
        got = memory[start : start + result.size]
        got = got.view(np.float32) if result.dtype == np.float32 else got
        assert np.allclose(got, result, rtol=1e-5), name
    with pytest.raises(ValueError, match="name = 'sort': one of 'vadd'"):
        speed.problem("sort", 1, 1)


def test_the_stepper_shows_every_step_of_every_array():
    taken = stepping.stepper()
    steps = len(taken.steps)
    assert len(taken.masks) == steps * len(stepping.MASK_ROWS) and len(taken.local) == steps
    assert taken.steps[-1].text == "halt"


def test_residencies_and_gaps(hopper):
    rows = hardware.residencies(hopper["h200"]["occupancy"])
    assert all(row.partitions == row.driver <= row.division for row in rows)
    assert sum(row.division > row.driver for row in rows) == 5


def test_the_gap_is_explored_over_sizes_and_elements():
    rows = hardware.explored("h100", Fitted(), [2**20, 2**24], [1, 4, 16])
    assert len(rows) == 3 * (2 * 2 + 2)
    ratios = {(row.what, row.n, row.elements): row.ratio for row in rows}
    skipped, every = (hardware.COUNTED[skip] for skip in (True, False))
    for elements in (1, 4, 16):
        assert ratios[every, 2**20, elements] < ratios[skipped, 2**20, elements] < 1
    assert ratios["modelled time", 2**24, 1] < ratios["modelled time", 2**24, 16] <= 1
