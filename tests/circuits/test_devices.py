"""Device laws: derivatives against automatic ones, polarity, symmetry, known values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quire.circuits import build_system, read_deck
from quire.circuits.devices.junctions import (
    bounded_expm1,
    depletion,
    junction,
    limit_junction,
    thermal_voltage,
)
from quire.circuits.formulations.assembly import Ports

DECK = """devices
d1 1 0 dm 2
d2 2 0 dz
q1 3 4 5 6 qn
q2 3 4 5 6 qp
m1 7 8 9 10 mn w=10u l=1u ad=10p as=10p pd=5u ps=5u
m2 7 8 9 10 mp w=10u l=1u
r1 1 0 1
.model dm d(is=1e-14 n=1.1 tt=1n cjo=1p vj=0.7 m=0.4 fc=0.45)
.model dz d(is=1e-12 bv=5 ibv=1m)
.model qn npn(is=1e-16 bf=80 br=2 vaf=50 var=20 ikf=10m ikr=5m ise=1e-14 isc=1e-14 tf=0.1n tr=5n
+ cje=1p cjc=0.5p cjs=1p mjs=0.3)
.model qp pnp(is=1e-15 bf=50)
.model mn nmos(vto=0.7 kp=110u lambda=0.04 gamma=0.5 phi=0.65 cj=1e-4 cjsw=1e-10 js=1e-4)
.model mp pmos(vto=-0.7 kp=50u lambda=0.05 cbd=1f cbs=1f)
"""
SYSTEM = build_system(read_deck(DECK))
GROUPS = {g.kind.name: g for g in SYSTEM.groups}


@pytest.mark.parametrize("kind", ["diode", "bipolar", "mosfet"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_derivatives_equal_automatic_ones(kind: str, seed: int) -> None:
    group = GROUPS[kind]
    c = group.steering.shape[0]
    w = np.random.default_rng(seed).uniform(-2.5, 0.85, (c, group.count))
    p = {key: jnp.asarray(value) for key, value in group.parameters.items()}

    def values(w: jax.Array) -> tuple[jax.Array, jax.Array]:
        law = group.kind.law(jnp, p, w, 1e-12)
        return jnp.stack(law.j), jnp.stack(law.q)

    for automatic, ours in zip(
        jax.jacfwd(values)(jnp.asarray(w)),
        (group.kind.law(np, group.parameters, w, 1e-12).dj,
         group.kind.law(np, group.parameters, w, 1e-12).dq),
        strict=True,
    ):  # fmt: skip
        own = np.einsum("dkck->dck", np.asarray(automatic))
        full = np.array([[np.broadcast_to(x, group.count) for x in row] for row in ours])
        np.testing.assert_allclose(full, own, rtol=1e-9, atol=1e-22)


def test_the_thermal_voltage() -> None:
    assert thermal_voltage(27.0) == pytest.approx(25.8649e-3, abs=1e-7)


def test_the_exponential_never_overflows() -> None:
    value, slope = bounded_expm1(np, np.array([0.0, 80.0, 81.0, 1e6]))
    assert np.isfinite(value).all() and np.all(np.diff(value) > 0)
    assert value[2] == pytest.approx(2 * np.exp(80.0)) and slope[3] == np.exp(80.0)


def test_depletion_charge_is_the_integral_of_its_capacitance() -> None:
    v = np.linspace(-3, 1.2, 4001)
    charge, capacitance = depletion(np, v, 1e-12, 0.75, 0.33, 0.5)
    np.testing.assert_allclose(np.gradient(charge, v)[1:-1], capacitance[1:-1], rtol=1e-5)


def test_charges_of_tiny_voltages_keep_their_digits() -> None:
    v = np.array([1e-18, -1e-15, 1e-9])
    charge, _ = depletion(np, v, 1e-12, 0.75, 0.33, 0.5)
    np.testing.assert_allclose(charge, 1e-12 * v, rtol=1e-8)
    current, conductance = junction(np, v, 1e-14, 0.025)
    np.testing.assert_allclose(current, conductance * v, rtol=1e-7)


def test_small_steps_are_not_limited_and_large_ones_are() -> None:
    assert limit_junction(np, 0.71, 0.7, 0.0259, 0.6) == 0.71
    assert limit_junction(np, 5.0, 0.7, 0.0259, 0.6) == pytest.approx(
        0.7 + 0.0259 * np.log(1 + 4.3 / 0.0259)
    )
    assert limit_junction(np, 5.0, -1.0, 0.0259, 0.6) == pytest.approx(
        0.0259 * np.log(5.0 / 0.0259)
    )
    assert limit_junction(np, -20.0, 0.7, 0.0259, 0.6) == -20.0


def test_no_device_limits_a_step_that_is_called_short() -> None:
    ports = Ports(SYSTEM)
    rng = np.random.default_rng(4)
    for _ in range(200):
        old = rng.uniform(-7.0, 7.0, ports.voltages)
        short = old + ports.shortest * rng.uniform(-1.0, 1.0, ports.voltages)
        assert ports.limit(short, old) is short
        for group, (vs, _) in zip(SYSTEM.groups, ports.slices, strict=True):
            shape = (-1, group.count)
            allowed = group.kind.limit(
                np, group.parameters, short[vs].reshape(shape), old[vs].reshape(shape)
            )
            np.testing.assert_allclose(np.concatenate(allowed), short[vs], rtol=0, atol=1e-14)
    far = ports.limit(np.full(ports.voltages, 9.0), np.zeros(ports.voltages))
    assert np.abs(far).max() < 9.0 or np.any(far != 9.0)


def test_breakdown_carries_the_current_of_the_model() -> None:
    group = GROUPS["diode"]
    law = group.kind.law(np, group.parameters, np.array([[0.0, -5.0]]), 0.0)
    assert law.j[0][1] == pytest.approx(-1e-3, rel=1e-3)


def test_a_mosfet_is_the_same_turned_round() -> None:
    group = GROUPS["mosfet"]
    # gate 2 V, drain and source change places; bulk at -1 V
    forward = group.kind.law(np, group.parameters, np.array([[2.0], [0.4], [-1.0]]), 0.0)
    turned = group.kind.law(np, group.parameters, np.array([[1.6], [-0.4], [-1.4]]), 0.0)
    assert turned.j[0][0] == pytest.approx(-forward.j[0][0], rel=1e-13)


def test_a_pnp_mirrors_an_npn() -> None:
    deck = "t\nq1 1 2 0 qa\nr1 1 0 1\nr2 2 0 1\n.model qa {}(is=1e-15 bf=50 vaf=60)\n"
    laws = []
    for kind, sign in (("npn", 1.0), ("pnp", -1.0)):
        (group,) = build_system(read_deck(deck.format(kind))).groups
        w = sign * np.array([[0.65], [-2.0], [0.0]])
        laws.append([sign * x[0] for x in group.kind.law(np, group.parameters, w, 1e-12).j])
    assert laws[0] == pytest.approx(laws[1], rel=1e-14)
