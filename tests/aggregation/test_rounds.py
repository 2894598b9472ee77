import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from quire.aggregation import (
    GCN,
    Graphs,
    LocalTraining,
    Run,
    SettingError,
    Training,
    client_updates,
    clients_of,
    fedavg,
    graph_image,
    initial,
    logits,
    train,
)
from quire.aggregation.clients.networks import cross_entropy

LOCAL = LocalTraining(epochs=2)
ADAMW = optax.adamw(0.01, weight_decay=5e-4)


def leaves_close(left, right, atol=1e-5):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.allclose(a, b, atol=atol) for a, b in pairs)


def part(tree, *place):
    return jax.tree.map(lambda leaf: leaf[place], tree)


def start(network, federation, seed=0):
    clients = clients_of(federation)
    key, _ = jax.random.split(jax.random.key(seed))
    return clients, initial(network, clients.inputs.shape[-1], key)


@jax.jit
def gradient_of(values, sent, mu, operator, inputs, labels, mask):
    def loss(v):
        scores = logits(GCN(3, hidden=8, dropout=0.0), v, operator, inputs)
        return cross_entropy(scores, labels, mask)

    return jax.tree.map(lambda g, v, p: g + mu * (v - p), jax.grad(loss)(values), values, sent)


def by_hand(network, federation, rounds=1, mu=0.0, only=None):
    """Federated averaging as a plain double loop, of all clients or of one."""
    clients, params = start(network, federation)
    for _ in range(rounds):
        total = jax.tree.map(jnp.zeros_like, params)
        for k in range(federation.clients) if only is None else [only]:
            values, state = params, ADAMW.init(params)
            graph = (clients.operator[k], clients.inputs[k], clients.labels[k], clients.train[k])
            for _ in range(2):
                gradient = gradient_of(values, params, mu, *graph)
                change, state = ADAMW.update(gradient, state, values)
                values = optax.apply_updates(values, change)
            weight = federation.weights[k] if only is None else 1.0
            total = jax.tree.map(
                lambda t, v, p: t + weight * (v - p),  # noqa: B023
                total,
                values,
                params,
            )
        params = jax.tree.map(jnp.add, params, total)
    return params


def test_two_rounds_are_what_a_loop_over_clients_gives(federation, still, ran):
    assert leaves_close(part(ran[2].params, 0), by_hand(still, federation, 2))


def test_fedprox_pulls_towards_the_global_model(federation, still, ran):
    pulled = part(ran[2].params, 2)
    assert leaves_close(pulled, by_hand(still, federation, 2, mu=0.7))
    assert not leaves_close(pulled, part(ran[2].params, 0))


def test_alone_a_client_trains_as_if_nobody_else_were_there(federation, still, ran):
    kept = part(ran[2].kept, 3, 2)
    assert leaves_close(kept, by_hand(still, federation, 2, only=2))
    clients, _ = start(still, federation)
    scores = logits(still, kept, clients.operator[2], clients.inputs[2])
    assert np.allclose(ran[2].ending.scores[3, 2], scores, atol=1e-5)


def test_runs_are_independent_and_in_chunks_the_same(still, ran):
    runs, training, together = ran
    some = train(runs[1:], still, training, chunk=4)
    assert leaves_close(part(together.ending, slice(1, None)), some.ending)
    assert some.rounds.loss.shape == (3, 2, 4)
    assert np.allclose(together.rounds.loss[0, 0, 0], together.rounds.loss[3, 0, 0])  # a pair
    assert not np.allclose(together.rounds.loss[0], together.rounds.loss[1])


def test_clients_side_by_side_or_in_turn_are_the_same(still, ran):
    runs, _, together = ran
    in_turn = train(runs, still, Training(LOCAL, rounds=2, at_once=3))
    assert leaves_close(together.params, in_turn.params)


def test_a_history_says_what_its_ending_says(ran):
    history = ran[2]
    assert history.rounds.test.shape == (4, 2, 4) and history.rounds.step.shape == (4, 2)
    assert np.allclose(history.rounds.test[:, -1], history.ending.accuracy)
    assert np.allclose(history.rounds.validation[:, -1], history.ending.validation)
    assert not history.activity.any() and not history.rounds.rejected.any()
    implied = 1 - history.rounds.step / history.rounds.update
    assert np.allclose(implied[:3], history.rounds.interference[:3], atol=1e-5)


def test_without_edges_a_node_is_alone_with_itself(federation, still, ran):
    alone = jnp.eye(federation.adjacency.shape[1], dtype=jnp.float32)
    scores = logits(still, part(ran[2].params, 0), alone, federation.features[1])
    assert np.allclose(ran[2].ending.bare[0, 1], scores, atol=1e-5)


def test_the_audit_is_the_exact_tangent(federation, still, ran):
    """The first round from the known start: compare with jax.jvp of the whole network."""
    clients, params = start(still, federation)
    step = jax.tree.map(jnp.subtract, by_hand(still, federation, 1), params)
    for k in range(federation.clients):
        graph = Graphs(clients.operator[k], clients.inputs[k])
        moved = jnp.linalg.norm(graph_image(still, params, step, graph))
        assert np.allclose(ran[2].rounds.audit.moved[0, 0, k], moved, rtol=5e-4)
    assert np.all(np.abs(ran[2].rounds.audit.coherence) <= 1)


def test_clients_with_one_graph_agree_perfectly(federation, still, ran):
    same = jax.tree.map(
        lambda x: jnp.repeat(x[:1], 4, axis=0) if getattr(x, "ndim", 0) else x, federation
    )
    history = train([Run(same, fedavg(), 0)], still, ran[1], chunk=4)
    assert np.allclose(history.rounds.audit.coherence, 1, atol=1e-4)
    assert np.allclose(history.rounds.interference, 0, atol=1e-5)


def test_personal_layers_stay_with_their_clients(federation, still):
    training = Training(LOCAL, rounds=2, personal=("layer2", "bias2"))
    history = train([Run(federation, fedavg(), 0)], still, training)
    kernels = np.asarray(history.kept["layer2"]["kernel"])
    assert kernels.shape[:2] == (1, 4) and not np.allclose(kernels[0, 0], kernels[0, 1])
    _, params = start(still, federation)
    assert np.allclose(history.params["layer2"]["kernel"][0], params["layer2"]["kernel"])
    assert not np.allclose(history.params["layer1"]["kernel"][0], params["layer1"]["kernel"])


@pytest.mark.parametrize("optimiser", ["adamw", "adam_l2"])
def test_only_coupled_decay_shrinks_weights_by_full_steps(federation, still, optimiser):
    """Three features that no node has: AdamW decays their rows gently, coupled L2 by full steps."""
    empty = jnp.zeros((*federation.features.shape[:2], 3), jnp.float32)
    wider = federation._replace(features=jnp.concatenate([federation.features, empty], axis=-1))
    local = LocalTraining(epochs=5, optimiser=optimiser)
    clients, params = start(still, wider)
    updates = client_updates(clients, still, local, params, jax.random.key(0))
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
