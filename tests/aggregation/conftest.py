"""One small federation, network and set of updates, shared so that shapes compile once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quire.aggregation import (
    GCN,
    LocalTraining,
    Run,
    Server,
    Training,
    block_federation,
    fedavg,
    isolated,
    train,
)

SHAPES = {
    "bias2": (4,),
    "layer1": {"kernel": (12, 6), "bias": (6,)},
    "layer2": {"kernel": (6, 4)},
}
CLIENTS = 4


def tree(seed, *lead, dtype=jnp.float32):
    """Draw a tree of Gaussian leaves of the shared shapes, stacked over ``lead``."""
    generator = np.random.default_rng(seed)
    return jax.tree.map(
        lambda shape: jnp.asarray(generator.standard_normal((*lead, *shape)), dtype),
        SHAPES,
        is_leaf=lambda node: isinstance(node, tuple),
    )


@pytest.fixture(scope="session")
def draw():
    """Return the function that draws trees of the shared shapes."""
    return tree


@pytest.fixture(scope="session")
def even():
    """Return equal weights of the shared number of clients."""
    return jnp.full(CLIENTS, 1 / CLIENTS, jnp.float32)


@pytest.fixture(scope="package", autouse=True)
def quick_compiles():
    """Compile without optimisation: these programs run for milliseconds and compile for seconds."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session")
def federation():
    return block_federation(clients=CLIENTS, nodes=24, classes=3, width=8, spread=0.6, seed=5)


@pytest.fixture(scope="session")
def network():
    return GCN(3, hidden=8)


@pytest.fixture(scope="session")
def still():
    """A network without dropout, so that a round can be done by hand."""
    return GCN(3, hidden=8, dropout=0.0)


@pytest.fixture(scope="session")
def ran(federation, still):
    """Four runs in one program, audited: FedAvg with two seeds, FedProx, and clients alone.

    Returns the runs, how they were trained, and their history.
    """
    servers = (fedavg(), fedavg(), Server(proximal=0.7), isolated())
    runs = [Run(federation, server, 4 * (k == 1)) for k, server in enumerate(servers)]
    training = Training(LocalTraining(epochs=2), rounds=2, audit=True)
    return runs, training, train(runs, still, training, chunk=4)
