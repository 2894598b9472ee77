"""Analyses against ngspice's stored answers, closed forms and conservation laws."""

from pathlib import Path

import numpy as np
import pytest

import quire.circuits as qc
from quire.circuits.experiments.decks import analysed, compare_deck, ring_periods
from quire.circuits.peers import ngspice

GOLDEN = Path(__file__).parents[2] / "data/golden/13-gauss-jordan-circuits"


def golden(name: str) -> tuple[str, object]:
    text = (GOLDEN / f"{name}.cir").read_text()
    lines = (GOLDEN / f"{name}.csv").read_text().splitlines()[1:]
    if name == "grid20_op":
        return text, {k: float(v) for k, v in (line.split(",") for line in lines)}
    return text, np.array([[float(x) for x in line.split(",")] for line in lines])


@pytest.mark.parametrize("name", ["clipper_dc", "cmos_inv_dc", "grid20_op", "rlc_ac"])
def test_steady_decks_equal_ngspice(name: str) -> None:
    row = compare_deck(name, *golden(name))
    assert row.fine <= 1e-6


# The stored wave of rlc_series is itself 1e-4 of the swing from the closed form.
@pytest.mark.parametrize(
    ("name", "fine"), [("rlc_series", 2e-4), ("halfwave", 1e-4), ("rc_pulse", 1e-4)]
)
def test_transient_decks_equal_ngspice(name: str, fine: float) -> None:
    text, table = golden(name)
    if name == "halfwave":  # until it lets go: the other periods cost as much and show no more
        text, table = text.replace("3m", "0.4m"), table[table[:, 0] <= 4e-4]  # type: ignore[index]
    row = compare_deck(name, text, table, refine=4)
    assert row.coarse <= 2e-3
    assert row.fine <= fine


def test_the_clipper_at_three_volts() -> None:
    circuit, _ = analysed(golden("clipper_dc")[0])
    result = qc.solve_dc(circuit)
    assert result.voltage("out")[-1] == pytest.approx(0.676919287, abs=5e-9)
    assert result.current("v1")[-1] == pytest.approx(-2.32308071e-3, rel=1e-7)
    np.testing.assert_allclose(result.voltage("out"), -result.voltage("out")[::-1], atol=1e-9)


def test_the_ring_oscillates_with_the_period_of_ngspice() -> None:
    (row,) = ring_periods(golden("cmos_ring3")[0].replace("4n", "2.2n"), (2e-12,), "n0", 1.65)
    assert row.period == pytest.approx(483.19, rel=2e-3)


def test_a_lossless_circuit_keeps_its_energy() -> None:
    circuit = qc.read_deck(
        "t\nl1 a 0 1m ic=0\nc1 a 0 1u ic=1\n.tran 1u 1m uic\n.options reltol=1e-9\n"
    )
    result = qc.solve_transient(circuit, fixed=True)
    volts, amperes = result.voltage("a"), result.current("l1")
    energy = 0.5 * 1e-6 * volts**2 + 0.5 * 1e-3 * amperes**2
    # the first step is backward Euler, which loses some; from then on nothing is lost
    assert np.ptp(energy[1:]) <= 1e-10 * energy[1]


def test_an_rc_circuit_charges_as_it_should() -> None:
    circuit = qc.read_deck(
        "t\nv1 in 0 1\nr1 in a 1k\nc1 a 0 1u ic=0\n.tran 10u 5m uic\n.options reltol=1e-6\n"
    )
    result = qc.solve_transient(circuit)
    np.testing.assert_allclose(
        result.voltage("a")[1:], 1 - np.exp(-result.axis[1:] / 1e-3), atol=2e-4
    )


def test_coupled_inductors_are_a_transformer() -> None:
    deck = "t\nv1 p 0 ac 1\nr0 p a 1m\nl1 a 0 1\nl2 b 0 4\nk1 l1 l2 0.9999\nr1 b 0 1k\n"
    deck += ".ac lin 1 1k 1k\n"
    result = qc.solve_ac(qc.read_deck(deck))
    assert abs(result.voltage("b")[0]) == pytest.approx(2.0, rel=1e-3)


def test_a_winding_that_only_diodes_tie_does_not_stop_the_steps() -> None:
    # while all four diodes block, only picosiemens hold the winding, beside 20 S of their RS
    deck = """transformer and bridge
v1 p 0 sin(0 325 50)
rp p a 1
l1 a 0 10
l2 s1 s2 0.1
k1 l1 l2 0.99
d1 s1 out dm
d2 0 s1 dm
d3 s2 out dm
d4 0 s2 dm
c1 out 0 1000u
rl out 0 100
.model dm d(is=1e-12 n=1.2 rs=0.05)
.tran 50u 10m
"""
    result = qc.solve_transient(qc.read_deck(deck))
    # ngspice 39 with reltol=1e-6
    assert result.at([6e-3, 8e-3, 10e-3], "out") == pytest.approx(
        [47.96937, 47.54947, 46.60793], rel=3e-4
    )
    assert result.counts.rejected < 30


def test_controlled_sources_and_a_current_source() -> None:
    deck = "t\ni1 0 a 2m\nr1 a 0 1k\ne1 b 0 a 0 3\nr2 b 0 1k\ng1 0 c a 0 1m\nr3 c 0 500\n.op\n"
    result = qc.solve_op(qc.read_deck(deck))
    assert [float(result.voltage(n)[0]) for n in "abc"] == pytest.approx([2.0, 6.0, 1.0])
    assert result.current("r1")[0] == pytest.approx(2e-3)


def test_nested_sweeps_run_the_first_inside_the_second() -> None:
    deck = "t\nv1 a 0 0\nv2 b 0 0\nr1 a m 1k\nr2 b m 1k\nr3 m 0 1k\n.dc v1 0 2 1 v2 0 3 3\n"
    result = qc.solve_dc(qc.read_deck(deck))
    assert result.axis.tolist() == [0, 1, 2, 0, 1, 2]
    assert result.voltage("m").tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])


def test_initial_conditions_hold_a_flip_flop() -> None:
    deck = """flip-flop
vdd d 0 3.3
mp1 a b d d pm w=20u l=1u
mn1 a b 0 0 nm w=10u l=1u
mp2 b a d d pm w=20u l=1u
mn2 b a 0 0 nm w=10u l=1u
ca a 0 10f
cb b 0 10f
.model nm nmos(vto=0.7 kp=110u)
.model pm pmos(vto=-0.7 kp=50u)
.ic v(a)={}
.tran 10p 1n
"""
    for held, other in ((0.0, 3.3), (3.3, 0.0)):
        result = qc.solve_transient(qc.read_deck(deck.format(held)))
        assert result.voltage("a")[-1] == pytest.approx(held, abs=0.05)
        assert result.voltage("b")[-1] == pytest.approx(other, abs=0.05)


@pytest.mark.parametrize("solver", ["lapack", "sparse", "gje"])
def test_solvers_are_interchangeable(solver: str) -> None:
    circuit, _ = analysed(golden("cmos_inv_dc")[0].replace("0.02", "0.3"))
    np.testing.assert_allclose(
        qc.solve_dc(circuit, solver=solver).values, qc.solve_dc(circuit).values, atol=1e-8
    )


def test_the_bipolar_schmitt_trigger_starts_where_ngspice_does() -> None:
    deck = """schmitt
vin 1 0 -1.6
vee 8 0 -5
rin 1 2 50
rc1 0 3 50
r1 3 5 185
r2 5 8 760
rc2 0 6 100
re 4 8 260
rth1 7 8 125
rth2 7 0 85
q1 3 2 4 qstd off
q2 6 5 4 qstd
q3 0 6 7 qstd
q4 0 6 7 qstd
.model qstd npn(level=1 is=1.0e-16 bf=50 br=0.1 rb=50 rc=10 va=50)
"""
    result = qc.solve_op(qc.read_deck(deck))
    found = {n: float(result.voltage(n)[0]) for n in "34567"}
    assert found == pytest.approx(
        {"3": -0.2597, "4": -2.06799, "5": -1.22059, "6": -1.11059, "7": -1.89185}, abs=2e-4
    )


def test_the_reduced_rectifier_is_one_equation() -> None:
    circuit, _ = analysed(golden("halfwave")[0])
    assert qc.prepare(circuit, ["out"], ["r1"], 3e-6).size == (3, 1)


def test_bad_requests() -> None:
    circuit = qc.read_deck("t\nv1 a 0 1\nr1 a 0 1\nm1 a a 0 0 mm\n.model mm nmos(tox=1e-8)\n")
    with pytest.raises(KeyError, match="no such analysis"):
        qc.solve_transient(circuit)
    with pytest.raises(qc.CircuitError, match="TOX"):
        qc.solve_transient(circuit, qc.Transient(1e-9, 1e-6))
    with pytest.raises(ValueError, match="solver"):
        qc.solve_op(circuit, solver="magic")
    with pytest.raises(ValueError, match="longest"):
        qc.solve_transient(circuit, qc.Transient(1e-9, 1e-6), longest=0.0)
    with pytest.raises(KeyError, match="nowhere"):
        qc.solve_op(circuit).voltage("nowhere")
    with pytest.raises(ValueError, match="source"):
        qc.solve_dc(circuit, qc.DcSweep((qc.Sweep("v9", 0.0, 1.0, 1.0),)))


RECOVERY = """a diode that is turned off while it holds charge
v1 in 0 sin(0 5 100k)
d1 in o dm
r1 o 0 1k
.model dm d(is=1e-14 tt=1u cjo=5p)
"""


def test_reverse_recovery_is_met_at_the_default_tolerances() -> None:
    asked = qc.Transient(50e-9, 12e-6, 0.0, 50e-9)
    loose = qc.solve_transient(qc.read_deck(RECOVERY), asked)
    tight = qc.solve_transient(qc.read_deck(RECOVERY + ngspice.TIGHT), asked)
    swing = np.ptp(tight.voltage("o"))
    assert np.abs(loose.at(tight.axis, "o") - tight.voltage("o")).max() < 5e-3 * swing
    if ngspice.available():
        table = ngspice.simulate(
            RECOVERY + ngspice.TIGHT + "\n.end\n", "tran 50n 12u 0 2n", ["v(o)"]
        )
        assert np.abs(tight.at(table[:, 0], "o") - table[:, 1]).max() < 1e-3 * swing


def test_a_reduced_solver_takes_the_same_steps() -> None:
    circuit = qc.read_deck(RECOVERY)
    asked = qc.Transient(50e-9, 2e-6, 0.0, 50e-9)
    whole, reduced = (qc.solve_transient(circuit, asked, solver=s) for s in ("gje", "reduced"))
    assert whole.counts.iterations == reduced.counts.iterations
    np.testing.assert_allclose(whole.values, reduced.values, atol=1e-9)
    # without devices nothing varies: the inverse of each step's matrix is kept
    linear = qc.read_deck("t\nv1 a 0 sin(0 1 1meg)\nr1 a b 1k\nc1 b 0 1n\n")
    whole, reduced = (qc.solve_transient(linear, asked, solver=s) for s in ("gje", "reduced"))
    np.testing.assert_allclose(whole.values, reduced.values, atol=1e-12)


def test_klu_keeps_its_pivots_until_they_do_not_serve() -> None:
    pytest.importorskip("klujax")
    from quire.circuits.peers.klujax import Refactored

    a = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]])
    solver, b = Refactored(a), np.array([1.0, 2.0, 3.0])
    for changed in (a, a + np.diag([1.0, 0.0, 2.0])):
        np.testing.assert_allclose(solver(changed, b), np.linalg.solve(changed, b), rtol=1e-12)
    assert solver.factored == 1
    assert not np.isfinite(solver(np.where(a != 0, 1.0, 0.0) * 0.0, b)).all()


@pytest.mark.parametrize("stop", [1e-9, 1e-13])
def test_charges_settle_in_steps_however_short(stop: float) -> None:
    # an inverter of two stages that rests at 5 V: charges gained in a step are rounding beside it
    deck = (
        "t\nvcc v 0 5\nvin 1 0 pulse(0 3 0 10n 10n)\nr1 v b 4k\nq1 c b 1 qm\nr2 v e 1.6k\n"
        "q2 e c f qm\nr3 f 0 1k\nr4 v o 1k\nq3 o f 0 qm\nd1 0 1 dm\n.model dm d(cjo=1p)\n"
        ".model qm npn(bf=75 rb=100 cje=1p cjc=3p)\n.tran 1n 10n\n"
    )
    circuit = qc.read_deck(deck)
    found = qc.solve_transient(circuit, qc.Transient(1e-9, stop))
    rate = (found.voltage("1")[-1] - found.voltage("1")[0]) / stop
    assert rate == pytest.approx(3e8, rel=1e-3)
    assert found.counts.rejected == 0
