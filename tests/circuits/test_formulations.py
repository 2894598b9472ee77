"""Branch currents and node voltages: the same answers, Kirchhoff's laws, known circuits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import quire.circuits as qc
from quire.circuits.formulations.topology import check_topology


def network(seed: int, complex_values: bool = False) -> list[qc.Branch]:
    """Return a random connected network of resistances, ideal and real sources."""
    rng = np.random.default_rng(seed)
    nodes = ["0", *(f"n{k}" for k in range(int(rng.integers(1, 8))))]
    branches = []

    def value() -> Any:
        x = rng.uniform(0.1, 10)
        return complex(x, rng.uniform(-3, 3)) if complex_values else x

    for k, node in enumerate(nodes[1:], start=1):
        ideal = rng.random() < 0.3
        branches.append(
            qc.Branch(
                f"t{k}", node, nodes[int(rng.integers(k))], 0.0 if ideal else value(), value()
            )
        )
    for k in range(int(rng.integers(1, 8))):
        tail, head = rng.choice(len(nodes), 2, replace=False)
        if rng.random() < 0.3:
            branches.append(qc.Branch(f"i{k}", nodes[tail], nodes[head], current=value()))
        else:
            branches.append(qc.Branch(f"c{k}", nodes[tail], nodes[head], value(), value()))
    return branches


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.booleans())
def test_both_forms_agree_and_kirchhoff_holds(seed: int, phasors: bool) -> None:
    branches = network(seed, phasors)
    solved = qc.solve_branches(branches)
    matrix, right, names = qc.nodal_equations(branches)
    nodal = dict(zip(names, np.linalg.solve(matrix, right), strict=True))
    scale = max(
        1.0,
        *(abs(v) for v in solved.voltages.values()),
        *(abs(i) for i in solved.currents.values()),
    )
    for name, volts in solved.voltages.items():
        if name != "0":
            assert abs(volts - nodal[name]) <= 1e-9 * scale
    balance = dict.fromkeys(solved.voltages, 0.0 + 0.0j)
    power = 0.0
    for b in branches:
        balance[b.tail] += solved.currents[b.name]
        balance[b.head] -= solved.currents[b.name]
        power += (solved.voltages[b.tail] - solved.voltages[b.head]) * solved.currents[b.name]
    assert max(map(abs, balance.values())) <= 1e-9 * scale
    assert abs(power) <= 1e-9 * scale**2 * len(branches)  # Tellegen


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_sources_superpose(seed: int) -> None:
    branches = network(seed)
    whole = qc.solve_branches(branches)
    total = dict.fromkeys(whole.currents, 0.0)
    for k, alone in enumerate(branches):
        off = [
            qc.Branch(b.name, b.tail, b.head, b.impedance, b.emf if j == k else 0.0,
                      None if b.current is None else (b.current if j == k else 0.0))
            for j, b in enumerate(branches)
        ]  # fmt: skip
        if alone.emf or alone.current:
            for name, i in qc.solve_branches(off).currents.items():
                total[name] += i.real
    scale = max(1.0, *(abs(i) for i in whole.currents.values()))
    assert all(
        abs(total[name] - i) <= 1e-9 * scale * len(branches) for name, i in whole.currents.items()
    )


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_order_does_not_matter(seed: int) -> None:
    branches = network(seed)
    shuffled = [branches[k] for k in np.random.default_rng(seed).permutation(len(branches))]
    first, second = qc.solve_branches(branches), qc.solve_branches(shuffled)
    scale = max(1.0, *(abs(i) for i in first.currents.values()))
    assert all(abs(second.currents[k] - i) <= 1e-9 * scale for k, i in first.currents.items())


def test_a_two_port_of_resistances_is_reciprocal() -> None:
    rng = np.random.default_rng(3)
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("b", "d"), ("a", "0"), ("d", "0")]
    passive = [qc.Branch(f"r{k}", *e, rng.uniform(1, 9)) for k, e in enumerate(edges)]

    def transfer(drive: str, read: str) -> complex:
        return qc.solve_branches([*passive, qc.Branch("i", "0", drive, current=1.0)]).voltages[read]

    assert transfer("a", "d") == pytest.approx(transfer("d", "a"), rel=1e-12)


# The circuits of the first author's earlier program, by hand.
def test_nine_volts_into_two_in_parallel() -> None:
    solved = qc.solve_branches([
        qc.Branch("e", "a", "0", 0.0, 9.0), qc.Branch("r1", "a", "b", 300.0),
        qc.Branch("r2", "b", "0", 150.0), qc.Branch("r3", "b", "0", 90.0),
    ])  # fmt: skip
    assert solved.currents["r1"] == pytest.approx(9 / 356.25, rel=1e-12)
    assert solved.currents["r2"] == pytest.approx(9 / 356.25 * 90 / 240, rel=1e-12)
    assert solved.currents["r3"] == pytest.approx(9 / 356.25 * 150 / 240, rel=1e-12)


def test_a_single_loop() -> None:
    solved = qc.solve_branches(
        [qc.Branch("e", "a", "0", 0.0, 9.0), qc.Branch("r", "a", "0", 330.0)]
    )
    assert solved.currents["r"] == pytest.approx(9 / 330, rel=1e-13)


def test_an_ideal_conductor_takes_all_the_current() -> None:
    solved = qc.solve_branches([
        qc.Branch("e", "a", "0", 0.0, 9.0), qc.Branch("r1", "a", "b", 300.0),
        qc.Branch("r3", "b", "0", 90.0), qc.Branch("short", "b", "0", 0.0),
    ])  # fmt: skip
    assert solved.currents["short"] == pytest.approx(0.03, rel=1e-13)
    assert abs(solved.currents["r3"]) < 1e-17


def test_a_voltmeter_and_an_ammeter() -> None:
    solved = qc.solve_branches([
        qc.Branch("e", "a", "0", 0.0, 9.0), qc.Branch("ammeter", "a", "b", 0.0),
        qc.Branch("r", "b", "0", 330.0), qc.Branch("voltmeter", "b", "0", 1.8e290),
    ])  # fmt: skip
    assert solved.currents["ammeter"] == pytest.approx(9 / 330, rel=1e-12)
    assert solved.currents["voltmeter"] == pytest.approx(9 / 1.8e290, rel=1e-9)


def test_three_phases_cancel_in_the_neutral() -> None:
    turn = np.exp(2j * np.pi / 3)
    branches = [qc.Branch(f"e{k}", f"p{k}", "0", 0.0, 220 * turn**k) for k in range(3)]
    branches += [qc.Branch(f"r{k}", f"p{k}", "star", 50.0 + 0j) for k in range(3)]
    solved = qc.solve_branches([*branches, qc.Branch("neutral", "star", "0", 1.0 + 0j)])
    assert abs(solved.currents["neutral"]) < 1e-12
    assert abs(solved.currents["r1"]) == pytest.approx(4.4, rel=1e-12)


@pytest.mark.parametrize(
    ("branches", "says"),
    [
        ([], "empty"),
        ([qc.Branch("r", "a", "a", 1.0)], "itself"),
        ([qc.Branch("r", "a", "0", 1.0), qc.Branch("r", "a", "0", 1.0)], "twice"),
        ([qc.Branch("r", "a", "0", float("nan"))], "finite"),
        ([qc.Branch("e", "a", "0", 0.0, 1.0), qc.Branch("f", "a", "0", 0.0, 2.0)], "no resistance"),
        ([qc.Branch("i", "a", "0", current=1.0)], "cut the network"),
    ],
    ids=["none", "itself", "twice", "nan", "loop", "cut"],
)
def test_bad_networks(branches: list[qc.Branch], says: str) -> None:
    with pytest.raises(qc.CircuitError, match=says):
        qc.solve_branches(branches)


RECTIFIER = """rectifier
v1 in 0 sin(0 5 1k)
d1 in out dm
r1 out x 500
l1 x 0 10m
c1 out 0 1u
.model dm d
.options reltol=1e-9 abstol=1e-15 vntol=1e-12
.tran 10u 1m uic
"""


def test_a_transient_in_branch_currents_equals_the_nodal_one() -> None:
    circuit = qc.read_deck(RECTIFIER)
    times, volts = qc.branch_transient(circuit, 10e-6, 100)
    nodal = qc.solve_transient(circuit, fixed=True)
    np.testing.assert_allclose(nodal.axis[1:], times, rtol=1e-9)
    for node in ("out", "x"):
        np.testing.assert_allclose(nodal.voltage(node)[1:], volts[node], atol=1e-9)


@pytest.mark.parametrize(
    ("deck", "says"),
    [
        ("t\nv1 a 0 1\nr1 a 0 1\nc1 a b 1u\nc2 b 0 1u\n", "ground: b"),
        ("t\nv1 a 0 1\nv2 a 0 1\nr1 a 0 1\n", "v2 closes"),
        ("t\nv1 a 0 1\nl1 a 0 1m\nr1 a 0 1\n", "l1 closes"),
        ("t\ni1 0 a 1\nc1 a 0 1u\nr1 b 0 1\n", "ground: a"),
        ("t\nv1 d 0 1\nm1 d g 0 0 mm\nc1 g 0 1p\n.model mm nmos\n", "ground: g"),
    ],
    ids=["floating", "sources", "inductor", "current", "gate"],
)
def test_faults_of_the_graph_are_named(deck: str, says: str) -> None:
    with pytest.raises(qc.SingularCircuit, match=says):
        check_topology(qc.read_deck(deck))


def test_zero_ohms_need_the_branch_form() -> None:
    with pytest.raises(qc.ZeroResistance, match="r1 has 0 ohms"):
        qc.solve_op(qc.read_deck("t\nv1 a 0 1\nr1 a b 0\nr2 b 0 1\n"))
