import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import (
    GCN,
    GGRS,
    Averaging,
    Graphs,
    SettingError,
    ablations,
    align,
    cap,
    clients_of,
    confine,
    graph_image,
    initial,
    product_image,
    spectral_norm,
    subspace,
)

seeds = st.integers(0, 10**6)
OFF = GGRS(tau=-1.0, gamma=1.0, kappa=math.inf, rank=3)


APPLY = jax.jit(lambda ggrs, *rest: ggrs.apply(*rest))


def numbers(ggrs):
    """GGRS with arrays for numbers, so that one compiled program serves all."""
    return jax.tree.map(jnp.float32, ggrs)


def matrix(seed, rows=12, columns=6):
    return jnp.asarray(np.random.default_rng(seed).standard_normal((rows, columns)))


def run(ggrs, params, rounds, weights):
    state, steps = ggrs.init(params), []
    for updates in rounds:
        step, state = APPLY(numbers(ggrs), state, params, updates, weights)
        steps.append(step)
    return steps, state


@settings(max_examples=5)
@given(seed=seeds)
def test_switched_off_it_is_fedavg_bit_for_bit(draw, even, seed):
    params = draw(seed)
    rounds = [draw(seed + i, 4) for i in range(3)]
    steps, _ = run(OFF, params, rounds, even)
    for step, updates in zip(steps, rounds, strict=True):
        mean, _ = Averaging().apply(Averaging().init(params), params, updates, even)
        for a, b in zip(jax.tree.leaves(step), jax.tree.leaves(mean), strict=True):
            assert np.array_equal(a, b)


def test_a_single_client_is_itself_in_the_first_round(draw):
    params, updates = draw(0), draw(1, 1)
    (step,), _ = run(
        GGRS(rank=2, gamma=0.0, kappa=0.5), params, [updates], jnp.ones(1, jnp.float32)
    )
    for a, b in zip(jax.tree.leaves(step), jax.tree.leaves(updates), strict=True):
        assert np.array_equal(a, b[0])


@settings(max_examples=6)
@given(seed=seeds, tau=st.floats(-0.9, 0.9))
def test_alignment_puts_an_update_in_its_half_space(seed, tau):
    update, direction = matrix(seed), matrix(seed + 1)
    turned = align(update, direction, tau)
    along = float(jnp.sum(turned * direction) / jnp.linalg.norm(direction))
    assert along >= tau * float(jnp.linalg.norm(update)) - 1e-9
    if float(jnp.sum(update * direction)) > tau * float(
        jnp.linalg.norm(update) * jnp.linalg.norm(direction)
    ):
        assert np.array_equal(turned, update)


def test_alignment_at_zero_makes_opposition_orthogonal():
    direction = matrix(0)
    turned = align(-2 * direction + matrix(1), direction, 0.0)
    assert abs(float(jnp.sum(turned * direction))) < 1e-9


@settings(max_examples=5)
@given(seed=seeds, rank=st.integers(1, 6))
def test_hard_confinement_is_a_projection(seed, rank):
    projector = subspace(matrix(seed).T @ matrix(seed), rank)
    assert np.trace(np.asarray(projector)) == pytest.approx(rank)
    once = confine(matrix(seed + 1), projector, 0.0)
    assert np.allclose(confine(once, projector, 0.0), once, atol=1e-10)
    assert float(jnp.linalg.norm(once)) <= float(jnp.linalg.norm(matrix(seed + 1))) + 1e-12


def test_the_subspace_holds_95_percent_of_the_energy_and_two_directions():
    assert np.trace(np.asarray(subspace(jnp.diag(jnp.asarray([50.0, 46, 3, 1])), 0.95))) == 2
    assert np.trace(np.asarray(subspace(jnp.diag(jnp.asarray([100.0, 0, 0, 0])), 0.95))) == 2
    assert np.trace(np.asarray(subspace(jnp.eye(4), 0.95))) == 4
    assert np.trace(np.asarray(subspace(jnp.eye(4), 7))) == 4


@settings(max_examples=6)
@given(seed=seeds, kappa=st.floats(0.1, 3), reference=st.floats(0.01, 10))
def test_the_cap_holds(seed, kappa, reference):
    capped = cap(matrix(seed), jnp.asarray(reference), kappa)
    # Power iteration sees all but a thousandth of the norm; see the test of spectral_norm.
    assert np.linalg.norm(capped, 2) <= kappa * reference / 0.999
    assert float(spectral_norm(capped)) <= kappa * reference * (1 + 1e-9)


def test_after_the_first_round_the_step_agrees_with_the_reference(draw, even):
    ggrs = GGRS(gamma=1.0, kappa=math.inf, rank=3)
    params, first = draw(0), draw(1, 4)
    opposed = jax.tree.map(lambda leaf: -leaf, first)
    steps, _ = run(ggrs, params, [first, opposed], even)
    for layer in ("layer1", "layer2"):
        product = jnp.sum(steps[0][layer]["kernel"] * steps[1][layer]["kernel"])
        assert float(product) >= -1e-4


def test_the_subspace_step_can_undo_alignment():
    """In this order a confined update may oppose the reference again: a finding, not a wish."""
    direction = jnp.asarray([[1.0, 1.0]])
    update = align(jnp.asarray([[-3.0, 1.0]]), direction, 0.0)
    assert float(jnp.sum(update * direction)) == pytest.approx(0, abs=1e-12)
    confined = confine(update, jnp.diag(jnp.asarray([1.0, 0.0])), 0.0)
    assert float(jnp.sum(confined * direction)) < -1


def test_zero_updates_leave_no_nan_anywhere(draw, even):
    zeros = jax.tree.map(jnp.zeros_like, draw(0, 4))
    for proxy in ("weights", "product"):
        steps, state = run(
            GGRS(rank=2, proxies=(proxy,)), draw(0), [zeros, zeros, draw(2, 4)], even
        )
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((steps, state)))


def test_it_counts_where_its_steps_act(draw, even):
    """Opposed updates have to be turned, a narrow subspace takes, a tight cap shortens: all do."""
    params, first = draw(0), draw(1, 4)
    opposed = jax.tree.map(lambda leaf: -leaf, first)
    _, all_act = run(GGRS(rank=1, kappa=0.01), params, [first, opposed], even)
    assert np.allclose(all_act.activity, 1.0)
    _, none_acts = run(OFF, params, [first, opposed], even)
    assert not np.asarray(none_acts.activity).any()
    _, once = run(GGRS(rank=1, kappa=0.01), params, [first], even)
    assert not np.asarray(once.activity).any()


def test_clients_can_regulate_themselves(draw, even):
    """What the server averages is a sum over clients of what each computes from published state."""
    ggrs = GGRS(rank=2, kappa=0.5, centre="mean")
    params = draw(0)
    _, state = run(ggrs, params, [draw(1, 4)], even)
    updates = draw(2, 4)
    step, after = APPLY(numbers(ggrs), state, params, updates, even)
    after = after._replace(acted=state.acted)
    published = ggrs.projectors(state)
    send = jax.jit(
        lambda one: (ggrs.regulate(state, published, params, one), *ggrs.statistics(one))
    )
    total, moments, sizes = None, None, None
    for k in range(4):
        own = jax.tree.map(lambda leaf: leaf[k], updates)  # noqa: B023
        sent = send(own)
        share = jax.tree.map(lambda leaf: even[k] * leaf, sent)  # noqa: B023
        if total is None:
            total, moments, sizes = share
        else:
            total, moments, sizes = jax.tree.map(jnp.add, (total, moments, sizes), share)
    again = ggrs.remember(state, total, moments, sizes)
    for a, b in zip(jax.tree.leaves((step, after)), jax.tree.leaves((total, again)), strict=True):
        assert np.allclose(a, b, atol=1e-5)


def test_alignment_in_a_proxy_turns_the_proxy(draw, even):
    params = draw(0)
    ggrs = GGRS(rank=2, gamma=1.0, kappa=math.inf, proxies=("weights", "product"), which=1)
    _, state = run(ggrs, params, [draw(1, 4)], even)
    direction = jax.tree.map(lambda leaf: leaf.mean(axis=0), draw(1, 4))
    against = jax.tree.map(lambda leaf: -leaf, direction)
    target = product_image(params, direction)
    turned = jax.jit(lambda one: ggrs.regulate(state, ggrs.projectors(state), params, one))(against)
    before, after = (product_image(params, one) @ target for one in (against, turned))
    assert float(before) < 0 and abs(float(after)) < 1e-3 * abs(float(before))


def test_alignment_by_the_jacobian_turns_what_happens_on_the_client_s_graph(federation, even):
    network, clients = GCN(3, hidden=6), clients_of(federation)
    params = initial(network, 8, jax.random.key(0))
    graphs = Graphs(clients.operator, clients.inputs)
    updates = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf, leaf, leaf]), params)
    ggrs = GGRS(0.0, 6, 1.0, math.inf, proxies=("jacobian",), network=network)
    _, state = APPLY(numbers(ggrs), ggrs.init(params), params, updates, even, graphs)
    kernels = [jnp.zeros_like(leaf) for leaf in jax.tree.leaves(params)]
    for place, reference in state.kernels.items():
        kernels[place] = reference.direction
    direction = jax.tree.unflatten(jax.tree.structure(params), kernels)
    own = jax.tree.map(lambda leaf: leaf[2], graphs)
    against = jax.tree.map(lambda leaf: -leaf, direction)
    step = jax.jit(lambda one: ggrs.steps(state, ggrs.projectors(state), params, one, own))
    turned, acted = step(against)
    target = graph_image(network, params, direction, own)
    before, after = (graph_image(network, params, one, own) @ target for one in (against, turned))
    assert float(before) < 0 and abs(float(after)) < 1e-3 * abs(float(before))
    assert float(acted[0]) == 1.0
    with pytest.raises(SettingError, match="give the clients' graphs"):
        ggrs.apply(state, params, updates, even)


def test_ablations_leave_one_step_on():
    ones = ablations(GGRS(kappa=1.5))
    assert ones["direction only"].gamma == 1.0 and ones["direction only"].tau == 0.0
    assert ones["subspace only"].tau == -1.0 and ones["subspace only"].kappa == math.inf
    assert ones["sensitivity only"].kappa == 1.5 and ones["sensitivity only"].gamma == 1.0


@pytest.mark.parametrize(
    ("settings_", "says"),
    [
        ({"tau": 1.0}, "tau = 1.0"),
        ({"tau": float("nan")}, "tau = nan"),
        ({"gamma": 1.1}, "gamma = 1.1"),
        ({"kappa": 0.0}, "kappa = 0.0"),
        ({"kappa": -1.0}, "kappa = -1.0"),
        ({"beta": 1.0}, "beta = 1.0"),
        ({"beta": -0.1}, "beta = -0.1"),
        ({"rank": 0}, "rank = 0"),
        ({"which": 1}, "which = 1"),
        ({"proxies": ("probe",)}, "need a network"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings_, says):
    with pytest.raises(SettingError, match=says):
        GGRS(**settings_)
