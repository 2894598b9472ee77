"""Newton's method at one point, with SPICE's limiting and tests, and the ways to reach a first one.

Each iteration linearises the devices at limited steering voltages and solves once. Converged means
that no unknown moved beyond its tolerance, that nothing was limited, and that the currents
predicted by the last linearisation are those of the devices; or that nothing was limited and that
the equations hold to the rounding of their terms. The latter is all that can be had where a node is
tied by picosiemens alone beside siemens, as a transformer's winding between diodes that block.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.circuits.analyses.linear_solvers import Solve
from quire.circuits.errors import NewtonFailure, SingularCircuit
from quire.circuits.formulations.assembly import Branchwise, Ports, Voltages
from quire.circuits.netlist.elements import Options

Vector = Float[np.ndarray, " n"]
Matrix = Float[np.ndarray, "n n"]
_STIFF = 1e10  # siemens
_ROUNDING = 16 * float(np.finfo(float).eps)
_HARDLY = 1e-3  # of what the devices' currents may be off by
_NOT_AT_ONCE = 4  # iterations before the rest is held against its rounding
Attempt = Callable[[Matrix, Vector, tuple[Vector, Voltages]], "Point"]


@dataclass(frozen=True)
class Point:
    """Where Newton ended: unknowns, steering voltages, iterations, and whether it converged."""

    x: Vector
    w: Voltages
    iterations: int
    converged: bool
    worst: int = 0  # the unknown that moved most, against its tolerance
    change: float = 0.0
    q: Branchwise | None = None  # the devices' charges there, where it converged


@dataclass(frozen=True)
class Step:
    """The equations of one point: G x + alpha C (x - x0) + S (j + alpha (q - q0)) = right.

    Charges enter by what they gained since the last point, x0 and q0: the difference of two large
    numbers is never taken, so that a node tied by a megohm keeps its digits beside farads.
    """

    G: Matrix
    right: Vector
    alpha: float = 0.0
    C: Matrix | None = None
    x0: Vector | None = None
    q0: Branchwise | None = None
    matrix: Matrix | None = None  # G + alpha C, where it is at hand
    time: float = 0.0  # of the point, for sources given by an expression

    def linear(self, x: Vector) -> Vector:
        """Return the linear elements' part of the residual."""
        found = self.G @ x - self.right
        return found if self.C is None else found + self.alpha * (self.C @ (x - self.x0))

    @property
    def jacobian(self) -> Matrix:
        """The linear elements' part of the matrix."""
        if self.matrix is not None:
            return self.matrix
        return self.G if self.C is None else self.G + self.alpha * self.C


def newton(
    ports: Ports,
    step: Step,
    start: tuple[Vector, Voltages],
    options: Options,
    solve: Solve,
    most: int,
) -> Point:
    """Solve the equations of one point.

    Parameters
    ----------
    ports
        The devices.
    step
        The equations.
    start
        Unknowns and steering voltages to begin from.
    options
        Tolerances.
    solve
        A linear solver; NaN in its answer means singular. One with a method ``split`` is given the
        constant matrix and what the devices add to it apart.
    most
        Iterations allowed.
    """
    x, w = start
    matrix = step.jacobian
    split = getattr(solve, "split", None)
    tolerance = np.full(len(x), options.abstol)
    tolerance[: ports.system.node_count] = options.vntol
    predicted: Branchwise | None = None
    moved, worst, change = True, 0, np.inf
    hit = np.ones(1, dtype=bool)
    for iteration in range(1, most + 1):
        at = ports.evaluate(w, options.gmin, step.time)
        j, d = at.j, at.dj
        if step.alpha and step.q0 is not None:
            j, d = j + step.alpha * (at.q - step.q0), d + step.alpha * at.dq
        if not (np.isfinite(j).all() and np.isfinite(d).all()):
            return Point(x, w, iteration, False, worst, np.inf)
        if predicted is not None and not moved:
            room = options.reltol * np.maximum(np.abs(j), np.abs(predicted)) + options.abstol
            # w is a difference of voltages, each of which carries a rounding of its own
            room += _ROUNDING * ports.applied(np.abs(d), ports.magnitudes(x))
            if np.all(np.abs(j - predicted) <= room):
                return Point(x, w, iteration - 1, True, q=at.q)
        behind = ports.applied(d, ports.steering(x) - w)
        residual = step.linear(x) + ports.currents(j + behind)
        if iteration > _NOT_AT_ONCE and not hit.any():
            # an unknown that hardly anything ties moves with the rounding of what it is tied by
            rounding = np.abs(matrix) @ np.abs(x) + np.abs(step.right)
            applied = ports.applied(np.abs(d), ports.magnitudes(x))
            rounding += ports.sizes(np.abs(j) + applied)
            room = options.reltol * ports.sizes(j) + options.abstol
            if np.all(np.abs(residual) <= _ROUNDING * rounding + _HARDLY * room):
                return Point(x, w, iteration - 1, True, q=at.q)
        if split is None:
            gain = solve(matrix + ports.conductances(d), -residual)
        else:
            gain = split(matrix, ports.conductances(d), -residual)
        if not np.isfinite(gain).all():
            return Point(x, w, iteration, False, worst, np.inf)
        new = x + gain
        excess = np.abs(gain) / (options.reltol * np.maximum(np.abs(new), np.abs(x)) + tolerance)
        worst = int(np.argmax(excess))
        change = float(np.abs(gain)[worst])
        if ports.branches == 0:
            return Point(new, w, iteration, True, q=at.q)
        wanted = ports.steering(new)
        limited = ports.limit(wanted, w)
        hit = np.abs(limited - wanted) > 1e-9 + 1e-6 * np.abs(wanted)
        moved = bool(excess[worst] > 1 or hit.any())
        predicted = j + ports.applied(d, limited - w)
        x, w = new, limited
    return Point(x, w, most, False, worst, change)


def operating_point(
    ports: Ports,
    matrix: Matrix,
    right: Vector,
    options: Options,
    solve: Solve,
    start: tuple[Vector, Voltages] | None = None,
) -> Point:
    """Find a DC solution: directly, else by gmin stepping, else by source stepping.

    Parameters
    ----------
    ports, matrix, right, options, solve
        As in `newton`.
    start
        A neighbouring solution, or None; then nodes of ``.nodeset`` are held at first.

    Raises
    ------
    SingularCircuit
        When the equations have no unique solution without devices.
    NewtonFailure
        When nothing converges.
    """
    n = len(right)
    first = start if start is not None else (np.zeros(n), ports.begin())
    iterations = 0

    def attempt(matrix: Matrix, right: Vector, begin: tuple[Vector, Voltages]) -> Point:
        nonlocal iterations
        point = newton(ports, Step(matrix, right), begin, options, solve, options.itl1)
        iterations += point.iterations
        return point

    if start is None and ports.system.circuit.guesses:
        held, wanted = hold(ports, matrix, right, ports.system.circuit.guesses)
        guess = attempt(held, wanted, first)
        first = (guess.x, guess.w) if guess.converged else first
    direct = attempt(matrix, right, first)
    if direct.converged:
        return direct
    if ports.branches == 0:
        raise SingularCircuit(_blame(ports, matrix))
    nodes = np.zeros(n)
    nodes[: ports.system.node_count] = 1.0
    for staged in (_gmin_stepping, _source_stepping):
        point = staged(ports, matrix, right, nodes, attempt)
        if point is not None:
            return Point(point.x, point.w, iterations, True)
    raise NewtonFailure(None, ports.system.unknowns[direct.worst], direct.change)


def hold(
    ports: Ports, matrix: Matrix, right: Vector, volts: Mapping[str, float]
) -> tuple[Matrix, Vector]:
    """Return the equations with nodes held at voltages.

    SPICE holds a node by a source so stiff that the rest of its row does not matter.
    """
    matrix, right = matrix.copy(), right.copy()
    for node, value in volts.items():
        if node != "0":
            row = ports.system.index(node)
            matrix[row, row] += _STIFF
            right[row] += _STIFF * value
    return matrix, right


def _gmin_stepping(
    ports: Ports, matrix: Matrix, right: Vector, nodes: Vector, attempt: Attempt
) -> Point | None:
    """Tie every node to ground by a conductance that falls by decades to nothing."""
    place = (np.zeros(len(right)), ports.begin())
    for exponent in range(-2, -13, -1):
        point = attempt(matrix + np.diag(10.0**exponent * nodes), right, place)
        if not point.converged:
            return None
        place = (point.x, point.w)
    point = attempt(matrix, right, place)
    return point if point.converged else None


def _source_stepping(
    ports: Ports, matrix: Matrix, right: Vector, nodes: Vector, attempt: Attempt
) -> Point | None:
    """Turn the sources up from zero, by steps that halve where Newton fails."""
    share, step = 0.0, 0.1
    place = (np.zeros(len(right)), ports.steering(np.zeros(len(right))))
    point: Point | None = None
    while share < 1.0:
        target = min(1.0, share + step)
        point = attempt(matrix, target * right, place)
        if point.converged:
            share, step, place = target, min(2 * step, 0.25), (point.x, point.w)
        elif step < 1e-7:
            return None
        else:
            step /= 4
    return point


def _blame(ports: Ports, matrix: Matrix) -> str:
    """Name the unknowns of a null vector of the matrix."""
    _, values, vectors = np.linalg.svd(matrix)
    null = np.abs(vectors[-1])
    names = [ports.system.unknowns[k] for k in np.argsort(-null)[:4] if null[k] > 0.1]
    return f"no unique solution (least singular value {values[-1]:.3g}): {', '.join(names)}"
