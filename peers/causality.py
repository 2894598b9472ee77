"""What y0, dowhy and pgmpy are asked for by chapter 09: which effects are identified."""

from typing import Any

from calls import Arrays, call, serve


@call
def identified(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell for each graph (directed, bidirected) whether y0 identifies P(Y | do(X))."""
    from y0.algorithm.identify import identify_outcomes
    from y0.dsl import Variable
    from y0.graph import NxMixedGraph

    verdicts = []
    for graph in request["graphs"]:
        mixed = NxMixedGraph.from_edges(
            directed=[(Variable(a), Variable(b)) for a, b in graph["directed"]],
            undirected=[(Variable(a), Variable(b)) for a, b in graph["bidirected"]],
        )
        try:
            found = identify_outcomes(mixed, {Variable("X")}, {Variable("Y")})
        except Exception as fault:
            if "identif" not in type(fault).__name__.lower():
                raise
            found = None
        verdicts.append(found is not None)
    return {"identified": verdicts}, {}


@call
def on_the_treated(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell for each graph whether y0's ID* identifies ``P(Y_{X=0} = 1, X = 1)`` from experiments.

    As Shpitser and Pearl state it, ID* ends at interventional distributions.
    """
    from y0.algorithm.identify import Unidentifiable, id_star
    from y0.dsl import Variable
    from y0.graph import NxMixedGraph

    x, y = Variable("X"), Variable("Y")
    verdicts = []
    for graph in request["graphs"]:
        mixed = NxMixedGraph.from_edges(
            directed=[(Variable(a), Variable(b)) for a, b in graph["directed"]],
            undirected=[(Variable(a), Variable(b)) for a, b in graph["bidirected"]],
        )
        try:
            id_star(mixed, {y @ -x: +y, x: +x})
            verdicts.append("yes")
        except Unidentifiable:
            verdicts.append("no")
        except Exception as fault:  # a fault of the package is told, not hidden
            verdicts.append(type(fault).__name__)
    return {"identified": verdicts}, {}


@call
def criteria(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell for each graph what dowhy and pgmpy identify, hidden causes being nodes of their own.

    Both know the back door and the front door; instruments need more than the graph, and do not
    count. Of dowhy's own ID it is told whether its estimand looks at a hidden node.
    """
    import logging
    import os

    os.environ["MPLBACKEND"] = "agg"  # a kernel's own is none of this environment's
    import networkx as nx
    from dowhy.causal_identifier.auto_identifier import EstimandType, identify_effect_auto
    from dowhy.causal_identifier.id_identifier import identify_effect_id
    from pgmpy.base import DAG
    from pgmpy.inference import CausalInference

    def found_by(method: Any) -> bool:
        """Return whether a method of pgmpy finds a set; it raises where there is none."""
        try:
            return bool(len(method("X", "Y")))
        except ValueError:
            return False

    logging.disable(logging.CRITICAL)
    by_dowhy, by_pgmpy, peeks = [], [], []
    for graph in request["graphs"]:
        edges = [tuple(edge) for edge in graph["directed"]]
        hidden = []
        for k, (a, b) in enumerate(graph["bidirected"]):
            hidden.append(f"hidden{k}")
            edges += [(hidden[-1], a), (hidden[-1], b)]
        whole = nx.DiGraph(edges)
        seen = [n for n in whole if n not in hidden]
        found = identify_effect_auto(
            whole, ["X"], ["Y"], seen, EstimandType.NONPARAMETRIC_ATE
        ).estimands
        by_dowhy.append(any(found.get(name) is not None for name in ("backdoor", "frontdoor")))
        asked = CausalInference(DAG(edges, latents=set(hidden)))
        by_pgmpy.append(
            bool(asked.is_valid_backdoor_adjustment_set("X", "Y"))
            or found_by(asked.get_all_backdoor_adjustment_sets)
            or found_by(asked.get_all_frontdoor_adjustment_sets)
        )
        peeks.append("hidden" in str(identify_effect_id(whole, "X", "Y")))
    return {"dowhy": by_dowhy, "pgmpy": by_pgmpy, "dowhy_id_peeks": peeks}, {}


@call
def pc(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return causal-learn's PC graph of ``rows``: its adjacency as endpoint marks."""
    from causallearn.search.ConstraintBased.PC import pc as search

    found = search(
        arrays["rows"], alpha=float(request["alpha"]), indep_test="fisherz", show_progress=False
    )
    return {}, {"marks": found.G.graph}


if __name__ == "__main__":
    serve()
