import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from quire.aggregation import (
    GCN,
    Averaging,
    LocalTraining,
    Run,
    Server,
    SettingError,
    Training,
    client_updates,
    clients_of,
    fedavg,
    graph_image,
    initial,
    isolated,
    logits,
    train,
)
from quire.aggregation.clients.networks import cross_entropy
from quire.aggregation.server.proxies import Graphs

LOCAL = LocalTraining(epochs=2)


def leaves_close(left, right, atol=1e-5):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.allclose(a, b, atol=atol) for a, b in pairs)


def first_of(tree):
    return jax.tree.map(lambda leaf: leaf[0], tree)


def still(classes=3):
    """A network without dropout, so that a round can be done by hand."""
    return GCN(classes, hidden=8, dropout=0.0)


def start(network, federation, seed=0):
    clients = clients_of(federation)
    key, _ = jax.random.split(jax.random.key(seed))
    return clients, initial(network, clients.inputs.shape[-1], key)


def by_hand(network, federation, optimiser, epochs, rounds=1, mu=0.0):
    """Federated averaging as a plain double loop."""
    clients, params = start(network, federation)
    for _ in range(rounds):
        total = jax.tree.map(jnp.zeros_like, params)
        for k in range(federation.clients):
            values, state = params, optimiser.init(params)
            for _ in range(epochs):

                def loss(v, k=k):
                    scores = logits(network, v, clients.operator[k], clients.inputs[k])
                    return cross_entropy(scores, clients.labels[k], clients.train[k])

                gradient = jax.grad(loss)(values)
                gradient = jax.tree.map(lambda g, v, p: g + mu * (v - p), gradient, values, params)
                change, state = optimiser.update(gradient, state, values)
                values = optax.apply_updates(values, change)
            weight = federation.weights[k]
            total = jax.tree.map(
                lambda t, v, p: t + weight * (v - p),  # noqa: B023
                total,
                values,
                params,
            )
        params = jax.tree.map(jnp.add, params, total)
    return params


@pytest.fixture(scope="module")
def ran(federation, network):
    """Runs of different servers and seeds, side by side, with the audit."""
    servers = [fedavg(), fedavg(), Server(Averaging(momentum=0.5)), isolated()]
    runs = [
        Run(federation, server, seed) for server, seed in zip(servers, (0, 1, 0, 0), strict=True)
    ]
    return runs, train(runs, network, Training(LOCAL, rounds=2, audit=True))


def test_two_rounds_are_what_a_loop_over_clients_gives(federation):
    history = train([Run(federation, fedavg(), 0)], still(), Training(LOCAL, rounds=2))
    wanted = by_hand(still(), federation, optax.adamw(0.01, weight_decay=5e-4), 2, rounds=2)
    assert leaves_close(first_of(history.params), wanted)


def test_fedprox_pulls_towards_the_global_model(federation):
    local = LocalTraining(epochs=2, optimiser="sgd", weight_decay=0.0)
    run = Run(federation, Server(proximal=0.7), 0)
    history = train([run], still(), Training(local, rounds=1))
    wanted = by_hand(still(), federation, optax.sgd(0.01), 2, mu=0.7)
    assert leaves_close(first_of(history.params), wanted)


def test_alone_a_client_trains_as_if_nobody_else_were_there(federation):
    history = train([Run(federation, isolated(), 0)], still(), Training(LOCAL, rounds=2))
    only = jax.tree.map(lambda x: x[2:3] if getattr(x, "ndim", 0) else x, federation)
    wanted = by_hand(still(), only, optax.adamw(0.01, weight_decay=5e-4), 2, rounds=2)
    kept = jax.tree.map(lambda leaf: leaf[0, 2], history.kept)
    assert leaves_close(kept, wanted)
    clients, _ = start(still(), federation)
    scores = logits(still(), kept, clients.operator[2], clients.inputs[2])
    assert np.allclose(history.ending.scores[0, 2], scores, atol=1e-5)


def test_runs_are_independent_and_in_chunks_the_same(network, ran):
    runs, together = ran
    some = train(runs[1:], network, Training(LOCAL, rounds=2, audit=True), chunk=4)
    expected = jax.tree.map(lambda leaf: leaf[1:], together.ending)
    assert leaves_close(expected, some.ending) and some.rounds.loss.shape == (3, 2, 4)
    assert np.array_equal(together.rounds.loss[0, 0], together.rounds.loss[2, 0])  # a pair
    assert not np.allclose(together.rounds.loss[0], together.rounds.loss[1])


def test_clients_side_by_side_or_in_turn_are_the_same(network, ran):
    runs, together = ran
    training = Training(LOCAL, rounds=2, audit=True, at_once=3)
    assert leaves_close(together.params, train(runs, network, training).params)


def test_a_history_says_what_its_ending_says(ran):
    _, history = ran
    assert history.rounds.test.shape == (4, 2, 4) and history.rounds.step.shape == (4, 2)
    assert np.allclose(history.rounds.test[:, -1], history.ending.accuracy)
    assert np.allclose(history.rounds.validation[:, -1], history.ending.validation)
    assert not history.activity.any() and not history.rounds.rejected.any()
    implied = 1 - history.rounds.step / history.rounds.update
    assert np.allclose(implied[:2], history.rounds.interference[:2], atol=1e-5)


def test_without_edges_a_node_is_alone_with_itself(federation, network, ran):
    _, history = ran
    alone = jnp.eye(federation.adjacency.shape[1])
    scores = logits(network, first_of(history.params), alone, federation.features[1])
    assert np.allclose(history.ending.bare[0, 1], scores, atol=1e-5)


def test_the_audit_is_the_exact_tangent(federation):
    """One round from the known start: compare with jax.jvp of the whole network."""
    run = Run(federation, fedavg(), 0)
    history = train([run], still(), Training(LOCAL, rounds=1, audit=True))
    clients, params = start(still(), federation)
    step = jax.tree.map(jnp.subtract, first_of(history.params), params)
    for k in range(federation.clients):
        graph = Graphs(clients.operator[k], clients.inputs[k])
        moved = jnp.linalg.norm(graph_image(still(), params, step, graph))
        assert np.allclose(history.rounds.audit.moved[0, 0, k], moved, rtol=2e-4)
    assert np.all(np.abs(history.rounds.audit.coherence) <= 1)


def test_a_single_client_is_perfectly_coherent(federation, network):
    one = jax.tree.map(lambda x: x[:1] if getattr(x, "ndim", 0) else x, federation)
    history = train([Run(one, fedavg(), 0)], network, Training(LOCAL, rounds=2, audit=True))
    assert np.allclose(history.rounds.audit.coherence, 1, atol=1e-4)
    assert np.allclose(history.rounds.interference, 0, atol=1e-5)


def test_personal_layers_stay_with_their_clients(federation, network):
    training = Training(LOCAL, rounds=2, personal=("layer2", "bias2"))
    history = train([Run(federation, fedavg(), 0)], network, training)
    kernels = np.asarray(history.kept["layer2"]["kernel"])
    assert kernels.shape[:2] == (1, 4) and not np.allclose(kernels[0, 0], kernels[0, 1])
    _, params = start(network, federation)
    assert np.allclose(history.params["layer2"]["kernel"][0], params["layer2"]["kernel"])
    assert not np.allclose(history.params["layer1"]["kernel"][0], params["layer1"]["kernel"])


@pytest.mark.parametrize("optimiser", ["adamw", "adam_l2"])
def test_only_coupled_decay_shrinks_what_has_no_gradient_by_full_steps(federation, optimiser):
    """Three features that no node has: AdamW decays their rows gently, coupled L2 by full steps."""
    empty = jnp.zeros((*federation.features.shape[:2], 3), jnp.float32)
    wider = federation._replace(features=jnp.concatenate([federation.features, empty], axis=-1))
    local = LocalTraining(epochs=5, optimiser=optimiser)
    clients, params = start(still(), wider)
    updates = client_updates(clients, still(), local, params, jax.random.key(0))
    before = np.abs(params["layer1"]["kernel"][-3:])
    lost = before - np.abs((params["layer1"]["kernel"] + updates["layer1"]["kernel"][0])[-3:])
    if optimiser == "adamw":
        assert np.allclose(lost, before * (1 - (1 - 0.01 * 5e-4) ** 5), atol=1e-6)
    else:
        assert np.median(lost[before > 0.1]) > 0.03


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"rounds": 0}, "rounds = 0"),
        ({"at_once": 0}, "at_once = 0"),
        ({"personal": ("layer1",), "audit": True}, "shared layer1"),
        ({"personal": ("layer3",)}, "layer3"),
    ],
)
def test_a_faulty_training_is_refused(arguments, says):
    with pytest.raises(SettingError, match=says):
        Training(LOCAL, **{"rounds": 1, **arguments})


def test_no_runs_and_empty_chunks_are_refused(federation, network):
    with pytest.raises(SettingError, match="runs is empty"):
        train([], network, Training(LOCAL, rounds=1))
    with pytest.raises(SettingError, match="chunk = 0"):
        train([Run(federation, fedavg(), 0)], network, Training(LOCAL, rounds=1), chunk=0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"learning_rate": 0.0}, "learning_rate = 0.0"),
        ({"weight_decay": -1.0}, "weight_decay = -1.0"),
    ],
)
def test_faulty_local_settings_are_refused(settings, says):
    with pytest.raises(SettingError, match=says):
        LocalTraining(**settings)
