"""Federated rounds a second: one program, a loop over clients, and PyTorch Geometric."""

import jax
import numpy as np
import pytest

from quire.aggregation import (
    GCN,
    GGRS,
    FedAvg,
    LocalTraining,
    block_federation,
    pyg_federated_averaging,
    train,
)
from quire.aggregation.rounds import clients_of, train_client, transformation
from quire.aggregation.updates import weighted_sum

ROUNDS = 20


@pytest.fixture(scope="module")
def federation():
    return block_federation(clients=20, nodes=130, width=256, seed=1)


@pytest.mark.parametrize("aggregator", [FedAvg(), GGRS()], ids=["FedAvg", "GGRS"])
@pytest.mark.parametrize("audit", [False, True], ids=["plain", "audited"])
def test_one_program(benchmark, federation, aggregator, audit):
    def run():
        history = train(
            federation, GCN(4), aggregator, LocalTraining(), rounds=ROUNDS, seeds=1, audit=audit
        )
        return jax.block_until_ready(history.params)

    run()
    benchmark.extra_info["rounds"] = ROUNDS
    assert jax.tree.leaves(benchmark(run))[0].shape[0] == 1


def test_loop_over_clients(benchmark, federation):
    network, local = GCN(4), LocalTraining()
    clients = clients_of(federation, network, local)
    params = network.init(jax.random.key(0), clients.operator[0], clients.inputs[0], False)[
        "params"
    ]
    one = jax.jit(lambda *args: train_client(network, local, *args)[0])
    singles = [jax.tree.map(lambda leaf, k=k: leaf[k], clients) for k in range(federation.clients)]
    optimiser = transformation(local).init(params)

    def run():
        values = params
        for number in range(ROUNDS):
            trained = [
                one(client, values, optimiser, None, jax.random.key(number)) for client in singles
            ]
            stacked = jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *trained)
            values = weighted_sum(stacked, federation.weights)
        return jax.block_until_ready(values)

    run()
    benchmark.extra_info["rounds"] = ROUNDS
    assert np.isfinite(jax.tree.leaves(benchmark(run))[0]).all()


def test_pyg_client_after_client(benchmark, federation):
    pytest.importorskip("torch_geometric")
    benchmark.extra_info["rounds"] = ROUNDS
    run = benchmark(lambda: pyg_federated_averaging(federation, rounds=ROUNDS))
    assert 0 <= run.accuracy <= 1
