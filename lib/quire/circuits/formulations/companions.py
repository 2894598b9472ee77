"""Companion models: a circuit's next step in time as a network of resistances and sources.

With them one step of any circuit of R, C, L, V, I and diodes can be written in branch currents, and
the branch form be held against the nodal one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quire import checks
from quire.circuits.devices.diode import diode_parameters
from quire.circuits.devices.junctions import junction, limit_junction
from quire.circuits.devices.temperature import at_temperature
from quire.circuits.errors import CircuitError, NewtonFailure
from quire.circuits.formulations.branch import Branch, Solved, solve_branches
from quire.circuits.netlist import elements as e
from quire.circuits.netlist.elements import terminals
from quire.signatures import checked


def capacitor_companion(
    name: str,
    nodes: tuple[str, str],
    farads: float,
    h: float,
    v: float,
    i: float,
    trapezoidal: bool,
) -> Branch:
    """Return a capacitor's Thévenin companion: R = h/(2C), E = v + R i; or R = h/C, E = v.

    Parameters
    ----------
    name, nodes, farads
        The capacitor.
    h
        The step, in seconds.
    v, i
        Voltage and current at the step's start.
    trapezoidal
        The trapezoidal rule, else backward Euler.
    """
    resistance = h / ((2 if trapezoidal else 1) * farads)
    return Branch(name, *nodes, resistance, v + (resistance * i if trapezoidal else 0.0))


def inductor_companion(
    name: str,
    nodes: tuple[str, str],
    henries: float,
    h: float,
    v: float,
    i: float,
    trapezoidal: bool,
) -> Branch:
    """Return an inductor's companion: R = 2L/h, E = -R i - v; or R = L/h, E = -R i.

    Parameters
    ----------
    name, nodes, henries
        The inductor.
    h, v, i, trapezoidal
        As in `capacitor_companion`.
    """
    resistance = (2 if trapezoidal else 1) * henries / h
    return Branch(name, *nodes, resistance, -resistance * i - (v if trapezoidal else 0.0))


@checked
def branch_transient(
    circuit: e.Circuit,
    h: float,
    steps: int,
    *,
    step: float | None = None,
    stop: float | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Return times and node voltages of a transient computed in branch currents throughout.

    Backward Euler first, then the trapezoidal rule, from rest or from the ``IC=`` of capacitors and
    inductors; diodes by Newton's method as companions of their own.

    Parameters
    ----------
    circuit
        R, C, L, V, I and D only.
    h
        The step in seconds.
    steps
        How many.
    step, stop
        What sources take their defaults from; h and the end where None.

    Raises
    ------
    CircuitError
        For other elements.
    NewtonFailure
        When the diodes do not settle.
    """
    h, steps = checks.positive("h", h), checks.integer("steps", steps)
    stop = stop or h * steps
    state: dict[str, tuple[float, float]] = {}
    for element in circuit.elements:
        if isinstance(element, e.Capacitor):
            state[element.name] = (element.initial or 0.0, 0.0)
        elif isinstance(element, e.Inductor):
            state[element.name] = (0.0, element.initial or 0.0)
        elif isinstance(element, e.Diode):
            state[element.name] = (0.0, 0.0)
    times, found = [0.0], []
    for k in range(1, steps + 1):
        times.append(k * h)
        solved = _one_step(circuit, state, times[-1], h, k > 1, step or h, stop)
        for element in circuit.elements:
            if element.name in state:
                a, b = terminals(element)
                across = solved.voltages[a] - solved.voltages[b]
                state[element.name] = (across.real, solved.currents[element.name].real)
        found.append({node: value.real for node, value in solved.voltages.items()})
    return np.array(times[1:]), {node: np.array([row[node] for row in found]) for node in found[0]}


def _one_step(
    circuit: e.Circuit, state: Mapping[str, tuple[float, float]], t: float, h: float,
    trapezoidal: bool, step: float, stop: float,
) -> Solved:  # fmt: skip
    diodes = {x.name: x for x in circuit.elements if isinstance(x, e.Diode)}
    placed = {name: at_temperature(x, circuit.options) for name, x in diodes.items()}
    laws = {name: diode_parameters(x, vt, 1e-9) for name, (x, vt) in placed.items()}
    guess = {name: state[name][0] for name in diodes}
    for _ in range(100):
        branches = [
            _companion(x, state, guess, laws, t, h, trapezoidal, step, stop, circuit.options.gmin)
            for x in circuit.elements
        ]
        solved = solve_branches(branches)
        moved = 0.0
        for name, x in diodes.items():
            new = (solved.voltages[x.nodes[0]] - solved.voltages[x.nodes[1]]).real
            law = laws[name]
            to = float(limit_junction(np, new, guess[name], law["scale"], law["critical"]))
            moved = max(moved, abs(to - guess[name]), abs(new - to))
            guess[name] = to
        if moved < 1e-12:
            return solved
    raise NewtonFailure(t, ", ".join(diodes), moved)


def _companion(
    x: e.Element, state: Mapping[str, tuple[float, float]], guess: Mapping[str, float],
    laws: Mapping[str, dict[str, float]], t: float, h: float, trapezoidal: bool, step: float,
    stop: float, gmin: float,
) -> Branch:  # fmt: skip
    match x:
        case e.Resistor():
            return Branch(x.name, *x.nodes, x.ohms)
        case e.Capacitor():
            return capacitor_companion(x.name, x.nodes, x.farads, h, *state[x.name], trapezoidal)
        case e.Inductor():
            return inductor_companion(x.name, x.nodes, x.henries, h, *state[x.name], trapezoidal)
        case e.VoltageSource():
            return Branch(x.name, *x.nodes, 0.0, float(x.source.in_time(step, stop).value(t)))
        case e.CurrentSource():
            return Branch(x.name, *x.nodes, current=float(x.source.in_time(step, stop).value(t)))
        case e.Diode():
            v, law = guess[x.name], laws[x.name]
            i, g = junction(np, v, law["saturation"], law["scale"])
            i, g = float(i) + gmin * v, float(g) + gmin
            return Branch(x.name, *x.nodes, 1 / g, v - i / g)
    raise CircuitError(f"{x.name}: the branch form takes R, C, L, V, I and D")
