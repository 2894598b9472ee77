import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import (
    GGRS,
    Averaging,
    Server,
    SettingError,
    aggregate,
    fedavg,
    isolated,
    norm,
    regulated,
    step_matched,
    weighted_sum,
)
from quire.aggregation.server.averaging import clipping


def close(left, right, atol=1e-5):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.allclose(a, b, atol=atol) for a, b in pairs)


def numbers(server):
    """The server with arrays for numbers, so that one compiled program serves all."""
    return jax.tree.map(jnp.float32, server)


def step(server, params, updates, weights, rounds=1):
    state = server.init(params)
    for _ in range(rounds):
        taken, state, _ = aggregate(numbers(server), state, params, updates, weights)
    return taken


AVERAGES = {
    "FedAvg": fedavg(),
    "FedAvgM": Server(Averaging(momentum=0.5)),
    "clipped": Server(Averaging(clip=0.7)),
    "GGRS": regulated(GGRS(rank=3, kappa=0.8)),
    "step-matched": step_matched(Averaging(momentum=0.9), GGRS(rank=3)),
}
PCGRAD = Server(Averaging(surgery=1.0))


@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(4)))
@pytest.mark.parametrize("name", AVERAGES)
def test_the_order_of_clients_does_not_matter(draw, name, seed, order):
    params, updates = draw(seed), draw(seed + 1, 4)
    weights = jnp.asarray([0.1, 0.2, 0.3, 0.4], jnp.float32)
    place = jnp.asarray(order)
    shuffled = jax.tree.map(lambda leaf: leaf[place], updates)
    assert close(
        step(AVERAGES[name], params, updates, weights, 2),
        step(AVERAGES[name], params, shuffled, weights[place], 2),
    )


@pytest.mark.parametrize("name", ["FedAvg", "FedAvgM"])
def test_a_client_twice_at_half_weight_is_one_client(draw, name):
    params, updates = draw(3), draw(4, 4)
    twice = jax.tree.map(lambda leaf: leaf[jnp.asarray([0, 1, 2, 3, 3])], updates)
    weights = jnp.asarray([0.1, 0.2, 0.3, 0.4], jnp.float32)
    halves = jnp.asarray([0.1, 0.2, 0.3, 0.2, 0.2], jnp.float32)
    assert close(
        step(AVERAGES[name], params, updates, weights, 2),
        step(AVERAGES[name], params, twice, halves, 2),
    )


@settings(max_examples=4)
@given(factor=st.floats(0.01, 100), seed=st.integers(0, 1000))
@pytest.mark.parametrize("name", [*AVERAGES, "PCGrad"])
def test_steps_scale_with_the_updates(draw, even, name, factor, seed):
    server = {**AVERAGES, "PCGrad": PCGRAD}[name]
    params, updates = draw(seed), draw(seed + 1, 4)
    scaled = jax.tree.map(lambda leaf: (leaf * factor).astype(leaf.dtype), updates)
    one, other = (step(server, params, given_, even, 3) for given_ in (updates, scaled))
    assert close(jax.tree.map(lambda leaf: leaf * factor, one), other, atol=1e-3 * factor)


@pytest.mark.parametrize("name", [*AVERAGES, "PCGrad"])
def test_zero_updates_give_a_zero_step(draw, even, name):
    params, zeros = draw(0), jax.tree.map(jnp.zeros_like, draw(0, 4))
    server = {**AVERAGES, "PCGrad": PCGRAD}[name]
    assert float(norm(step(server, params, zeros, even, 2))) == 0.0


def test_momentum_sums_a_geometric_series(draw, even):
    params, updates = draw(1), draw(2, 4)
    taken = step(Server(Averaging(momentum=0.5)), params, updates, even, 3)
    mean = weighted_sum(updates, even)
    assert close(taken, jax.tree.map(lambda leaf: 1.75 * leaf, mean))


def test_clipping_caps_at_the_median_norm(draw, even):
    loud = jax.tree.map(lambda leaf: leaf.at[0].multiply(1000.0), draw(2, 4))
    factors = np.asarray(clipping(loud, 1.0))
    norms = np.asarray(jax.vmap(norm)(loud))
    assert np.all(factors * norms <= np.median(norms) * (1 + 1e-6))
    assert factors[0] < 0.01 and np.asarray(clipping(loud, jnp.inf)).tolist() == [1.0] * 4
    assert float(norm(step(fedavg(), draw(1), loud, even))) > 500
    assert float(norm(step(Server(Averaging(clip=1.0)), draw(1), loud, even))) < 20


def test_pcgrad_removes_a_conflict_of_two(draw):
    """Two updates at an obtuse angle: each loses its component along the other."""
    params = draw(0)
    a, b = draw(1), draw(2)
    b = jax.tree.map(lambda x, y: x - 2 * y, b, a)
    updates = jax.tree.map(lambda x, y: jnp.stack([x, y]), a, b)
    half = jnp.asarray([0.5, 0.5], jnp.float32)
    x, y = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(t)]) for t in (a, b))
    assert x @ y < 0
    wanted = 0.5 * (x - (x @ y) / (y @ y) * y + y - (x @ y) / (x @ x) * x)
    got = step(PCGRAD, params, updates, half)
    assert np.allclose(
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(got)]), wanted, atol=1e-4
    )


def test_pcgrad_leaves_agreement_alone(draw, even):
    params, one = draw(0), draw(1)
    updates = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf, 3 * leaf, leaf]), one)
    assert close(step(PCGRAD, params, updates, even), step(fedavg(), params, updates, even))


def test_a_server_takes_direction_and_length_where_it_is_told(draw, even):
    params, ggrs = draw(0), GGRS(tau=0.5, rank=2, gamma=0.0, kappa=0.5)
    state = regulated(ggrs).init(params)
    steps = {}
    for direction in (0.0, 1.0):
        for length in (0.0, 1.0):
            server = numbers(Server(ggrs=ggrs, direction=direction, length=length))
            _, after, _ = aggregate(server, state, params, draw(1, 4), even)
            steps[direction, length], _, _ = aggregate(server, after, params, draw(2, 4), even)
    sizes = {key: float(norm(taken)) for key, taken in steps.items()}
    assert sizes[0.0, 1.0] == pytest.approx(sizes[1.0, 1.0], rel=1e-5)
    assert sizes[1.0, 0.0] == pytest.approx(sizes[0.0, 0.0], rel=1e-5)
    assert sizes[0.0, 0.0] > 1.1 * sizes[1.0, 1.0]
    for direction in (0.0, 1.0):
        ratio = sizes[direction, 1.0] / sizes[direction, 0.0]
        long = jax.tree.map(lambda leaf, r=ratio: r * leaf, steps[direction, 0.0])
        assert close(long, steps[direction, 1.0])


def test_a_nan_update_is_counted_not_averaged(draw, even):
    params, updates = draw(0), draw(1, 4)
    broken = jax.tree.map(lambda leaf: leaf.at[1].set(jnp.nan), updates)
    for server in (fedavg(), regulated(GGRS(rank=3)), PCGRAD):
        taken, _, rejected = aggregate(numbers(server), server.init(params), params, broken, even)
        assert int(rejected) == 1 and np.isfinite(float(norm(taken)))


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Averaging(momentum=1.0), r"momentum = 1.0 is outside \[0, 1\)"),
        (lambda: Averaging(clip=0.0), "clip = 0.0"),
        (lambda: fedavg(0.0), "rate = 0.0"),
        (lambda: Averaging(surgery=2.0), "surgery = 2.0"),
        (lambda: Server(proximal=-1.0), "proximal = -1.0"),
        (lambda: Server(direction=2.0), "direction = 2.0"),
        (lambda: Server(alone=float("nan")), "alone = nan"),
    ],
)
def test_a_faulty_setting_is_refused(build, says):
    with pytest.raises(SettingError, match=says):
        build()


def test_whoever_is_alone_says_so():
    assert isolated().alone == 1.0 and fedavg().alone == 0.0
