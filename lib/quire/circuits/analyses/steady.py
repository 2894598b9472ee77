"""Operating points, DC sweeps and small-signal sweeps."""

from itertools import product
from typing import Any

import numpy as np

from quire.circuits.analyses.linear_solvers import find_solver
from quire.circuits.analyses.newton import Point, operating_point
from quire.circuits.analyses.results import Counts, Result
from quire.circuits.errors import CircuitError, SingularCircuit
from quire.circuits.formulations.assembly import Ports
from quire.circuits.formulations.mna import System, build_system
from quire.circuits.formulations.topology import check_topology
from quire.circuits.netlist.elements import (
    TEMPERATURE,
    AcSweep,
    Circuit,
    DcSweep,
    Mosfet,
)
from quire.circuits.netlist.reader import read_deck
from quire.signatures import checked


def dc_levels(system: System) -> Any:
    """Return the sources' values at an operating point."""
    return np.array([source.source.operating for source in system.sources])


def find_point(system: System, levels: Any, solver: str, ports: Ports | None = None) -> Point:
    """Return the DC solution for given source values.

    Raises
    ------
    SingularCircuit
        When the solution is not unique.
    NewtonFailure
        When Newton's method fails, whatever is tried.
    """
    ports = ports or Ports(system)
    options = system.circuit.options
    return operating_point(ports, system.G, system.B @ levels, options, find_solver(solver))


@checked
def solve_op(circuit: Circuit, *, solver: str = "automatic") -> Result:
    """Return the operating point (``.op``).

    Parameters
    ----------
    circuit
        The circuit.
    solver
        ``automatic``, ``lapack``, ``sparse`` or ``gje``.

    Raises
    ------
    SingularCircuit
        For a floating node, a loop of voltage sources, or equations that are singular.
    NewtonFailure
        When Newton's method fails, whatever is tried.
    """
    check_topology(circuit)
    system = build_system(circuit)
    point = find_point(system, dc_levels(system), solver)
    return Result(system, np.zeros(1), point.x[None], Counts(1, 0, point.iterations))


def sweep_values(sweep: Any) -> Any:
    """Return the values of one sweep: start, start + step, ... up to stop, rounding forgiven."""
    count = int(np.floor((sweep.stop - sweep.start) / sweep.step * (1 + 1e-12) + 1e-9)) + 1
    return sweep.start + sweep.step * np.arange(count)


@checked
def solve_dc(
    circuit: Circuit, analysis: DcSweep | None = None, *, solver: str = "automatic"
) -> Result:
    """Return a DC sweep (``.dc``): each point starts from the last.

    Parameters
    ----------
    circuit
        The circuit.
    analysis
        What to sweep; the deck's own where None.
    solver
        As in `solve_op`.

    Raises
    ------
    KeyError
        When the deck asks for no such analysis.
    ValueError
        When a swept source is none of the circuit's.
    SingularCircuit
        As in `solve_op`.
    NewtonFailure
        As in `solve_op`.
    CircuitError
        When the temperature of a circuit is swept that is not as its deck describes it.
    """
    asked = analysis or circuit.analysis(DcSweep)
    assert isinstance(asked, DcSweep)
    check_topology(circuit)
    system = build_system(circuit)
    names = [source.name for source in system.sources]
    for sweep in asked.sweeps:
        if sweep.source not in (*names, TEMPERATURE):
            raise ValueError(
                f"source = {sweep.source!r}: must be {TEMPERATURE} or one of {', '.join(names)}"
            )
    solve, levels = find_solver(solver), dc_levels(system)
    ports = Ports(system)
    axis, rows, iterations = [], [], 0
    start = None
    for values in product(*(sweep_values(sweep) for sweep in reversed(asked.sweeps))):
        for sweep, value in zip(reversed(asked.sweeps), values, strict=True):
            if sweep.source != TEMPERATURE:
                levels[names.index(sweep.source)] = value
            elif system.circuit.options.temp != value:
                system = build_system(at_celsius(circuit, float(value)))
                ports = Ports(system)
        right = system.B @ levels
        point = operating_point(ports, system.G, right, circuit.options, solve, start)
        start = (point.x, point.w)
        iterations += point.iterations
        axis.append(values[-1])
        rows.append(point.x)
    return Result(system, np.array(axis), np.array(rows), Counts(len(rows), 0, iterations))


def at_celsius(circuit: Circuit, celsius: float) -> Circuit:
    """Return a circuit at another temperature, read anew from its deck.

    Raises
    ------
    CircuitError
        When the circuit is not what a deck says: nothing then tells what follows the temperature.
    """
    options = circuit.options
    if circuit.deck is None or read_deck(circuit.deck, temp=options.temp) != circuit:
        raise CircuitError("temp: can be swept only in a circuit as its deck describes it")
    return read_deck(circuit.deck, temp=celsius)


def frequencies(asked: AcSweep) -> Any:
    """Return the frequencies of a small-signal sweep, in hertz, as ngspice counts them."""
    if asked.spacing == "lin":
        return (
            np.linspace(asked.start, asked.stop, asked.points)
            if asked.points > 1
            else np.array([asked.start])
        )
    base = 10.0 if asked.spacing == "dec" else 2.0
    spans = np.log(asked.stop / asked.start) / np.log(base)
    count = int(np.floor(spans * asked.points + 1e-6)) + 1
    return asked.start * base ** (np.arange(count) / asked.points)


def check_charges(circuit: Circuit) -> None:
    """Refuse MOS models that give TOX: their gate's charge is not modelled.

    Raises
    ------
    CircuitError
        With the device and its model.
    """
    for element in circuit.elements:
        if isinstance(element, Mosfet) and "tox" in element.model.values:
            raise CircuitError(
                f"{element.name}: the gate capacitance that TOX of model {element.model.name} asks "
                "for in time and frequency is outside the subset: leave TOX out"
            )


@checked
def solve_ac(
    circuit: Circuit, analysis: AcSweep | None = None, *, solver: str = "automatic"
) -> Result:
    """Return a small-signal sweep (``.ac``): complex values at the operating point's linearisation.

    Parameters
    ----------
    circuit
        The circuit; sources with an AC phasor drive it.
    analysis
        The frequencies; the deck's own where None.
    solver
        Solver of the operating point. The complex systems are solved by LAPACK, or by Gauss-Jordan
        elimination for ``gje``.

    Raises
    ------
    KeyError
        When the deck asks for no such analysis.
    SingularCircuit
        As in `solve_op`, and where a complex system is singular.
    NewtonFailure
        As in `solve_op`.
    CircuitError
        For a MOS model with TOX.
    """
    from quire.circuits.elimination.gauss_jordan import solve as gauss_jordan

    asked = analysis or circuit.analysis(AcSweep)
    assert isinstance(asked, AcSweep)
    check_topology(circuit)
    check_charges(circuit)
    system = build_system(circuit)
    ports = Ports(system)
    point = find_point(system, dc_levels(system), solver, ports)
    at = ports.evaluate(point.w, circuit.options.gmin)
    resistive = system.G_ac + ports.conductances(at.dj)
    reactive = system.C + ports.conductances(at.dq)
    right = system.B @ np.array([source.source.ac for source in system.sources], dtype=complex)
    axis = frequencies(asked)
    rows = []
    for hertz in axis:
        matrix = resistive + 2j * np.pi * hertz * reactive
        try:
            rows.append(
                gauss_jordan(matrix, right) if solver == "gje" else np.linalg.solve(matrix, right)
            )
        except np.linalg.LinAlgError as fault:
            raise SingularCircuit(f"the equations are singular at {hertz:g} Hz") from fault
    return Result(system, axis, np.array(rows), Counts(len(rows), 0, point.iterations))
