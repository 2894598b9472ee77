"""Chapter 08's experiments on small cases, and its exercises with right and wrong answers."""

from dataclasses import replace

import numpy as np
import pytest

from quire.serving import exercises
from quire.serving.experiments.fleet import (
    directions,
    energy,
    judged,
    law,
    matrix,
    plans,
    routers,
    speed,
)
from quire.serving.planning import H100, Lengths, by_window, engine_of, plan, stream
from quire.serving.workload.mooncake import PrefixTrace
from quire.serving.workload.trace import Trace

MIXED = Lengths((500, 1000, 4000, 20000), (0.2, 0.5, 0.9, 1.0))


def conversations(n=400):
    """Return requests of conversations that share prefixes."""
    rng = np.random.default_rng(1)
    turns = np.zeros(12, int)
    names, start, n_in = [], [0], []
    for _ in range(n):
        c = int(rng.integers(12))
        turns[c] = turns[c] % 9 + 1
        names.extend(c * 10 + k for k in range(turns[c]))
        start.append(len(names))
        n_in.append(int(turns[c]) * 512)
    at = np.cumsum(rng.exponential(2e8, n)).astype(np.int64)
    whole = Trace(at, np.array(n_in), rng.integers(20, 400, n), np.array(start), np.array(names))
    return PrefixTrace(whole)


def test_savings_law_and_joint_choice():
    lengths = {f"{n}_cdf": MIXED for n in ("azure", "lmsys", "agent_heavy")}
    rows = plans.savings(lengths)
    assert len(rows) == 6 and all(r.saves_compressed >= r.saves - 1e-9 for r in rows)
    assert plans.law_gap(rows) > 0
    for row in plans.joint({"x_cdf": MIXED}):
        assert row.joint <= row.retrofit and 0 <= row.saves < 100
    assert all(abs(r.error) < 20 for r in plans.draws({"x_cdf": MIXED}))
    cells = plans.explorer(MIXED, (1000, 4000), (5, 50), (2000, 32768))
    assert len(cells) == 2 * 3 * 3 and all(c.boundary <= c.window for c in cells)
    steps = plans.staircase(MIXED, 50, 1000)
    assert [s.gamma for s in steps] == [round(1 + k / 10, 1) for k in range(11)]


def test_a_slot_freed_early_makes_every_pool_look_idle():
    wide = Lengths((2000, 4000, 6144, 9000), (0.4, 0.8, 0.95, 1.0))
    rows = judged.verification(wide, 4000, 1, (4, 60))
    assert rows[0].full == pytest.approx(100, abs=0.1) and rows[0].full_wait_ms > 1000
    assert all(r.early < 10 and r.early_wait_ms == 0 for r in rows)
    assert rows[1].full == pytest.approx(rows[1].by_little, abs=3)
    best = judged.best_plans(wide, (1.0,), 2000, range(3))[0]
    assert best.low_ms <= best.median_ms <= best.high_ms and best.seeds == 3


def test_engine_rows_count_gpus_for_each_judge():
    whole = stream(Lengths((300, 1500), (0.7, 1.0)), 30, 300, 1)
    rows = judged.engine_rows("x", whole, 30, 512, H100, engine_of(H100), 2000, 8192)
    assert [r.who for r in rows][-1] == "engine, paged" and all(r.one >= 1 for r in rows)
    assert all(r.two == r.short + r.long for r in rows)
    wide = Lengths((900, 2000, 4000, 6144, 9000), (0.2, 0.4, 0.8, 0.95, 1.0))
    found, again, fleets = judged.optimum(wide, 30, 1500, (1, 2))
    assert again and found.gap == 0 and len(fleets) == 5
    assert fleets[3].dollars <= fleets[4].dollars == found.dollars_per_hour
    assert fleets[2].dollars <= fleets[1].dollars <= fleets[0].dollars
    assert all(0 <= f.passes <= 2 for f in fleets)


def test_judges_agree_with_erlang_and_ciw():
    assert abs(np.mean(judged.slots_against_erlang(40_000, range(4)))) < 0.03
    pytest.importorskip("ciw")
    assert max(judged.against_ciw(400, range(2))) < 1e-9


def test_matrix_gains_are_never_negative_and_come_again():
    total = MIXED.sample(3000, 1)
    cells = matrix.matrix("x", total, 1, 3)
    assert len(cells) == 9 and all(c.gain >= 0 and len(c.samples) == 1 for c in cells)
    assert all((c.gain > 0) == (c.next_best < 0) for c in cells)
    assert all((c.pays_below > 0) <= (c.reacts == "workload") for c in cells)
    again = matrix.matrix("x", total, 0, 3)
    assert matrix.farthest(cells, again) == 0
    moved = [*again[:-1], replace(again[-1], gain=again[-1].gain + 0.5)]
    assert matrix.farthest(cells, moved) == pytest.approx(0.5)
    other = [replace(cells[0], samples=(cells[0].samples[0] + 2,)), *cells[1:]]
    assert matrix.farthest(cells, other) == pytest.approx(2)


def test_refusing_pays_below_its_price_and_not_above():
    total = np.concatenate([np.full(2000, 700), np.full(30, 60_000)])  # a costly tail
    free = matrix.gains(total, 1e-6)["router", "workload"]
    assert free and all(r.pays_below > 0 or r.next_best > 0 for r in free)
    dear = matrix.gains(total, 100.0)["router", "workload"]
    assert all(r.gain == 0 and r.next_best > 0 for r in dear)
    limit = max(r.pays_below for r in dear)
    assert 0 < limit < 100
    # the first fleet changes with the price only where it refuses somebody itself
    told = [
        max(r.gain for r in matrix.gains(total, p)["router", "workload"])
        for p in (0.9 * limit, 1.1 * limit)
    ]
    assert told[1] == 0
    zero = matrix.Cell("x", "pool", "workload", "k", 0.0, 0.0, 0.0, 4.0, 1.25, ())
    near, far = (replace(zero, reacts=r, next_best=n) for r, n in (("router", 0.5), ("pool", 7.0)))
    gained = replace(zero, moved="router", gain=9.0)
    assert matrix.zero_cells([zero, near, far, gained]) == [
        ("pool", "workload"), ("pool", "router"), ("pool", "pool")]  # fmt: skip
    told = matrix.why_zero([zero, near, far, gained])
    assert "pool then workload (the setting's: refusing pays below a price of 1.25" in told
    assert "pool then router (the setting's: the next choice costs only 0.5 % more)" in told
    assert "pool then pool (structural over these ranges: the next choice costs 7.0 %" in told
    assert "No cell is zero on every trace." in matrix.why_zero([gained])


def test_energy_counts_watts_and_keeps_what_nothing_beats():
    rows = energy.topology_rows(MIXED, 800)
    assert [r.pools[:3] for r in rows] == ["one", "two"] * 3
    assert rows[0].gain == 1 == rows[2].gain and rows[1].gain > 1
    for r in rows:  # tokens of the answers over watts
        assert r.tokens_per_joule == pytest.approx(
            800 * energy.mean_answer(MIXED) / r.kilowatts / 1e3
        )
    assert energy.mean_answer(Lengths((5, 6), (0.0, 1.0))) == 2  # 6 = 4 + 2
    h100, b200 = energy.sheet("H100"), energy.sheet("B200")
    assert h100.fixed_s == pytest.approx(141.2e9 / 8 / (0.8 * 3.35e12) + 240e-6)
    assert b200.kv_blocks > 2 * h100.kv_blocks and b200.nominal_w == 860
    points = [(1, 5), (2, 2), (5, 1), (3, 3), (2, 2), (1, 6)]
    assert energy.undominated(points).tolist() == [True, True, True, False, True, False]
    tried, front = energy.front_rows(MIXED, 20, rhos=(0.5, 0.85))
    assert 1 <= len(front) <= tried and front == sorted(front, key=lambda r: r.dollars)
    values = [(r.dollars, r.joules, r.p99_ms) for r in front]
    assert energy.undominated(values).all() and len(set(front)) == len(front)


def test_narrower_queries_fire_two_caps_more_often():
    for row in routers.focus_rows(24, 30.0, (0.0, 20.0, 60.0, 200.0)):
        told = [row.uniform, row.loose, row.close, row.closer]
        assert told[0] >= 0 and told == sorted(told) and told[-1] <= 1 + 1e-9
    first, last = (r.close for r in routers.focus_rows(24, 30.0)[::3])
    assert first >= last


def test_speeds_are_positive_and_plans_one_at_a_time_are_the_planner_s():
    seconds, counts = speed.plan_seconds(MIXED, (20, 60), 1000, 2)
    assert len(seconds) == 2 and counts.shape == (2, 11, 2)
    again = plan(MIXED, 60, 1000, 1.3)
    assert counts[1, 3].tolist() == [again.short.gpus, again.long.gpus]
    assert speed.times_faster([1.0, 2.0, 3.0], [40.0, 50.0, 60.0]) == (25.0, 40 / 3, 60.0)
    cell, routed = speed.bounds(conversations(100), 8)
    assert 0 < cell < routed


def test_routers_caps_and_learning_tell_rows():
    trace, servers = conversations(), routers.replicas(3, 60)
    rows = routers.frontier(trace, servers, (0.0, 0.1), (np.inf,))
    assert len(rows) == 9 and all(0 <= r.hit <= 100 and r.p50_s <= r.p99_s for r in rows)
    best, sticky, least = routers.tuned(trace, servers)
    assert sticky.policy.startswith("sticky") and best.hit >= least.hit
    caps = routers.cap_rows(4000, 1, dimension=40, kappa=80.0)
    assert len(caps) == 8 and max(c.sigma for c in caps) < 5 and not any(c.softmax for c in caps)
    learnt = {r.policy: r for r in routers.bandit_rows(400, range(2))}
    assert learnt["linucb"].regret < learnt["best fixed model"].regret
    for row in routers.cascade_rows(4000, 1):
        assert row.worth >= max(row.small, row.large) - 0.03


def test_each_direction_has_one_number():
    trace = conversations()
    whole = trace.requests
    plain = Trace(whole.arrival_ns, whole.n_in, whole.n_out)
    code = Trace(whole.arrival_ns, whole.n_in + 900, np.maximum(1, whole.n_out // 20))
    wide = Lengths((900, 2000, 4000, 6144, 9000), (0.2, 0.4, 0.8, 0.95, 1.0))
    rows = directions.directions(directions.World(wide, plain, code, trace, 1))
    assert [r.number for r in rows] == list(range(1, 22))
    assert [r.tier for r in rows] == list("A" * 9 + "B" * 7 + "C" * 5)
    assert all(np.isfinite(r.value) for r in rows)


def test_paged_rows_are_flat_where_reserved_ones_fall():
    gpu_card = engine_of(H100)
    rows = law.paged_rows(
        law.MeasuredCard(gpu_card, H100, lambda n, k: 400.0, 0.0, {}),
        np.full(300, 60), np.full(300, 30), (4096, 65536), (1.0, 1.0),
    )  # fmt: skip
    assert rows[0].paged == rows[1].paged and rows[1].reserved < rows[0].reserved
    assert len(by_window(H100)) == 7


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        ("exact_power", lambda n: 321.0, [lambda n: n, lambda n: 0.0, lambda n: -3.0, 5,
                                          lambda n: float("nan"), lambda n: 1 / 0,
                                          lambda n: "x", lambda n: 10**400, lambda n: 2j]),
        ("pool_size", 22, [15, 18, 21, 23, 0, -1, float("nan"), "18", [18]]),
        ("silent_conflict", ({"chat"}, {"code", "long"}),
         [({"chat"}, set()), ({"chat"}, {"code"}), (set(), {"code", "long"}),
          ({"code", "chat"}, set()), ({"chat"}, {"code", "long", "x"}),
          ({"chat", "x"}, {"code", "long"}), ({"chat"}, set("abcdefghijklm")),
          3, ("chat", "x"), (set(), set())]),
    ],
    ids=["power", "size", "conflict"],
)  # fmt: skip
def test_exercises(check, right, wrong):
    judge = getattr(exercises, check)
    assert judge(right)
    for answer in (None, np.nan, *wrong):
        assert judge(answer) is False
