"""Acyclic directed mixed graphs: arrows for causes, double arrows for a hidden common cause."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import networkx as nx

from quire.signatures import checked
from quire.world_model.errors import CyclicGraph, WorldModelError

Nodes = frozenset[str]
Names = str | Iterable[str]  # a text is one name


@dataclass(frozen=True)
class CausalGraph:
    """A semi-Markovian causal graph; make one with `causal_graph`.

    Attributes
    ----------
    nodes
        In topological order.
    directed
        Pairs (cause, effect).
    bidirected
        Pairs of nodes that share a hidden cause.
    """

    nodes: tuple[str, ...]
    directed: frozenset[tuple[str, str]]
    bidirected: frozenset[frozenset[str]]

    def parents(self, node: str) -> tuple[str, ...]:
        """Return the causes of a node, in order."""
        return tuple(n for n in self.nodes if (n, node) in self.directed)

    def children(self, node: str) -> tuple[str, ...]:
        """Return the effects of a node, in order."""
        return tuple(n for n in self.nodes if (node, n) in self.directed)

    def ancestors(self, of: Names) -> Nodes:
        """Return the nodes with a directed path into ``of``, and ``of`` itself."""
        return self._closed(of, self.parents)

    def descendants(self, of: Names) -> Nodes:
        """Return the nodes that a directed path from ``of`` reaches, and ``of`` itself."""
        return self._closed(of, self.children)

    def subgraph(self, nodes: Names) -> CausalGraph:
        """Return the graph on some of the nodes."""
        kept = frozenset(nodes)
        return CausalGraph(
            tuple(n for n in self.nodes if n in kept),
            frozenset(e for e in self.directed if set(e) <= kept),
            frozenset(e for e in self.bidirected if e <= kept),
        )

    def without_incoming(self, nodes: Names) -> CausalGraph:
        """Return the graph after an intervention: nothing points into ``nodes``."""
        cut = frozenset(nodes)
        return CausalGraph(
            self.nodes,
            frozenset(e for e in self.directed if e[1] not in cut),
            frozenset(e for e in self.bidirected if not e & cut),
        )

    def without_outgoing(self, nodes: Names) -> CausalGraph:
        """Return the graph in which ``nodes`` have no effects."""
        cut = frozenset(nodes)
        kept = frozenset(e for e in self.directed if e[0] not in cut)
        return CausalGraph(self.nodes, kept, self.bidirected)

    def districts(self) -> tuple[Nodes, ...]:
        """Return the c-components: nodes joined by double arrows, in order of their first node."""
        joined: nx.Graph = nx.Graph()
        joined.add_nodes_from(self.nodes)
        joined.add_edges_from((min(e), max(e)) for e in self.bidirected)
        found = (frozenset(part) for part in nx.connected_components(joined))
        return tuple(sorted(found, key=lambda part: min(map(self.nodes.index, part))))

    def _closed(self, of: Names, step: Any) -> Nodes:
        found = set(self.check_nodes(of))
        waiting = list(found)
        while waiting:
            for node in step(waiting.pop()):
                if node not in found:
                    found.add(node)
                    waiting.append(node)
        return frozenset(found)

    def check_nodes(self, nodes: Names) -> Nodes:
        """Return ``nodes`` as a set, each of which is in the graph.

        Raises
        ------
        WorldModelError
            When one is not.
        """
        asked = frozenset([nodes] if isinstance(nodes, str) else nodes)
        strange = asked - set(self.nodes)
        if strange:
            named = ", ".join(sorted(map(repr, strange)))
            raise WorldModelError(f"nodes = {named}: must be nodes of the graph {self.nodes}")
        return asked


@checked
def causal_graph(
    directed: Iterable[tuple[str, str]],
    bidirected: Iterable[tuple[str, str]] = (),
    nodes: Names = (),
) -> CausalGraph:
    """Return a causal graph, its nodes in a topological order.

    Parameters
    ----------
    directed
        Pairs (cause, effect).
    bidirected
        Pairs with a hidden common cause.
    nodes
        Further nodes, those without an edge.

    Raises
    ------
    WorldModelError
        For names that are no text, loops at a node, or edges that are no pairs.
    CyclicGraph
        When arrows form a cycle.
    """
    arrows, arcs = _pairs("directed", directed), _pairs("bidirected", bidirected)
    made: nx.DiGraph = nx.DiGraph()
    names = [nodes] if isinstance(nodes, str) else list(nodes)
    for name in names:
        _name("nodes", name)
    made.add_nodes_from(names)
    made.add_edges_from(arrows)
    made.add_nodes_from(n for arc in arcs for n in arc)
    try:
        order = tuple(nx.lexicographical_topological_sort(made))
    except nx.NetworkXUnfeasible as fault:
        cycle = " -> ".join(a for a, _ in nx.find_cycle(made))
        raise CyclicGraph(f"directed has the cycle {cycle}: must be acyclic") from fault
    return CausalGraph(order, frozenset(arrows), frozenset(map(frozenset, arcs)))


@checked
def d_separated(graph: CausalGraph, x: Names, y: Names, given: Names = ()) -> bool:
    """Return whether ``given`` blocks every path between ``x`` and ``y`` (m-separation).

    Balls are passed along open paths (Bayes ball); a double arrow is two arrows from a hidden node.

    Raises
    ------
    WorldModelError
        When the three sets overlap, or hold what is no node.
    """
    first, second = graph.check_nodes(x), graph.check_nodes(y)
    seen = graph.check_nodes(given)
    if first & second or first & seen or second & seen:
        raise WorldModelError("x, y, given: must be disjoint sets of nodes")
    parents: dict[Hashable, list[Hashable]] = {n: list(graph.parents(n)) for n in graph.nodes}
    children: dict[Hashable, list[Hashable]] = {n: list(graph.children(n)) for n in graph.nodes}
    for arc in graph.bidirected:
        parents[arc], children[arc] = [], list(arc)
        for node in arc:
            parents[node].append(arc)
    above = graph.ancestors(seen)
    waiting: list[tuple[Hashable, bool]] = [(n, True) for n in first]  # True: comes from a child
    visited = set()
    while waiting:
        node, upward = waiting.pop()  # type: ignore[assignment]
        if (node, upward) in visited:
            continue
        visited.add((node, upward))
        if node in second:
            return False
        if node not in seen:
            waiting += [(child, False) for child in children[node]]
            if upward:
                waiting += [(parent, True) for parent in parents[node]]
        if not upward and node in above:
            waiting += [(parent, True) for parent in parents[node]]
    return True


@checked
def latent_projection(graph: CausalGraph, hidden: Names) -> CausalGraph:
    """Return the graph over what is observed: hidden nodes become arrows and double arrows.

    Source: Verma and Pearl 1990. ``a -> b`` when a directed path from a to b runs through hidden
    nodes alone; ``a <-> b`` when a hidden fork between them does.
    """
    out = graph.check_nodes(hidden)
    kept = [n for n in graph.nodes if n not in out]

    def reached(start: str) -> Nodes:
        found, waiting = set(), list(graph.children(start))
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += graph.children(node) if node in out else ()
        return frozenset(n for n in found if n not in out)

    arrows = [(a, b) for a in kept for b in reached(a)]
    arcs = {frozenset((a, b)) for u in out for a in reached(u) for b in reached(u) if a != b}
    spread = {n: reached(n) if n in out else frozenset((n,)) for n in graph.nodes}
    for arc in graph.bidirected:
        left, right = sorted(arc)
        arcs |= {frozenset((a, b)) for a in spread[left] for b in spread[right] if a != b}
    return causal_graph(arrows, [tuple(sorted(arc)) for arc in arcs], kept)  # type: ignore[misc]


@checked
def backdoor(graph: CausalGraph, x: str, y: str, given: Names = ()) -> bool:
    """Return whether ``given`` satisfies the back-door criterion for the effect of x on y."""
    chosen = graph.check_nodes(given)
    if chosen & (graph.descendants([x]) | {y}):
        return False
    return d_separated(graph.without_outgoing([x]), [x], [y], chosen)


@checked
def frontdoor(graph: CausalGraph, x: str, y: str, through: Names) -> bool:
    """Return whether ``through`` satisfies the front-door criterion for the effect of x on y."""
    chosen = graph.check_nodes(through)
    if not chosen or {x, y} & chosen:
        return False
    rest = graph.subgraph(set(graph.nodes) - chosen)
    if y in rest.descendants([x]):
        return False
    return all(d_separated(graph.without_outgoing([x]), [x], [m]) for m in chosen) and all(
        backdoor(graph, m, y, (chosen - {m}) - graph.descendants([m]) | {x}) for m in chosen
    )


@checked
def instrument(graph: CausalGraph, z: str, x: str, y: str, given: Names = ()) -> bool:
    """Return whether z, given some nodes, is an instrument for the effect of x on y."""
    chosen = graph.check_nodes(given)
    if chosen & graph.descendants([y]) or {x, y, z} & chosen:
        return False
    related = not d_separated(graph, [z], [x], chosen)
    direct = frozenset(e for e in graph.directed if e[0] != x)
    excluded = CausalGraph(graph.nodes, direct, graph.bidirected)
    return related and d_separated(excluded, [z], [y], chosen)


def _pairs(name: str, edges: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    found = []
    for edge in edges:
        if isinstance(edge, str) or len(tuple(edge)) != 2:
            raise WorldModelError(f"{name} has {edge!r}: must hold pairs of names")
        a, b = edge
        _name(name, a)
        _name(name, b)
        if a == b:
            raise (CyclicGraph if name == "directed" else WorldModelError)(
                f"{name} has the loop {a!r}: must join different nodes"
            )
        found.append((a, b))
    return found


def _name(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise WorldModelError(f"{name} has {value!r}: must be a name, text that is not empty")
