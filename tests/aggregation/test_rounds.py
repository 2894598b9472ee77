import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from quire.aggregation import (
    GCN,
    GGRS,
    FedAvg,
    FedNova,
    GraphSAGE,
    LocalTraining,
    SettingError,
    Training,
    clients_of,
    first_order_effect,
    initial,
    logits,
    train,
)
from quire.aggregation.clients.networks import cross_entropy

LOCAL = LocalTraining(epochs=2)


def leaves_close(left, right, atol=1e-5):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.allclose(a, b, atol=atol) for a, b in pairs)


def still(classes=3):
    """A network without dropout, so that a round can be done by hand."""
    return GCN(classes, hidden=8, dropout=0.0)


def start(network, federation, seed=0):
    clients = clients_of(federation, network, LOCAL)
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


def test_two_rounds_are_what_a_loop_over_clients_gives(federation):
    network = still()
    history = train(federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=1))
    wanted = by_hand(network, federation, optax.adamw(0.01, weight_decay=5e-4), 2, rounds=2)
    assert leaves_close(jax.tree.map(lambda leaf: leaf[0], history.params), wanted)


def test_fedprox_pulls_towards_the_global_model(federation):
    local = LocalTraining(epochs=2, optimiser="sgd", weight_decay=0.0, proximal=0.7)
    history = train(federation, still(), FedAvg(), Training(local, rounds=1, seeds=1))
    wanted = by_hand(still(), federation, optax.sgd(0.01), 2, mu=0.7)
    assert leaves_close(jax.tree.map(lambda leaf: leaf[0], history.params), wanted)


def test_scaffold_s_first_round_is_fedavg_and_its_second_is_corrected(federation):
    base = {"epochs": 2, "optimiser": "sgd", "weight_decay": 0.0, "learning_rate": 0.5}
    plain, controlled = LocalTraining(**base), LocalTraining(**base, control_variates=True)
    runs = [
        train(federation, still(), FedAvg(), Training(local, rounds=r, seeds=1)).params
        for r in (1, 2)
        for local in (plain, controlled)
    ]
    assert leaves_close(runs[0], runs[1])
    assert not leaves_close(runs[2], runs[3])
    # One step a round: c_k is the last gradient, so every client follows the mean gradient and the
    # average is, once more, FedAvg's.
    one = {**base, "epochs": 1}
    short = [
        train(federation, still(), FedAvg(), Training(local, rounds=2, seeds=1)).params
        for local in (LocalTraining(**one), LocalTraining(**one, control_variates=True))
    ]
    # Controls are averaged evenly and updates by size; all clients have equally many nodes here.
    assert leaves_close(*short)


def test_seeds_are_independent_and_repeatable(federation, network):
    both = train(federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=2))
    again = train(federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=2))
    second = train(federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=1, first_seed=1))
    assert np.array_equal(both.rounds.loss, again.rounds.loss)
    assert np.allclose(both.rounds.loss[1], second.rounds.loss[0], atol=1e-5)
    assert not np.allclose(both.rounds.loss[0], both.rounds.loss[1])


@pytest.mark.parametrize("at_once", [1, 3])
def test_clients_side_by_side_or_in_turn_are_the_same(federation, network, at_once):
    together = train(federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=2))
    in_turn = train(
        federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=2, at_once=at_once)
    )
    assert leaves_close(together.params, in_turn.params)


def test_a_history_has_the_shapes_it_says(federation, network):
    history = train(federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=2))
    assert history.rounds.test.shape == (2, 2, 4) and history.rounds.step.shape == (2, 2)
    assert history.rounds.audit is None and history.best().shape == (2,)
    chosen = history.best()
    wanted = np.asarray(history.rounds.test)[np.arange(2), chosen].mean(axis=1)
    assert np.allclose(history.test_at_best(weighted=False), wanted)
    assert not np.asarray(history.rounds.rejected).any()


def test_the_step_never_exceeds_the_updates(federation, network):
    rounds = train(federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=2)).rounds
    implied = 1 - np.asarray(rounds.step) / np.asarray(rounds.update)
    assert np.allclose(implied, rounds.interference, atol=1e-5)


@pytest.mark.parametrize("kind", [GCN, GraphSAGE])
def test_the_audit_is_the_exact_tangent(federation, kind):
    """One round from the known start: compare with jax.jvp of the whole network."""
    network = kind(3, hidden=8, dropout=0.0)
    history = train(federation, network, FedAvg(), Training(LOCAL, rounds=1, seeds=1, audit=True))
    clients, params = start(network, federation)
    end = jax.tree.map(lambda leaf: leaf[0], history.params)
    step = jax.tree.map(jnp.subtract, end, params)
    effect = first_order_effect(network, params, clients, step)
    moved = jnp.linalg.norm(effect * federation.real[..., None], axis=(1, 2))
    assert np.allclose(history.rounds.audit.moved[0, 0], moved, rtol=2e-4)
    assert np.all(np.abs(history.rounds.audit.coherence) <= 1)


def test_alone_a_client_is_perfectly_coherent(federation, network):
    one = jax.tree.map(lambda x: x[:1] if getattr(x, "ndim", 0) else x, federation)
    history = train(one, network, FedAvg(), Training(LOCAL, rounds=2, seeds=1, audit=True))
    assert np.allclose(history.rounds.audit.coherence, 1, atol=1e-4)
    assert np.allclose(history.rounds.interference, 0, atol=1e-5)


def test_personal_layers_stay_with_their_clients(federation, network):
    heads = ("layer2", "bias2")
    history = train(
        federation, network, FedAvg(), Training(LOCAL, rounds=2, seeds=1, personal=heads)
    )
    kernels = np.asarray(history.personal["layer2"]["kernel"])
    assert kernels.shape[:2] == (1, 4) and not np.allclose(kernels[0, 0], kernels[0, 1])
    _, params = start(network, federation)
    assert np.allclose(history.params["layer2"]["kernel"][0], params["layer2"]["kernel"])


def test_a_client_s_own_number_of_steps_is_respected(federation):
    uneven = LocalTraining(epochs=2, steps=(1, 1, 1, 1))
    short = train(federation, still(), FedNova((1, 1, 1, 1)), Training(uneven, rounds=1, seeds=1))
    one = train(federation, still(), FedAvg(), Training(LocalTraining(epochs=1), rounds=1, seeds=1))
    assert leaves_close(short.params, one.params)


@pytest.mark.parametrize("optimiser", ["adamw", "adam_l2"])
def test_only_coupled_decay_shrinks_what_has_no_gradient_by_full_steps(federation, optimiser):
    """Three features that no node has: AdamW decays their rows gently, coupled L2 by full steps."""
    empty = jnp.zeros((*federation.features.shape[:2], 3), jnp.float32)
    wider = federation._replace(features=jnp.concatenate([federation.features, empty], axis=-1))
    local = LocalTraining(epochs=5, optimiser=optimiser)
    history = train(wider, still(), FedAvg(), Training(local, rounds=1, seeds=1))
    _, params = start(still(), wider)
    before = np.abs(params["layer1"]["kernel"][-3:])
    lost = before - np.abs(history.params["layer1"]["kernel"][0, -3:])
    if optimiser == "adamw":
        assert np.allclose(lost, before * (1 - (1 - 0.01 * 5e-4) ** 5), atol=1e-6)
    else:
        assert np.median(lost[before > 0.1]) > 0.03


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"rounds": 0}, "rounds = 0"),
        ({"seeds": 0}, "seeds = 0"),
        ({"at_once": 0}, "at_once = 0"),
        ({"personal": ("layer1",), "audit": True}, "shared layer1"),
        ({"personal": ("layer3",)}, "layer3"),
        ({"local": LocalTraining(steps=(1, 2))}, "steps names 2 clients"),
        ({"aggregator": GGRS(rank=9)}, "rank = 9"),
    ],
)
def test_a_faulty_run_is_refused(federation, network, arguments, says):
    settings = {"rounds": 1, "seeds": 1, "local": LOCAL, **arguments}
    aggregator = settings.pop("aggregator", FedAvg())
    with pytest.raises(SettingError, match=says):
        train(federation, network, aggregator, Training(**settings))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"learning_rate": 0.0}, "learning_rate = 0.0"),
        ({"weight_decay": -1.0}, "weight_decay = -1.0"),
        ({"proximal": -1.0}, "proximal = -1.0"),
        ({"control_variates": True}, "presume sgd, not adamw"),
        ({"steps": (4,)}, "steps = "),
    ],
)
def test_faulty_local_settings_are_refused(settings, says):
    with pytest.raises(SettingError, match=says):
        LocalTraining(**settings)
