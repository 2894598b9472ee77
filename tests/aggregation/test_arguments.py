"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable

import numpy as np
import pytest

from quire.aggregation import (
    Graph,
    block_federation,
    block_model,
    compare,
    graph_from_adjacency,
    holm,
    louvain_communities,
    mean_interval,
    paired_interval,
    paired_p_value,
    spectral_features,
    split_nodes,
    splits_of,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

EDGES = np.array([[0, 1], [1, 2]])
FEATURES = np.eye(3)
LABELS = np.array([0, 1, 0])
PATH = Graph(EDGES, FEATURES, LABELS, 2)
VALUES = np.array([1.0, 2.0, 4.0])


def test_a_graph_may_be_made_of_lists_and_small_integers() -> None:
    listed = Graph(EDGES.tolist(), FEATURES.tolist(), LABELS.tolist(), np.int64(2))
    small = Graph(EDGES.astype(np.int8), FEATURES, LABELS.astype(np.uint8), 2)
    for other in (listed, small):
        assert np.array_equal(other.edges, EDGES)
        assert np.array_equal(other.adjacency, PATH.adjacency)
        assert other.labels.dtype == np.int64
    assert np.array_equal(
        graph_from_adjacency(PATH.adjacency.tolist(), FEATURES, LABELS, 2).edges, EDGES
    )
    assert Graph([], FEATURES, LABELS, 2).adjacency.sum() == 0


def test_one_pair_has_no_p_value() -> None:
    with pytest.raises(ValueError, match="1 seed has no p-value"):
        paired_p_value([1.0], [0.0])


def test_a_pair_of_runs_is_not_stretched_to_fit() -> None:
    with pytest.raises(ValueError, match="pair the same seeds"):
        paired_p_value(VALUES, VALUES[:1])


def test_without_rivals_there_is_no_comparison() -> None:
    assert compare(VALUES, {}) == ()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: Graph(EDGES + 0.5, FEATURES, LABELS, 2), "edges"),
        (lambda: Graph(EDGES * np.nan, FEATURES, LABELS, 2), "edges"),
        (lambda: Graph(EDGES + 0j, FEATURES, LABELS, 2), "edges"),
        (lambda: Graph(EDGES[:, :1], FEATURES, LABELS, 2), "edges"),
        (lambda: Graph(EDGES, FEATURES + 0j, LABELS, 2), "features"),
        (lambda: Graph(EDGES, FEATURES[0], LABELS, 2), "features"),
        (lambda: Graph(EDGES, FEATURES, LABELS + 0.5, 2), "labels"),
        (lambda: Graph(EDGES, FEATURES, LABELS * np.nan, 2), "labels"),
        (lambda: Graph(EDGES, FEATURES, LABELS, 2.5), "classes"),
        (lambda: Graph(EDGES, FEATURES, LABELS, np.nan), "classes"),
        (lambda: PATH.induced(np.array([-1, 0])), "nodes"),
        (lambda: PATH.induced(np.array([0, 0])), "nodes"),
        (lambda: PATH.induced(np.array([0.0, 1.0])), "nodes"),
        (lambda: graph_from_adjacency(PATH.adjacency[:2], FEATURES, LABELS, 2), "adjacency"),
        (lambda: graph_from_adjacency(PATH.adjacency[0], FEATURES, LABELS, 2), "adjacency"),
        (lambda: split_nodes([], 0.5, 0.2, 3), "nodes"),
        (lambda: split_nodes(["a", "b"], 0.5, 0.2, 3), "nodes"),
        (lambda: split_nodes(np.arange(4), "0.5", 0.2, 3), "train"),
        (lambda: split_nodes(np.arange(4), 0.5, None, 3), "validation"),
        (lambda: split_nodes(np.arange(4), 0.5, 0.2, None), "seed"),
        (lambda: splits_of(np.array([0, -1]), 0.5, 0.2, 3), "owner"),
        (lambda: splits_of(np.array([0.5, 1]), 0.5, 0.2, 3), "owner"),
        (lambda: splits_of(np.array([0, 1]), 0.5, 0.2, [3]), "seed"),
        (lambda: louvain_communities(PATH, 0, 3), "clients"),
        (lambda: louvain_communities(PATH, 1, None), "seed"),
        (lambda: spectral_features(FEATURES * np.nan, 2), "features"),
        (lambda: spectral_features(FEATURES, 1.5), "width"),
        (
            lambda: block_model(FEATURES, nodes=6.5, degree=2.0, homophily=0.5, noise=1.0, seed=3),
            "nodes",
        ),
        (
            lambda: block_model(FEATURES, nodes=6, degree=np.nan, homophily=0.5, noise=1.0, seed=3),
            "degree",
        ),
        (lambda: block_federation(clients=1.5), "clients"),
        (lambda: block_federation(seed=None), "seed"),
        (lambda: mean_interval([1.0, np.nan]), "values"),
        (lambda: mean_interval([[1.0, 2.0]]), "values"),
        (lambda: paired_interval(VALUES, [1.0, 2.0, np.inf]), "right"),
        (lambda: holm(np.array([0.1, np.nan])), "p_values"),
        (lambda: holm([0.1, 1.5]), "p_values"),
    ],
)
def test_another_kind_of_argument_is_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}\\b"):
        call()
