import jax
import numpy as np
import pytest

from quire.aggregation import (
    FedAvg,
    LocalTraining,
    SettingError,
    Training,
    drop_edges,
    sensitivity,
    train,
)


@pytest.fixture(scope="module")
def trained(federation, network):
    local = LocalTraining(epochs=2)
    return train(federation, network, FedAvg(), Training(local, rounds=2, seeds=2)).params


def test_dropping_nothing_changes_nothing(federation, network, trained):
    found = sensitivity(network, trained, federation, 0.0, jax.random.key(0))
    assert found.accuracy.shape == (2, 4)
    assert not np.asarray(found.change).any() and not np.asarray(found.reliance).any()


def test_dropping_more_changes_more(federation, network, trained):
    changes = [
        np.asarray(sensitivity(network, trained, federation, p, jax.random.key(0)).change).mean()
        for p in (0.1, 0.5, 1.0)
    ]
    assert 0 < changes[0] < changes[1] < changes[2]


def test_edges_go_in_pairs(federation):
    thinned = np.asarray(drop_edges(federation.adjacency, 0.5, jax.random.key(1)))
    assert np.array_equal(thinned, np.swapaxes(thinned, 1, 2))
    kept = thinned.sum() / np.asarray(federation.adjacency).sum()
    assert 0.35 < kept < 0.65 and np.all(thinned <= np.asarray(federation.adjacency))
    assert not np.asarray(drop_edges(federation.adjacency, 1.0, jax.random.key(1))).any()


def test_a_share_out_of_range_is_refused(federation):
    with pytest.raises(SettingError, match=r"share = 1.5"):
        drop_edges(federation.adjacency, 1.5, jax.random.key(0))
