import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quire.aggregation import GCN, GraphSAGE, accuracy, initial, logits
from quire.aggregation.clients.networks import (
    cross_entropy,
    dropout_factors,
    logits_from,
    preactivation,
    training_logits,
)


@pytest.fixture(scope="module", params=[GCN, GraphSAGE])
def setting(request, federation):
    network = request.param(3, hidden=8)
    operator = network.operator(federation.adjacency[0], federation.real[0])
    inputs = network.inputs(operator, federation.features[0])
    params = initial(network, inputs.shape[1], jax.random.key(1))
    return network, params, operator, inputs


def test_the_logits_are_the_formula(setting, federation):
    network, params, operator, inputs = setting
    first, second = params["layer1"], params["layer2"]
    hidden = np.maximum(inputs @ first["kernel"] + first["bias"], 0)
    if isinstance(network, GCN):
        wanted = operator @ hidden @ second["kernel"] + params["bias2"]
    else:
        wanted = np.hstack([hidden, operator @ hidden]) @ second["kernel"] + second["bias"]
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
    plain = type(network)(3, hidden=8, dropout=0.0)
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


def test_gcn_is_pyg_s_gcnconv_forward_and_backward(federation):
    torch = pytest.importorskip("torch")
    pyg = pytest.importorskip("torch_geometric.nn")
    network = GCN(3, hidden=8)
    operator = network.operator(federation.adjacency[0], federation.real[0])
    features = federation.features[0]
    params = initial(network, features.shape[1], jax.random.key(2))

    def total(values, x):
        return jnp.sum(jnp.sin(logits(network, values, operator, network.inputs(operator, x))))

    value = logits(network, params, operator, network.inputs(operator, features))
    by_params, by_features = jax.grad(total, argnums=(0, 1))(params, features)
    convolutions = [pyg.GCNConv(features.shape[1], 8), pyg.GCNConv(8, 3)]
    biases = [params["layer1"]["bias"], params["bias2"]]
    with torch.no_grad():
        for layer, kernel, bias in zip(convolutions, ("layer1", "layer2"), biases, strict=True):
            layer.lin.weight.copy_(torch.tensor(np.asarray(params[kernel]["kernel"]).T))
            layer.bias.copy_(torch.tensor(np.asarray(bias)))
    edges = torch.tensor(np.argwhere(np.asarray(federation.adjacency[0])).T)
    x = torch.tensor(np.asarray(features), requires_grad=True)
    theirs = convolutions[1](torch.relu(convolutions[0](x, edges)), edges)
    torch.sin(theirs).sum().backward()
    assert np.allclose(value, theirs.detach(), atol=1e-5)
    assert np.allclose(by_features, x.grad, atol=1e-5)
    for layer, kernel in zip(convolutions, ("layer1", "layer2"), strict=True):
        assert np.allclose(by_params[kernel]["kernel"].T, layer.lin.weight.grad, atol=1e-5)
    assert np.allclose(by_params["bias2"], convolutions[1].bias.grad, atol=1e-5)
