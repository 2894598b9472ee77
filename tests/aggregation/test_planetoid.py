import pickle
from collections import defaultdict

import numpy as np
import pytest
from scipy import sparse

from quire.aggregation import GraphError, parse_openfgl_split, parse_planetoid


def files(**changes):
    """A Planetoid graph of seven nodes: test ids 6 and 4 out of order, and 5 missing."""
    one = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    near = defaultdict(list, {0: [1, 1], 1: [0, 6], 2: [3], 4: [4, 0], 6: [1]})
    content = {
        "x": sparse.csr_matrix(np.eye(2, 3)),
        "y": one[:2],
        "allx": sparse.csr_matrix(np.arange(12.0).reshape(4, 3)),
        "ally": one,
        "tx": sparse.csr_matrix(np.array([[7.0, 0, 0], [0, 5.0, 0]])),
        "ty": np.array([[0, 1], [1, 0]]),
        "graph": near,
    }
    data = {part: pickle.dumps(value, protocol=2) for part, value in content.items()}
    return {**data, "test.index": b"6\n4\n", **changes}


def test_a_planetoid_graph_is_put_in_order():
    graph, split = parse_planetoid(files())
    assert graph.nodes == 7 and graph.classes == 2
    assert graph.edges.tolist() == [[0, 1], [0, 4], [1, 6], [2, 3]]
    assert graph.features[6].tolist() == [7, 0, 0] and graph.features[4].tolist() == [0, 5, 0]
    assert graph.labels.tolist() == [0, 1, 0, 1, 0, -1, 1]
    assert not graph.features[5].any()
    assert split.train.tolist() == [0, 1] and split.test.tolist() == [4, 6]


class Evil:
    def __reduce__(self):
        return (eval, ("1 + 1",))


def test_code_in_a_pickle_is_refused():
    with pytest.raises(GraphError, match=r"builtins.eval"):
        parse_planetoid(files(x=pickle.dumps(Evil())))


def test_a_missing_or_broken_file_is_named():
    data = files()
    del data["ally"]
    with pytest.raises(GraphError, match="lacks ally"):
        parse_planetoid(data)
    with pytest.raises(GraphError, match="not a Planetoid pickle"):
        parse_planetoid(files(tx=b"\x80\x02broken"))


def test_splits_come_from_json_and_from_pickles():
    clients = {
        "1": {"train": [3], "val": [4], "test": [5]},
        "0": {"train": [0, 1], "val": [], "test": [2]},
    }
    pickles = {
        f"glb_{part}_{k}.pkl": pickle.dumps(nodes)
        for k, parts in clients.items()
        for part, nodes in parts.items()
    }
    found = parse_openfgl_split(pickles)
    assert [split.nodes.tolist() for split in found] == [[0, 1, 2], [3, 4, 5]]
    assert found[0].train.tolist() == [0, 1] and found[1].test.tolist() == [5]


@pytest.mark.parametrize(
    ("nodes", "says"),
    [([0, 0], "twice"), ("01", "not a list"), ([0.5], "not a list"), ([1], "twice")],
)
def test_a_faulty_split_is_refused(nodes, says):
    parts = {"train": nodes, "val": [1], "test": [2]}
    with pytest.raises(GraphError, match=says):
        parse_openfgl_split({f"glb_{p}_0.pkl": pickle.dumps(ids) for p, ids in parts.items()})


def test_a_missing_pickle_is_named():
    with pytest.raises(GraphError, match="every client"):
        parse_openfgl_split({})
    with pytest.raises(GraphError, match=r"glb_val_0.pkl"):
        parse_openfgl_split({"glb_train_0.pkl": b"", "glb_test_0.pkl": b"", "glb_val_1.pkl": b""})
