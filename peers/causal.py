"""What causal-learn and BARO are asked for; add a call where a chapter needs one."""

import os
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from calls import Arrays, call, serve

os.environ["MPLBACKEND"] = "agg"  # a notebook's backend is not here, and nothing is drawn


@call
def versions(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell the versions of causal-learn and BARO."""
    return {name: version(name) for name in ("causal-learn", "fse-baro")}, {}


@call
def pc_patterns(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Run causal-learn's PC (Fisher's z, stable) on every array ``X0``, ``X1``, ...

    ``alpha`` is the level, ``forbidden`` a list of pairs (i, j) that may not point from i to j.
    Answers with ``G0``, ...: true at [i, j] for i -> j and, with [j, i] as well, for i - j; and the
    ``seconds`` of all searches.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from causallearn.graph.GraphNode import GraphNode
        from causallearn.search.ConstraintBased.PC import pc
        from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge

        out: Arrays = {}
        started = time.perf_counter()
        for k in range(len(arrays)):
            X = np.asarray(arrays[f"X{k}"], dtype=float)
            knowledge = None
            if request.get("forbidden"):
                nodes = [GraphNode(f"X{i + 1}") for i in range(X.shape[1])]
                knowledge = BackgroundKnowledge()
                for i, j in request["forbidden"]:
                    knowledge.add_forbidden_by_node(nodes[i], nodes[j])
            found = pc(
                X, float(request["alpha"]), "fisherz", True, int(request.get("collider", 0)), -1,
                background_knowledge=knowledge, show_progress=False,
            )  # fmt: skip
            graph = np.asarray(found.G.graph)
            # graph[i, j] = -1 and graph[j, i] = 1 is i -> j; both -1 is i - j; both 1 is i <-> j
            out[f"G{k}"] = ((graph == -1) & (graph.T != 0)) | ((graph == 1) & (graph.T == 1))
    return {"seconds": time.perf_counter() - started}, out


@call
def baro_ranks(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Rank the series of every array ``X0``, ... by BARO's robust scorer, the root first.

    ``inject`` is the first bin of the fault. Answers with ``R0``, ...: columns in their order.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        from baro.root_cause_analysis import robust_scorer

        out: Arrays = {}
        started = time.perf_counter()
        for k in range(len(arrays)):
            X = np.asarray(arrays[f"X{k}"], dtype=float)
            data = pd.DataFrame(X, columns=[f"s{i}" for i in range(X.shape[1])])
            data.insert(0, "time", np.arange(len(X)))
            found = robust_scorer(data, inject_time=int(request["inject"]))
            out[f"R{k}"] = np.array([int(name[1:]) for name in found["ranks"]])
    return {"seconds": time.perf_counter() - started}, out


if __name__ == "__main__":
    serve()
