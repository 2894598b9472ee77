"""One small system for each of the paper's domains, stepped by a method that keeps its law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float

from quire.checks import integer, non_negative, positive, real_array
from quire.world_model.errors import WorldModelError
from quire.world_model.learning.tanks import SUB_STEPS

Vector = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Law:
    """How well a system kept its law over a run.

    Attributes
    ----------
    domain, system, law
        Their names.
    residual
        Largest violation, relative; zero is perfect.
    """

    domain: str
    system: str
    law: str
    residual: float


def spacecraft(
    inertia: Vector, rates: Vector, steps: int, step_s: float
) -> tuple[Float[np.ndarray, "steps 3"], Float[np.ndarray, "steps 4"]]:
    """Return body angular momenta and attitude quaternions of a free rigid body.

    The momentum takes Lie-Poisson midpoint steps: each is a rotation of the momentum (Cayley's), so
    that its length is kept; the energy as well, since the midpoint keeps quadratic invariants.

    Raises
    ------
    WorldModelError
        When a fixed-point iteration of a step does not settle.
    """
    i = real_array("inertia", inertia, 1, above=0.0)
    w = real_array("rates", rates, 1)
    if i.shape != (3,) or w.shape != (3,):
        raise WorldModelError("inertia, rates: must hold three numbers each")
    h, count = positive("step_s", step_s), integer("steps", steps)
    momentum, q = i * w, np.array([1.0, 0, 0, 0])
    momenta, attitudes = [momentum], [q]
    for _ in range(count):
        new = momentum
        for _ in range(100):
            middle = (momentum + new) / 2
            last, new = new, momentum + h * np.cross(middle, middle / i)
            if np.abs(new - last).max() <= 1e-16 * np.abs(momentum).max():
                break
        else:
            if np.abs(new - last).max() > 1e-13 * max(np.abs(momentum).max(), 1e-300):
                raise WorldModelError(f"step_s = {h:g}: too long for these rates")
        spin = h * (momentum + new) / 2 / i / 4
        turn = np.array([1.0, *spin])
        turn = _quaternion(turn, turn) / (turn @ turn)  # Cayley: a unit quaternion up to rounding
        q = _quaternion(q, turn)
        momentum = new
        momenta.append(momentum)
        attitudes.append(q)
    return np.array(momenta), np.array(attitudes)


def building(
    conductances: Float[np.ndarray, "n n"],
    heat: Vector,
    start: Vector,
    gains: Vector,
    steps: int,
    step_s: float,
) -> Float[np.ndarray, "steps n"]:
    """Return zone temperatures: ``C_i T_i' = sum_j (T_j - T_i)/R_ij + Q_i``, by implicit midpoint.

    Parameters
    ----------
    conductances
        1/R_ij, symmetric, W/K.
    heat
        Heat capacities C_i, J/K.
    start
        First temperatures, K.
    gains
        Heat put into each zone, W.
    steps, step_s
        Number and length of steps.

    Raises
    ------
    WorldModelError
        When the conductances are not symmetric and non-negative.
    """
    g = real_array("conductances", conductances, 2, least=0.0)
    c, t = real_array("heat", heat, 1, above=0.0), real_array("start", start, 1)
    q = real_array("gains", gains, 1)
    if not np.array_equal(g, g.T) or g.shape != (len(c), len(c)):
        raise WorldModelError("conductances: must be symmetric, one row a zone")
    laplacian = np.diag(g.sum(axis=1)) - g
    h = positive("step_s", step_s)
    left = np.diag(c) + h / 2 * laplacian
    factor = scipy.linalg.lu_factor(left)
    out = [t]
    for _ in range(integer("steps", steps)):
        t = t + scipy.linalg.lu_solve(factor, h * (q - laplacian @ t))
        out.append(t)
    return np.array(out)


def infusion(
    k10: float, k12: float, k21: float, rates: Vector, step_s: float
) -> Float[np.ndarray, "steps 3"]:
    """Return both amounts and what was eliminated, stepped by the matrix exponential.

    The third column grows by what left the first, so that amounts sum to what was infused.
    """
    out, across, back = (non_negative(n, v) for n, v in (("k10", k10), ("k12", k12), ("k21", k21)))
    u, h = real_array("rates", rates, 1, least=0.0), positive("step_s", step_s)
    a = np.zeros((4, 4))
    a[0, :2], a[0, 3] = (-(out + across), back), 1.0
    a[1, :2] = across, -back
    a[2, 0] = out
    step = scipy.linalg.expm(h * a)
    x = np.zeros(3)
    states = [x]
    for rate in u:
        x = (step @ np.array([*x, rate]))[:3]
        states.append(x)
    return np.array(states)


def ballistic(
    velocity: Vector, drag: float, steps: int, step_s: float
) -> tuple[Float[np.ndarray, "steps 2"], Float[np.ndarray, "steps 2"]]:
    """Return positions and velocities of a body with quadratic drag, in a plane.

    The step is implicit at the midpoint velocity: gravity does exactly the work that height loses,
    and drag only takes.
    """
    v, k = real_array("velocity", velocity, 1), non_negative("drag", drag)
    h, g = positive("step_s", step_s), np.array([0.0, -9.80665])
    x = np.zeros(2)
    places, speeds = [x], [v]
    for _ in range(integer("steps", steps)):
        new = v
        for _ in range(60):
            middle = (v + new) / 2
            new = v + h * (g - k * np.sqrt(middle @ middle) * middle)
        x = x + h * (v + new) / 2
        v = new
        places.append(x)
        speeds.append(v)
    return np.array(places), np.array(speeds)


def enzyme(
    rate: float, half: float, substrate: float, steps: int, step_s: float
) -> Float[np.ndarray, "steps 2"]:
    """Return substrate and product under Michaelis-Menten kinetics, by implicit Euler."""
    v, k = positive("rate", rate), positive("half", half)
    s, p = non_negative("substrate", substrate), 0.0
    h = positive("step_s", step_s)
    out = [(s, p)]
    for _ in range(integer("steps", steps)):
        b = k + h * v - s  # implicit Euler: a quadratic with one root that is not negative
        new = (-b + np.sqrt(b * b + 4 * k * s)) / 2
        moved = s - new
        s, p = s - moved, p + moved
        out.append((s, p))
    return np.array(out)


def laws(steps: int, seed: int) -> list[Law]:
    """Return how well each domain's system keeps its law over a run of some steps."""
    count = integer("steps", steps)
    rng = np.random.default_rng(integer("seed", seed, 0))
    momenta, attitudes = spacecraft(np.array([1.0, 2.0, 3.0]), rng.normal(size=3), count, 0.01)
    length = np.linalg.norm(momenta, axis=1)
    kinetic = np.sum(momenta**2 / np.array([1.0, 2.0, 3.0]), axis=1)
    found = [
        Law(
            "aerospace",
            "free rigid body",
            "angular momentum and energy",
            max(_drift(length), _drift(kinetic)),
        ),
        Law(
            "aerospace",
            "free rigid body",
            "unit quaternion",
            _drift(np.linalg.norm(attitudes, axis=1)),
        ),
    ]
    n = 20
    joined = np.triu(rng.random((n, n)) < 0.2, 1) * rng.uniform(5, 50, (n, n))
    heat = rng.uniform(1e6, 5e6, n)
    gains = rng.uniform(-500, 500, n)
    zones = building(joined + joined.T, heat, rng.uniform(285, 300, n), gains, count, 60.0)
    stored = zones @ heat
    put = gains.sum() * 60.0 * np.arange(count + 1)
    found.append(
        Law(
            "smart cities",
            "20 zones",
            "energy",
            float(np.abs(stored - stored[0] - put).max() / stored[0]),
        )
    )
    rates = rng.uniform(0, 2, count)
    amounts = infusion(0.1, 0.2, 0.05, rates, 0.1)
    infused = np.concatenate([[0.0], np.cumsum(rates) * 0.1])
    found.append(
        Law(
            "medical devices",
            "infusion, two compartments",
            "mass",
            float(np.abs(amounts.sum(axis=1) - infused).max() / infused[-1]),
        )
    )
    found.append(
        Law(
            "medical devices",
            "infusion, two compartments",
            "amounts stay positive",
            float(max(0.0, -amounts.min())),
        )
    )
    places, speeds = ballistic(np.array([300.0, 400.0]), 1e-4, min(count, 5000), 0.01)
    energy = 9.80665 * places[:, 1] + np.sum(speeds**2, axis=1) / 2
    found.append(
        Law(
            "defence",
            "ballistic track with drag",
            "energy only falls",
            float(max(0.0, np.diff(energy).max()) / energy[0]),
        )
    )
    amounts = enzyme(1.0, 0.5, 10.0, count, 0.01)
    found.append(Law("biotech", "Michaelis-Menten", "mass", _drift(amounts.sum(axis=1))))
    found.append(Law("oil and gas", "two tanks with overflow", "volume", _tank_volume(count, rng)))
    found.append(Law("pharma", "heat exchanger", "energy", _exchanger_energy(count, rng)))
    return found


def _drift(values: Float[np.ndarray, " steps"]) -> float:
    return float(np.abs(values / values[0] - 1.0).max())


def _quaternion(a: Vector, b: Vector) -> Vector:
    return np.array(
        [a[0] * b[0] - a[1:] @ b[1:], *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))]
    )


def _tank_volume(count: int, rng: np.random.Generator) -> float:
    """Return the volume that is unaccounted for: stored, gone out, spilled, put in."""
    x1 = x2 = spilled = gone = put = 0.0
    h = 4.0 / SUB_STEPS
    for k in range(count):
        flow = 0.6 * rng.random() if k % 50 < 30 else 0.0
        a, b = 0.05 * np.sqrt(x1), 0.05 * np.sqrt(x2)
        a, b = min(a, x1 / h), min(b, x2 / h)
        x1, x2 = x1 + h * (flow - a), x2 + h * (a - b)
        over = max(x1 - 10.0, 0.0)
        x1, x2 = x1 - over, x2 + 0.4 * over
        second = max(x2 - 10.0, 0.0)
        x2 -= second
        spilled += 0.6 * over + second
        gone, put = gone + h * b, put + h * flow
    return float(abs(x1 + x2 + spilled + gone - put) / put)


def _exchanger_energy(count: int, rng: np.random.Generator) -> float:
    """Return the heat that is unaccounted for: the liquid takes up what steam and wall give."""
    wall, liquid, given, carried = 350.0, 300.0, 0.0, 0.0
    first = 5e3 * wall + 2e3 * liquid
    for _ in range(count):
        flow = 0.2 + 0.3 * rng.random()
        steam, across = 40.0 * (373.0 - wall), 200.0 * (wall - liquid)
        out = flow * 4186.0 * 0.1 * (liquid - 300.0)
        wall, liquid = wall + 0.5 * (steam - across) / 5e3, liquid + 0.5 * (across - out) / 2e3
        given, carried = given + 0.5 * steam, carried + 0.5 * out
    return float(
        abs(5e3 * wall + 2e3 * liquid - first - given + carried) / (abs(first) + abs(given))
    )
