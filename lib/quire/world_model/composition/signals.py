"""Signal wires between models of any kind: no algebraic loops, and what a query needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx

from quire.signatures import checked
from quire.world_model.errors import AlgebraicLoop, PortArity, UnitMismatch
from quire.world_model.nano.units import Unit


@checked
@dataclass(frozen=True)
class Node:
    """A model with signal ports.

    Attributes
    ----------
    name
        Unique.
    inputs, outputs
        The unit of each port.
    feedthrough
        Whether an output depends on an input at the same instant; a state breaks loops.
    """

    name: str
    inputs: tuple[Unit, ...]
    outputs: tuple[Unit, ...]
    feedthrough: bool = True


Wire = tuple[str, int, str, int]  # from, output, to, input


@checked
def schedule(nodes: Sequence[Node], wires: Iterable[Wire]) -> tuple[tuple[str, ...], ...]:
    """Return the layers in which nodes can be evaluated, each after what it reads at once.

    Raises
    ------
    UnitMismatch
        When a wire joins different units.
    PortArity
        When a port does not exist, or an input is wired twice.
    AlgebraicLoop
        When nodes with feedthrough form a cycle.
    """
    listed = list(wires)
    named = _checked(nodes, listed)
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(named)
    graph.add_edges_from((a, b) for a, _, b, _ in listed if named[a].feedthrough)
    try:
        return tuple(tuple(sorted(layer)) for layer in nx.topological_generations(graph))
    except nx.NetworkXUnfeasible as fault:
        cycle = " -> ".join(a for a, _ in nx.find_cycle(graph))
        raise AlgebraicLoop(
            f"wires form the loop {cycle}: a node with a state must break it"
        ) from fault


@checked
def active(
    nodes: Sequence[Node], wires: Iterable[Wire], query: str | Iterable[str]
) -> frozenset[str]:
    """Return the nodes that an answer about ``query`` depends on: its ancestors, and itself.

    Raises
    ------
    PortArity
        When a node of the query does not exist.
    """
    listed = list(wires)
    named = _checked(nodes, listed)
    above: dict[str, list[str]] = {n: [] for n in named}
    for a, _, b, _ in listed:
        above[b].append(a)
    found, waiting = set(), [query] if isinstance(query, str) else list(query)
    for name in waiting:
        if name not in named:
            raise PortArity(f"query has {name!r}: must be a node")
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += above[name]
    return frozenset(found)


def _checked(nodes: Sequence[Node], wires: Iterable[Wire]) -> dict[str, Node]:
    named = {n.name: n for n in nodes}
    if len(named) != len(nodes):
        raise PortArity("nodes: must have different names")
    fed = set()
    for a, k, b, j in wires:
        if a not in named or b not in named:
            raise PortArity(f"wire {a, k, b, j}: must join nodes")
        if not 0 <= k < len(named[a].outputs) or not 0 <= j < len(named[b].inputs):
            raise PortArity(f"wire {a, k, b, j}: must join ports that exist")
        if (b, j) in fed:
            raise PortArity(f"input {j} of {b!r}: must be wired once")
        fed.add((b, j))
        if named[a].outputs[k] != named[b].inputs[j]:
            raise UnitMismatch(
                f"{a!r} gives {named[a].outputs[k]}, {b!r} takes {named[b].inputs[j]}"
            )
    return named
