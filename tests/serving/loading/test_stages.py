"""The three stages: what always holds, whoever is served first and however little room there is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.serving.loading import (
    ALL_POLICIES,
    ComputeCost,
    Deadlock,
    Engine,
    LinkSpeed,
    LoadingCosts,
    Policy,
    Requests,
    coupled,
    engine,
    serve,
    tandem,
    tandem_scan,
)

KAPPA = 131_072
COSTS = LoadingCosts(6e9, 24e9, compute=ComputeCost(0.01, 50e-6, 1e-9, 1e-5, 1e-8))


def drawn(seed, n=40, gap=0.3, local=False, none=0.2):
    rng = np.random.default_rng(seed)
    remote = np.where(rng.random(n) < none, 0, rng.integers(1, 20_000, n))
    near = rng.integers(0, 5000, n) if local else np.zeros(n, int)
    return Requests(
        np.cumsum(rng.exponential(gap, n)), remote, rng.integers(1, 3000, n), near,
        rng.integers(1, 20, n),
    ).due_after(COSTS)  # fmt: skip


def spans(served, stage):
    rows = served.log[served.log[:, 0] == stage]
    return rows[np.argsort(rows[:, 2], kind="stable")]


@settings(max_examples=40)
@given(
    st.integers(0, 10**6), st.sampled_from(ALL_POLICIES), st.sampled_from(["E0", "E1", "E2", "E3"]),
    st.booleans(), st.booleans(), st.sampled_from([None, 300, 512]), st.floats(1.0, 3.0),
)  # fmt: skip
def test_every_request_ends_whatever_the_room(seed, policy, name, cut, decode, quantum, spare):
    requests = drawn(seed, n=25, gap=0.05, local=seed % 2 == 0)
    whole = requests.loaded + requests.uncached + requests.n_out
    room = engine(
        name, cut_through=cut, decode=decode, quantum_tokens=quantum,
        staging_bytes=max(1, spare * requests.remote.max() * KAPPA),
        memory_bytes=spare * whole.max() * KAPPA,
    )  # fmt: skip
    served = serve(requests, COSTS, room, Policy(policy, aging=seed % 3 / 2), log=True)
    first, copy, net = served.first_s, served.copy_s, served.net_s
    assert (net <= copy + 1e-9).all() and (copy < first).all() and (first <= served.last_s).all()
    assert served.most_staged_bytes <= room.staging_bytes * (1 + 1e-9)
    assert served.most_held_bytes <= room.memory_bytes * (1 + 1e-9)
    assert (served.remote <= requests.remote).all()
    if name != "E3":
        assert (served.remote == requests.remote).all()
    for stage in (1, 2):
        rows = spans(served, stage)
        assert (rows[1:, 2] >= rows[:-1, 3] - 1e-12).all()  # one server
    moved = (spans(served, 1)[:, 3] - spans(served, 1)[:, 2]).sum() * COSTS.net_bytes_per_s
    assert moved == pytest.approx(served.remote.sum() * KAPPA, rel=1e-9)
    if not decode:
        assert (served.last_s == first).all()


@pytest.mark.parametrize("seed", range(6))
def test_first_come_first_served_is_the_recursion(seed):
    requests = drawn(seed, none=0.0)  # whoever loads nothing overtakes those who do
    service = requests.stage_s(COSTS)
    whole = Engine(quantum_tokens=None)
    served = serve(requests, COSTS, whole)
    left = tandem(requests.arrival_s, service)
    assert served.first_s == pytest.approx(left[2], rel=1e-12)
    assert served.net_s == pytest.approx(left[0], rel=1e-12)
    assert tandem_scan(requests.arrival_s, service) == pytest.approx(left, rel=1e-5)
    one = serve(requests, COSTS, engine("E0", quantum_tokens=None))
    assert one.first_s == pytest.approx(coupled(requests.arrival_s, service), rel=1e-12)
    assert (left[2] <= one.first_s + 1e-9).all()  # decoupling never hurts first come first served
    windows = [serve(requests, COSTS, engine("E1", window=w)).first_s for w in (1, 2, 3, 9)]
    assert all((b <= a + 1e-9).all() for a, b in pairwise(windows))


@pytest.mark.parametrize("policy", ALL_POLICIES)
def test_no_queue_no_policy(policy):
    requests = drawn(3, gap=0.3)
    slow = Requests(
        np.arange(40) * 100.0, requests.remote, requests.uncached, requests.local, requests.n_out
    ).due_after(COSTS)
    for name in ("E0", "E1", "E2"):
        served = serve(slow, COSTS, engine(name), policy)
        assert served.ttft_s == pytest.approx(slow.alone_s(COSTS), rel=1e-9)


def test_orders_are_those_of_the_policies():
    # All come while the first one loads: then whole requests leave the network by their keys.
    arrival = np.array([0.0, 0.001, 0.002, 0.003, 0.004])
    remote, uncached = np.array([9000, 8000, 2000, 4000, 0]), np.array([10, 10, 4000, 900, 5])
    due = np.array([99.0, 3.0, 9.0, 2.0, 50.0])
    requests = Requests(arrival, remote, uncached, deadline_s=due)
    whole = Engine(quantum_tokens=None)
    left = {p: serve(requests, COSTS, whole, p).net_s[1:4] for p in ALL_POLICIES}
    order = {p: (np.argsort(each) + 1).tolist() for p, each in left.items()}
    assert order["fifo"] == order["sharing"] == [1, 2, 3]
    assert order["sjf_compute"] == [1, 3, 2]
    assert order["sjf_total"] == [3, 1, 2] and order["sjf_bottleneck"] == [3, 1, 2]
    assert order["srpt_total"] == [3, 1, 2]
    assert order["edf"] == order["lstf_compute"] == order["lstf_total"] == [3, 1, 2]
    assert order["hybrid"] == [3, 1, 2]
    late = Requests(arrival, remote, uncached, deadline_s=[99.0, 0.1, 9.0, 2.0, 50.0])
    assert serve(late, COSTS, whole, "hybrid").net_s[1:4].argmax() == 0  # lost anyway: last
    assert serve(late, COSTS, whole, "edf").net_s[1:4].argmin() == 0


def test_aging_goes_to_the_order_of_arrival():
    requests = drawn(5, n=60, gap=0.1)
    aged = serve(requests, COSTS, Engine(), Policy("sjf_total", aging=1e6)).first_s
    assert aged == pytest.approx(serve(requests, COSTS, Engine(), "fifo").first_s, rel=1e-12)


def test_no_cache_no_difference():
    requests = drawn(4, gap=0.05)
    none = Requests(requests.arrival_s, np.zeros(40), requests.uncached + 500)
    one, two = (serve(none, COSTS, Engine(), p).first_s for p in ("sjf_compute", "sjf_total"))
    assert (one == two).all()


def test_time_has_no_unit():
    requests = drawn(6)
    device = COSTS.compute
    slow = LoadingCosts(
        3e9, 12e9, compute=ComputeCost(*(2 * getattr(device, n) for n in (
            "fixed_s", "token_s", "pair_s", "sequence_s", "context_s")))
    )  # fmt: skip
    twice = Requests(
        2 * requests.arrival_s, requests.remote, requests.uncached, requests.local,
        requests.n_out, 2 * requests.deadline_s,
    )  # fmt: skip
    for policy in ALL_POLICIES:
        one = serve(requests, COSTS, Engine(), policy).first_s
        assert serve(twice, slow, Engine(), policy).first_s == pytest.approx(2 * one, rel=1e-9)


def test_cut_through_alone_is_its_formula():
    for c in (1, 300, 512, 513, 5000, 20_000):
        for costs in (COSTS, LoadingCosts(30e9, 24e9, net_latency_s=0.1, copy_latency_s=0.02)):
            one = Requests(np.zeros(1), [c], [1])
            cut = serve(one, costs, Engine(cut_through=True)).copy_s[0]
            assert cut == pytest.approx(costs.load_s(c, cut_through=True)[0], rel=1e-9)
            plain = serve(one, costs, Engine()).copy_s[0]
            assert plain == pytest.approx(costs.load_s(c)[0], rel=1e-9)
    # 20,000 tokens: 546 ms stage after stage, 437 and a quantum's 3 ms with cut-through.
    assert COSTS.load_s(20_000)[0] == pytest.approx(0.5461, abs=1e-4)
    assert COSTS.load_s(20_000, cut_through=True)[0] == pytest.approx(0.437, abs=0.004)


def test_room_by_quantum_can_deadlock_and_room_for_all_cannot():
    requests = Requests(np.zeros(2), [1000, 1000], [10, 10])
    room = 1100 * KAPPA
    with pytest.raises(Deadlock, match="2 requests wait for one another"):
        serve(requests, COSTS, Engine(quantum_tokens=100, staging_bytes=room, room_by_quantum=True),
              "sharing")  # fmt: skip
    served = serve(requests, COSTS, Engine(quantum_tokens=100, staging_bytes=room), "sharing")
    assert np.isfinite(served.first_s).all()
    with pytest.raises(ValueError, match=r"staging_bytes = 0.1 GB: a request needs 0.131072 GB"):
        serve(requests, COSTS, Engine(staging_bytes=1e8))


def test_what_is_held_is_told_without_a_limit_as_well():
    requests = drawn(11, n=30, gap=0.1)
    free = serve(requests, COSTS, Engine())
    assert free.most_staged_bytes >= requests.remote.max() * KAPPA
    whole = requests.loaded + requests.uncached + requests.n_out
    assert whole.max() * KAPPA <= free.most_held_bytes <= whole.sum() * KAPPA
    room = serve(
        requests, COSTS,
        Engine(staging_bytes=free.most_staged_bytes, memory_bytes=free.most_held_bytes),
    )  # fmt: skip
    assert (room.first_s == free.first_s).all()  # so much is enough
    assert np.isnan(serve(Requests([0.0], [0], [1]), COSTS).start_s).all()


def test_room_for_the_largest_is_enough_whatever_a_token_weighs():
    rng = np.random.default_rng(0)
    for _ in range(60):
        kappa, tokens = float(rng.uniform(1, 3e5)), int(rng.integers(1, 50_000))
        costs = LoadingCosts(6e9, 24e9, kappa, compute=COSTS.compute)
        room = Engine(staging_bytes=tokens * kappa, memory_bytes=(tokens + 2) * kappa)
        assert np.isfinite(serve(Requests([0.0], [tokens], [1]), costs, room).first_s).all()


def test_without_a_deadline_nobody_is_lost():
    due = [np.inf, 0.01, np.inf, 9.0]
    requests = Requests(np.arange(4) / 1000, [9000] * 4, [1] * 4, deadline_s=due)
    ends = serve(requests, COSTS, Engine(quantum_tokens=None), "hybrid").net_s
    assert (np.argsort(ends) == [0, 3, 2, 1]).all()  # the lost one last, not those without a limit
    heavy = serve(requests, COSTS, Engine(quantum_tokens=None), Policy("hybrid", weight=1e12)).net_s
    assert heavy.argmax() == 1


def test_a_link_that_takes_no_time():
    requests = drawn(3, n=20)
    fast = serve(requests, LoadingCosts(1e25, 24e9, compute=COSTS.compute), half_life_s=1.0)
    assert np.isfinite(fast.first_s).all()


def test_recomputing_keeps_what_was_believed():
    requests = drawn(9, n=60, gap=0.05)
    stages = requests.stage_s(COSTS)
    one, same, scaled = (
        serve(requests, COSTS, engine("E3"), "sjf_total", believed=each).first_s
        for each in (None, stages, 7 * stages)
    )
    assert (one == same).all() and (one == scaled).all()


def test_counts_beyond_any_number_of_requests():
    requests = drawn(3, n=20)
    many = Engine(window=2**70, quantum_tokens=10**400, decode=True, budget=10**400, seats=2**70)
    plain = Engine(quantum_tokens=None, decode=True, budget=2**40, seats=2**40)
    assert (serve(requests, COSTS, many).first_s == serve(requests, COSTS, plain).first_s).all()


def test_decode_goes_on():
    requests = drawn(7, n=30, gap=0.1)
    free = serve(requests, COSTS, Engine(decode=True))
    wait = serve(requests, COSTS, engine("E0", decode=True))
    assert (free.tpot_s >= COSTS.compute.fixed_s - 1e-12).all()
    assert wait.tpot_s.mean() > 2 * free.tpot_s.mean()  # loads stop the decodes of E0
    assert wait.first_s.max() > free.first_s.max()


def test_a_slower_link_and_what_the_scheduler_believes():
    requests = drawn(8, n=60, gap=0.2)
    speed = LinkSpeed([0.0, 2.0], [1.0, 0.25])
    slow = serve(requests, COSTS, Engine(), speed=speed)
    assert slow.first_s.mean() > serve(requests, COSTS, Engine()).first_s.mean()
    exact = serve(requests, COSTS, Engine(quantum_tokens=None))
    loads = requests.remote > 0
    # The quantum on its way counts whole: what is told is never too early, by a request at most.
    early = (exact.predicted_net_s - exact.net_s)[loads]
    assert (early >= -1e-9).all() and early.max() <= requests.stage_s(COSTS)[0].max()
    told = [
        serve(requests, COSTS, Engine(), speed=speed, half_life_s=h).predicted_net_s
        for h in (0.0, 0.5)
    ]
    wrong = [np.abs(each - slow.net_s)[loads].mean() for each in told]
    assert wrong[1] < wrong[0]
    believed = requests.stage_s(COSTS) * 7
    same = serve(requests, COSTS, Engine(), "sjf_total", believed=believed).first_s
    assert (same == serve(requests, COSTS, Engine(), "sjf_total").first_s).all()


BAD = [
    (lambda: Policy("lifo"), "must be one of fifo, sjf_compute"),
    (lambda: Policy("fifo", aging=-1), "aging = -1"),
    (lambda: LoadingCosts(net_bytes_per_s=-3e9), "net_bytes_per_s = -3"),
    (lambda: LoadingCosts(copy_latency_s=np.nan), "copy_latency_s = nan"),
    (lambda: ComputeCost(token_s=-1), "token_s = -1"),
    (lambda: engine("E7"), "engine = 'E7'"),
    (lambda: Engine(window=0), "window = 0"),
    (lambda: Engine(decode=1), "decode = 1"),
    (lambda: Engine(staging_bytes=0), "staging_bytes = 0"),
    (lambda: LinkSpeed([0, 0], [1, 1]), "times_s: must rise"),
    (lambda: Requests(np.array([1.0, 0.0]), [1, 1], [1, 1]), "arrival_s falls"),
    (lambda: Requests(np.zeros(2), [1, 1], [0, 1]), "uncached = 0"),
    (lambda: Requests(np.zeros(2), [1, 1.5], [1, 1]), "remote = 1.5: must be whole"),
    (lambda: Requests(np.zeros(2), [1], [1, 1]), "remote = 1 numbers"),
    (lambda: Requests(np.zeros(1), [1], [1], deadline_s=[0.0]), "deadline_s: must lie after"),
    (lambda: Requests(np.zeros(1), [1], [1], deadline_s=[np.nan]), "deadline_s: must be 1"),
    (lambda: drawn(0).due_after(COSTS, factor=0), "factor = 0"),
    (lambda: drawn(0).due_after(COSTS, floor_s=-1), "floor_s = -1"),
    (lambda: drawn(0).select(np.zeros(40, bool)), "no request is chosen"),
    (lambda: serve(drawn(0), COSTS, believed=np.zeros((2, 40))), "believed"),
    (lambda: serve(drawn(0), COSTS, half_life_s=-1), "half_life_s = -1"),
    (lambda: LoadingCosts(net_bytes_per_s=1e-310), "a token takes above"),
    (lambda: drawn(0).select(np.ones(5, bool)), "a mask of 40"),
    (lambda: drawn(0).select([99]), "a mask of 40"),
    (lambda: drawn(0).select([0.5]), "a mask of 40"),
    (lambda: drawn(0).select(slice(3)), "a mask of 40"),
    (lambda: tandem([0.0, 1.0], [[1.0]]), "service_s = 1 requests"),
    (lambda: coupled([1.0, 0.0], [[1.0, 1.0]]), "arrival_s falls"),
]


@pytest.mark.parametrize(("call", "says"), BAD, ids=range(len(BAD)))
def test_bad_input_is_one_line(call, says):
    with pytest.raises(ValueError, match=says) as fault:
        call()
    assert "\n" not in str(fault.value)
