"""Modified nodal analysis: the equations that SPICE solves, as constant arrays and device ports.

The unknowns x are node voltages, then the currents of voltage sources, inductors and E sources::

    G x + d/dt (C x + S q(P^T x)) + S j(P^T x) = B u(t)

G and C hold the linear elements, B where the independent sources u enter, S and P where the
nonlinear devices' branches and steering voltages stand (see `devices.ports`).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.circuits.devices.behavioural import behavioural_kind
from quire.circuits.devices.bipolar import BIPOLAR, bipolar_parameters
from quire.circuits.devices.diode import DIODE, NEVER, diode_parameters
from quire.circuits.devices.mosfet import MOSFET, mosfet_parameters
from quire.circuits.devices.ports import CHARGES, Kind
from quire.circuits.devices.temperature import at_temperature
from quire.circuits.errors import CircuitError, ZeroResistance
from quire.circuits.netlist import elements as e
from quire.circuits.netlist.expressions import probes_of
from quire.signatures import checked

_STEERED = e.VoltageControlled | e.CurrentControlled | e.Behavioural


@dataclass(frozen=True)
class Group:
    """All devices of one kind: parameters as arrays, and where each stands; ground is node n."""

    kind: Kind
    names: tuple[str, ...]
    parameters: dict[str, Any]
    steering: Int[np.ndarray, "c k two"]
    branches: Int[np.ndarray, "d k two"]

    @property
    def count(self) -> int:
        """How many devices there are."""
        return len(self.names)


@dataclass(frozen=True)
class Linear:
    """Linear elements of one kind as arrays: names, nodes (ground is n), values."""

    names: tuple[str, ...]
    nodes: Int[np.ndarray, "k 2"]
    values: Float[np.ndarray, " k"]


@dataclass(frozen=True)
class System:
    """The equations of a circuit; see the module's docstring for the symbols."""

    circuit: e.Circuit
    unknowns: tuple[str, ...]
    node_count: int
    G: Float[np.ndarray, "n n"]
    G_ac: Float[np.ndarray, "n n"]
    C: Float[np.ndarray, "n n"]
    B: Float[np.ndarray, "n s"]
    sources: tuple[e.VoltageSource | e.CurrentSource, ...]
    groups: tuple[Group, ...]
    resistors: Linear
    capacitors: Linear
    inductors: Linear

    @property
    def n(self) -> int:
        """Number of unknowns."""
        return len(self.unknowns)

    def index(self, name: str) -> int:
        """Return the place of a node, or of the current of a source or inductor.

        Raises
        ------
        KeyError
            When the circuit has neither.
        """
        wanted = name.lower()
        for candidate in (wanted, f"{wanted}#branch"):
            if candidate in self._places:
                return self._places[candidate]
        raise KeyError(f"{name}: no node, and no element with a current of its own")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.unknowns)}


class _Builder:
    """Collects stamps while elements are read one by one."""

    def __init__(self, circuit: e.Circuit) -> None:
        self.names = list(circuit.nodes)
        self.place = {name: k for k, name in enumerate(self.names)}
        self.inner: list[str] = []
        self.linear: dict[str, list[tuple[str, str, str, float, float]]] = {
            kind: [] for kind in ("r", "c", "l")
        }
        self.devices: dict[str, list[tuple[Any, tuple[str, ...], dict[str, float]]]] = {}

    def node(self, name: str) -> str:
        """Add an inner node of a device."""
        if name not in self.place:
            self.place[name] = len(self.names)
            self.names.append(name)
        return name

    def behind(self, element: Any, terminal: str, node: str, ohms: float) -> str:
        """Return the node behind a device's own resistance; the node itself where there is none."""
        if ohms <= 0:
            return node
        inner = self.node(f"{element.name}#{terminal}")
        self.linear["r"].append((f"{element.name}#r{terminal}", node, inner, ohms, ohms))
        return inner

    def capacitor(self, name: str, a: str, b: str, farads: float) -> None:
        """Add a linear capacitance of a device."""
        if farads > 0:
            self.linear["c"].append((name, a, b, farads, farads))


@checked
def build_system(circuit: e.Circuit) -> System:
    """Return the nodal equations of a circuit.

    Raises
    ------
    ZeroResistance
        For a resistor of zero ohms; the branch form (`formulations.branch`) takes it.
    CircuitError
        For a source steered by the current of an element that has none of its own.
    """
    builder = _Builder(circuit)
    for element in circuit.elements:
        match element:
            case e.Resistor():
                _no_zero(element)
                builder.linear["r"].append(
                    (element.name, *element.nodes, element.ohms, element.ac_ohms)
                )
            case e.Capacitor():
                builder.linear["c"].append((element.name, *element.nodes, element.farads, 0.0))
            case e.Inductor():
                builder.linear["l"].append((element.name, *element.nodes, element.henries, 0.0))
            case e.Diode() | e.Bipolar() | e.Mosfet():
                placed, vt = at_temperature(element, circuit.options)
                _device(builder, placed, vt, circuit.options.reltol)
            case e.Behavioural():
                _behavioural(builder, element)
    return _assemble(circuit, builder)


def _no_zero(element: e.Resistor) -> None:
    if element.ohms == 0 or element.ac_ohms == 0:
        raise ZeroResistance(
            f"{element.name} has 0 ohms: use a voltage source of 0 V, or the branch form"
        )


def _device(builder: _Builder, element: Any, vt: float, reltol: float) -> None:
    model = element.model
    nodes: tuple[str, ...]
    if isinstance(element, e.Diode):
        anode = builder.behind(
            element, "anode", element.nodes[0], model.get("rs", 0.0) / element.area
        )
        kind, nodes = "diode", (anode, element.nodes[1])
        parameters = diode_parameters(element, vt, reltol)
    elif isinstance(element, e.Bipolar):
        c, b, emitter, substrate = element.nodes
        inner = [
            builder.behind(element, name, node, model.get(key, 0.0) / element.area)
            for name, node, key in (
                ("collector", c, "rc"), ("base", b, "rb"), ("emitter", emitter, "re"),
            )
        ]  # fmt: skip
        beside = inner[0] if model.kind == "npn" else inner[1]
        kind, nodes = "bipolar", (*inner, substrate, beside)
        parameters = bipolar_parameters(element, vt)
    else:
        d, g, s, b = element.nodes
        sizes, m = element.sizes, element.sizes.get("m", 1.0)
        length = sizes["l"] - 2 * model.get("ld", 0.0)
        ends = []
        for name, node in (("d", d), ("s", s)):
            ohms = model.get("r" + name, model.get("rsh", 0.0) * sizes.get("nr" + name, 1.0))
            ends.append(
                builder.behind(element, {"d": "drain", "s": "source"}[name], node, ohms / m)
            )
        drain, source = ends
        builder.capacitor(f"{element.name}#cgs", g, source, model.get("cgso", 0.0) * m * sizes["w"])
        builder.capacitor(f"{element.name}#cgd", g, drain, model.get("cgdo", 0.0) * m * sizes["w"])
        builder.capacitor(f"{element.name}#cgb", g, b, model.get("cgbo", 0.0) * m * length)
        kind, nodes = "mosfet", (drain, g, source, b)
        parameters = mosfet_parameters(element, vt)
    parameters["off"] = float(element.off)
    builder.devices.setdefault(kind, []).append((element, nodes, parameters))


def _assemble(circuit: e.Circuit, builder: _Builder) -> System:
    names, place = builder.names, builder.place
    carrying = [
        element
        for element in circuit.elements
        if isinstance(element, e.VoltageSource | e.Inductor)
        or (isinstance(element, _STEERED) and element.voltage)
    ]
    nodes = len(names)
    unknowns = (*names, *(f"{element.name}#branch" for element in carrying))
    n = len(unknowns)
    branch = {element.name: nodes + k for k, element in enumerate(carrying)}
    spot = {"0": n} | place | {f"{name}#branch": row for name, row in branch.items()}
    G, G_ac, C = (np.zeros((n + 1, n + 1)) for _ in range(3))
    sources = [s for s in circuit.elements if isinstance(s, e.VoltageSource | e.CurrentSource)]
    B = np.zeros((n + 1, len(sources)))

    linear = {}
    for kind, rows in builder.linear.items():
        pairs = np.array([[spot[a], spot[b]] for _, a, b, _, _ in rows], dtype=np.int64)
        linear[kind] = Linear(
            tuple(row[0] for row in rows), pairs.reshape(-1, 2), np.array([row[3] for row in rows])
        )
    for (_, _, _, ohms, ac_ohms), (a, b) in zip(
        builder.linear["r"], linear["r"].nodes, strict=True
    ):
        _conductance(G, a, b, 1 / ohms)
        _conductance(G_ac, a, b, 1 / ac_ohms)
    for farads, (a, b) in zip(linear["c"].values, linear["c"].nodes, strict=True):
        _conductance(C, a, b, farads)
    for element in carrying:
        row = branch[element.name]
        a, b = (spot[node] for node in element.nodes)
        for matrix in (G, G_ac):
            np.add.at(matrix, ([a, b], row), (1.0, -1.0))
            np.add.at(matrix, (row, [a, b]), (1.0, -1.0))
        if isinstance(element, e.Inductor):
            C[row, row] -= element.henries
        elif isinstance(element, e.VoltageControlled):
            p, q = (spot[node] for node in element.control)
            for matrix in (G, G_ac):
                np.add.at(matrix, (row, [p, q]), (-element.gain, element.gain))
        elif isinstance(element, e.CurrentControlled):
            for matrix in (G, G_ac):
                matrix[row, _current(branch, element.control)] -= element.gain
    henries = {x.name: x.henries for x in circuit.elements if isinstance(x, e.Inductor)}
    for other in circuit.elements:
        if isinstance(other, e.Coupling):
            first, second = other.inductors
            mutual = other.factor * np.sqrt(henries[first] * henries[second])
            C[branch[first], branch[second]] -= mutual
            C[branch[second], branch[first]] -= mutual
        elif isinstance(other, e.VoltageControlled) and not other.voltage:
            a, b = (spot[node] for node in other.nodes)
            p, q = (spot[node] for node in other.control)
            for matrix in (G, G_ac):
                np.add.at(
                    matrix, ([a, a, b, b], [p, q, p, q]),
                    (other.gain, -other.gain, -other.gain, other.gain),
                )  # fmt: skip
        elif isinstance(other, e.CurrentControlled) and not other.voltage:
            a, b = (spot[node] for node in other.nodes)
            column = _current(branch, other.control)
            for matrix in (G, G_ac):
                np.add.at(matrix, ([a, b], column), (other.gain, -other.gain))
    for k, source in enumerate(sources):
        if isinstance(source, e.VoltageSource):
            B[branch[source.name], k] = 1.0
        else:
            a, b = (spot[node] for node in source.nodes)
            np.add.at(B, ([a, b], k), (-1.0, 1.0))
    groups = tuple(
        _group(kind, builder.devices[name], spot)
        for name, kind in (("diode", DIODE), ("bipolar", BIPOLAR), ("mosfet", MOSFET))
        if name in builder.devices
    ) + tuple(
        _group(behavioural_kind(rows[0][0]), rows, spot)
        for name, rows in builder.devices.items()
        if name.startswith("behavioural")
    )
    return System(
        circuit, unknowns, nodes, G[:n, :n], G_ac[:n, :n], C[:n, :n], B[:n], tuple(sources),
        groups, linear["r"], linear["c"], linear["l"],
    )  # fmt: skip


def _behavioural(builder: _Builder, source: e.Behavioural) -> None:
    """Add a source by expression: terminals of its probes, then of its branch."""
    nodes: list[str] = []
    for probe in probes_of(source.expression):
        if probe.kind == "v":
            nodes += [*probe.names, "0"][:2]
        else:
            nodes += [f"{probe.names[0]}#branch", "0"]
    nodes += [f"{source.name}#branch", "0"] if source.voltage else source.nodes
    builder.devices[f"behavioural {source.name}"] = [(source, tuple(nodes), {"time": 0.0})]


def _current(branch: dict[str, int], name: str) -> int:
    """Return the unknown that is an element's current.

    Raises
    ------
    CircuitError
        When the element has none.
    """
    if name not in branch:
        raise CircuitError(f"{name}: has no current of its own; put a source of 0 V in series")
    return branch[name]


def _conductance(matrix: Any, a: Any, b: Any, value: Any) -> None:
    np.add.at(matrix, ([a, b, a, b], [a, b, b, a]), (value, value, -value, -value))


def _group(kind: Kind, rows: list[Any], spot: dict[str, int]) -> Group:
    places = np.array([[spot[node] for node in nodes] for _, nodes, _ in rows])  # k, terminals
    parameters: dict[str, Any] = {
        key: np.array([row[2][key] for row in rows]) for key in rows[0][2]
    }
    # terms that no device of the group has are left out of the law
    parameters["charged"] = any(np.any(parameters.get(key, 0.0)) for key in CHARGES)
    parameters["breaks"] = bool(np.any(parameters.get("breakdown", NEVER) < NEVER))
    return Group(
        kind,
        tuple(row[0].name for row in rows),
        parameters,
        (
            np.stack([places[:, pair] for pair in map(list, kind.steering)])
            if kind.steering
            else np.zeros((0, len(rows), 2), dtype=np.int64)
        ),
        np.stack([places[:, pair] for pair in map(list, kind.branches)]),
    )
