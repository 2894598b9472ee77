"""Steps that keep the energy balance to rounding: Gonzalez's discrete gradient.

``x+ - x = h (J - R) g + h G u`` with the discrete gradient g of H, for which
``H(x+) - H(x) = g'(x+ - x)`` holds exactly; so ``H(x+) - H(x) = -h g'R g + h y'u``, ``y = G'g``.

Source: Gonzalez, Time integration and discrete Hamiltonian systems (1996).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from quire.checks import positive, real_array
from quire.signatures import checked
from quire.world_model.composition.port_hamiltonian import PortHamiltonian
from quire.world_model.errors import NonFinite, PortArity, WorldModelError

NEWTON_STEPS = 8
METHODS = ("discrete-gradient", "runge-kutta", "euler")


@dataclass(frozen=True)
class Trajectory:
    """A simulation.

    Attributes
    ----------
    states
        Shape (steps + 1, n).
    outputs
        Mean outputs over each step, shape (steps, ports).
    energies
        Shape (steps + 1,), in J.
    residuals
        ``H(x+) - H(x) + dissipated - supplied`` of each step, relative to the largest energy.
    """

    states: Float[np.ndarray, "instants n"]
    outputs: Float[np.ndarray, "steps ports"]
    energies: Float[np.ndarray, " instants"]
    residuals: Float[np.ndarray, " steps"]


def discrete_gradient(
    model: Any, x: Float[Array, " n"], new: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Return Gonzalez's discrete gradient of the energy between two states."""
    change, middle = new - x, (x + new) / 2
    slope = model.gradient(middle)
    size = change @ change
    scale = 1.0 + middle @ middle
    near = size < 1e-14 * scale  # where the quotient would be 0/0, the second term vanishes
    missing = model.energy(new) - model.energy(x) - slope @ change
    return slope + jnp.where(near, 0.0, missing / jnp.where(near, 1.0, size)) * change


@checked
def simulate(
    model: PortHamiltonian,
    start: Float[np.ndarray, " n"],
    inputs: Float[np.ndarray, "steps ports"],
    step_s: float,
    method: str = "discrete-gradient",
) -> Trajectory:
    """Return the trajectory of a model under inputs that are constant over each step.

    Parameters
    ----------
    model
        The model.
    start
        First state.
    inputs
        One row a step; shape (steps, 0) for a model without open ports.
    step_s
        Length of a step.
    method
        ``discrete-gradient``, or, for comparison, ``runge-kutta`` (order 4) or ``euler``.

    Raises
    ------
    WorldModelError
        For an unknown method.
    PortArity
        When start or inputs do not fit.
    NonFinite
        When a state becomes infinite or undefined.
    """
    h = positive("step_s", step_s)
    if method not in METHODS:
        raise WorldModelError(f"method = {method!r}: must be one of {METHODS}")
    x = real_array("start", start, 1)
    u = np.asarray(inputs, dtype=np.float64)
    if (
        x.shape != (model.order,)
        or u.ndim != 2
        or u.shape[1] != len(model.ports)
        or not np.isfinite(u).all()
    ):
        raise PortArity(
            f"start {x.shape}, inputs {u.shape}: must fit {model.order} states and "
            f"{len(model.ports)} ports"
        )
    matrices = (model.structure - model.dissipation, model.inputs)
    states, gradients, energies = _scan(model.energy, method, matrices, x, u, h)
    found = np.concatenate([x[None], np.asarray(states)])
    if not np.isfinite(found).all():
        bad = int(np.argmax(~np.isfinite(found).all(axis=1)))
        raise NonFinite(f"the state is not finite at step {bad}, {bad * h:g} s")
    g, levels = np.asarray(gradients), np.asarray(energies)
    outputs = g @ model.inputs
    supplied = h * np.sum(outputs * u, axis=1)
    lost = h * np.einsum("ti,ij,tj->t", g, model.dissipation, g)
    scale = max(np.abs(levels).max(), np.finfo(float).tiny)
    return Trajectory(found, outputs, levels, (np.diff(levels) + lost - supplied) / scale)


@partial(jax.jit, static_argnums=(0, 1))
def _scan(energy, method, matrices, x, u, h):  # type: ignore[no-untyped-def]
    flow, inputs = matrices
    model = _Plain(energy)

    def rate(state, now):  # type: ignore[no-untyped-def]
        return flow @ model.gradient(state) + inputs @ now

    def implicit(state, now):  # type: ignore[no-untyped-def]
        def miss(new):  # type: ignore[no-untyped-def]
            return new - state - h * (flow @ discrete_gradient(model, state, new) + inputs @ now)

        def newton(_, new):  # type: ignore[no-untyped-def]
            return new - jnp.linalg.solve(jax.jacfwd(miss)(new), miss(new))

        return jax.lax.fori_loop(0, NEWTON_STEPS, newton, state + h * rate(state, now))

    def runge_kutta(state, now):  # type: ignore[no-untyped-def]
        a = rate(state, now)
        b = rate(state + h / 2 * a, now)
        c = rate(state + h / 2 * b, now)
        d = rate(state + h * c, now)
        return state + h / 6 * (a + 2 * b + 2 * c + d)

    def step(state, now):  # type: ignore[no-untyped-def]
        if method == "discrete-gradient":
            new = implicit(state, now)
        elif method == "runge-kutta":
            new = runge_kutta(state, now)
        else:
            new = state + h * rate(state, now)
        return new, (new, discrete_gradient(model, state, new), energy(new))

    _, (states, gradients, energies) = jax.lax.scan(step, x, u)
    return states, gradients, jnp.concatenate([energy(x)[None], energies])


@dataclass(frozen=True)
class _Plain:
    """What `discrete_gradient` needs of a model."""

    energy: object

    def gradient(self, x):  # type: ignore[no-untyped-def]
        return jax.grad(self.energy)(x)  # type: ignore[arg-type]
