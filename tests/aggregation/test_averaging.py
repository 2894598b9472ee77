import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import (
    GGRS,
    Clipped,
    CoordinateMedian,
    FedAvg,
    FedAvgM,
    FedNova,
    OneOf,
    PCGrad,
    SettingError,
    StepMatched,
    aggregate,
    norm,
    weighted_sum,
)


def close(left, right, atol=1e-5):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.allclose(a, b, atol=atol) for a, b in pairs)


def step(aggregator, params, updates, weights, rounds=1):
    state = aggregator.init(params)
    for _ in range(rounds):
        taken, state, _ = aggregate(aggregator, state, params, updates, weights)
    return taken


SYMMETRIC = [FedAvg(), FedAvgM(), Clipped(0.7), CoordinateMedian(), GGRS(rank=3, kappa=0.8)]


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(4)))
@pytest.mark.parametrize("aggregator", SYMMETRIC, ids=lambda a: type(a).__name__)
def test_the_order_of_clients_does_not_matter(draw, aggregator, seed, order):
    params, updates = draw(seed), draw(seed + 1, 4)
    weights = jnp.asarray([0.1, 0.2, 0.3, 0.4], jnp.float32)
    place = jnp.asarray(order)
    shuffled = jax.tree.map(lambda leaf: leaf[place], updates)
    assert close(
        step(aggregator, params, updates, weights, 2),
        step(aggregator, params, shuffled, weights[place], 2),
    )


@pytest.mark.parametrize("aggregator", [FedAvg(), FedAvgM()], ids=["FedAvg", "FedAvgM"])
def test_a_client_twice_at_half_weight_is_one_client(draw, aggregator):
    params, updates = draw(3), draw(4, 4)
    twice = jax.tree.map(lambda leaf: leaf[jnp.asarray([0, 1, 2, 3, 3])], updates)
    weights = jnp.asarray([0.1, 0.2, 0.3, 0.4], jnp.float32)
    halves = jnp.asarray([0.1, 0.2, 0.3, 0.2, 0.2], jnp.float32)
    assert close(
        step(aggregator, params, updates, weights, 2), step(aggregator, params, twice, halves, 2)
    )


@settings(deadline=None, max_examples=6)
@given(factor=st.floats(0.01, 100), seed=st.integers(0, 1000))
@pytest.mark.parametrize(
    "aggregator",
    [*SYMMETRIC, PCGrad(), StepMatched(FedAvgM(), GGRS(rank=3))],
    ids=lambda a: type(a).__name__,
)
def test_steps_scale_with_the_updates(draw, even, aggregator, factor, seed):
    params, updates = draw(seed), draw(seed + 1, 4)
    scaled = jax.tree.map(lambda leaf: (leaf * factor).astype(leaf.dtype), updates)
    one, other = (step(aggregator, params, given_, even, 3) for given_ in (updates, scaled))
    assert close(jax.tree.map(lambda leaf: leaf * factor, one), other, atol=1e-3 * factor)


@pytest.mark.parametrize(
    "aggregator", [*SYMMETRIC, PCGrad(), FedNova((1, 2, 3, 4))], ids=lambda a: type(a).__name__
)
def test_zero_updates_give_a_zero_step(draw, even, aggregator):
    params, zeros = draw(0), jax.tree.map(jnp.zeros_like, draw(0, 4))
    assert float(norm(step(aggregator, params, zeros, even, 2))) == 0.0


def test_fednova_with_equal_steps_is_fedavg(draw, even):
    params, updates = draw(1), draw(2, 4)
    nova = step(FedNova((3, 3, 3, 3)), params, updates, even)
    assert close(nova, step(FedAvg(), params, updates, even))


def test_fednova_counts_a_long_client_no_more_than_a_short_one(draw, even):
    """Updates proportional to steps are one direction per step: its mean, 2.5 steps long."""
    params, one = draw(1), draw(2)
    steps = (1, 2, 3, 4)
    updates = jax.tree.map(lambda leaf: jnp.stack([leaf * s for s in steps]), one)
    nova = step(FedNova(steps), params, updates, even)
    assert close(nova, jax.tree.map(lambda leaf: 2.5 * leaf, one))


def test_momentum_sums_a_geometric_series(draw, even):
    params, updates = draw(1), draw(2, 4)
    taken = step(FedAvgM(momentum=0.5), params, updates, even, 3)
    mean = weighted_sum(updates, even)
    assert close(taken, jax.tree.map(lambda leaf: 1.75 * leaf, mean))


def test_clipping_caps_at_the_median_norm(draw, even):
    params, updates = draw(1), draw(2, 4)
    loud = jax.tree.map(lambda leaf: leaf.at[0].multiply(1000.0), updates)
    assert float(norm(step(FedAvg(), params, loud, even))) > 500
    assert float(norm(step(Clipped(1.0), params, loud, even))) < 2 * float(norm(draw(1)))


def test_the_median_ignores_one_wild_client(draw, even):
    params, updates = draw(1), draw(2, 4)
    three = jax.tree.map(lambda leaf: leaf.at[1:].set(leaf[1]), updates)
    wild = jax.tree.map(lambda leaf: leaf.at[0].multiply(1e6), three)
    assert close(
        step(CoordinateMedian(), params, wild, even), jax.tree.map(lambda x: x[1], updates)
    )


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
    got = step(PCGrad(), params, updates, half)
    assert np.allclose(
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(got)]), wanted, atol=1e-4
    )


def test_pcgrad_leaves_agreement_alone(draw, even):
    params, one = draw(0), draw(1)
    updates = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf, 3 * leaf, leaf]), one)
    assert close(step(PCGrad(), params, updates, even), step(FedAvg(), params, updates, even))


def test_step_matching_keeps_direction_and_takes_length(draw, even):
    params, updates = draw(0), draw(1, 4)
    taken = step(StepMatched(FedAvg(), FedAvg(rate=0.25)), params, updates, even)
    assert close(taken, step(FedAvg(rate=0.25), params, updates, even))


def test_one_of_is_the_one_chosen(draw, even):
    params, updates = draw(0), draw(1, 4)
    options = (FedAvg(), FedAvgM(0.5), CoordinateMedian())
    for place, option in enumerate(options):
        chosen = step(OneOf(options, jnp.asarray(place)), params, updates, even, 2)
        assert close(chosen, step(option, params, updates, even, 2), atol=1e-6)


def test_a_nan_update_is_counted_not_averaged(draw, even):
    params, updates = draw(0), draw(1, 4)
    broken = jax.tree.map(lambda leaf: leaf.at[1].set(jnp.nan), updates)
    for aggregator in (FedAvg(), GGRS(rank=3), PCGrad()):
        taken, _, rejected = aggregate(aggregator, aggregator.init(params), params, broken, even)
        assert int(rejected) == 1 and np.isfinite(float(norm(taken)))


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: FedAvgM(momentum=1.0), r"momentum = 1.0 is outside \[0, 1\)"),
        (lambda: Clipped(kappa=0.0), "kappa = 0.0"),
        (lambda: FedNova((2, 0)), "at least one step"),
        (lambda: FedNova(()), "at least one step"),
    ],
)
def test_a_faulty_setting_is_refused(build, says):
    with pytest.raises(SettingError, match=says):
        build()
