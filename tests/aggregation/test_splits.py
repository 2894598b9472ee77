import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import (
    SettingError,
    block_federation,
    block_model,
    edge_homophily,
    louvain_communities,
    random_communities,
    rewire,
    spectral_features,
    split_nodes,
    splits_of,
)


def graph(seed=0, homophily=0.8):
    return block_model(np.eye(3), nodes=60, degree=5.0, homophily=homophily, noise=0.1, seed=seed)


@settings(deadline=None, max_examples=30)
@given(train=st.floats(0.05, 0.6), validation=st.floats(0, 0.4), seed=st.integers(0, 99))
def test_a_split_has_every_node_once(train, validation, seed):
    nodes = np.arange(10, 40)
    split = split_nodes(nodes, train, validation, seed)
    assert split.nodes.tolist() == nodes.tolist()
    assert len(split.train) == max(1, round(train * 30))


@settings(deadline=None, max_examples=6)
@given(target=st.floats(0, 1), seed=st.integers(0, 99))
def test_rewiring_reaches_its_homophily_and_keeps_the_number_of_edges(target, seed):
    before = graph()
    after = rewire(before, target, seed)
    assert len(after.edges) == len(before.edges)
    assert abs(edge_homophily(after) - target) <= 0.5 / len(before.edges) + 1e-12


def test_rewiring_to_what_is_there_changes_nothing():
    one = graph()
    assert rewire(one, edge_homophily(one), 0) is one


def test_communities_are_all_there():
    owner = random_communities(50, 7, 0)
    assert sorted(np.bincount(owner)) == [7] * 6 + [8]
    assert all(len(split.train) >= 1 for split in splits_of(owner, 0.2, 0.4, 0))


def test_louvain_cuts_fewer_edges_than_chance():
    pytest.importorskip("networkx")
    one = graph(homophily=0.95)
    found = louvain_communities(one, 3, seed=1)
    drawn = random_communities(60, 3, 1)
    inside = [np.mean(np.equal(*owner[one.edges].T)) for owner in (found, drawn)]
    assert set(found) == {0, 1, 2} and inside[0] > inside[1]
    assert max(np.bincount(found)) <= 30


def test_spectral_features_keep_inner_products_at_full_rank():
    features = np.random.default_rng(0).standard_normal((5, 9))
    projected = spectral_features(features, 7)
    assert projected.shape == (5, 7) and not projected[:, 5:].any()
    assert np.allclose(projected @ projected.T, features @ features.T)


def test_a_block_federation_spreads_its_homophily():
    federation = block_federation(clients=3, nodes=60, classes=3, degree=8.0, spread=0.8, seed=2)
    same = federation.labels[:, :, None] == federation.labels[:, None, :]
    inside = np.sum(federation.adjacency * same, axis=(1, 2)) / np.sum(
        federation.adjacency, axis=(1, 2)
    )
    assert np.allclose(inside, [0.8, 0.4, 0.0], atol=0.12) and inside[2] == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: split_nodes(np.arange(3), 0.0, 0.5, 0), "train = 0.0"),
        (lambda: split_nodes(np.arange(3), 0.6, 0.6, 0), "train \\+ validation"),
        (lambda: random_communities(5, 6, 0), "clients = 6"),
        (lambda: rewire(graph(), 1.5, 0), "homophily = 1.5"),
        (lambda: block_federation(spread=0.9), "spread = 0.9"),
        (lambda: block_federation(nodes=6), "nodes = 6"),
        (lambda: block_federation(nodes=10, degree=50.0), "degree = 50.0"),
        (lambda: spectral_features(np.eye(3), 0), "width = 0"),
    ],
)
def test_a_faulty_setting_is_refused(call, says):
    with pytest.raises(SettingError, match=says):
        call()


def test_rewiring_a_graph_without_room_is_refused():
    full = block_model(np.eye(2), nodes=4, degree=3.0, homophily=1 / 3, noise=0.0, seed=0)
    with pytest.raises(SettingError, match="no room"):
        rewire(full, 1.0, 0)
