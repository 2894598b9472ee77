"""The judges: slots against formulas, engines that page, certificates against enumeration."""

import gzip
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import quire.serving.planning as planning
from quire.serving.planning import (
    A100,
    H100,
    Engine,
    Lengths,
    PoolKey,
    Requests,
    SlotJudge,
    by_window,
    compress_and_route,
    design,
    engine_of,
    erlang_c,
    exponent,
    fit_logistic,
    fit_steps,
    fluid_cost,
    freed_early,
    judge_engine,
    judge_slots,
    least_passing,
    moments,
    one_pool,
    plan,
    poisson_requests,
    power_of,
    recheck,
    replayed,
    resampled,
    roofline_profile,
    saturate,
    search,
    stream,
    waits,
)
from quire.serving.workload.azure import read_azure
from quire.serving.workload.trace import Trace

MIXED = Lengths((500, 1000, 4000, 20000), (0.2, 0.5, 0.9, 1.0))


def test_waits_are_those_of_lindley_and_of_erlang():
    rng = np.random.default_rng(1)
    at, held = np.cumsum(rng.exponential(1.0, 5000)), rng.exponential(0.8, 5000)
    alone, by_hand = waits(at, held, 1), np.zeros(5000)
    for k in range(1, 5000):
        by_hand[k] = max(0.0, by_hand[k - 1] + held[k - 1] - (at[k] - at[k - 1]))
    assert np.allclose(alone, by_hand)
    at = np.cumsum(rng.exponential(1.0, 400_000))
    held = rng.exponential(4.0, 400_000)
    assert (waits(at, held, 5) > 0).mean() == pytest.approx(erlang_c(5, 4.0), abs=0.02)
    more = [waits(at[:2000], held[:2000], c) for c in (4, 5, 6, 50)]
    assert all((b <= a + 1e-9).all() for a, b in pairwise(more))


def test_utilisation_obeys_little_unless_slots_are_freed_early():
    found = one_pool(MIXED, 20)
    pool = found.short
    requests = poisson_requests(pool, 20_000, 1)
    service = requests.service_s(pool.gpu, pool.window)
    slots = pool.calibration.slots
    told = judge_slots(requests.arrival_s, service, pool.gpus * slots)
    assert told.utilisation == pytest.approx(told.expected, abs=0.02)
    early = judge_slots(
        requests.arrival_s, freed_early(service, slots), pool.gpus * slots, stationary=False
    )
    assert early.utilisation * slots == pytest.approx(told.utilisation, rel=0.1)
    # a fifth of the GPUs can not do, and the judge says so; freed early, they pass
    few = max(1, pool.gpus // 5) * slots
    assert judge_slots(requests.arrival_s, service, few).wait_p99_ms > 1000
    assert judge_slots(requests.arrival_s, freed_early(service, slots), few).wait_p99_ms == 0


def test_bursts_wait_longer():
    pool = one_pool(MIXED, 20).short
    count = pool.gpus * pool.calibration.slots
    p99 = []
    for cv2 in (1.0, 8.0):
        requests = poisson_requests(pool, 20_000, 3, cv2=cv2)
        gaps = np.diff(requests.arrival_s)
        assert gaps.mean() == pytest.approx(1 / 20, rel=0.06)
        assert gaps.var() / gaps.mean() ** 2 == pytest.approx(cv2, rel=0.25)
        service = requests.service_s(pool.gpu, pool.window)
        p99.append(judge_slots(requests.arrival_s, service, count).wait_p99_ms)
    assert p99[1] > p99[0]


def test_routing_conserves_and_never_lengthens():
    whole = stream(MIXED, 20, 5000, 1)
    for gamma in (1.0, 1.5, 2.0):
        routed = compress_and_route(whole, 4000, gamma)
        assert sorted([*routed.short, *routed.long]) == list(range(5000))
        assert (routed.n_in <= whole.requests.n_in).all()
        assert whole.safe[routed.compressed].all()
        total = routed.n_in + whole.requests.n_out
        assert (total[routed.short] <= 4000).all() and (total[routed.compressed] == 4000).all()
        near = routed.requests(whole, "short")
        assert (np.diff(near.arrival_s) >= 0).all()
    assert not compress_and_route(whole, 4000, 1.0).compressed.any()
    answers = Requests(np.arange(2.0), np.array([10, 10]), np.array([95, 200]))
    long_answers = planning.Stream(answers, np.array([True, True]))
    routed = compress_and_route(long_answers, 100, 4.0)
    assert routed.short.tolist() == [0] and routed.n_in.tolist() == [5, 10]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["2023-11-16 18:17:03.97,1,99999999999999999999"], "line 2 is no request .*tokens, 0 to"),
        (["2023-11-16 18:17:03.97,0,5"], "line 2 is no request .*tokens, 1 to"),
        (["2023-11-16 18:17:03.97,1,5", "2023-11-16 18:17:46.-5,1,5"], "line 3 .*must be a time"),
        (["2023-11-16 18:17:46+02:00,1,5"], "line 2 .*must be a time"),
        (["2023-11-16 18:17:\u0664\u0666,1,5"], "line 2 .*must be a time"),
        (["2023-11-16 18:17:03,\u0661,5"], "line 2 .*tokens"),
        (["2023-02-30 18:17:03,1,5"], "line 2 is no request"),
        (["2023-11-16 18:17:03,5"], "line 2 .*2 of three columns"),
        (["9999-01-01 00:00:00,1,5", "1000-01-01 00:00:00,1,5"],
         "line 2 is 8999 years after the first request"),
        (["0001-01-01 00:00:00," + "1" * 5000 + ",5"], "line 2 .*tokens"),
        (["2023-11-16 18:17:03," + "1" * 200_000 + ",5"], "is no CSV file"),
    ],
    ids=["count", "none", "fraction", "zone", "digits", "tokens", "day", "short", "years", "long",
         "field"],
)  # fmt: skip
def test_a_line_that_is_no_request_is_named(tmp_path, rows, told):
    file = tmp_path / "a.csv"
    head = "TIMESTAMP,ContextTokens,GeneratedTokens"
    file.write_text("\n".join([head, *rows]), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"^path = a\.csv: {told}") as raised:
        read_azure(file)
    assert len(str(raised.value)) < 200


def test_torn_archives_are_told_and_old_years_read(tmp_path):
    file = tmp_path / "a.csv.gz"
    whole = gzip.compress(b"TIMESTAMP,ContextTokens,GeneratedTokens\n" * 50)
    file.write_bytes(whole[:20] + b"\xff" * 20)
    with pytest.raises(ValueError, match="is no CSV file"):
        read_azure(file)
    file.write_bytes(gzip.compress(
        b"TIMESTAMP,ContextTokens,GeneratedTokens\n0001-01-01T00:00:00.1,3,4\n"
        b"0001-01-01T00:00:00.1000000019,1099511627776,4\n"
    ))  # fmt: skip
    trace = read_azure(file)
    assert trace.arrival_ns.tolist() == [0, 1] and trace.n_in.tolist() == [3, 2**40]


def test_traces_become_streams(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:04.5000000,30,0\n"
        "2023-11-16 18:17:03.9799600,4808,10\n",
        encoding="utf-8",
    )
    trace = read_azure(file)
    assert trace.arrival_ns.tolist() == [0, 520_040_000] and trace.n_out.tolist() == [10, 1]
    for text in ("a,b\n1,2\n", "TIMESTAMP,ContextTokens,GeneratedTokens\nx,1,2\n",
                 "TIMESTAMP,ContextTokens,GeneratedTokens\n"):  # fmt: skip
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"a\.csv"):
            read_azure(file)
    long = Trace(np.arange(100) * 10**9, np.arange(100) + 5, np.arange(100) + 1)
    drawn = resampled(long, 7.0, 4000, 1)
    assert (drawn.requests.n_in - drawn.requests.n_out == 4).all()  # pairs stay together
    assert drawn.rate == pytest.approx(7, rel=0.1)
    assert replayed(long, 5.0).rate == pytest.approx(5)


def test_the_search_finds_what_enumeration_finds():
    whole = stream(MIXED, 20, 4000, 2)
    judge = SlotJudge(whole, 800)
    grid = [1000, 4000], [1.0, 1.5], [A100, H100]
    found = search(*grid, judge, guess=judge.guess)
    assert found.gap == 0 and recheck(found, SlotJudge(whole, 800))
    least = min(
        sum(
            least_passing(lambda n, key=key: judge(key, n), 1) * key.gpu.dollars_per_hour
            for key in (PoolKey(b, g, s, "short"), PoolKey(b, g, k, "long"))
        )
        for b in grid[0]
        for g in grid[1]
        for s in grid[2]
        for k in grid[2]
    )
    assert found.dollars_per_hour == pytest.approx(least)
    key = found.short
    worse = {**found.failed, key: found.gpus_short + 1}
    forged = type(found)(**{**vars(found), "failed": worse})
    assert not recheck(forged, SlotJudge(whole, 800))
    cheaper = type(found)(**{**vars(found), "failed": dict.fromkeys(found.failed, -1)})
    assert not recheck(cheaper, SlotJudge(whole, 800))
    short_of_time = search(*grid, judge, guess=judge.guess, judgements=12)
    assert 0 <= short_of_time.gap <= 1
    assert short_of_time.dollars_per_hour >= found.dollars_per_hour


def test_least_passing():
    for wanted in (1, 2, 7, 100):
        assert least_passing(lambda n, w=wanted: n >= w, 1) == wanted
        for low in (1, 3, 50, 300):  # wherever it begins
            assert least_passing(lambda n, w=wanted: n >= w, low) == wanted
    assert least_passing(lambda n: n >= 90, 1, 100) == 90
    with pytest.raises(ValueError, match="high"):
        least_passing(lambda n: False, 1, 10)


def test_engine_pages_or_reserves():
    engine = engine_of(H100)
    assert engine.reserved(65536) == 16 and engine.reserved(4096) == 256
    with pytest.raises(ValueError, match="does not fit one sequence"):
        engine.reserved(2**21)
    whole = stream(Lengths((200, 1000), (0.5, 1.0)), 40, 400, 1).requests
    few = judge_engine(whole, engine, 1, sequences=4, held_s=1.0)
    many = judge_engine(whole, engine, 2, sequences=4, held_s=1.0)
    paged = judge_engine(whole, engine, 1, held_s=1.0)
    assert many.ttft_p99_ms < few.ttft_p99_ms and paged.ttft_p99_ms < many.ttft_p99_ms
    tight = Engine(engine.profile, 70, seats=64)
    assert judge_engine(whole, tight, 1, held_s=1.0).preemptions >= 0
    n = 200
    runs = [
        saturate(np.full(n, 100), np.full(n, 50), engine, s, lambda a, b: 300 + a) for s in (8, 32)
    ]
    assert (
        runs[0].batch == pytest.approx(8, abs=0.5) and runs[1].tokens_per_s > runs[0].tokens_per_s
    )
    # 8 sequences of about 125 tokens: W + H n k / 8192
    step = 0.004 + 0.00032 * 8 * runs[0].length / 8192
    assert runs[0].tokens_per_s == pytest.approx(8 / step, rel=0.05)
    assert runs[0].tokens_per_joule == pytest.approx(runs[0].tokens_per_s / 308, rel=0.02)


def test_power_law():
    rows = by_window(H100)
    wanted = {2048: 35.0, 4096: 17.62, 8192: 8.97, 16384: 4.69, 32768: 2.58, 65536: 1.50}
    for row in rows:
        assert row.tokens_per_joule == pytest.approx(wanted.get(row.window, 0.88), rel=0.01)
        assert row.step_ms == pytest.approx(24.48)
    assert exponent(rows) == pytest.approx(0.89, abs=0.005)
    flat = by_window(H100, power=lambda n, k: 500.0)
    assert exponent(flat) == pytest.approx(1.0)
    assert power_of([1, 2, 4], [8, 4, 2]) == pytest.approx(1)
    with pytest.raises(ValueError, match="two at least"):
        power_of([1], [1])


def test_fits_recover_what_made_the_points():
    b = np.array([1, 2, 4, 8, 16, 32, 64, 128])
    w = 300 + 250 / (1 + np.exp(-0.9 * (np.log2(b) - 4)))
    found = fit_logistic(b, w)
    assert (found.low, found.high) == pytest.approx((300, 550), rel=1e-3) and found.worst < 1e-6
    assert found.watts(16) == pytest.approx(w[4])
    n, k = np.array([1.0, 8, 64, 64]), np.array([500.0, 500, 500, 4000])
    assert fit_steps(n, k, 0.005 + 0.0003 * n * k / 8192) == pytest.approx((0.005, 0.0003))
    sheet = roofline_profile(
        "x", weight_bytes=140e9, kv_bytes_per_token=327_680, layers=80, bytes_per_s=3.35e12,
        memory_bytes=80e9, devices=8,
    )  # fmt: skip
    assert sheet.fixed_s == pytest.approx(140e9 / 8 / 2.68e12 + 80 * 3e-6)
    with pytest.raises(ValueError, match="no room"):
        roofline_profile("x", weight_bytes=1e12, kv_bytes_per_token=1, layers=1, bytes_per_s=1e12,
                         memory_bytes=8e10)  # fmt: skip


def test_gradients_find_the_grids_minimum():
    table = moments(MIXED, A100)
    grid = np.arange(512, 20000, 64)
    costs = [float(fluid_cost(b, table, A100, 50.0, 1.0, 1.0)) for b in grid]
    found, cost = design(table, A100, np.array([50.0]), np.ones(1), np.ones(1), starts=6)
    assert cost[0] <= min(costs) * 1.002
    assert float(fluid_cost(found[0], table, A100, 50.0, 1.0, 1.0)) == pytest.approx(
        cost[0], rel=1e-3
    )
    twice = float(fluid_cost(4000.0, table, A100, 100.0, 1.0, 1.0))
    assert twice == pytest.approx(2 * float(fluid_cost(4000.0, table, A100, 50.0, 1.0, 1.0)))


def test_the_example_of_the_package_runs():
    text = planning.__doc__.split("::\n", 1)[1].split("\nRead in")[0]
    names: dict[str, object] = {}
    exec("\n".join(line[4:] for line in text.splitlines()), names)
    assert names["best"].gpus > 0
    key = PoolKey(8192, names["best"].gamma, A100, "short")
    assert names["judge"](key, 10 * names["best"].short.gpus)
    assert plan(names["lengths"], 50, 8192).meets


def test_a_search_ends_when_nothing_passes():
    with pytest.raises(ValueError, match="no fleet"):
        search([1000], [1.0], [A100], lambda key, n: False, judgements=50)
    with pytest.raises(ValueError, match="no fleet"):
        search([1000], [1.0], [A100], lambda key, n: False)
    free = replace(A100, name="free", dollars_per_hour=0)
    found = search([1000], [1.0], [A100, free], lambda key, n: n >= 3)
    assert (found.dollars_per_hour, found.gap) == (0, 0)
    everything = search([1000], [1.0], [A100], lambda key, n: True)
    assert (everything.gpus_short, everything.gpus_long) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([0.0, 1, 2], [1, 1, 1], 1, np.nan), "prefill"),
        (([0.0, 1, 2], [1, 1, 1], 1, -5.0), "prefill"),
        (([0.0, 1, 2], [1, 1, 1], 1, [1.0, 2.0]), "prefill = 3 and 2|prefill"),
        (([0.0, 1, 2], [1, 1], 1), "service"),
        (([0.0, 1, 1, 1], [1, 1, 1, 1], 1, 0.0), "warm_up"),
        (([0.0, 1e-9, 2e-9], [1e9, 1e9, 1e9], 1), "service"),
    ],
    ids=range(6),
)
def test_the_slot_judge_refuses(arguments, told):
    with pytest.raises(ValueError, match=told):
        judge_slots(*arguments, warm_up=0.3)
