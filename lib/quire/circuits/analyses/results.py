"""What an analysis returns: values of the unknowns along time, frequency or a sweep."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Num, Shaped

from quire.circuits.formulations.mna import System
from quire.circuits.netlist.elements import Resistor


@dataclass(frozen=True)
class Counts:
    """Work done: steps kept and rejected, Newton iterations, matrices reduced anew."""

    steps: int = 0
    rejected: int = 0
    iterations: int = 0
    rebuilds: int = 0
    step_sizes: tuple[float, ...] = field(default=())


@dataclass(frozen=True)
class Result:
    """Values of all unknowns, one row per point.

    ``axis`` holds times, frequencies or swept values; a single operating point has one row.
    """

    system: System
    axis: Shaped[np.ndarray, " points"]
    values: Num[np.ndarray, "points n"]
    counts: Counts = field(default_factory=Counts)

    def voltage(self, node: str, other: str = "0") -> Any:
        """Return a node's voltage, or the difference of two, at every point.

        Raises
        ------
        KeyError
            When the circuit has no such node.
        """
        return self._node(node) - self._node(other)

    def current(self, name: str) -> Any:
        """Return the current through a voltage source, an inductor or a resistor at every point.

        It flows from the element's first node through it to the second.

        Raises
        ------
        KeyError
            When the element is none of these.
        """
        element = self.system.circuit.element(name)
        if isinstance(element, Resistor):
            return self.voltage(*element.nodes) / element.ohms
        return self.values[:, self.system.index(f"{name.lower()}#branch")]

    def at(self, axis: Any, *nodes: str) -> Any:
        """Return ``voltage(*nodes)`` interpolated onto other points of the axis."""
        return np.interp(axis, self.axis, self.voltage(*nodes))

    def _node(self, node: str) -> Any:
        if node.lower() in ("0", "gnd"):
            return np.zeros(len(self.axis))
        place = self.system.index(node)
        if place >= self.system.node_count:
            raise KeyError(f"{node}: names a current, not a node")
        return self.values[:, place]
