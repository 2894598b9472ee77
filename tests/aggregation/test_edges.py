import jax.numpy as jnp
import numpy as np
import pytest

from quire.aggregation import fidelity, relative_change
from quire.aggregation.measures.edges import centred

RNG = np.random.default_rng(3)
SCORES, BARE = jnp.asarray(RNG.standard_normal((2, 5, 7, 3)), jnp.float32)
REAL = jnp.asarray(np.arange(7) < 6)[None].repeat(5, axis=0)


def test_the_change_is_relative_to_the_logits_of_real_nodes():
    found = relative_change(SCORES, BARE, REAL)
    wanted = np.linalg.norm((SCORES - BARE)[:, :6], axis=(1, 2)) / np.linalg.norm(
        SCORES[:, :6], axis=(1, 2)
    )
    assert np.allclose(found, wanted, atol=1e-6)
    assert np.allclose(relative_change(3 * SCORES, 3 * BARE, REAL), found, atol=1e-6)
    assert not np.asarray(relative_change(SCORES, SCORES, REAL)).any()


def test_what_is_added_to_all_logits_of_a_node_is_not_seen():
    shift = jnp.asarray(RNG.standard_normal((5, 7, 1)), jnp.float32)
    assert np.allclose(centred(SCORES + shift), centred(SCORES), atol=1e-6)
    plain, moved = (relative_change(s, BARE, REAL) for s in (SCORES, SCORES + 5 * shift))
    assert not np.allclose(plain, moved, rtol=0.05)


def test_fidelity_is_a_cosine_of_responses():
    response = SCORES - BARE
    assert np.allclose(fidelity(response, 2 * response, REAL), 1, atol=1e-5)
    assert np.allclose(fidelity(response, -response, REAL), -1, atol=1e-5)
    padded = response.at[:, 6].set(100.0)
    assert np.allclose(fidelity(padded, response, REAL), 1, atol=1e-5)
    assert float(fidelity(response, 0 * response, REAL)[0]) == pytest.approx(0)
