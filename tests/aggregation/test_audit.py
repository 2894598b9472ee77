import jax
import numpy as np

from quire.aggregation import (
    PROXIES,
    LocalTraining,
    agreement,
    client_updates,
    clients_of,
    initial,
)
from quire.aggregation.server.proxies import probe_graphs


def test_probe_graphs_first_drawn_inside_a_program_are_values():
    probe_graphs.cache_clear()
    jax.jit(lambda x: x + probe_graphs(5).inputs.sum())(0.0)
    assert np.isfinite(probe_graphs(5).inputs).all()


def test_proxies_and_truth_are_cosines_and_certain_when_all_agree(federation, network):
    clients = clients_of(federation)
    params = initial(network, 8, jax.random.key(0))
    updates = client_updates(clients, network, LocalTraining(epochs=2), params, jax.random.key(1))
    found = agreement(network, params, clients, updates, federation.weights)
    assert set(found) == set(PROXIES)
    assert all(np.all(np.abs(values) <= 1) and values.shape == (4,) for values in found.values())
    same = jax.tree.map(lambda leaf: np.repeat(leaf[:1], 4, axis=0), updates)
    alike = agreement(network, params, clients, same, federation.weights)
    assert all(np.allclose(values, 1, atol=1e-4) for values in alike.values())
    # The plain proxy is a cosine of the updates themselves.
    flat = np.concatenate([np.reshape(x, (4, -1)) for x in jax.tree.leaves(updates)], axis=1)
    mean = np.asarray(federation.weights) @ flat
    wanted = flat @ mean / np.linalg.norm(flat, axis=1) / np.linalg.norm(mean)
    assert np.allclose(found["weights"], wanted, atol=1e-5)
