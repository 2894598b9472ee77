"""Steps in time: trapezoidal rule, backward Euler after corners, steps from a short list of sizes.

With ``Q`` the charges summed into the equations and ``Q'`` their derivative, a step h solves

    G x + S j + alpha (Q(x) - Q_old) - beta Q'_old = B u(t),

alpha = 2/h and beta = 1 for the trapezoidal rule, 1/h and 0 for backward Euler. That is SPICE's
companion model of every capacitor and inductor at once, the capacitors' currents carried in Q'.
Steps are halved and doubled from one base, so that few distinct matrices occur: a reduction of the
constant part can be kept for each (counted in ``Counts.rebuilds``).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from quire.circuits.analyses.linear_solvers import Solve, find_solver
from quire.circuits.analyses.newton import Step, hold, newton, operating_point
from quire.circuits.analyses.reduced_solver import ReducedSolver
from quire.circuits.analyses.results import Counts, Result
from quire.circuits.analyses.steady import check_charges
from quire.circuits.errors import NewtonFailure, TimestepTooSmall
from quire.circuits.formulations.assembly import Ports
from quire.circuits.formulations.mna import System, build_system
from quire.circuits.formulations.topology import check_topology
from quire.circuits.netlist.elements import Capacitor, Circuit, Inductor, Options, Transient
from quire.signatures import checked

_LEAST = 2.0**-40  # of the longest step


@dataclass(frozen=True)
class _State:
    """One accepted point: time, unknowns, steering voltages, charges and their derivative.

    ``q`` holds the devices' own charges, ``total`` all charges summed into the equations.
    """

    t: float
    x: Any
    w: Any
    q: Any
    total: Any
    dq: Any


@checked
def solve_transient(
    circuit: Circuit,
    analysis: Transient | None = None,
    *,
    solver: str | Callable[[Ports], Solve] = "automatic",
    fixed: bool = False,
    longest: float | None = None,
) -> Result:
    """Return a transient analysis (``.tran``).

    Parameters
    ----------
    circuit
        The circuit.
    analysis
        Times; the deck's own where None.
    solver
        ``automatic``, ``lapack``, ``sparse``, ``gje`` or ``reduced``, by Gauss-Jordan elimination
        after partial reduction; or what makes a solver for the devices' ports.
    fixed
        Take steps of the printing step only, shortened to end on corners of the sources, whatever
        the error is.
    longest
        Longest step, in place of the analysis' own or of SPICE's default (the printing step, or a
        fiftieth of the run).

    Raises
    ------
    KeyError
        When the deck asks for no transient analysis.
    CircuitError
        For a device whose charges are outside the subset.
    SingularCircuit
        As in `solve_op`.
    NewtonFailure
        When Newton's method fails at the first point.
    TimestepTooSmall
        When a step fails, or its error stays too large, whatever its size.
    """
    asked = analysis or circuit.analysis(Transient)
    assert isinstance(asked, Transient)
    if longest is not None:
        asked = replace(asked, longest=longest)
    check_topology(circuit, moving=asked.use_initial)
    check_charges(circuit)
    run = _Run(build_system(circuit), asked, solver, fixed)
    return run.result()


def source_table(system: System, asked: Transient, times: Any) -> Any:
    """Return the sources' values at each time, one row per time."""
    waves = [source.source.in_time(asked.step, asked.stop) for source in system.sources]
    return (
        np.column_stack([wave.value(times) for wave in waves])
        if waves
        else np.zeros((len(times), 0))
    )


def corner_times(system: System, asked: Transient) -> Any:
    """Return the times at which a source's slope jumps, and the end of the run."""
    found = {asked.stop}
    for source in system.sources:
        found |= set(source.source.in_time(asked.step, asked.stop).corners(asked.stop))
    times = np.array(sorted(found))
    # corners closer than rounding are one
    return times[np.append(np.diff(times) > 1e-12 * asked.stop, True)]


def initial_point(system: System, ports: Ports, asked: Transient, solver: str) -> tuple[Any, Any]:
    """Return unknowns and steering voltages at time zero.

    Without ``uic`` the operating point, nodes of ``.ic`` held at their voltages; with it the
    voltages of ``.ic``, zero elsewhere, and inductors at their initial currents.

    Raises
    ------
    SingularCircuit
        As in `solve_op`.
    NewtonFailure
        As in `solve_op`.
    """
    circuit = system.circuit
    if asked.use_initial:
        x = np.zeros(system.n)
        for node, volts in circuit.initial.items():
            if node != "0":
                x[system.index(node)] = volts
        for element in circuit.elements:
            if isinstance(element, Inductor) and element.initial is not None:
                x[system.index(element.name)] = element.initial
        return x, ports.steering(x)
    right = system.B @ source_table(system, asked, np.zeros(1))[0]
    matrix, right = hold(ports, system.G, right, circuit.initial)
    point = operating_point(ports, matrix, right, circuit.options, find_solver(solver))
    return point.x, point.w


def initial_gap(system: System, asked: Transient, x: Any) -> Any:
    """Return the charge at time zero beyond that of x, which ``IC=`` of capacitors gives."""
    gap = np.zeros(system.n + 1)
    if asked.use_initial:
        place = {name: k for k, name in enumerate(system.capacitors.names)}
        full = np.append(x, 0.0)
        for element in system.circuit.elements:
            if isinstance(element, Capacitor) and element.initial is not None:
                a, b = system.capacitors.nodes[place[element.name]]
                extra = element.farads * (element.initial - (full[a] - full[b]))
                np.add.at(gap, [a, b], (extra, -extra))
    return gap[: system.n]


def _tolerances(system: System) -> Options:
    """Return the tolerances of the steps: narrower where a junction stores charge.

    Such a junction lets go of its charge within a moment, and an error in the charge is an error
    in that moment: SPICE's default of 0.7 % a step moved the edge so far that the wave was off by
    a third of its swing in ngspice and by a fifth here. Tight tolerances are kept as they are.
    """
    options = system.circuit.options
    stores = any(
        np.any(group.parameters.get(key, 0.0))
        for group in system.groups
        for key in ("transit", "tf", "tr")
    )
    if not stores or options.reltol <= 1e-5:
        return options
    return replace(options, reltol=max(options.reltol / 10, 1e-5), trtol=options.trtol / 70)


class _Run:
    """One transient analysis while it runs."""

    def __init__(
        self,
        system: System,
        asked: Transient,
        solver: str | Callable[[Ports], Solve],
        fixed: bool,
    ) -> None:
        self.system, self.asked, self.fixed = system, asked, fixed
        self.ports, self.options = Ports(system), _tolerances(system)
        self.solver = "gje" if solver == "reduced" else "automatic"
        self.solve: Solve
        if not isinstance(solver, str):
            self.solve = solver(self.ports)
        elif solver == "reduced":
            self.solve = ReducedSolver(self.ports)
        else:
            self.solve, self.solver = find_solver(solver), solver
        self.longest = asked.longest or min(asked.step, (asked.stop - asked.start) / 50)
        if fixed:
            self.longest = asked.step
        self.corners = corner_times(system, asked)
        self.waves = [s.source.in_time(asked.step, asked.stop) for s in system.sources]
        self.rejected = self.iterations = 0
        self.matrices: dict[float, Any] = {}
        self.storing = bool(np.any(system.C)) or any(
            group.parameters["charged"] for group in system.groups
        )

    def result(self) -> Result:
        """Step from zero to the end and return what was met."""
        x, w = initial_point(self.system, self.ports, self.asked, self.solver)
        q = self.ports.evaluate(w, 0.0).q
        total = self.system.C @ x + self.ports.currents(q)
        state = _State(0.0, x, w, q, total, np.zeros_like(x))
        self.gap = initial_gap(self.system, self.asked, x)
        history, kept = [state], [state]
        h = self.longest if self.fixed else self.longest / 256
        euler, corner, steady = True, 0, 0
        while state.t < self.asked.stop * (1 - 1e-13):
            end = self.corners[corner]
            step, lands = self._clipped(state.t, h, end)
            new = self._step(state, end if lands else state.t + step, step, euler, history)
            if new is None:
                self.rejected += 1
                h = self._smaller(state.t, step, 8)
                euler, steady = True, 0
                continue
            ratio = 0.0 if self.fixed else self._error(history, new, euler)
            if ratio > 1 and step > self.longest * _LEAST * 4:
                self.rejected += 1
                h, steady = self._smaller(state.t, step, 2), 0
                continue
            state = new
            kept.append(state)
            history = [*history[-3:], state]
            euler = False
            steady += 1
            if lands:
                corner += 1
                if state.t < self.asked.stop * (1 - 1e-13):
                    euler, steady, history = True, 0, [state]
                    if not self.fixed:
                        h = min(h, self.longest / 256)
                continue
            if self.fixed:
                h = self.longest
            elif steady >= 2 and ratio * (4 if len(history) < 4 else 8) < 0.9 and h < self.longest:
                h, steady = 2 * h, 0
        return self._collected(kept)

    def _clipped(self, t: float, h: float, end: float) -> tuple[float, bool]:
        """Return the step to take towards the next corner, and whether it ends there."""
        left = end - t
        if left <= h * (1 + 1e-9):
            return left, True
        if left < 2 * h and not self.fixed:
            return left / 2, False
        return h, False

    def _smaller(self, t: float, step: float, by: int) -> float:
        h = step / by
        if h < self.longest * _LEAST or t + h == t:
            raise TimestepTooSmall(f"t = {t:.6g} s: a step of {h:.3g} s is asked for")
        return h

    def _step(
        self, old: _State, t: float, h: float, euler: bool, history: list[_State]
    ) -> _State | None:
        alpha, beta = (1 / h, 0.0) if euler else (2 / h, 1.0)
        key = float(f"{alpha:.12e}")
        if key not in self.matrices:
            self.matrices[key] = self.system.G + alpha * self.system.C
        inputs = np.array([float(wave.value(t)) for wave in self.waves])
        right = self.system.B @ inputs + beta * old.dq
        if old.t == 0.0:
            right = right + alpha * self.gap
        start = old.x
        if len(history) > 1 and not euler:
            before = history[-2]
            start = old.x + (old.x - before.x) * (h / (old.t - before.t))
        w = self.ports.limit(self.ports.steering(start), old.w) if self.ports.branches else old.w
        step = Step(self.system.G, right, alpha, self.system.C, old.x, old.q, self.matrices[key], t)
        point = newton(
            self.ports, step, (start, w), self.options, self.solve,
            max(self.options.itl4, 10) if self.storing else self.options.itl1,
        )  # fmt: skip
        self.iterations += point.iterations
        if not point.converged:
            if not self.storing:
                raise NewtonFailure(t, self.system.unknowns[point.worst], point.change)
            return None
        q = point.q
        assert q is not None
        gained = self.system.C @ (point.x - old.x) + self.ports.currents(q - old.q)
        if old.t == 0.0:
            gained = gained - self.gap
        rate = alpha * gained - beta * old.dq
        return _State(t, point.x, point.w, q, old.total + gained, rate)

    def _error(self, history: list[_State], new: _State, euler: bool) -> float:
        """Return the local truncation error over its tolerance, from divided differences."""
        points = [*history, new]
        need = 3 if euler or len(points) < 4 else 4
        if len(points) < need or not self.storing:
            return 0.0
        points = points[-need:]
        table = [point.total for point in points]
        times = [point.t for point in points]
        for order in range(1, need):
            table = [
                (b - a) / (times[k + order] - times[k]) for k, (a, b) in enumerate(pairwise(table))
            ]
        h = new.t - points[-2].t
        # a divided difference is the derivative over a factorial: h^2/2 q'' and h^3/12 q'''
        error = np.abs(table[0]) * (h**2 if need == 3 else h**3 / 2)
        size = np.maximum(np.abs(new.total), np.abs(points[-2].total))
        room = self.options.trtol * (self.options.reltol * size + self.options.chgtol)
        return float(np.max(error / room))

    def _collected(self, kept: list[_State]) -> Result:
        times = np.array([state.t for state in kept])
        values = np.array([state.x for state in kept])
        steps = np.diff(times)
        counts = Counts(
            len(kept) - 1, self.rejected, self.iterations, len(self.matrices),
            tuple(sorted({float(f"{h:.6e}") for h in steps})),
        )  # fmt: skip
        if self.asked.start > 0:
            # a row at the first time that is kept, then those after it
            first = np.searchsorted(times, self.asked.start)
            row = [np.interp(self.asked.start, times, values[:, k]) for k in range(self.system.n)]
            skip = first + int(times[first] == self.asked.start)
            times = np.concatenate([[self.asked.start], times[skip:]])
            values = np.vstack([row, values[skip:]])
        return Result(self.system, times, values, counts)
