"""Formulas of waiting, calibrations and plans against upstream's numbers and independent sums."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quire.queueing.exact.closed_forms import erlang_c as by_recursion
from quire.serving.planning import (
    A100,
    GAMMAS,
    H100,
    Lengths,
    Rules,
    availability,
    calibrate,
    calibrate_by_sums,
    calibrate_exactly,
    calibrate_pairs,
    erlang_c,
    gpu,
    least_gpus,
    lengths_of,
    one_pool,
    p99_wait,
    plan,
    plan_grid,
    read_lengths,
    saving,
    saving_law,
    split,
    sweep,
)
from quire.serving.planning.erlang import p99_wait_kernel

GOLDEN = json.loads(
    (
        Path(__file__).parents[3] / "data/golden/08-workload-router-pool/fleet_sim_golden.json"
    ).read_text(encoding="utf-8")
)
AZURE = Lengths(
    (64, 128, 256, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 65536),
    (
        0.00837324818165691, 0.02817101295015079, 0.06758914316125599, 0.2886287032109278,
        0.36427177576725206, 0.40447046301224054, 0.6568742238779492, 0.779847436579741,
        0.8686535391165514, 0.8982082668085861, 0.9758027319496186, 0.9999645201348235,
        0.9999645201348235, 1.0, 1.0,
    ),
)  # fmt: skip
MIXED = Lengths((500, 1000, 4000, 20000), (0.2, 0.5, 0.9, 1.0))
UNEVEN = Lengths((100, 500, 501, 4000, 9000, 20000), (0.0, 0.3, 0.3, 0.95, 0.95, 1.0))
UPSTREAM = (
    (
        "azure",
        "a100",
        "a10g",
        2048,
        640,
        200,
        0.3,
        65536,
        1,
        1.93,
        (14, 338, 372.32, 16.82136666666706, 230.42409999999666, False),
    ),
    (
        "azure",
        "a100",
        "h100",
        16384,
        1000,
        10,
        0.75,
        65536,
        0.987,
        1.54,
        (143, 0, 316.03, 25.91540000000056, 0.0, False),
    ),
    (
        "azure",
        "a100",
        "h100",
        6144,
        77.7,
        50,
        0.75,
        32768,
        0.987,
        1.15,
        (8, 3, 29.74, 24.28631666666724, 28.013760000000076, True),
    ),
    (
        "mixed",
        "a100",
        "h100",
        1536,
        20,
        200,
        0,
        65536,
        0.987,
        1.97,
        (3, 10, 46.83, 8.649999999999602, 21.31919999999955, True),
    ),
    (
        "mixed",
        "a100",
        "h100",
        4096,
        640,
        10,
        0.75,
        65536,
        0.95,
        1.58,
        (62, 99, 535.0, 27.042783333334093, 51.57216000000081, False),
    ),
    (
        "mixed",
        "a100",
        "h100",
        4096,
        77.7,
        10,
        0.3,
        65536,
        0.987,
        1.96,
        (9, 13, 72.14999999999999, 27.042783333334093, 51.57216000000081, False),
    ),
)
FREE = one_pool(MIXED, 1, gpu=replace(A100, dollars_per_hour=0))


def test_waiting_is_upstreams():
    for servers, load, value in GOLDEN["erlang_c"]:
        assert erlang_c(servers, load) == pytest.approx(value, rel=1e-9, abs=1e-300)
    for servers, rate, mu, cv2, value in GOLDEN["p99_wait"]:
        assert p99_wait(servers, rate, mu, cv2) == pytest.approx(value, rel=1e-9)
        assert p99_wait_kernel(servers, rate, mu, cv2) == pytest.approx(value, rel=1e-9)


def test_erlang_is_queueings_and_within_its_limits():
    for servers, load in ((1, 0.3), (7, 5.0), (40, 39.0), (300, 250.0)):
        assert erlang_c(servers, load) == pytest.approx(by_recursion(servers, load), rel=1e-11)
    assert erlang_c(1, 0.37) == pytest.approx(0.37)  # M/M/1
    assert erlang_c(5, 5) == 1.0 and erlang_c(5, 1e9) == 1.0 and erlang_c(5, 0) == 0.0
    loads = np.linspace(0.1, 49.9, 40)
    found = [erlang_c(50, a) for a in loads]
    assert all(0 <= c <= 1 for c in found) and np.all(np.diff(found) >= 0)
    assert erlang_c(10**6, 5e5) == 0.0 and erlang_c(10**6, 999_000) > 0
    assert p99_wait(3, 7, 2) == math.inf


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: erlang_c(0, 1), "servers = 0"),
        (lambda: erlang_c(2.0, 1), "servers"),
        (lambda: erlang_c(2, math.nan), "load"),
        (lambda: p99_wait(2, 0, 1), "rate"),
        (lambda: p99_wait(2, 1, -1), "service_rate"),
        (lambda: least_gpus(1, 1, 0.5, rho_max=1.0), "rho_max"),
        (lambda: least_gpus(1e12, 1e-3, 0.5), "ten million"),
        (lambda: gpu("b200"), "must be one of a100, h100, a10g"),
        (lambda: A100.slots(2**20 + 1), "does not fit one sequence"),
        (lambda: A100.slots(True), "window"),
        (lambda: Lengths((10, 20), (0.5, 0.9)), "must end at 1"),
        (lambda: Lengths((10, 20, 30), (0.5, 0.4, 1)), "never decrease"),
        (lambda: Lengths((10, 10), (0.5, 1)), "must increase"),
        (lambda: Lengths((), ()), "tokens"),
        (lambda: Lengths((10.5,), (1.0,)), "whole"),
        (lambda: plan(MIXED, 10, 100_000), "at most the long window"),
        (lambda: plan(MIXED, 10, 1000, 0.9), "gamma = 0.9"),
        (lambda: plan(Lengths((100, 900), (0, 1)), 10, 200), "no request is that short"),
        (lambda: plan(MIXED, -1, 1000), "rate"),
        (lambda: plan(MIXED, 1, 1000.0), "boundary"),
        (lambda: sweep(MIXED, 1, 1000, gammas=()), "gammas"),
        (lambda: Rules(rho_max=1.2), "rho_max"),
        (lambda: Rules(availability=0), "availability"),
        (lambda: Rules(safe_share=1.5), "safe_share"),
        (lambda: plan_grid(MIXED, [10], [1], [1], [A100]), "boundaries"),
        (lambda: plan_grid(MIXED, [1000], [0.5], [1], [A100]), "gammas"),
        (lambda: lengths_of([0, 3]), "total"),
        (lambda: A100.service_s(np.array([1.5]), np.array([2]), 4096), "n_in"),
        (lambda: A100.service_s(np.array([1]), np.array([2, 3]), 4096), "n_in, n_out"),
        (lambda: A100.service_s(np.array([2**63], np.uint64), np.array([1]), 4096), "n_in"),
        (lambda: split(-5), "length = -5"),
        (lambda: split(10.5), "length = 10.5"),
        (lambda: lengths_of([1.5, 2.5]), "total"),
        (lambda: Lengths((10, 2**39), (0.5, 1)).mean(), "most"),
        (lambda: saving(FREE, FREE), "costs nothing"),
    ],
    ids=range(35),
)
def test_bad_input_is_one_line(call, told):
    with pytest.raises(ValueError, match=told) as fault:
        call()
    assert "\n" not in str(fault.value)


def test_profiles_are_upstreams():
    for name, row in GOLDEN["profiles"].items():
        mine = gpu(name)
        assert (mine.fixed_s, mine.per_sequence_s, mine.chunk, mine.seats, mine.kv_blocks) == (
            row["W"], row["H"], row["chunk"], row["max_slots"], row["total_kv_blks"]
        )  # fmt: skip
        assert (mine.idle_w, mine.nominal_w, mine.dollars_per_hour, mine.context) == (
            row["power_idle_w"], row["power_nominal_w"], row["cost_per_hr"], row["calibration_ctx"]
        )  # fmt: skip
        assert (mine.steepness, mine.midpoint) == (
            row["power_logistic_k"],
            row["power_logistic_x0"],
        )
    assert A100.slots(8192) == 128 and H100.slots(8192) == 128 and H100.slots(65536) == 16


def test_power_stays_in_its_range_and_is_inverted():
    for n in (0, 1, 5, 1e6):
        assert 300 <= H100.power_w(n) <= 600
    for watts in (310.0, 450.0, 590.0):
        n = H100.batch_at(watts)
        assert H100.power_w(n) <= watts and (n == H100.seats or H100.power_w(n + 1) > watts)
    with pytest.raises(ValueError, match="no constants of power"):
        type(A100)("bare", 0.01, 0.001, 512, 100, 10, 1.0).power_w(3)
    assert A100.capped(37, 8192).slots(8192) == 37


def test_calibrations_are_upstreams():
    for name, card, window, rate, cv2, slots, prefill in GOLDEN["calibrate"]:
        if name == "azure_cdf":
            found = calibrate(AZURE.up_to(window), window, gpu(card))
            assert found.gpu_rate == pytest.approx(rate, rel=1e-9)
            assert found.cv2 == pytest.approx(cv2, rel=1e-9)
            assert found.slots == slots and found.prefill_s == pytest.approx(prefill, rel=1e-9)


def test_plans_are_upstreams():
    rows = [r for r in GOLDEN["sweep"] if r[0] == "azure_cdf"]
    assert len(rows) > 30
    for _, rate, boundary, card, gamma, short, far, cost, p99_short, p99_far in rows:
        found = plan(AZURE, rate, boundary, gamma, gpu_short=gpu(card), gpu_long=gpu(card))
        assert (found.short.gpus, found.long.gpus) == (short, far)
        assert found.dollars_per_hour == pytest.approx(cost, rel=1e-9)
        assert found.short.p99_ms == pytest.approx(p99_short, rel=1e-9)
        assert found.long.p99_ms == pytest.approx(p99_far, rel=1e-9)
    for name, rate, card, count, p99 in GOLDEN["homogeneous"]:
        if name == "azure_cdf":
            found = one_pool(AZURE, rate, gpu=gpu(card))
            assert found.gpus == count and found.p99_ms == pytest.approx(p99, rel=1e-9)


@pytest.mark.parametrize("lengths", [AZURE, MIXED, UNEVEN], ids=["azure", "mixed", "uneven"])
@pytest.mark.parametrize(
    ("window", "least"),
    [(1, 1), (99, 1), (500, 500), (501, 7), (4096, 4096), (65536, 6144), (200_000, 1), (2**21, 9)],
)
def test_running_sums_calibrate_as_the_sum_over_all_lengths(lengths, window, least):
    wide = replace(A100, kv_blocks=2**20, seats=2**13)
    for card in (wide, replace(wide, chunk=1024, fixed_s=0.004)):
        told, exact = (
            f(lengths, window, card, least) for f in (calibrate_by_sums, calibrate_exactly)
        )
        for a, b in zip(vars(told).values(), vars(exact).values(), strict=True):
            assert a == pytest.approx(b, rel=1e-9, abs=1e-12)


def test_exact_calibration_is_the_limit_of_many_draws():
    total = AZURE.sample(200_000, 3)
    n_in, n_out = split(total)
    many = calibrate_pairs(n_in, n_out, 65536, A100)
    exact = calibrate_exactly(AZURE, 65536, A100)
    assert many.gpu_rate == pytest.approx(exact.gpu_rate, rel=0.01)
    assert many.cv2 == pytest.approx(exact.cv2, rel=0.03)


def test_sizes_follow_rate_and_slo():
    counts = [one_pool(AZURE, rate).gpus for rate in (5, 20, 50, 200, 1000)]
    assert counts == sorted(counts)
    strict = [least_gpus(3.0, 1.0, slo, 4.0, slots=2) for slo in (0.01, 0.1, 1, 10)]
    assert strict == sorted(strict, reverse=True) and strict[0] > strict[-1]
    # one fewer breaks the wait or the cap
    n = least_gpus(30.0, 1.0, 0.05, 4.0, slots=2)
    assert p99_wait(n * 2, 30.0, 0.5, 4.0) <= 0.05
    assert p99_wait((n - 1) * 2, 30.0, 0.5, 4.0) > 0.05 or 30.0 / (n - 1) > 0.85


def test_gamma_one_is_plain_routing_and_shares_are_shares():
    for gamma in GAMMAS:
        found = plan(MIXED, 20, 2000, gamma)
        assert MIXED.share(2000) <= found.share_short <= 1
    assert plan(MIXED, 20, 2000, 1.0).share_short == MIXED.share(2000)
    assert plan(MIXED, 20, 2000, 2.0, rules=Rules(safe_share=0.0)).share_short == MIXED.share(2000)
    one, two = one_pool(MIXED, 20), plan(MIXED, 20, 4000)
    assert saving(two, one) == pytest.approx(100 * (1 - two.gpus / one.gpus))
    assert 0 < saving_law(two, one) < 100


def test_nodes_that_fail_cost_more():
    assert availability(0.0065, 48) == pytest.approx(0.98717, abs=1e-5)
    more = one_pool(AZURE, 200, rules=Rules(availability=0.9)).gpus
    assert more == math.ceil(57 / 0.9)


def test_grid_is_the_plans():
    rules = Rules(draws=False)
    boundaries, gammas, rates = [1000, 3000], [1.0, 1.5], [2.0, 9.0, 70.0]
    grid = plan_grid(MIXED, [100, *boundaries], gammas, rates, [A100, H100], rules)
    assert grid.boundaries.tolist() == boundaries and grid.cells == 2 * 2 * 3 * 4
    cost = grid.cost()
    for i, b in enumerate(boundaries):
        for j, g in enumerate(gammas):
            for k, rate in enumerate(rates):
                found = plan(MIXED, rate, b, g, gpu_short=H100, gpu_long=A100, rules=rules)
                assert grid.short[i, j, k, 1] == found.short.gpus
                assert grid.long[i, j, k, 0] == found.long.gpus
                wanted = found.dollars_per_hour if found.meets else math.inf
                assert cost[i, j, k, 1, 0] == pytest.approx(wanted)
    least, at = grid.cheapest()
    assert least[1] == cost[:, :, 1].min() and at.shape == (3, 4)


def test_lengths_are_read_and_restricted(tmp_path):
    file = tmp_path / "cdf.json"
    file.write_text('{"cdf": [[10, 0.5], [20, 1.0]]}', encoding="utf-8")
    found = read_lengths(file)
    assert found.share(15) == 0.75 and found.share(0) == 0 and found.share(99) == 1
    assert found.quantile(0.5) == 10 and found.quantile(1.0) == 20
    assert found.up_to(15) == Lengths((10,), (1.0,))
    assert found.above(15) == Lengths((20,), (1.0,)) and found.above(20) is None
    values, p = found.weights()
    assert values.tolist() == list(range(1, 21)) and p.sum() == pytest.approx(1)
    assert found.mean() == pytest.approx(10.5)
    for text in ("[]", '{"cdf": [[10]]}', "x", '{"a": 1}', "[[10, 0.4], [20, 0.9]]"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"cdf\.json"):
            read_lengths(file)
    seen = lengths_of([5, 5, 100, 3000])
    assert seen.share(64) == 0.5 and seen.longest == 3000 and seen.shares[-1] == 1


def test_a_load_that_is_the_servers_to_a_rounding_waits_for_ever():
    # lambda / mu is just below c, c mu - lambda exactly 0; upstream's answer is infinity too
    for servers, rate, mu, cv2 in (
        (69, 0.26002053006701464, 0.0037684134792320967, 112),
        (931, 407.5823744156808, 0.43778987584928125, 3.3),
    ):
        assert rate / mu < servers
        assert p99_wait(servers, rate, mu, cv2) == math.inf
        assert p99_wait_kernel(servers, rate, mu, cv2) == math.inf


def test_a_boundary_below_the_first_point_is_upstreams():
    """Numbers printed by upstream's planner: lengths (1000, 30000, 200000), B below 1,000."""
    lengths = Lengths((1000, 30000, 200000), (0.2, 0.9, 1.0))
    rules = Rules(slo_ms=2000, long_window=32768, availability=0.95, safe_share=0.3)
    found = plan(lengths, 0.5, 768, 1.5, gpu_long=H100, rules=rules)
    assert (found.short.gpus, found.long.gpus, found.meets) == (3, 4, True)
    assert found.dollars_per_hour == pytest.approx(22.71, rel=1e-12)
    assert found.short.p99_ms == pytest.approx(10.157983333332888, rel=1e-9)
    assert found.long.p99_ms == pytest.approx(62.44992000000104, rel=1e-9)


def test_mixed_gpus_and_rules_are_upstreams():
    """A plan whose GPUs, rules and gamma stand in no golden row; upstream printed the numbers."""
    for case in UPSTREAM:
        name, short, far, b, rate, slo, safe, window, up, gamma, wanted = case
        lengths = {"azure": AZURE, "mixed": UNEVEN}[name]
        rules = Rules(slo_ms=slo, safe_share=safe, long_window=window, availability=up)
        p = plan(lengths, rate, b, gamma, gpu_short=gpu(short), gpu_long=gpu(far), rules=rules)
        mine = p.short.gpus, p.long.gpus, p.dollars_per_hour, p.short.p99_ms, p.long.p99_ms
        assert mine == pytest.approx(wanted[:5], rel=1e-9)
        assert p.meets is wanted[5]


def test_narrow_integers_do_not_overflow():
    small = A100.service_s(np.array([200, 255], np.uint8), np.array([100, 200], np.uint8), 4096)
    assert small == pytest.approx(A100.service_s(np.array([200, 255]), np.array([100, 200]), 4096))
    assert plan(MIXED, 10, 1000, 1e300).long == plan(MIXED, 10, 1000, 1e3).long
    steep = replace(H100, steepness=1e4, midpoint=30)
    assert steep.power_w(2) == pytest.approx(H100.idle_w)
