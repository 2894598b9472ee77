"""Many variants of one transient analysis as one XLA program.

All variants take the same steps; the scan over steps holds Newton's loop, which runs until the last
variant has converged. Lanes (variants) are the last axis of every array, so that each operation is
one vector operation over them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.checks import integer, positive
from quire.circuits.analyses.steady import check_charges
from quire.circuits.analyses.transient import initial_gap, initial_point
from quire.circuits.batched.grid import Grid, make_grid
from quire.circuits.batched.parameters import Varied, find_varied
from quire.circuits.batched.reduced import gauss_jordan_lanes, independent_directions, times
from quire.circuits.errors import CircuitError
from quire.circuits.formulations.assembly import Ports
from quire.circuits.formulations.mna import System, build_system
from quire.circuits.formulations.topology import check_topology
from quire.circuits.netlist.elements import Circuit, Transient
from quire.signatures import checked


@checked
@dataclass(frozen=True)
class Tolerances:
    """When a lane has converged, and how many iterations are allowed.

    Raises
    ------
    ValueError
        For a tolerance that is not positive, or no iteration.
    """

    reltol: float = 1e-4
    vntol: float = 1e-6
    iterations: int = 50

    def __post_init__(self) -> None:
        positive("reltol", self.reltol)
        positive("vntol", self.vntol)
        integer("iterations", self.iterations)


@dataclass(frozen=True, eq=False)
class Batch:
    """A circuit prepared for batched runs; call `run` with values of what varies."""

    system: System
    grid: Grid
    varied: tuple[Varied, ...]
    outputs: tuple[str, ...]
    rows: Any  # output voltages as combinations of unknowns
    basis: Any  # directions of the steering voltages that devices can move, orthonormal columns
    start: Any  # nominal unknowns at time zero
    gap: Any  # charge at time zero beyond that of the unknowns
    use_initial: bool
    linearised: Any  # the devices' conductances at the nominal start, dense, by kind of step
    tolerances: Tolerances

    @property
    def times(self) -> Any:
        """The points in time, zero included."""
        return self.grid.times

    @property
    def size(self) -> tuple[int, int]:
        """Unknowns of the whole system, and unknowns that Newton's method solves for."""
        return self.system.n, self.basis.shape[1]


@checked
def prepare(
    circuit: Circuit,
    outputs: Sequence[str],
    varied: Sequence[str],
    h: float,
    analysis: Transient | None = None,
    tolerances: Tolerances | None = None,
) -> Batch:
    """Prepare batched transient runs.

    Parameters
    ----------
    circuit
        The circuit; its own values are the nominal variant.
    outputs
        Nodes whose voltages are recorded, or pairs such as ``p,n``.
    varied
        What varies, as in `batched.parameters`.
    h
        The step of the common grid, in seconds.
    analysis
        Start and end; the deck's own where None.
    tolerances
        Of Newton's method.

    Raises
    ------
    KeyError
        When an output is no node, or the deck asks for no transient analysis.
    CircuitError
        For what cannot vary, or a circuit outside the subset.
    SingularCircuit
        As in `solve_op`.
    NewtonFailure
        When the nominal variant has no operating point.
    ValueError
        For no output, or a step that does not fit the run.
    """
    asked = analysis or circuit.analysis(Transient)
    assert isinstance(asked, Transient)
    check_topology(circuit, moving=asked.use_initial)
    check_charges(circuit)
    system = build_system(circuit)
    timed = next((g.names[0] for g in system.groups if "time" in g.parameters), None)
    if timed is not None:
        raise CircuitError(f"{timed}: a source by expression is outside what a batched run takes")
    if circuit.initial and not asked.use_initial:
        raise CircuitError(".ic without uic is outside what a batched run takes")
    if not outputs:
        raise ValueError("outputs is empty: at least one node is needed")
    ports = Ports(system)
    x, w = initial_point(system, ports, asked, "automatic")
    grid = make_grid(system, asked, h)
    at = ports.evaluate(w, circuit.options.gmin)
    flat = np.stack([_linearisation(system, ports, at, alpha) for alpha in [0.0, *grid.alphas]])
    linear = np.stack([ports.conductances(row) for row in flat])
    rows = np.stack([_output(system, name) for name in outputs])
    batch = Batch(
        system, grid, find_varied(system, varied), tuple(outputs), rows,
        np.zeros((ports.voltages, 0)), x, initial_gap(system, asked, x), asked.use_initial,
        (linear, flat), tolerances or Tolerances(),
    )  # fmt: skip
    return replace(batch, basis=_basis(batch))


def _basis(batch: Batch) -> Any:
    """Return the directions that devices move in the nominal variant and in four others."""
    factors = np.random.default_rng(0).uniform(0.8, 1.2, (len(batch.varied), 5))
    factors[:, 0] = 1.0
    nominal = np.array([v.nominal for v in batch.varied])
    if Ports(batch.system).branches == 0:
        return batch.basis
    MS = jax.jit(lambda values: _Model(batch, values).MS)(jnp.asarray(nominal[:, None] * factors))
    _, P = Ports(batch.system).incidence()
    reach = np.einsum("nc,kndb->ckdb", P, np.asarray(MS))
    return independent_directions(reach.reshape(len(reach), -1))


def _linearisation(system: System, ports: Ports, at: Any, alpha: float) -> Any:
    """Return the conductances that the devices are given in the constant part: none if it can be.

    Where the linear elements alone leave the matrix singular, or nearly so, those of the nominal
    start make it regular; Newton's method then solves for what differs from them.
    """
    matrix = system.G + alpha * system.C
    size = np.abs(matrix).max(axis=1, keepdims=True)
    if np.all(size > 0) and np.linalg.cond(matrix / size) < 1e12:
        return np.zeros_like(at.dj)
    return at.dj + alpha * at.dq


def _output(system: System, name: str) -> Any:
    row = np.zeros(system.n + 1)
    for node, sign in zip(
        (part.strip().lower() for part in name.split(",")), (1.0, -1.0), strict=False
    ):
        row[system.n if node in ("0", "gnd") else system.index(node)] += sign
    return row[: system.n]


def run(batch: Batch, values: Any, *, differentiable: bool = False) -> tuple[Any, Any]:
    """Return recorded voltages ``[points, outputs, lanes]`` and whether each lane converged.

    Traceable: call it under `jax.jit`, or through `monte_carlo.run_variants`.

    Parameters
    ----------
    batch
        What `prepare` returned.
    values
        Values of what varies, ``[quantities, lanes]``.
    differentiable
        Follow each converged solution with one Newton step that carries derivatives: by the
        implicit function theorem they are then exact for the discretised equations.
    """
    values = jnp.asarray(values)
    lanes = values.shape[1]
    system, grid = batch.system, batch.grid
    model = _Model(batch, values)
    x0 = jnp.broadcast_to(jnp.asarray(batch.start)[:, None], (system.n, lanes))
    ok = jnp.ones(lanes, bool)
    rate0 = jnp.zeros_like(x0)
    if not batch.use_initial:
        held = jnp.zeros_like(x0) + jnp.asarray(grid.inputs[0])[:, None]
        x0, _, fine = model.advance(
            0, 0.0, held - model.G_times(x0), x0, jnp.zeros_like(x0), differentiable
        )
        ok = ok & fine
    gap = jnp.asarray(batch.gap)[:, None]

    def step(carry: Any, given: Any) -> Any:
        x, rate, guess, ok = carry
        which, alpha, beta, ratio, inputs, extra = given
        right = inputs[:, None] + beta * rate + extra * alpha * gap - model.G_times(x)
        new, gained, fine = model.advance(which, alpha, right, x, guess * ratio, differentiable)
        rate = alpha * (gained - extra * gap) - beta * rate
        return (new, rate, new - x, ok & fine), times(jnp.asarray(batch.rows), new)

    steps = np.diff(grid.times)
    alpha = grid.alphas[grid.which]
    beta = np.where(grid.euler, 0.0, 1.0)
    ratio = np.concatenate([[0.0], steps[1:] / steps[:-1]])
    extra = np.zeros(len(steps))
    extra[0] = 1.0
    series = (grid.which + 1, alpha, beta, ratio, grid.inputs[1:], extra)
    (_, _, _, ok), waves = jax.lax.scan(
        step, (x0, rate0, jnp.zeros_like(x0), ok), tuple(jnp.asarray(a) for a in series)
    )
    first = times(jnp.asarray(batch.rows), x0)[None]
    return jnp.concatenate([first, waves]), ok


class _Model:
    """The equations with one set of values per lane."""

    def __init__(self, batch: Batch, values: Any) -> None:
        self.batch, system = batch, batch.system
        ports = Ports(system)
        self.S, self.P = (jnp.asarray(m) for m in ports.incidence())
        self.ports, self.gmin = ports, system.circuit.options.gmin
        linear = {
            "r": jnp.asarray(system.resistors.values)[:, None],
            "c": jnp.asarray(system.capacitors.values)[:, None],
            "l": jnp.asarray(system.inductors.values)[:, None],
        }
        laws: list[dict[str, Any]] = [
            {
                key: v if isinstance(v, bool) else jnp.asarray(v)[:, None]
                for key, v in group.parameters.items()
            }
            for group in system.groups
        ]
        lanes = values.shape[1]
        for v, row in zip(batch.varied, values, strict=True):
            if v.kind in linear:
                wide = jnp.broadcast_to(linear[v.kind], (linear[v.kind].shape[0], lanes))
                linear[v.kind] = wide.at[v.position].set(row)
                continue
            k = [group.kind.name for group in system.groups].index(v.kind)
            old = laws[k][v.law]
            wide = jnp.broadcast_to(old, (old.shape[0], lanes))
            laws[k][v.law] = wide.at[v.position].multiply(row / v.nominal)
        self.laws = laws
        self.shortest = ports.shortest
        kinds = {v.kind for v in batch.varied}
        self.G, C = jnp.asarray(system.G)[..., None], jnp.asarray(system.C)[..., None]
        if "r" in kinds:
            self.G = _varied(
                system.G, system.resistors, 1 / linear["r"], 1 / system.resistors.values
            )
        if "c" in kinds:
            C = _varied(system.C, system.capacitors, linear["c"], system.capacitors.values)
        for k, name in enumerate(system.inductors.names):
            row = system.index(name)
            change = system.inductors.values[k] - linear["l"][k]
            C = jnp.broadcast_to(C, (*C.shape[:2], max(C.shape[2], change.shape[0])))
            C = C.at[row, row].add(change)
        self.C = C
        dense, flat = batch.linearised
        inverses = []
        for k, alpha in enumerate([0.0, *batch.grid.alphas]):
            A = self.G + alpha * C + jnp.asarray(dense[k])[..., None]
            inverses.append(jnp.moveaxis(jnp.linalg.inv(jnp.moveaxis(A, -1, 0)), 0, -1))
        self.M = jnp.stack(inverses)
        self.flat = jnp.asarray(flat)
        self.MS = jnp.einsum("kijb,jd->kidb", self.M, self.S)
        self.basis = jnp.asarray(batch.basis)
        self.Z = jnp.einsum("cr,nc,kndb->krdb", self.basis, self.P, self.MS)
        # D0 as a dense map from steering voltages to branch currents, by kind of step
        maps = np.zeros((len(flat), ports.branches, ports.voltages))
        for k, row in enumerate(flat):
            np.add.at(maps[k], (ports.branch_of, ports.voltage_of), row)
        self.D0 = jnp.asarray(maps)

    def G_times(self, x: Any) -> Any:
        """Return G x per lane."""
        return times(self.G, x)

    def law(self, w: Any, laws: Any) -> tuple[Any, Any, Any, Any]:
        """Return j, q ``[branches, lanes]`` and their derivatives ``[terms, lanes]``."""
        out: tuple[list[Any], ...] = ([], [], [], [])
        for group, (vs, _), p in zip(
            self.batch.system.groups, self.ports.slices, laws, strict=True
        ):
            k = group.count
            shaped = w[vs].reshape(-1, k, w.shape[1])
            law = group.kind.law(jnp, p, shaped, self.gmin)
            full = (k, w.shape[1])
            for into, parts in zip(
                out,
                (law.j, law.q, [x for r in law.dj for x in r], [x for r in law.dq for x in r]),
                strict=True,
            ):
                into.extend(jnp.broadcast_to(part, full) for part in parts)
        return tuple(jnp.concatenate(parts) for parts in out)  # type: ignore[return-value]

    def limit(self, new: Any, old: Any, laws: Any) -> Any:
        """Return the steering voltages that a step may go to.

        Short steps are never limited, so that nothing is computed in the many iterations in which
        no lane takes a longer one.
        """

        def parts() -> Any:
            found = []
            groups = zip(self.batch.system.groups, self.ports.slices, laws, strict=True)
            for group, (vs, _), p in groups:
                shape = (-1, group.count, new.shape[1])
                found += group.kind.limit(jnp, p, new[vs].reshape(shape), old[vs].reshape(shape))
            return jnp.concatenate(found)

        short = ~jnp.any(jnp.abs(new - old) > self.shortest)
        return jax.lax.cond(short, lambda: new, parts)

    def advance(
        self, which: Any, alpha: Any, right: Any, x: Any, guess: Any, differentiable: bool
    ) -> tuple[Any, Any, Any]:
        """Solve one point: return the new unknowns, the charge gained, and which lanes converged.

        The change d of the unknowns solves ``A d + S [j + alpha (q - q_old) - D0 P^T d] = right``.
        """
        if self.ports.branches == 0:
            d = times(self.M[which], right)
            return x + d, times(self.C, d), jnp.ones(x.shape[1], bool)
        base = times(self.M[which], right)
        w_old = self.P.T @ x
        at = {
            "begin": w_old + self.P.T @ base,  # what the linear elements alone would give
            "w_old": w_old,
            "q_old": self.law(w_old, self.laws)[1],
            "Z": self.Z[which],
            "D0": self.D0[which],
            "flat": self.flat[which],
            "alpha": alpha,
            "laws": self.laws,
        }
        # no derivative goes through the loop: the step after it carries the exact one
        frozen = jax.tree.map(_still, at) if differentiable else at
        ahead = self.P.T @ (guess - base)
        y, done = self._newton(
            frozen, self.basis.T @ (jax.lax.stop_gradient(ahead) if differentiable else ahead)
        )
        if differentiable:
            y = jax.lax.stop_gradient(y)
            w = at["begin"] + self.basis @ y
            law = self.law(w, at["laws"])
            J = jax.lax.stop_gradient(self._jacobian(law, frozen))
            residual = y + times(at["Z"], self._excess(w, law, at))
            y = y - gauss_jordan_lanes(J, residual)
        w = at["begin"] + self.basis @ y
        law = self.law(w, self.laws)
        d = base - times(self.MS[which], self._excess(w, law, at))
        gained = times(self.C, d) + self.S @ (law[1] - at["q_old"])
        return x + d, gained, done

    def _excess(self, w: Any, law: Any, at: Any) -> Any:
        """Return the branch currents beyond those of the linearisation D0."""
        return law[0] + at["alpha"] * (law[1] - at["q_old"]) - at["D0"] @ (w - at["w_old"])

    def _slopes(self, law: Any, at: Any) -> Any:
        return law[2] + at["alpha"] * law[3] - at["flat"][:, None]

    def _jacobian(self, law: Any, at: Any) -> Any:
        """Return I + Z (D - D0) T, the matrix of Newton's method at the ports."""
        terms = at["Z"][:, self.ports.branch_of] * self._slopes(law, at)[None]
        J = jnp.einsum("rtb,ts->rsb", terms, self.basis[self.ports.voltage_of])
        return J + jnp.eye(J.shape[0])[..., None]

    def _newton(self, at: Any, y: Any) -> tuple[Any, Any]:
        """Iterate until every lane has converged, or none may go on."""
        tol = self.batch.tolerances

        def iterate(carry: Any) -> Any:
            y, w, count, _ = carry
            law = self.law(w, at["laws"])
            behind = _applied(self.ports, self._slopes(law, at), at["begin"] + self.basis @ y - w)
            residual = y + times(at["Z"], self._excess(w, law, at) + behind)
            gain = gauss_jordan_lanes(self._jacobian(law, at), -residual)
            y = y + gain
            wanted = at["begin"] + self.basis @ y
            limited = self.limit(wanted, w, at["laws"])
            moved = jnp.abs(self.basis @ gain) > tol.reltol * jnp.abs(wanted) + tol.vntol
            hit = jnp.abs(limited - wanted) > 1e-9 + 1e-6 * jnp.abs(wanted)
            done = ~jnp.any(moved | hit | ~jnp.isfinite(wanted), axis=0)
            return y, limited, count + 1, done

        def going(carry: Any) -> Any:
            return (carry[2] < tol.iterations) & ~jnp.all(carry[3])

        w = self.limit(at["begin"] + self.basis @ y, at["w_old"], at["laws"])
        start = (y, w, 0, jnp.zeros(y.shape[1], bool))
        y, _, _, done = jax.lax.while_loop(going, iterate, start)
        return y, done


def _still(value: Any) -> Any:
    return value if isinstance(value, bool) else jax.lax.stop_gradient(value)


def _applied(ports: Ports, d: Any, w: Any) -> Any:
    terms = d * w[ports.voltage_of]
    return jnp.zeros((ports.branches, w.shape[1])).at[ports.branch_of].add(terms)


def _varied(matrix: Any, linear: Any, values: Any, nominal: Any) -> Any:
    """Return the matrix with two-terminal values changed, ``[n, n, lanes or 1]``."""
    n = len(matrix)
    out = jnp.asarray(matrix)[..., None]
    incidence = np.zeros((n + 1, len(linear.names)))
    columns = np.arange(len(linear.names))
    np.add.at(incidence, (linear.nodes[:, 0], columns), 1.0)
    np.add.at(incidence, (linear.nodes[:, 1], columns), -1.0)
    A = jnp.asarray(incidence[:n])
    return out + jnp.einsum("ik,jk,kb->ijb", A, A, values - jnp.asarray(nominal)[:, None])
