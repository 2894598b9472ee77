"""Port-Hamiltonian models, and the interconnection that makes one of several.

``x' = (J - R) grad H(x) + G u``, ``y = G' grad H(x)`` with J skew-symmetric and R positive
semidefinite, so that ``dH/dt <= y' u``: a model gives no more energy than it has received.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from quire.checks import real_array, whole_array
from quire.signatures import checked
from quire.world_model.errors import NotSkewSymmetric, PortArity, UnitMismatch, WorldModelError
from quire.world_model.nano.units import Port

Matrix = Float[np.ndarray, "_ _"]
Energy = Callable[[Float[Array, " n"]], Float[Array, ""]]


@dataclass(frozen=True)
class PortHamiltonian:
    """A port-Hamiltonian model; make one with `port_hamiltonian`.

    Attributes
    ----------
    energy
        H, a differentiable function of the state (J).
    structure, dissipation, inputs
        The matrices J, R and G.
    ports
        One a column of G.
    """

    energy: Energy
    structure: Matrix
    dissipation: Matrix
    inputs: Matrix
    ports: tuple[Port, ...]

    @property
    def order(self) -> int:
        """Return the number of states."""
        return self.structure.shape[0]

    def gradient(self, x: Float[Array, " n"]) -> Float[Array, " n"]:
        """Return the gradient of the energy."""
        return jax.grad(self.energy)(x)

    def rate(self, x: Float[Array, " n"], u: Float[Array, " ports"]) -> Float[Array, " n"]:
        """Return the time derivative of the state."""
        flow = jnp.asarray(self.structure - self.dissipation)
        return flow @ self.gradient(x) + jnp.asarray(self.inputs) @ u

    def output(self, x: Float[Array, " n"]) -> Float[Array, " ports"]:
        """Return the outputs of the ports."""
        return jnp.asarray(self.inputs).T @ self.gradient(x)


@checked
def port_hamiltonian(
    energy: Energy, structure: Matrix, dissipation: Matrix, inputs: Matrix, ports: Sequence[Port]
) -> PortHamiltonian:
    """Return a port-Hamiltonian model, its matrices checked.

    Raises
    ------
    NotSkewSymmetric
        When J is not skew-symmetric.
    PortArity
        When the shapes, or the number of ports, do not fit.
    WorldModelError
        When R is not symmetric positive semidefinite, or two ports have one name.
    """
    j = real_array("structure", structure, 2)
    r = real_array("dissipation", dissipation, 2)
    g = np.zeros((j.shape[0], 0)) if not len(ports) else real_array("inputs", inputs, 2)
    n = j.shape[0]
    if j.shape != (n, n) or r.shape != (n, n) or g.shape != (n, len(ports)):
        raise PortArity(
            f"shapes J {j.shape}, R {r.shape}, G {g.shape}: must fit {len(ports)} ports"
        )
    if not np.array_equal(j, -j.T):
        raise NotSkewSymmetric(
            f"structure: must be skew-symmetric, |J + J'| is {np.abs(j + j.T).max():g}"
        )
    scale = max(1.0, np.abs(r).max())
    if not np.array_equal(r, r.T) or np.linalg.eigvalsh(r)[0] < -1e-12 * scale:
        raise WorldModelError("dissipation: must be symmetric and positive semidefinite")
    if len({p.name for p in ports}) != len(ports):
        raise WorldModelError("ports: must have different names")
    if jax.eval_shape(energy, jax.ShapeDtypeStruct((n,), jnp.float64)).shape != ():
        raise PortArity("energy: must return one number")
    return PortHamiltonian(energy, j, r, g, tuple(ports))


@checked
def interconnect(
    models: Sequence[PortHamiltonian],
    coupling: Matrix,
    outer: Sequence[int] = (),
    unchecked: bool = False,
) -> PortHamiltonian:
    """Return the model of several, coupled by ``u = K y + v``.

    With K skew-symmetric the wires carry power and make none, and the whole is port-Hamiltonian:
    ``J = blkdiag(J_i) + G K G'``, ``R = blkdiag(R_i)``, ``H = sum of H_i``.

    Parameters
    ----------
    models
        The parts; all their ports are numbered in order.
    coupling
        The matrix K, one row and column a port.
    outer
        Ports that stay open for v.
    unchecked
        Take any K; its symmetric part then counts as (possibly negative) dissipation. Only to see
        what happens.

    Raises
    ------
    NotSkewSymmetric
        When K is not skew-symmetric.
    UnitMismatch
        When a wire joins an output to an input of another unit.
    PortArity
        When K has another shape, or an outer port does not exist.
    """
    ports = [p for m in models for p in m.ports]
    if not ports:
        raise PortArity("models: must have ports")
    k = real_array("coupling", coupling, 2)
    if k.shape != (len(ports), len(ports)):
        raise PortArity(
            f"coupling of shape {k.shape}: must be {len(ports)} by {len(ports)}, one a port"
        )
    if not unchecked and not np.array_equal(k, -k.T):
        raise NotSkewSymmetric(
            f"coupling: must be skew-symmetric, |K + K'| is {np.abs(k + k.T).max():g}"
        )
    for row, column in np.argwhere(k):
        if ports[row].input != ports[column].output:
            raise UnitMismatch(
                f"port {ports[row].name!r} takes {ports[row].input}, "
                f"port {ports[column].name!r} gives {ports[column].output}"
            )
    places = whole_array("outer", outer, 1).tolist()
    if any(not 0 <= place < len(ports) for place in places):
        raise PortArity(f"outer = {places}: must be ports from 0 to {len(ports) - 1}")
    g = scipy.linalg.block_diag(*(m.inputs for m in models))
    added = g @ k @ g.T
    structure = scipy.linalg.block_diag(*(m.structure for m in models)) + (added - added.T) / 2
    dissipation = scipy.linalg.block_diag(*(m.dissipation for m in models)) - (added + added.T) / 2
    bounds = np.cumsum([0, *(m.order for m in models)])

    def energy(x: Float[Array, " n"]) -> Float[Array, ""]:
        total = jnp.zeros(())
        for m, a, b in zip(models, bounds[:-1], bounds[1:], strict=True):
            total = total + m.energy(x[a:b])
        return total

    named = [
        Port(f"{k}.{p.name}", p.input, p.output) for k, m in enumerate(models) for p in m.ports
    ]
    chosen = tuple(named[place] for place in places)
    return PortHamiltonian(energy, structure, dissipation, g[:, places], chosen)


@checked
def wire(models: Sequence[PortHamiltonian], pairs: Sequence[tuple[int, int]]) -> Matrix:
    """Return the coupling K that joins ports in pairs: ``u_a = y_b``, ``u_b = -y_a``.

    Raises
    ------
    PortArity
        When a port does not exist, or is wired twice.
    """
    count = sum(len(m.ports) for m in models)
    flat = [p for pair in pairs for p in pair]
    if any(not 0 <= p < count for p in flat) or len(set(flat)) != len(flat):
        raise PortArity(f"pairs = {list(pairs)}: must join different ports from 0 to {count - 1}")
    k = np.zeros((count, count))
    for a, b in pairs:
        k[a, b], k[b, a] = 1.0, -1.0
    return k
