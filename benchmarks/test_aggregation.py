"""Federated rounds a second: one program, a loop over clients, and PyTorch Geometric."""

import jax
import numpy as np
import pytest

from quire.aggregation import (
    GCN,
    GGRS,
    FedAvg,
    LocalTraining,
    Training,
    block_federation,
    client_loop,
    pyg_federated_averaging,
    train,
)

ROUNDS = 20


@pytest.fixture(scope="module")
def federation():
    return block_federation(clients=20, nodes=130, width=256, seed=1)


@pytest.mark.parametrize("aggregator", [FedAvg(), GGRS()], ids=["FedAvg", "GGRS"])
@pytest.mark.parametrize("audit", [False, True], ids=["plain", "audited"])
def test_one_program(benchmark, federation, aggregator, audit):
    def run():
        training = Training(LocalTraining(), rounds=ROUNDS, seeds=1, audit=audit)
        history = train(federation, GCN(4), aggregator, training)
        return jax.block_until_ready(history.params)

    run()
    benchmark.extra_info["rounds"] = ROUNDS
    assert jax.tree.leaves(benchmark(run))[0].shape[0] == 1


def test_loop_over_clients(benchmark, federation):
    loop = client_loop(federation, GCN(4), LocalTraining())
    loop(1)
    benchmark.extra_info["rounds"] = ROUNDS
    assert np.isfinite(jax.tree.leaves(benchmark(lambda: loop(ROUNDS)))[0]).all()


def test_pyg_client_after_client(benchmark, federation):
    pytest.importorskip("torch_geometric")
    benchmark.extra_info["rounds"] = ROUNDS
    run = benchmark(lambda: pyg_federated_averaging(federation, rounds=ROUNDS))
    assert 0 <= run.accuracy <= 1
