"""Faults of a circuit's graph, found before any number is computed, and named.

Nodes without a conducting path to ground, and loops made of voltage sources alone, give singular
equations whatever the values are.
"""

from collections.abc import Iterable

from quire.circuits.errors import SingularCircuit
from quire.circuits.netlist import elements as e

Edge = tuple[str, str, str]  # name, node, node


class UnionFind:
    """Sets of nodes that are joined one edge at a time."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, node: str) -> str:
        """Return the representative of a node's set."""
        parent = self._parent.setdefault(node, node)
        while parent != node:
            self._parent[node] = self._parent.setdefault(parent, parent)
            node, parent = parent, self._parent[parent]
        return node

    def join(self, first: str, second: str) -> bool:
        """Join two sets; return False when they were one already."""
        a, b = self.find(first), self.find(second)
        self._parent[a] = b
        return a != b


def check_topology(circuit: e.Circuit, *, moving: bool = False) -> None:
    """Refuse a circuit whose graph makes its equations singular.

    Parameters
    ----------
    circuit
        What to look at.
    moving
        True for a transient step, in which capacitors conduct and inductors fix no voltage.

    Raises
    ------
    SingularCircuit
        With the nodes that no path joins to ground, or the sources that form a loop.
    """
    joined = UnionFind()
    for _, a, b in _conducting(circuit.elements, moving):
        joined.join(a, b)
    ground = joined.find("0")
    floating = [node for node in circuit.nodes if joined.find(node) != ground]
    if floating:
        shown = ", ".join(floating[:8]) + (", ..." if len(floating) > 8 else "")
        raise SingularCircuit(f"no conducting path joins to ground: {shown}")
    fixed = UnionFind()
    for name, a, b in _fixing(circuit.elements, moving):
        if not fixed.join(a, b):
            raise SingularCircuit(f"voltages fixed around a loop that {name} closes: {a}, {b}")


def _conducting(elements: Iterable[e.Element], moving: bool) -> Iterable[Edge]:
    for element in elements:
        match element:
            case e.Resistor() | e.Inductor() | e.VoltageSource() | e.Diode():
                yield element.name, *element.nodes
            case e.Capacitor() if moving and element.farads > 0:
                yield element.name, *element.nodes
            case e.VoltageControlled() | e.CurrentControlled() | e.Behavioural() if element.voltage:
                yield element.name, *element.nodes
            case e.Behavioural() if set(element.nodes) <= {*e.terminals(element)[2:], "0"}:
                yield element.name, *element.nodes
            case e.VoltageControlled() if set(element.nodes) == set(element.control):
                yield element.name, *element.nodes
            case e.Bipolar():
                c, b, emitter, substrate = element.nodes
                yield from ((element.name, b, other) for other in (c, emitter, substrate))
            case e.Mosfet():
                d, g, s, b = element.nodes
                yield from ((element.name, b, other) for other in (d, s))
                overlaps = (("cgso", s), ("cgdo", d), ("cgbo", b))
                if moving:
                    yield from (
                        (element.name, g, other)
                        for key, other in overlaps
                        if element.model.get(key, 0.0) > 0
                    )


def _fixing(elements: Iterable[e.Element], moving: bool) -> Iterable[Edge]:
    for element in elements:
        match element:
            case e.VoltageSource():
                yield element.name, *element.nodes
            case e.VoltageControlled() | e.CurrentControlled() | e.Behavioural() if element.voltage:
                yield element.name, *element.nodes
            case e.Inductor() if not moving or element.henries == 0:
                yield element.name, *element.nodes
