"""Federated rounds a second: one program, audited or not, and a loop over clients."""

import jax
import numpy as np
import pytest

from quire.aggregation import (
    GCN,
    GGRS,
    LocalTraining,
    Run,
    Training,
    block_federation,
    client_loop,
    fedavg,
    regulated,
    train,
)

ROUNDS = 20
pytestmark = pytest.mark.benchmark(group=f"{ROUNDS} federated rounds of 20 clients")
SERVERS = {"FedAvg": fedavg(), "GGRS": regulated(GGRS())}


@pytest.fixture(scope="module")
def federation():
    return block_federation(clients=20, nodes=130, width=256, seed=1)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("audit", [False, True], ids=["plain", "audited"])
def test_one_program(benchmark, federation, server, audit):
    def run():
        training = Training(LocalTraining(), rounds=ROUNDS, audit=audit)
        history = train([Run(federation, SERVERS[server], 0)], GCN(4), training)
        return jax.block_until_ready(history.params)

    run()
    benchmark.extra_info["rounds"] = ROUNDS
    assert jax.tree.leaves(benchmark(run))[0].shape[0] == 1


def test_loop_over_clients(benchmark, federation):
    loop = client_loop(federation, GCN(4), LocalTraining())
    loop(1)
    benchmark.extra_info["rounds"] = ROUNDS
    assert np.isfinite(jax.tree.leaves(benchmark(lambda: loop(ROUNDS)))[0]).all()
