"""Port-Hamiltonian composition: passive parts make a passive whole, and energy is accounted for."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from quire.world_model import (
    AlgebraicLoop,
    Node,
    NonFinite,
    NotSkewSymmetric,
    PortArity,
    UnitMismatch,
    active,
    interconnect,
    port,
    port_hamiltonian,
    random_population,
    schedule,
    simulate,
    unit,
    wire,
)
from quire.world_model.certificate.issue import Oscillator

REFUSED = (ValueError, TypeCheckError)

FORCE, SPEED = port("force", "N", "m s^-1"), port("speed", "m s^-1", "N")
FLOW = np.array([[0.0, 1.0], [-1.0, 0.0]])


def cart(damping: float = 0.1):
    return port_hamiltonian(
        lambda x: x[1] ** 2 / 2 + x[0] ** 2 / 2 + x[0] ** 4 / 8,
        FLOW,
        np.diag([0.0, damping]),
        np.array([[0.0], [1.0]]),
        [FORCE],
    )


def spring():
    return port_hamiltonian(
        lambda x: x[0] ** 2, np.zeros((1, 1)), np.zeros((1, 1)), np.ones((1, 1)), [SPEED]
    )


def test_the_energy_balance_holds_to_rounding():
    whole = interconnect([cart(), spring()], wire([cart(), spring()], [(0, 1)]), outer=[0])
    pushes = np.sin(np.arange(500) * 0.1)[:, None]
    run = simulate(whole, np.array([1.0, 0.0, 0.5]), pushes, 0.05)
    assert np.abs(run.residuals).max() < 1e-13
    assert np.abs(simulate(whole, np.zeros(3), 0 * pushes, 0.05).states).max() == 0.0


def test_a_symmetric_coupling_makes_energy():
    k = np.array([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(NotSkewSymmetric):
        interconnect([cart(), spring()], k)
    whole = interconnect([cart(), spring()], k, unchecked=True)
    run = simulate(whole, np.array([1.0, 0.0, 0.0]), np.zeros((200, 0)), 0.05)
    assert run.energies[-1] > 2 * run.energies[0]


def test_explicit_euler_is_told_when_it_diverges():
    with pytest.raises(NonFinite):
        simulate(cart(0.0), np.array([1.0, 0.0]), np.zeros((2000, 1)), 0.2, "euler")


def test_order_of_the_parts_does_not_matter():
    parts = [cart(0.1), spring(), cart(0.3)]
    k = np.zeros((3, 3))
    k[0, 1], k[1, 0] = 1.0, -1.0
    one = interconnect(parts, k)
    other = interconnect([parts[1], parts[2], parts[0]], k[np.ix_([1, 2, 0], [1, 2, 0])])
    place = [3, 4, 0, 1, 2]  # cart 0, spring, cart 2 among the other's states
    place = [3, 4, 0, 1, 2]
    a = simulate(one, np.array([1.0, 0, 0.2, 0.5, 0]), np.zeros((100, 0)), 0.05).states[-1]
    b = simulate(other, np.array([0.2, 0.5, 0, 1.0, 0]), np.zeros((100, 0)), 0.05).states[-1]
    assert a == pytest.approx(b[place], abs=1e-12)


def test_wiring_is_associative():
    a, b, c = cart(), spring(), cart(0.2)
    k = np.zeros((3, 3))
    k[0, 1], k[1, 0] = 1.0, -1.0
    inner = interconnect([a, b], wire([a, b], [(0, 1)]))
    whole = interconnect([a, b, c], k)
    again = interconnect([inner, c], np.zeros((1, 1)))
    assert np.array_equal(whole.structure, again.structure)
    assert np.array_equal(whole.dissipation, again.dissipation)


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        (UnitMismatch, lambda: port("p", "N", "m")),
        (UnitMismatch, lambda: interconnect([cart(), cart()], wire([cart(), cart()], [(0, 1)]))),
        (
            NotSkewSymmetric,
            lambda: port_hamiltonian(lambda x: x[0], np.eye(2), np.eye(2), np.zeros((2, 0)), []),
        ),
        (
            ValueError,
            lambda: port_hamiltonian(lambda x: x[0], FLOW, -np.eye(2), np.zeros((2, 0)), []),
        ),
        (
            PortArity,
            lambda: port_hamiltonian(lambda x: x[0], FLOW, np.eye(2), np.ones((2, 2)), [FORCE]),
        ),
        (PortArity, lambda: port_hamiltonian(lambda x: x, FLOW, np.eye(2), np.zeros((2, 0)), [])),
        (PortArity, lambda: interconnect([cart()], np.zeros((2, 2)))),
        (PortArity, lambda: interconnect([cart()], np.zeros((1, 1)), outer=[1])),
        (PortArity, lambda: wire([cart(), spring()], [(0, 0)])),
        (PortArity, lambda: simulate(cart(), np.zeros(3), np.zeros((1, 1)), 0.1)),
        (ValueError, lambda: simulate(cart(), np.zeros(2), np.zeros((1, 1)), 0.0)),
        (ValueError, lambda: simulate(cart(), np.zeros(2), np.zeros((1, 1)), 0.1, "heun")),
        (ValueError, lambda: unit("parsec")),
        (ValueError, lambda: unit(3)),
    ],
    ids=range(14),
)
def test_bad_input_is_refused(fault, call):
    with pytest.raises((fault, TypeCheckError)):
        call()


def test_units():
    assert unit("N m") == unit("J") and unit("V A") == unit("W") != unit("J")
    assert str(unit("N") / unit("Pa")) == "m^2"


def test_signal_graphs():
    m = unit("m")
    nodes = [Node("a", (m,), (m,)), Node("b", (m,), (m,)), Node("s", (m,), (m,), feedthrough=False)]
    loop = [("a", 0, "b", 0), ("b", 0, "a", 0)]
    with pytest.raises(AlgebraicLoop):
        schedule(nodes, loop)
    broken = [("a", 0, "b", 0), ("b", 0, "s", 0), ("s", 0, "a", 0)]
    assert schedule(nodes, broken) == (("a",), ("b",), ("s",))
    assert active(nodes, [("a", 0, "b", 0)], ["b"]) == {"a", "b"}
    with pytest.raises(UnitMismatch):
        schedule([Node("a", (), (m,)), Node("b", (unit("s"),), ())], [("a", 0, "b", 0)])
    with pytest.raises(PortArity):
        schedule(nodes, [("a", 1, "b", 0)])


def test_the_active_part_answers_bit_for_bit():
    made = random_population(400, 3, 0.25)
    part = made.ancestors(np.array([99]))
    assert len(part) == 100
    assert np.array_equal(made.run(150)[part], made.run(150, active=part)[part])
    with pytest.raises(REFUSED):
        made.run(1, active=np.array([99]))
    with pytest.raises(REFUSED):
        made.ancestors(np.array([400]))


def test_a_damped_oscillator_only_loses():
    run = simulate(Oscillator().model(), np.array([1.0, 0.0]), np.zeros((300, 0)), 0.1)
    assert (np.diff(run.energies) <= 1e-15).all()
