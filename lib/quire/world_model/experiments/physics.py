"""Energy: kept by the discrete gradient, lost by others, and passive parts under two couplings."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from quire.checks import integer
from quire.world_model.composition.discrete_gradient import simulate
from quire.world_model.composition.port_hamiltonian import (
    PortHamiltonian,
    interconnect,
    port_hamiltonian,
    wire,
)
from quire.world_model.errors import NonFinite
from quire.world_model.nano.units import port

FLOW = np.array([[0.0, 1.0], [-1.0, 0.0]])


@dataclass(frozen=True)
class Balance:
    """A method's largest violation of the energy balance in a step, and the drift over the run."""

    method: str
    violation: float
    drift: float
    finished: bool


def parts(damping: float = 0.05) -> list[PortHamiltonian]:
    """Return two carts on stiffening springs, and the spring that is to join them."""
    carts = [_cart(stiffness, damping) for stiffness in (1.0, 2.0)]
    pull = [port("speed left", "m s^-1", "N"), port("speed right", "m s^-1", "N")]
    still, pull_both = np.zeros((1, 1)), np.array([[1.0, -1.0]])
    spring = port_hamiltonian(lambda x: 0.75 * x[0] ** 2, still, still, pull_both, pull)
    return [*carts, spring]


def _cart(stiffness: float, damping: float) -> PortHamiltonian:
    def energy(x: Float[Array, " n"]) -> Float[Array, ""]:
        return jnp.asarray(x[1] ** 2 / 2 + stiffness * x[0] ** 2 / 2 + x[0] ** 4 / 8)

    push = [port(f"force {stiffness:g}", "N", "m s^-1")]
    return port_hamiltonian(energy, FLOW, np.diag([0.0, damping]), np.array([[0.0], [1.0]]), push)


def coupled(damping: float = 0.05, symmetric: bool = False) -> PortHamiltonian:
    """Return both carts joined by the spring, by power-keeping wires or by ones that are not."""
    made = parts(damping)
    k = wire(made, [(0, 2), (1, 3)])
    return interconnect(made, np.abs(k) if symmetric else k, unchecked=symmetric)


def balances(steps: int, step_s: float = 0.1) -> list[Balance]:
    """Return how three methods keep the energy of the coupled carts without damping."""
    model = coupled(0.0)
    start = np.array([1.5, 0.0, -0.5, 0.3, 0.2])
    count = integer("steps", steps)
    rows = []
    for method in ("discrete-gradient", "runge-kutta", "euler"):
        try:
            run = simulate(model, start, np.zeros((count, 0)), step_s, method)
        except NonFinite:
            rows.append(Balance(method, float("inf"), float("inf"), False))
            continue
        drift = float(run.energies[-1] / run.energies[0] - 1)
        rows.append(Balance(method, float(np.abs(run.residuals).max()), drift, True))
    return rows


def gains(states: int, seed: int, symmetric: bool) -> int:
    """Return at how many random states the whole gains energy, with no port open.

    The power is that of the rate itself, grad H(x) . x', relative to the sizes of both: no matrix
    that the composition made is asked whether it is passive.
    """
    model = coupled(0.05, symmetric)
    rng = np.random.default_rng(integer("seed", seed, 0))
    x = jnp.asarray(rng.normal(size=(integer("states", states), model.order)) * 2)
    slope = np.asarray(jax.vmap(model.gradient)(x))
    rate = np.asarray(jax.vmap(lambda s: model.rate(s, jnp.zeros(0)))(x))
    power = np.sum(slope * rate, axis=1)
    size = np.linalg.norm(slope, axis=1) * np.linalg.norm(rate, axis=1)
    return int(np.sum(power > 1e-12 * size))
