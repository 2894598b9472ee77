"""Closed forms, bounds, choices and copies, each against something counted in another way."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import quire.serving.loading as loading
from quire.serving import LLAMA_8B, linear_profile
from quire.serving.loading import (
    ComputeCost,
    CopyTable,
    Engine,
    LoadingCosts,
    Requests,
    both_ends,
    boundary_bytes_per_s,
    break_even_bytes_per_s,
    capacity,
    certified_value,
    disagreement,
    expected_disagreement,
    fit_compute,
    fit_linear_cost,
    mean_ttft_bound,
    network_error,
    noisy,
    on_time_bound,
    piece_bytes,
    random_requests,
    serve,
    shorter_prefix,
    table_from_copies,
)
from quire.serving.loading.bounds import shortest_remaining, windows

COSTS = LoadingCosts(6e9, 24e9, compute=ComputeCost(0.01, 50e-6, 1e-9))


def test_the_example_of_the_package():
    code = loading.__doc__.split("::\n", 1)[1].split("\n\nRead in")[0]
    scope = {}
    exec("\n".join(line[4:] for line in code.splitlines()), scope)
    served = scope["served"]
    assert served["fifo"].attainment < served["sjf_compute"].attainment
    assert served["sjf_compute"].attainment < served["sjf_total"].attainment


def test_capacity_by_hand():
    requests = Requests(np.zeros(2), [6000, 0], [1000, 1000])
    found = capacity(requests, COSTS)
    assert found.net_s == pytest.approx(6000 * 131_072 / 6e9 / 2)
    assert found.copy_s == pytest.approx(found.net_s / 4)
    assert found.compute_s == pytest.approx(0.06 + (1000 * 6500 + 1000 * 500) * 1e-9 / 2)
    assert found.gain == pytest.approx(
        (found.net_s + found.copy_s + found.compute_s) / max(found.net_s, found.compute_s)
    )
    assert found.bottleneck == "network" and 1 <= found.gain <= 3
    at = boundary_bytes_per_s(0.8, 10_000, 131_072, COSTS.compute)[0]
    same = LoadingCosts(at, 24e9, compute=COSTS.compute)
    assert same.net_s(8000) == pytest.approx(COSTS.compute.prefill_s(8000, 2000))
    with pytest.raises(ValueError, match=r"hit = 1\.5"):
        boundary_bytes_per_s(1.5, 10_000, 131_072, COSTS.compute)


def test_disagreement_counts_pairs():
    assert disagreement([1, 2, 3], [1, 2, 3]) == 0 and disagreement([1, 2, 3], [3, 2, 1]) == 1
    assert disagreement([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert disagreement([1, 1, 1], [3, 2, 1]) == 0.5 == expected_disagreement([1, 1], [1, 2])
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 1500))
    z = 0.6 * x + 0.8 * y
    assert disagreement(x, z) == pytest.approx(expected_disagreement(x, z), abs=0.02)
    with pytest.raises(ValueError, match="other = 2"):
        disagreement([1.0], [1.0, 2.0])
    # In rows, and of numbers whose differences overflow.
    first, second = np.triu_indices(1500, 1)
    product = np.sign(x[first] - x[second]) * np.sign(z[first] - z[second])
    assert disagreement(x, z) == np.mean((1 - product) / 2)
    assert disagreement([1e308, -1e308], [1, 2]) == 1
    assert expected_disagreement([1e200, 3e200, 2e200], [1, 3, 2]) == pytest.approx(0, abs=1e-7)
    assert expected_disagreement([1e308, -1e308], [1, 2]) == pytest.approx(1)


def test_what_takes_no_time():
    still = ComputeCost(0.0, 0.0, 0.0, 0.0, 0.0)
    assert boundary_bytes_per_s([0.0, 0.5], 1000, 131_072, still).tolist() == [np.inf, np.inf]
    with pytest.raises(ValueError, match="no stage takes any time"):
        capacity(Requests([0.0], [0], [1]), LoadingCosts(compute=still))


def brute_force(requests, costs):
    """The most requests on time on one stage with preemption, the largest over no stage."""
    service, early, late = windows(requests, costs)
    n, best = len(requests), 0
    for size in range(n, 0, -1):
        for chosen in combinations(range(n), size):
            pick = list(chosen)
            if all(feasible(early[k, pick], late[k, pick], service[k, pick]) for k in range(3)):
                return size
    return best


def feasible(early, late, service):
    return (
        all(service[(early >= a) & (late <= b)].sum() <= b - a + 1e-12 for a in early for b in late)
        and (late - early >= service - 1e-12).all()
    )


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_no_order_beats_the_bound(seed):
    rng = np.random.default_rng(seed)
    n = 7
    requests = Requests(
        np.sort(rng.uniform(0, 1, n)), rng.integers(0, 20_000, n), rng.integers(1, 3000, n)
    ).due_after(COSTS, factor=float(rng.uniform(0.9, 3)), floor_s=0.0)
    bound = on_time_bound(requests, COSTS)
    best = brute_force(requests, COSTS)
    assert bound.requests >= best
    assert bound.value == pytest.approx(certified_value(requests, COSTS, bound.intervals))
    for policy in loading.ALL_POLICIES:
        served = serve(requests, COSTS, Engine(), policy)
        assert served.on_time.sum() <= bound.requests
        assert served.ttft_s.mean() >= mean_ttft_bound(requests, COSTS) - 1e-9


def test_a_forged_certificate_proves_nothing():
    requests = random_requests(20, seed=1).due_after(COSTS)
    assert certified_value(requests, COSTS, np.zeros((0, 4))) == 20
    with pytest.raises(ValueError, match="proves nothing"):
        certified_value(requests, COSTS, np.array([[0, 0.0, 1.0, -1.0]]))
    with pytest.raises(ValueError, match="deadline_s: must be finite"):
        on_time_bound(random_requests(3), COSTS)


@pytest.mark.parametrize("start", [0.0, 1e3, 1e6])
def test_the_bound_keeps_those_that_are_due_when_they_are_ready(start):
    # Alone on an idle system and due at once: rounding of sums decides on neither side.
    rng = np.random.default_rng(3)
    requests = Requests(
        start + np.arange(60) * 50.0, rng.integers(0, 9000, 60), rng.integers(1, 3000, 60)
    ).due_after(COSTS, factor=1.0, floor_s=0.0)
    bound = on_time_bound(requests, COSTS)
    assert bound.requests == 60 >= serve(requests, COSTS, Engine()).on_time.sum()
    early = Requests(
        requests.arrival_s, requests.remote, requests.uncached,
        deadline_s=requests.arrival_s + 0.999 * requests.alone_s(COSTS),
    )  # fmt: skip
    assert on_time_bound(early, COSTS).requests == 0  # the slack is far below a millisecond


FORGED = [[7.0, 0, 1, 1], [-1.0, 0, 1, 1], [0.0, 0, 0, np.inf], [np.nan, 0, 1, 1], [0.5, 0, 1, 1]]


@pytest.mark.parametrize("row", FORGED, ids=range(len(FORGED)))
def test_a_certificate_names_stages_and_times(row):
    requests = random_requests(5, seed=1).due_after(COSTS)
    with pytest.raises(ValueError, match="proves nothing"):
        certified_value(requests, COSTS, np.array([row]))
    with pytest.raises(ValueError, match="rows of 4"):
        certified_value(requests, COSTS, np.array(row))


def test_shortest_remaining_by_hand():
    ends = shortest_remaining(np.array([0.0, 1.0, 10.0]), np.array([5.0, 1.0, 2.0]))
    assert ends.tolist() == [6.0, 2.0, 12.0]


@settings(max_examples=40)
@given(st.integers(1, 60_000), st.integers(1, 5000), st.floats(2e8, 5e10))
def test_choices_are_the_best_of_all(c, u, speed):
    costs = LoadingCosts(speed, 24e9, compute=COSTS.compute)
    step = max(1, c // 300)
    s = np.unique(np.append(np.arange(0, c, step), c)).astype(float)
    tried = costs.load_s(c - s) + costs.compute.prefill_s(c - s, u + s)
    short = shorter_prefix(c, u, costs)
    assert short.first_token_s[0] == pytest.approx(tried.min(), rel=1e-12)
    front = np.where(s > 0, costs.compute.prefill_s(np.zeros_like(s), s), 0)
    both = np.maximum(costs.load_s(c - s), front) + costs.compute.prefill_s(c, u)
    found = both_ends(c, u, costs)
    assert found.first_token_s[0] <= both.min() + 1e-12
    assert 0 <= found.recomputed[0] <= c
    even = break_even_bytes_per_s(costs, c, u)[0]
    if 1e6 < even < 1e14:
        at = LoadingCosts(even, 24e9, compute=COSTS.compute)
        assert at.first_token_s(c, u) == pytest.approx(at.compute.prefill_s(0, c + u), rel=1e-6)


@pytest.mark.parametrize("choose", [both_ends, shorter_prefix])
def test_choices_are_of_whole_tokens(choose):
    for tokens in (1e300, 2.0**60, 10.5):  # bisection would not end, or end between tokens
        with pytest.raises(ValueError, match=r"cached = .*must be whole, and below"):
            choose([tokens], [1], COSTS)


def test_fits_find_what_made_the_numbers():
    profile = linear_profile(LLAMA_8B, 5.0, 0.5, 1000)
    fit = fit_compute(profile)
    assert 0 <= fit.r_squared <= 1 and fit.points == 80
    rng = np.random.default_rng(2)
    c, u = rng.integers(0, 30_000, 500), rng.integers(1, 4000, 500)
    seconds = COSTS.compute.prefill_s(c, u)
    line = fit_linear_cost(c, u, seconds)
    assert line.seconds(c, u) == pytest.approx(seconds, rel=1e-6)
    with pytest.raises(ValueError, match="seconds = 3 numbers"):
        fit_linear_cost([1, 2, 3], [1, 2, 3], [1, 2, 3])


def test_noise_and_errors():
    requests = random_requests(50, seed=3)
    assert (noisy(requests, COSTS, 0, 1) == requests.stage_s(COSTS)).all()
    believed = noisy(requests, COSTS, 0.5, 1)
    assert (believed[1:] == requests.stage_s(COSTS)[1:]).all() and (believed[0] > 0).any()
    exact = serve(requests.retimed(0.5, 1), COSTS, Engine(quantum_tokens=None))
    assert 0 <= network_error(exact) < 60
    with pytest.raises(ValueError, match="sigma = 10000"):
        noisy(requests, COSTS, 1e4, 1)
    with pytest.raises(ValueError, match="weights = 2 numbers"):
        loading.LinearCost([1.0, 2.0])
    local = Requests(np.zeros(2), [0, 0], [1, 1])
    assert network_error(serve(local, COSTS)) == 0


def test_pieces():
    assert piece_bytes(LLAMA_8B, 16) == 65_536 and piece_bytes(LLAMA_8B, 16, "half") == 32_768
    assert piece_bytes(LLAMA_8B, 512, "block") == 2**26
    with pytest.raises(ValueError, match="layout = 'row'"):
        piece_bytes(LLAMA_8B, 16, "row")
    table = CopyTable([1000, 2000, 1_000_000], [1e-5, 1e-5, 1e-3])
    assert table.load_s(5000, 1000) == pytest.approx(5e-5)
    assert table.load_s(5500, 1000) == pytest.approx(6e-5)
    assert table.bytes_per_s(2_000_000) == pytest.approx(1e9)
    assert table.piece_s(1).tolist() == [1e-5]
    for sizes, seconds in (([2, 1], [1, 1]), ([1], [0]), ([1, 2], [1])):
        with pytest.raises(ValueError, match=r"sizes|seconds"):
            CopyTable(sizes, seconds)
    rows = {"what": ["h2d", "h2d_blocks", "h2d"], "bytes_or_count": [10, 100, 1000],
            "copies": [1, 4, 1], "median_us": [9, 40, 50]}  # fmt: skip
    made = table_from_copies(rows)
    assert made.sizes.tolist() == [100, 1000] and made.seconds.tolist() == [1e-5, 5e-5]
    with pytest.raises(ValueError, match="h2d_blocks"):
        table_from_copies({**rows, "what": ["h2d"] * 3})
    others = {name: [*values, 0] for name, values in rows.items()} | {
        "what": [*rows["what"], "gemm"]
    }
    assert table_from_copies(others).sizes.tolist() == [100, 1000]  # rows of other kinds may be odd
    for wrong, says in (
        ({k: v for k, v in rows.items() if k != "copies"}, "no column copies"),
        ({**rows, "copies": [1, 4]}, "as long as one another"),
        ({**rows, "copies": [1, 0, 1]}, "copies = 0"),
        ({**rows, "median_us": [9, -1, 50]}, "median_us = -1"),
        (None, "no column what"),
    ):
        with pytest.raises(ValueError, match=says):
            table_from_copies(wrong)


def test_near_and_far(tmp_path):
    from quire.serving import PrefixTrace, Trace
    from quire.serving.loading import requests_from

    arrays = [np.asarray(x) for x in ([0, 1, 2], [1200, 1024, 1500], [5, 1, 9], [0, 3, 5, 8],
                                      [0, 1, 2, 0, 1, 0, 1, 5])]  # fmt: skip
    trace = PrefixTrace(Trace(*arrays))
    far = requests_from(trace)
    assert far.remote.tolist() == [0, 1023, 1024] and far.uncached.tolist() == [1200, 1, 476]
    near = requests_from(trace, near_blocks=1)
    assert near.local.tolist() == [0, 512, 512] and near.remote.tolist() == [0, 511, 512]
    none = requests_from(trace, far_blocks=0)
    assert none.loaded.sum() == 0 and none.uncached.tolist() == [1200, 1024, 1500]
    with pytest.raises(ValueError, match="hit = 1"):
        random_requests(3, hit=1.0)
