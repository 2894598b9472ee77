"""What y0 and dowhy are asked for by chapter 09: which effects are identified."""

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
def pc(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return causal-learn's PC graph of ``rows``: its adjacency as endpoint marks."""
    from causallearn.search.ConstraintBased.PC import pc as search

    found = search(
        arrays["rows"], alpha=float(request["alpha"]), indep_test="fisherz", show_progress=False
    )
    return {}, {"marks": found.G.graph}


if __name__ == "__main__":
    serve()
