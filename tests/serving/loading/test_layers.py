"""Loading layer by layer: the loop against the closed form, and what always holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.serving.loading import (
    ALL_POLICIES,
    ComputeCost,
    Engine,
    LoadingCosts,
    Requests,
    engine,
    serve,
)

KAPPA = 131_072
COSTS = LoadingCosts(6e9, 24e9, compute=ComputeCost(0.01, 50e-6, 1e-9))


def drawn(seed, n=40, gap=0.3, none=0.2):
    rng = np.random.default_rng(seed)
    remote = np.where(rng.random(n) < none, 0, rng.integers(1, 20_000, n))
    near = np.where(rng.random(n) < none, rng.integers(0, 5000, n), 0)
    return Requests(
        np.cumsum(rng.exponential(gap, n)), remote, rng.integers(1, 3000, n), near
    ).due_after(COSTS)


@settings(max_examples=60)
@given(
    st.integers(0, 30_000), st.integers(1, 5000), st.integers(1, 80), st.floats(1e9, 1e11),
    st.floats(1e9, 1e11), st.floats(0.0, 0.05), st.floats(0.0, 0.2), st.booleans(),
)  # fmt: skip
def test_one_request_alone_is_the_closed_form(c, u, layers, net, copy, late, later, eager):
    costs = LoadingCosts(net, copy, net_latency_s=late, copy_latency_s=later, compute=COSTS.compute)
    one = Requests([0.0], [c], [u])
    told = costs.first_token_s(c, u, cut_through=True, layers=layers)
    served = serve(one, costs, Engine(layers=layers, eager=eager))
    assert served.first_s == pytest.approx(told, rel=1e-9)
    assert served.remote[0] == c and served.last_s[0] == served.first_s[0]
    if layers == 1:
        whole = serve(one, costs, Engine(quantum_tokens=None))
        assert served.first_s == pytest.approx(whole.first_s, rel=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 20_000), st.integers(1, 5000), st.integers(1, 80), st.booleans())
def test_two_stages_are_the_longer_and_a_layer_of_the_other(c, u, layers, near):
    # What lies in the host's memory has no network; an endless copy leaves network and device.
    costs = LoadingCosts(6e9, 24e9 if near else 1e25, compute=COSTS.compute)
    one = Requests([0.0], [0 if near else c], [u], [c if near else 0])
    load = float((costs.copy_s(c) if near else costs.net_s(c))[0])
    computing = float(costs.compute.prefill_s(c, u)[0])
    first = serve(one, costs, Engine(layers=layers)).first_s[0]
    assert first == pytest.approx(max(load, computing) + min(load, computing) / layers, rel=1e-6)
    if not near:
        assert costs.first_token_s(c, u, layers=layers)[0] == pytest.approx(first, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_layers_delay_nobody_first_come_first_served(seed):
    requests = drawn(seed, none=0.0, gap=0.2)
    plain = serve(requests, COSTS, Engine(quantum_tokens=None)).first_s
    eager, patient = (
        serve(requests, COSTS, Engine(layers=32, eager=flag)).first_s for flag in (True, False)
    )
    assert (eager <= plain + 1e-9).all() and (patient <= plain + 1e-9).all()
    assert eager.mean() < 0.98 * plain.mean()
    ends = 0.0
    alone = COSTS.first_token_s(requests.loaded, requests.uncached, cut_through=True, layers=32)
    coupled = serve(requests, COSTS, engine("E0", layers=32)).first_s
    for come, own, end in zip(requests.arrival_s, alone, coupled, strict=True):
        ends = max(come, ends) + own
        assert end == pytest.approx(ends, rel=1e-9)


@settings(max_examples=30)
@given(
    st.integers(0, 10**6), st.sampled_from(ALL_POLICIES), st.sampled_from(["E0", "E1", "E2"]),
    st.booleans(), st.integers(1, 40), st.floats(1.0, 3.0),
)  # fmt: skip
def test_every_request_ends_whatever_the_room(seed, policy, name, eager, layers, spare):
    requests = drawn(seed, n=25, gap=0.05)
    whole = requests.loaded + requests.uncached + requests.n_out
    room = engine(
        name, layers=layers, eager=eager, staging_bytes=spare * requests.remote.max() * KAPPA,
        memory_bytes=spare * whole.max() * KAPPA,
    )  # fmt: skip
    served = serve(requests, COSTS, room, policy, log=True)
    assert (served.net_s <= served.copy_s + 1e-9).all() and (served.copy_s < served.first_s).all()
    assert served.most_staged_bytes <= room.staging_bytes * (1 + 1e-9)
    assert served.most_held_bytes <= room.memory_bytes * (1 + 1e-9)
    stages = requests.stage_s(COSTS)
    for k in range(3):
        rows = served.log[served.log[:, 0] == k + 1]
        rows = rows[np.argsort(rows[:, 2], kind="stable")]
        assert (rows[1:, 2] >= rows[:-1, 3] - 1e-12).all()  # one server
        spent = np.bincount(rows[:, 1].astype(int), rows[:, 3] - rows[:, 2], minlength=25)
        assert spent == pytest.approx(stages[k], rel=1e-9)
        if k == 2:  # and the device is through with a request before it begins another
            assert (np.diff(rows[:, 1]) != 0).sum() == 24


def test_a_device_that_begins_at_the_first_layer_is_held():
    # A long load of few new tokens has the device; a short prompt without a load waits for it.
    requests = Requests([0.0, 0.1], [20_000, 0], [10, 10])
    eager, patient = (
        serve(requests, COSTS, Engine(layers=32, eager=flag)).ttft_s for flag in (True, False)
    )
    assert eager[0] == pytest.approx(patient[0], rel=1e-9)
    assert eager[1] > 0.3 and patient[1] == pytest.approx(COSTS.compute.prefill_s(0, 10)[0])


@pytest.mark.parametrize("name", ["blocking", "recompute", "decode", "room_by_quantum"])
def test_what_layers_do_not_go_with(name):
    with pytest.raises(ValueError, match=f"layers = 32: not together with {name}"):
        Engine(layers=32, **{name: True})
    with pytest.raises(ValueError, match="layers = 0"):
        Engine(layers=0)
