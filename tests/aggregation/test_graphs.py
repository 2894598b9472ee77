import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.aggregation import (
    Graph,
    GraphError,
    Split,
    block_model,
    edge_homophily,
    federate,
    graph_from_adjacency,
    normalised_adjacency,
    stack,
)


def path_graph(n=6):
    edges = np.array([(i, i + 1) for i in range(n - 1)])
    return Graph(edges, np.eye(n), np.arange(n) % 2, 2)


def ids(*values):
    return np.array(values, int)


@settings(max_examples=6)
@given(nodes=st.integers(6, 20), degree=st.floats(0.5, 3), seed=st.integers(0, 10**6))
def test_the_operator_has_norm_one_on_every_graph(nodes, degree, seed):
    graph = block_model(
        np.zeros((2, 3)), nodes=nodes, degree=degree, homophily=0.5, noise=1.0, seed=seed
    )
    padded = np.zeros((nodes + 3, nodes + 3))
    padded[:nodes, :nodes] = graph.adjacency
    real = np.arange(nodes + 3) < nodes
    operator = np.asarray(normalised_adjacency(jnp.asarray(padded), jnp.asarray(real)))
    assert np.linalg.norm(operator, 2) == pytest.approx(1.0, abs=1e-6)
    assert not operator[nodes:].any() and not operator[:, nodes:].any()


def test_an_isolated_node_keeps_only_itself():
    graph = Graph(np.array([[0, 1]]), np.eye(3), ids(0, 1, 0), 2)
    operator = normalised_adjacency(jnp.asarray(graph.adjacency), jnp.ones(3, bool))
    assert np.allclose(operator, [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]])


def test_operators_factorise_their_inner_products():
    """<A_j (x) D_j, A_k (x) D_k> = <A_j, A_k> <D_j, D_k>, and the first factor is positive."""
    generator = np.random.default_rng(0)
    graphs = [
        block_model(np.zeros((2, 1)), nodes=8, degree=3.0, homophily=h, noise=1.0, seed=generator)
        for h in (0.9, 0.1)
    ]
    everyone = jnp.ones(8, bool)
    a, b = (np.asarray(normalised_adjacency(jnp.asarray(g.adjacency), everyone)) for g in graphs)
    c, d = generator.standard_normal((2, 3, 4))
    left = np.sum(np.kron(a, c.T) * np.kron(b, d.T))
    assert left == pytest.approx(np.sum(a * b) * np.sum(c * d))
    assert np.sum(a * b) > 0
    assert np.linalg.norm(np.kron(a, c.T), 2) == pytest.approx(np.linalg.norm(c, 2))


def test_clients_keep_their_nodes_and_lose_the_edges_between_them():
    graph = path_graph()
    splits = (Split(ids(0), ids(1), ids(2)), Split(ids(4), ids(3), ids(5)))
    federation = federate(graph, splits)
    assert federation.clients == 2 and federation.features.shape == (2, 3, 6)
    assert float(federation.adjacency.sum()) == 2 * 4  # the edge 2-3 is gone
    assert np.array_equal(np.asarray(federation.train[1]), [False, True, False])
    assert np.allclose(federation.weights, [0.5, 0.5])


def test_padding_is_in_no_mask():
    small, large = path_graph(3), path_graph(5)
    wide = Graph(small.edges, np.ones((3, 5)), small.labels, 2)
    splits = [Split(ids(0), ids(1), ids(2)), Split(ids(0, 1), ids(2), ids(3, 4))]
    federation = stack([wide, large], splits)
    assert not np.asarray(federation.train | federation.validation | federation.test)[0, 3:].any()
    assert np.asarray(federation.real).sum() == 8


def test_homophily_counts_edges_inside_classes():
    assert edge_homophily(path_graph()) == 0.0
    assert np.isnan(edge_homophily(Graph(np.zeros((0, 2), int), np.eye(2), ids(0, 1), 2)))


@pytest.mark.parametrize(
    ("edges", "labels", "says"),
    [
        ([[0, 3]], [0, 1, 0], "names node 3"),
        ([[-1, 1]], [0, 1, 0], "names node -1"),
        ([[1, 1]], [0, 1, 0], "self loop"),
        ([[0, 1], [1, 0]], [0, 1, 0], "twice"),
        ([[0, 1]], [0, 2, 0], "labels"),
    ],
)
def test_a_faulty_graph_is_refused(edges, labels, says):
    with pytest.raises(GraphError, match=says):
        Graph(np.array(edges), np.eye(3), np.array(labels), 2)


def test_features_must_be_finite():
    with pytest.raises(GraphError, match="not finite"):
        Graph(np.array([[0, 1]]), np.array([[np.nan], [1.0]]), ids(0, 1), 2)


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        ([[0.0, 1], [0, 0]], "not symmetric"),
        ([[0.0, 2], [2, 0]], "other than 0 and 1"),
        ([[1.0, 1], [1, 0]], "self loop"),
    ],
)
def test_a_faulty_adjacency_is_refused(matrix, says):
    with pytest.raises(GraphError, match=says):
        graph_from_adjacency(np.array(matrix), np.eye(2), ids(0, 1), 2)


@pytest.mark.parametrize(
    ("splits", "says"),
    [
        (
            (Split(ids(0, 1), ids(2), ids(3)), Split(ids(3), ids(4), ids(5))),
            "node 3 is given twice",
        ),
        ((Split(ids(0), ids(1), ids(9)),), "node 9"),
        ((Split(ids(0), ids(1), ids(2)), Split(ids(), ids(3), ids(4))), "client 1 has no training"),
        ((), "0 graphs"),
    ],
)
def test_a_faulty_cut_is_refused(splits, says):
    with pytest.raises(GraphError, match=says):
        federate(path_graph(), splits)


def test_a_split_of_a_client_is_checked():
    graph = path_graph()
    with pytest.raises(GraphError, match="client 0: a node is in two parts"):
        stack([graph], [Split(ids(0, 1), ids(1), ids(2))])
    with pytest.raises(GraphError, match="client 0: its split names a node outside"):
        stack([graph], [Split(ids(0), ids(1), ids(6))])
    with pytest.raises(GraphError, match="feature widths"):
        stack([graph, path_graph(4)], [Split(ids(0), ids(1), ids(2))] * 2)
