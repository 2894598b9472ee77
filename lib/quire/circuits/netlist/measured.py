"""Currents of elements that have none among the unknowns: a source of 0 V is put in series.

That is how ngspice reads ``i(r1)`` in a B source: the current into the element's first node.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from quire.circuits.netlist.elements import (
    Behavioural,
    Coupling,
    CurrentControlled,
    Element,
    Inductor,
    Source,
    VoltageControlled,
    VoltageSource,
)
from quire.circuits.netlist.expressions import Call, Expression, Name, Probe, probes_of, replaced


def carries(element: Element | None) -> bool:
    """Return whether an element's current is an unknown."""
    if isinstance(element, VoltageControlled | CurrentControlled | Behavioural):
        return element.voltage
    return isinstance(element, VoltageSource | Inductor)


def probed_currents(element: Element) -> tuple[str, ...]:
    """Return the names of the elements whose currents stand in an element's expression."""
    if not isinstance(element, Behavioural):
        return ()
    return tuple(p.names[0] for p in probes_of(element.expression) if p.kind == "i")


def with_measured_currents(elements: Sequence[Element]) -> tuple[Element, ...]:
    """Return the elements with a source of 0 V before each one whose current is asked for.

    Parameters
    ----------
    elements
        A flat circuit's, in the deck's order. The source of element ``r1`` is called ``r1#i``.
    """
    kinds = {element.name: element for element in elements}
    asked = {name for element in elements for name in probed_currents(element)}
    wanted = {
        name
        for name in asked
        if name in kinds and not carries(kinds[name]) and not isinstance(kinds[name], Coupling)
    }
    if not wanted:
        return tuple(elements)

    def leaf(part: Name | Probe | Call) -> Expression:
        if isinstance(part, Probe) and part.kind == "i" and part.names[0] in wanted:
            return Probe("i", (f"{part.names[0]}#i",))
        return part

    found: list[Element] = []
    for element in elements:
        changed: Any = element
        if isinstance(changed, Behavioural):
            changed = replace(changed, expression=replaced(changed.expression, leaf))
        if changed.name in wanted:
            first, *rest = changed.nodes
            inner = f"{changed.name}#in"
            changed = replace(changed, nodes=(inner, *rest))
            found += [changed, VoltageSource(f"{changed.name}#i", (first, inner), Source(0.0))]
        else:
            found.append(changed)
    return tuple(found)
