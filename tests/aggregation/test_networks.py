import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quire.aggregation import GCN, accuracy, clients_of, initial, logits
from quire.aggregation.clients.networks import (
    cross_entropy,
    dropout_factors,
    logits_from,
    preactivation,
    training_logits,
)


@pytest.fixture(scope="module")
def setting(federation):
    network = GCN(3, hidden=8)
    clients = clients_of(federation)
    params = initial(network, clients.inputs.shape[-1], jax.random.key(1))
    return network, params, clients.operator[0], clients.inputs[0]


def test_the_logits_are_the_formula(setting):
    network, params, operator, inputs = setting
    first, second = params["layer1"], params["layer2"]
    hidden = np.maximum(inputs @ first["kernel"] + first["bias"], 0)
    wanted = operator @ hidden @ second["kernel"] + params["bias2"]
    assert np.allclose(logits(network, params, operator, inputs), wanted, atol=1e-5)


def test_the_logits_go_through_the_first_preactivation(setting):
    network, params, operator, inputs = setting
    before = preactivation(network, params, inputs)
    through = logits_from(network, params, operator, before)
    assert np.allclose(through, logits(network, params, operator, inputs), atol=1e-6)


@pytest.mark.parametrize(("share", "level"), [(0.5, 128), (0.3, 77)])
def test_dropout_drops_its_share_and_keeps_the_mean(share, level):
    factors = np.asarray(dropout_factors(GCN(3, 8, share), (3, 101, 67), jax.random.key(1)))
    assert set(np.unique(factors)) == {np.float32(0), np.float32(256 / (256 - level))}
    assert abs(np.mean(factors == 0) - level / 256) < 0.02
    assert abs(factors.mean() - 1) < 0.04


def test_without_dropout_training_logits_are_the_logits(setting):
    network, params, operator, inputs = setting
    plain = GCN(3, hidden=8, dropout=0.0)
    kept = dropout_factors(plain, (len(inputs), 8), jax.random.key(1))
    drawn = training_logits(plain, params, operator, inputs, kept)
    assert np.array_equal(drawn, logits(network, params, operator, inputs))


def test_the_loss_and_accuracy_read_masked_nodes_only():
    scores = jnp.asarray([[2.0, 0.0], [0.0, 9.0], [0.0, 1.0]])
    labels, mask = jnp.asarray([0, 0, 1]), jnp.asarray([True, False, True])
    loss = 0.5 * (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(-1.0)))
    assert float(cross_entropy(scores, labels, mask)) == pytest.approx(loss)
    assert float(accuracy(scores, labels, mask)) == 1.0
    assert float(accuracy(scores, labels, jnp.zeros(3, bool))) == 0.0
