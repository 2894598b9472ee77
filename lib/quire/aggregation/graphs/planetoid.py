"""Planetoid's citation graphs and OpenFGL's split of Cora, from the bytes of their files.

The Planetoid files are Python 2 pickles. They are opened by an unpickler that admits the handful
of names such files hold and nothing else, so that a file from a stranger can not run code.
"""

from __future__ import annotations

import codecs
import io
import pickle
from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
from scipy import sparse

from quire.aggregation.errors import GraphError
from quire.aggregation.graphs.graph import Graph, Split
from quire.signatures import checked

PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")
"""Endings of the eight files of one Planetoid graph, as in ``ind.cora.x``."""

_OPENFGL_PARTS = ("train", "val", "test")
_ADMITTED: dict[str, Callable[..., object]] = {
    "csr_matrix": sparse.csr_matrix,
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    "_reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    "encode": codecs.encode,
    "defaultdict": defaultdict,
    "list": list,
    "int": int,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if name not in _ADMITTED:
            raise GraphError(f"the pickle names {module}.{name}, which no Planetoid file needs")
        return _ADMITTED[name]


@checked
def parse_planetoid(files: Mapping[str, bytes]) -> tuple[Graph, Split]:
    """Return a Planetoid graph and its public split (20 per class, 500, the listed test nodes).

    Parameters
    ----------
    files
        The eight files' bytes by ending: see `PARTS`.

    Returns
    -------
    Graph and split. Features are the raw binary words. CiteSeer lacks some test ids: these nodes
    get a row of zeros and label -1, and are in no part of the split.

    Source: Yang, Cohen and Salakhutdinov (2016), Planetoid's data folder.

    Raises
    ------
    GraphError
        When a file is missing or holds something that such files do not hold.
    """
    missing = [part for part in PARTS if part not in files]
    if missing:
        raise GraphError(f"files lacks {', '.join(missing)}; a Planetoid graph has {len(PARTS)}")
    loaded = {part: _load(files[part]) for part in PARTS if part != "test.index"}
    order = np.array([int(line) for line in files["test.index"].split()])
    known = loaded["allx"].shape[0]
    n = max(int(order.max()) + 1, known + len(order))
    features = np.zeros((n, loaded["allx"].shape[1]))
    onehot = np.zeros((n, loaded["ally"].shape[1]))
    features[:known], onehot[:known] = loaded["allx"].toarray(), loaded["ally"]
    features[order], onehot[order] = loaded["tx"].toarray(), loaded["ty"]
    labels = np.where(onehot.any(axis=1), onehot.argmax(axis=1), -1)
    pairs = np.array([(u, v) for u, near in loaded["graph"].items() for v in near if u != v])
    edges = np.unique(np.sort(pairs, axis=1), axis=0)
    first = loaded["x"].shape[0]
    labelled = order[labels[order] >= 0]
    split = Split(np.arange(first), np.arange(first, first + 500), np.sort(labelled))
    return Graph(edges, features, labels, int(onehot.shape[1])), split


@checked
def parse_openfgl_split(files: Mapping[str, bytes]) -> tuple[Split, ...]:
    """Return the clients' splits that OpenFGL stores as ``glb_{train,val,test}_{client}.pkl``.

    Parameters
    ----------
    files
        The files' bytes by name; each is a pickled list of node ids of the whole graph. For K
        clients there are 3K of them.

    Raises
    ------
    GraphError
        When a file is missing, is not a list of integers, or a node occurs twice.
    """
    clients = len(files) // len(_OPENFGL_PARTS)
    names = [[f"glb_{part}_{k}.pkl" for part in _OPENFGL_PARTS] for k in range(clients)]
    missing = [name for row in names for name in row if name not in files]
    if missing or not clients:
        raise GraphError(f"files lacks {', '.join(missing) or 'every client'}; give three a client")
    return _checked([[_load(files[name]) for name in row] for row in names])


def _checked(rows: list[list[object]]) -> tuple[Split, ...]:
    for part in (part for row in rows for part in row):
        if not isinstance(part, list) or not all(isinstance(node, int) for node in part):
            raise GraphError("a part of the split is not a list of node ids")
    if not rows:
        raise GraphError("the split has no clients")
    splits = tuple(Split(*(np.array(part, int) for part in row)) for row in rows)
    ids = np.concatenate([split.nodes for split in splits])
    if len(np.unique(ids)) != len(ids):
        raise GraphError("the split gives a node twice; each node has one client and one part")
    return splits


def _load(data: bytes):  # type: ignore[no-untyped-def]  # a matrix, an array or a dict of lists
    try:
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, UnicodeError) as fault:
        raise GraphError(f"not a Planetoid pickle: {fault!r}") from None
