import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import conflicts, destructive_interference


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_interference_is_a_share(draw, even, seed):
    updates = draw(seed, 4)
    assert 0 <= float(destructive_interference(updates, even)) <= 1
    assert 0 <= float(conflicts(updates)) <= 1


def test_parallel_updates_do_not_interfere(draw, even):
    updates = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf, leaf / 3, leaf]), draw(0))
    assert float(destructive_interference(updates, even)) == pytest.approx(0, abs=1e-6)
    assert float(conflicts(updates)) == 0.0


def test_opposite_updates_cancel(draw, even):
    updates = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf, leaf, -leaf]), draw(0))
    assert float(destructive_interference(updates, even)) == pytest.approx(1, abs=1e-6)
    assert float(conflicts(updates)) == pytest.approx(4 / 6)


def test_orthogonal_updates_interfere_by_one_minus_a_root():
    updates = {"kernel": jnp.eye(9).reshape(9, 3, 3)}
    weights = jnp.full(9, 1 / 9)
    assert float(destructive_interference(updates, weights)) == pytest.approx(1 - 1 / 3)


def test_no_update_does_not_interfere(draw, even):
    zeros = jax.tree.map(jnp.zeros_like, draw(0, 4))
    assert float(destructive_interference(zeros, even)) == 0.0
    assert float(conflicts(zeros)) == 0.0
