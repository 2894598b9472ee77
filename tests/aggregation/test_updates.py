import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import admit, check_same_structure, gram, norm, spectral_norm, weighted_sum
from quire.aggregation.errors import LeafMismatch


def test_norms_and_products_are_those_of_the_flattened_tree(draw):
    updates = draw(0, 4)
    flat = np.concatenate([np.asarray(x).reshape(4, -1) for x in jax.tree.leaves(updates)], axis=1)
    assert np.allclose(gram(updates), flat @ flat.T, atol=1e-4)
    assert np.allclose(jax.vmap(norm)(updates), np.linalg.norm(flat, axis=1), rtol=1e-6)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_power_iteration_bounds_the_spectral_norm_from_below(seed):
    matrix = np.random.default_rng(seed).standard_normal((12, 6))
    exact = np.linalg.norm(matrix, 2)
    found = float(spectral_norm(jnp.asarray(matrix)))
    assert 0.999 * exact <= found <= exact * (1 + 1e-12)


def test_with_a_gap_power_iteration_converges():
    left, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 3)))
    matrix = jnp.asarray(left @ np.diag([3.0, 1.5, 1.0]))
    assert float(spectral_norm(matrix)) == pytest.approx(3.0, rel=1e-4)


def test_the_spectral_norm_of_nothing_is_nothing():
    assert float(spectral_norm(jnp.zeros((12, 6)))) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_update_that_is_not_finite_is_left_out_and_counted(draw, even, bad):
    updates = draw(1, 4)
    broken = jax.tree.map(lambda leaf: leaf.at[2].set(leaf[2] * bad), updates)
    clean, weights, rejected = admit(broken, even)
    assert int(rejected) == 1
    assert np.allclose(weights, [1 / 3, 1 / 3, 0, 1 / 3])
    others = jnp.asarray([1 / 3, 1 / 3, 0, 1 / 3], jnp.float32)
    for got, wanted in zip(
        jax.tree.leaves(weighted_sum(clean, weights)),
        jax.tree.leaves(weighted_sum(updates, others)),
        strict=True,
    ):
        assert np.allclose(got, wanted, atol=1e-6)


def test_with_everybody_rejected_the_server_stands_still(draw, even):
    nothing = jax.tree.map(lambda leaf: leaf * np.nan, draw(1, 4))
    clean, weights, rejected = admit(nothing, even)
    assert int(rejected) == 4 and not np.asarray(weights).any()
    assert float(norm(weighted_sum(clean, weights))) == 0.0


def test_a_different_tree_is_refused_with_the_path_of_its_leaf(draw):
    params, updates = draw(0), draw(0, 4)
    with pytest.raises(LeafMismatch, match=r"updates lack leaf \['layer1'\]\['bias'\]"):
        check_same_structure(params, {**updates, "layer1": {"kernel": updates["layer1"]["kernel"]}})
    with pytest.raises(LeafMismatch, match="parameters lack leaf"):
        check_same_structure(params, {**updates, "extra": jnp.zeros(4)})
    with pytest.raises(LeafMismatch, match=r"shape \(6,\), not \(12, 6\)"):
        swapped = {**updates["layer1"], "kernel": updates["layer1"]["bias"]}
        check_same_structure(params, {**updates, "layer1": swapped})
