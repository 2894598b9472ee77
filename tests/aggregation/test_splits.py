import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import (
    SettingError,
    block_federation,
    block_model,
    louvain_communities,
    spectral_features,
    split_nodes,
    splits_of,
)


def graph(seed=0, homophily=0.8):
    return block_model(np.eye(3), nodes=60, degree=5.0, homophily=homophily, noise=0.1, seed=seed)


@settings(max_examples=30)
@given(train=st.floats(0.05, 0.6), validation=st.floats(0, 0.4), seed=st.integers(0, 99))
def test_a_split_has_every_node_once(train, validation, seed):
    nodes = np.arange(10, 40)
    split = split_nodes(nodes, train, validation, seed)
    assert split.nodes.tolist() == nodes.tolist()
    assert len(split.train) == max(1, round(train * 30))


def test_louvain_cuts_fewer_edges_than_chance():
    pytest.importorskip("networkx")
    one = graph(homophily=0.95)
    found = louvain_communities(one, 3, seed=1)
    drawn = np.random.default_rng(1).permutation(np.arange(60) % 3)
    inside = [np.mean(np.equal(*owner[one.edges].T)) for owner in (found, drawn)]
    assert set(found) == {0, 1, 2} and inside[0] > inside[1]
    assert max(np.bincount(found)) <= 30
    assert all(len(split.train) >= 1 for split in splits_of(found, 0.2, 0.4, 0))


def test_spectral_features_keep_inner_products_at_full_rank():
    features = np.random.default_rng(0).standard_normal((5, 9))
    projected = spectral_features(features, 7)
    assert projected.shape == (5, 7) and not projected[:, 5:].any()
    assert np.allclose(projected @ projected.T, features @ features.T)


@pytest.mark.parametrize("spread", [0.0, 0.4, 0.8])
def test_the_knob_spreads_homophily_and_leaves_its_mean(spread):
    federation = block_federation(clients=5, nodes=80, classes=3, degree=8.0, spread=spread, seed=2)
    same = federation.labels[:, :, None] == federation.labels[:, None, :]
    inside = np.sum(federation.adjacency * same, axis=(1, 2)) / np.sum(
        federation.adjacency, axis=(1, 2)
    )
    assert np.allclose(inside, 0.5 + spread * np.array([0.5, 0.25, 0, -0.25, -0.5]), atol=0.1)
    assert abs(inside.mean() - 0.5) < 0.03


def test_the_knob_changes_edges_alone():
    apart, alike = (block_federation(spread=spread, seed=3) for spread in (0.8, 0.0))
    assert np.array_equal(apart.labels, alike.labels)
    assert not np.array_equal(apart.adjacency, alike.adjacency)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: split_nodes(np.arange(3), 0.0, 0.5, 0), "train = 0.0"),
        (lambda: split_nodes(np.arange(3), 0.6, 0.6, 0), "train \\+ validation"),
        (lambda: louvain_communities(graph(), 40, 0), "clients = 40"),
        (lambda: block_federation(spread=1.1), "spread = 1.1"),
        (lambda: block_federation(mean=0.9, spread=0.3), "spread = 0.3"),
        (lambda: block_federation(mean=1.5), "mean = 1.5"),
        (lambda: block_federation(nodes=6), "nodes = 6"),
        (lambda: block_federation(nodes=10, degree=50.0), "degree = 50.0"),
        (lambda: spectral_features(np.eye(3), 0), "width = 0"),
    ],
)
def test_a_faulty_setting_is_refused(call, says):
    with pytest.raises(SettingError, match=says):
        call()
