"""Parameters, expressions and controlled sources, held against ngspice where it is installed.

Every value of the tables was printed by ngspice 39; the live test asks it again.
"""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from quire.circuits import read_deck, solve_ac, solve_dc, solve_op, solve_transient
from quire.circuits.errors import CircuitError, NetlistError, UnsupportedElement
from quire.circuits.netlist.expressions import parse_expression
from quire.circuits.netlist.functions import SOURCES, Value, evaluate
from quire.circuits.peers import ngspice

live = pytest.mark.skipif(not ngspice.available(), reason="needs the program ngspice")

PARAMETERS = {
    "2*3+1": 7, "2^3^2": 64, "-2^2": -4, "2*-2^2": 8, "(-2)^3": 8, "2**3": 8, "2^-1": 0.5,
    "2^-2^2": 0.0625, "--2": 2, "2*-3": -6, "7/2": 3.5, "7%3": 1, "7\\2": 3, "5%3*2": 4,
    "1k+1": 1001, "1meg": 1e6, "2kohm": 2000, "1?2:3": 2, "0?2:3": 3,
    "1?(0?1:2):3": 2, "1>2": 0, "2>=2": 1, "1<>2": 1, "1!=1": 0, "1&&0||1": 1, "!0": 1, "!1+1": 1,
    "sqrt(4)": 2, "sqr(3)": 9, "ln(2)": math.log(2), "log(2)": math.log(2), "log10(100)": 2,
    "exp(1)": math.e, "abs(-2)": 2, "sgn(-3)": -1, "min(1,2)": 1, "max(1,2)": 2, "pow(-2,3)": -8,
    "pwr(-2,3)": 8, "int(-2.7)": -2, "nint(2.5)": 2, "nint(3.5)": 4, "floor(-2.5)": -3,
    "ceil(2.1)": 3, "sin(1)": math.sin(1), "tan(1)": math.tan(1), "asin(0.5)": math.asin(0.5),
    "acos(0.5)": math.acos(0.5), "arctan(0.5)": math.atan(0.5), "sinh(1)": math.sinh(1),
    "tanh(1)": math.tanh(1), "asinh(1)": math.asinh(1), "acosh(2)": math.acosh(2),
    "atanh(0.5)": math.atanh(0.5), "ternary_fcn(1,2,3)": 2, "1-2-3": -4, "2/2/2": 0.5,
}  # fmt: skip
SOURCE_VALUES = {
    "v(in)*2": 4, "v(in,ng)": 4, "i(vs)*1k": 2, "v(ng)^3": 8, "v(in)^2^3": 64, "-v(in)^2": -4,
    "2*-v(in)^2": -8, "pow(v(ng),3)": 8, "pwr(v(ng),3)": -8, "ln(v(in))": math.log(2),
    "exp(v(in))": math.exp(2), "sgn(v(ng))": -1, "u(v(in))": 1, "u(0)": 0.5, "u2(v(in)/4)": 0.5,
    "uramp(v(ng))": 0, "uramp(v(in))": 2, "min(v(in),v(ng))": -2, "floor(v(in)/3)": 0,
    "atan(v(in))": math.atan(2), "v(in)>1 ? 5 : 6": 5, "v(in)==2": 1, "v(in)<3 && 1": 1,
    "!v(in)": 0, "pi": math.pi, "e": math.e, "temper": 27, "time": 0, "{v(in)*pa}": 6,
    "'v(in)*pa'": 6, "v(in)*{pa}": 6, "pwl(v(in),0,0,1,2,4,5)": 3, "1meg*v(in)": 2e6,
    "(-2)^3": 8, "v(in) - -3": 5, "1/v(0)": 1e32,
}  # fmt: skip


def _parameter_deck(*texts: str) -> str:
    cards = [f"v{k} o{k} 0 {{{text}}}\nr{k} o{k} 0 1" for k, text in enumerate(texts)]
    return "parameters\n" + "\n".join(cards) + "\n"


def _source_deck(*texts: str) -> str:
    fixed = "sources\n.param pa=3\nv1 in 0 2\nv2 ng 0 -2\nri in x 1k\nvs x 0 0\n"
    cards = [f"b{k} o{k} 0 v={text}\nr{k} o{k} 0 1" for k, text in enumerate(texts)]
    return fixed + "\n".join(cards) + "\n"


def _ours(deck: str, count: int) -> list[float]:
    found = solve_op(read_deck(deck))
    return [float(found.voltage(f"o{k}")[0]) for k in range(count)]


def _theirs(deck: str, names: list[str]) -> list[float]:
    return [float(x) for x in ngspice.simulate(deck, "op", names)[0, -len(names) :]]


def test_expressions_have_the_values_of_ngspice() -> None:
    deck = _parameter_deck(*PARAMETERS)
    np.testing.assert_allclose(_ours(deck, len(PARAMETERS)), list(PARAMETERS.values()), rtol=1e-12)


def test_sources_have_the_values_of_ngspice() -> None:
    deck = _source_deck(*SOURCE_VALUES)
    np.testing.assert_allclose(
        _ours(deck, len(SOURCE_VALUES)), list(SOURCE_VALUES.values()), rtol=1e-12, atol=1e-12
    )


@live
@pytest.mark.parametrize("table", ["parameters", "sources"])
def test_the_tables_are_those_of_the_ngspice_here(table: str) -> None:
    make, values = {
        "parameters": (_parameter_deck, PARAMETERS), "sources": (_source_deck, SOURCE_VALUES),
    }[table]  # fmt: skip
    wanted = {k: v for k, v in values.items() if k != "1/v(0)"}  # gmin stepping changes it
    names = [f"v(o{k})" for k in range(len(wanted))]
    np.testing.assert_allclose(
        _theirs(make(*wanted), names), list(wanted.values()), rtol=1e-9, atol=1e-9
    )


# deck after the title, and v(o) as ngspice 39 prints it
DECKS = {
    "order": (".param b={a*3}\n.param a=2\nv1 o 0 {b}\nr1 o 0 1", 6.0),
    "spaces": (".param a = 1+2 b = {a * 3}\nv1 o 0 {b}\nr1 o 0 1", 9.0),
    "last counts": (".param a=1\n.param a=2\nv1 o 0 {a}\nr1 o 0 1", 2.0),
    "bare": (".param rv=2k\ni1 0 o 1m\nr1 o 0 rv", 2.0),
    "bare source": (".param vv=2\nv1 o 0 dc vv\nr1 o 0 1", 2.0),
    "function": (".func f(x,y) {x*y+1}\nv1 o 0 {f(2,3)}\nr1 o 0 1", 7.0),
    "model": (
        ".param isv=1e-12\ni1 0 o 1m\nd1 o 0 dm\n.model dm d(is=isv n={1+0.1})", 0.5896061061,
    ),
    "pulse": (".param lo=2\nv1 o 0 pulse({lo} 3 0 {1n} 1n 1u 2u)\nr1 o 0 1", 2.0),
    "resistor by letter": ("i1 0 o 1m\nr1 o 0 4k7", 4.0),
    "defaults": ("v1 in 0 3\nx1 in o s\n.subckt s a b r=1k\nr1 a b {r}\nr2 b 0 1k\n.ends", 1.5),
    "override": (
        "v1 in 0 3\nx1 in o s r=2k\n.subckt s a b r=1k\nr1 a b {r}\nr2 b 0 1k\n.ends", 1.0,
    ),
    "params:": (
        "v1 in 0 3\nx1 in o s params: r=2k\n.subckt s a b params: r=1k q={r*2}\nr1 a b {q}\n"
        "r2 b 0 1k\n.ends", 0.6,
    ),
    "caller's scope": (
        ".param g=3\nv1 in 0 3\nx1 in o s g={g+1}\n.subckt s a b g=1\nr1 a b {g*1k}\n"
        "r2 b 0 1k\n.ends", 0.6,
    ),
    "scopes as called": (
        "v1 in 0 3\nx1 in o outer q=4k\n.subckt outer a b q=1k\nx2 a b inner\n.ends\n"
        ".subckt inner a b\nr1 a b {q}\nr2 b 0 1k\n.ends", 0.6,
    ),
    "local parameter": (
        "v1 in 0 3\nx1 in o s r=4k\n.subckt s a b r=1k\n.param z={r/2}\nr1 a b {z}\n"
        "r2 b 0 1k\n.ends", 1.0,
    ),
    "local model": (
        "v1 in 0 3\nx1 in o s iss=1e-10\n.subckt s a b iss=1e-14\nr1 a b 1k\nd1 b 0 dm\n"
        ".model dm d(is={iss})\n.ends", 0.4411943471764,
    ),
    "global": (
        ".global vdd\nv1 vdd 0 3\nx1 o s\n.subckt s o\nr1 vdd o 1k\nr2 o 0 1k\n.ends", 1.5,
    ),
    "poly 1": ("v1 in 0 3\ne1 o 0 poly(1) in 0 1 2 3\nr1 o 0 1", 34.0),
    "poly of one number": ("v1 in 0 3\ne1 o 0 poly(1) in 0 2\nr1 o 0 1", 2.0),
    "poly 3": (
        "v1 in 0 3\nv2 b 0 2\nv3 c 0 5\ne1 o 0 poly(3) (in,0) (b,0) (c,0) 1 2 3 4 5 6 7 8 9 10 11 "
        "12 13\nr1 o 0 1", 1689.0,
    ),
    "choices": ("b1 o 0 v=1?0?1:2:3\nr1 o 0 1", 2.0),
    "current of a source": (
        "v1 in 0 3\ne1 p 0 in 0 2\nr1 p 0 1k\nb1 o 0 v=i(e1)*1000\nr2 o 0 1", -6.0,
    ),
    "current of a resistor": (
        "v1 in 0 3\nr1 in x 1k\nr2 x 0 2k\nb1 o 0 v=i(r1)*1000\nro o 0 1", 1.0,
    ),
    "currents of devices": (
        "v1 in 0 3\nr1 in x 1k\nd1 x 0 dm\nq1 y x 0 qm\nry in y 1k\ng1 0 in 0 x 1m\n"
        "b1 o 0 v=1k*(i(d1)+i(q1)-2*i(g1))\nro o 0 1\n.model dm d\n.model qm npn(bf=50)",
        3.699675864390,
    ),
    "sum in a parameter": (".param a = 1 + 2\nv1 o 0 {a}\nr1 o 0 1", 3.0),
    "poly 2": ("v1 in 0 3\nv2 o2 0 2\ne1 o 0 poly(2) in 0 o2 0 0 1 2 3 4 5\nr1 o 0 1", 78.0),
    "poly current": (
        "v1 in 0 3\nv2 o2 0 2\ng1 o 0 poly(2) in 0 o2 0 0 1 2 3 4 5 6\nr1 o 0 1", -240.0,
    ),
    "poly of currents": ("v1 in 0 3\nr2 in 0 1k\nf1 o 0 poly(1) v1 1 2 3\nr1 o 0 1", -0.994027),
    "F": ("v1 in 0 3\nr2 in 0 1k\nf1 o 0 v1 2\nr1 o 0 1", 6e-3),
    "F times m": ("v1 in 0 3\nr2 in 0 1k\nf1 o 0 v1 2 m=3\nr1 o 0 1", 18e-3),
    "G times m": ("v1 in 0 3\nr2 in 0 1k\ng1 o 0 in 0 2 m=3\nr1 o 0 1", -18.0),
    "H": ("v1 in 0 3\nr2 in 0 1k\nh1 o 0 v1 2k\nr1 o 0 1", -6.0),
    "F inside": (
        "v1 in 0 3\nx1 o s\n.subckt s o\nv2 a 0 2\nr1 a 0 1k\nf1 o 0 v2 2\nr2 o 0 1\n.ends\n"
        "r3 in 0 1", 4e-3,
    ),
    "E by expression": ("v1 in 0 3\ne1 o 0 value={v(in)*v(in)}\nr1 o 0 1", 9.0),
    "G by expression": ("v1 in 0 3\ng1 o 0 cur='v(in)*2'\nr1 o 0 1", -6.0),
    "B times m": ("v1 in 0 2\nb1 o 0 i=v(in) m=2\nr1 o 0 1", -4.0),
    "B as a diode": (
        "i1 0 o 1m\nr1 o 0 1meg\nb1 o 0 i=1e-14*(exp(v(o)/0.025)-1)", 0.6331950656,
    ),
    "tc": ("i1 0 o 1\nr1 o 0 100 tc=0.01 0.002\n.options temp=37", 130.0),
    "tc1": ("i1 0 o 1\nr1 o 0 4k tc1=0.01\n.temp 37", 4400.0),
    "tc of a model": (
        "i1 0 o 1\nr1 o 0 100 rm tc1=0.02\n.model rm r(tc1=0.01 tc2=0.001)\n.temp 37", 130.0,
    ),
    "temp of a resistor": ("i1 0 o 1\nr1 o 0 100 tc1=0.01 temp=50", 123.0),
    "dtemp": ("i1 0 o 1\nr1 o 0 100 tc1=0.01 dtemp=10", 110.0),
    "tnom": ("i1 0 o 1\nr1 o 0 100 tc1=0.01\n.options tnom=47", 80.0),
    ".temp wins": ("i1 0 o 1\nr1 o 0 100 tc1=0.01\n.temp 37\n.options temp=47", 110.0),
    "diode at 77": ("i1 0 o 1m\nd1 o 0 dm temp=77\n.model dm d(is=1e-14)", 0.5653947278488),
    "nodeset": (
        # two inverters hold each other: which state, .nodeset says
        "vd d 0 3\n.nodeset v(o)=3 v(p)=0\nm1 p o 0 0 n w=2u l=1u\nm2 p o d d q w=4u l=1u\n"
        "m3 o p 0 0 n w=2u l=1u\nm4 o p d d q w=4u l=1u\n.model n nmos(vto=0.7 kp=1e-4)\n"
        ".model q pmos(vto=-0.7 kp=5e-5)", 3.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECKS)
def test_decks_have_the_solutions_of_ngspice(name: str) -> None:
    deck, wanted = DECKS[name]
    found = float(solve_op(read_deck(f"{name}\n{deck}\n{ngspice.TIGHT}\n")).voltage("o")[0])
    assert found == pytest.approx(wanted, rel=2e-8, abs=1e-9)


@live
def test_ngspice_here_prints_these_solutions() -> None:
    for name, (deck, wanted) in DECKS.items():
        (found,) = _theirs(f"{name}\n{deck}\n{ngspice.TIGHT}\n.end\n", ["v(o)"])
        assert found == pytest.approx(wanted, rel=2e-8, abs=1e-9), name


HOT = {
    "diode": (
        "v1 a 0 dc 0.6 ac 1\nr1 a o 100\nd1 o 0 dm\n"
        ".model dm d(is=1e-14 n=1.1 cjo=2p vj=0.8 m=0.4 tt=1n eg=1.2 xti=2.5 rs=3)"
    ),
    "bipolar": (
        "v1 c 0 5\nr1 c o 1k\nv2 b 0 dc 0.7 ac 1\nq1 o b 0 qm\n"
        ".model qm npn(is=1e-16 bf=120 br=2 vaf=60 ikf=0.01 ise=1e-14 ne=1.6 isc=1e-14 cje=1p "
        "cjc=0.5p cjs=0.3p mjs=0.4 tf=0.1n xtb=1.5 rb=20 re=1 rc=5)"
    ),
    "mosfet": (
        "v1 d 0 3\nr1 d o 10k\nv2 g 0 dc 1.5 ac 1\nm1 o g 0 b nm w=10u l=2u ad=20p as=20p pd=10u "
        "ps=10u\nv3 b 0 -1\nrb b 0 1k\n.model nm nmos(vto=0.8 kp=5e-5 gamma=0.5 phi=0.65 "
        "lambda=0.02 cj=1e-4 cjsw=1e-10 pb=0.85 mj=0.5 mjsw=0.3 is=1e-14 cgso=1e-10)"
    ),
}


@live
@pytest.mark.parametrize("celsius", [-20, 100])
@pytest.mark.parametrize("name", HOT)
def test_devices_away_from_their_temperature_equal_ngspice(name: str, celsius: int) -> None:
    deck = f"{name}\n{HOT[name]}\n.temp {celsius}\n{ngspice.TIGHT}\n"
    circuit = read_deck(f"{deck}.ac dec 2 1meg 1g\n")
    (steady,) = _theirs(f"{deck}.end\n", ["v(o)"])
    assert float(solve_op(circuit).voltage("o")[0]) == pytest.approx(steady, rel=1e-7)
    table = ngspice.simulate(f"{deck}.end\n", "ac dec 2 1meg 1g", ["v(o)"])
    np.testing.assert_allclose(
        solve_ac(circuit).voltage("o"), table[:, 1] + 1j * table[:, 2], rtol=1e-6
    )


# what a card leaves out, each with one small-signal value that ngspice 39 prints at 1 GHz
LEFT_OUT = {
    "side walls grade by 0.5": (
        "v1 d 0 dc 3.3 ac 1\nr1 d o 10k\nm1 o 0 0 0 nm w=4u l=1u ad=8p as=8p pd=8u ps=8u\n"
        ".model nm nmos(vto=0.6 kp=100u cjsw=0.2n cj=0.3m)"
    ),
    "a PNP's substrate ends on its base": (
        "v1 c 0 -5\nr1 c o 1k\nv2 b 0 dc -0.7 ac 1\nr2 b p 100\nq1 o p 0 qm\n"
        ".model qm pnp(cje=1p cjc=1p cjs=1p tf=0.1n)"
    ),
    "a diode's area leaves IBV as it is": (
        "v1 d 0 dc -7 ac 1\nr1 d o 100\nd1 o 0 dm area=2 m=3\n.model dm d(bv=5 ibv=1m cjo=1p)"
    ),
}
LEFT_OUT_VALUES = {
    "side walls grade by 0.5": complex(0.98782507631, -0.10966624388),
    "a PNP's substrate ends on its base": complex(0.50058437004, -0.049514910002),
    "a diode's area leaves IBV as it is": complex(0.013074809801, -0.00026215306203),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_a_card_leaves_out_is_what_ngspice_takes(name: str) -> None:
    circuit = read_deck(f"{name}\n{LEFT_OUT[name]}\n{ngspice.TIGHT}\n.ac lin 1 1g 1g\n")
    found = complex(solve_ac(circuit).voltage("o")[0])
    assert found == pytest.approx(LEFT_OUT_VALUES[name], rel=1e-6)


@live
@pytest.mark.parametrize("name", LEFT_OUT)
def test_ngspice_here_prints_these_values(name: str) -> None:
    deck = f"{name}\n{LEFT_OUT[name]}\n{ngspice.TIGHT}\n.end\n"
    table = ngspice.simulate(deck, "ac lin 1 1g 1g", ["v(o)"])
    assert complex(table[0, 1], table[0, 2]) == pytest.approx(LEFT_OUT_VALUES[name], rel=1e-6)


@live
def test_a_source_by_expression_follows_time_and_sweeps() -> None:
    deck = (
        "t\nv1 in 0 sin(0 1 1k)\nb1 o 0 v=v(in)*v(in)+sin(6283.18530718*time)\nr1 o p 1k\n"
        "c1 p 0 0.1u\n.options reltol=1e-5\n"
    )
    ours = solve_transient(read_deck(f"{deck}.tran 2u 0.3m\n"))
    table = ngspice.simulate(f"{deck}.end\n", "tran 2u 0.3m 0 2u", ["v(p)"])
    assert np.abs(ours.at(table[:, 0], "p") - table[:, 1]).max() < 1e-4
    swept = "t\nv1 in 0 1\nb1 o 0 i=v(in)^3-v(o)*v(in)\nr1 o 0 1k\n"
    ours = solve_dc(read_deck(f"{swept}.dc v1 -1 1 0.1\n{ngspice.TIGHT}\n"))
    table = ngspice.simulate(f"{swept}{ngspice.TIGHT}\n.end\n", "dc v1 -1 1 0.1", ["v(o)"])
    np.testing.assert_allclose(ours.voltage("o"), table[:, 1], rtol=1e-6, atol=1e-8)


@live
@pytest.mark.parametrize("sweeps", ["temp 0 100 50 v1 1 2 1", "v1 0 2 1 temp -20 80 50"])
def test_a_sweep_of_the_temperature_equals_ngspice(sweeps: str) -> None:
    deck = (
        f"t\nv1 in 0 2\nr1 in x 1k tc1=0.01 m=2\nr2 x 0 1k\nd1 x 0 dm\nq1 x x 0 qm dtemp=5\n"
        f".model qm npn(is=1e-16)\n.model dm d(is=1e-14 rs=2)\nb1 o 0 v=temper*i(r1)\nro o 0 1\n"
        f"{ngspice.TIGHT}\n"
    )
    ours = solve_dc(read_deck(f"{deck}.dc {sweeps}\n"))
    table = ngspice.simulate(f"{deck}.end\n", f"dc {sweeps}", ["v(o)", "v(x)"])
    for column, node in ((1, "o"), (2, "x")):
        np.testing.assert_allclose(ours.voltage(node), table[:, column], rtol=1e-6, atol=1e-9)


def test_the_temperature_is_swept_only_in_what_a_deck_says() -> None:
    circuit = read_deck("t\nv1 1 0 1\nr1 1 0 1k\n.dc temp 0 10 5\n")
    assert len(solve_dc(circuit).axis) == 3
    bent = replace(
        circuit, elements=(*circuit.elements[:1], replace(circuit.elements[1], ohms=2.0))
    )  # type: ignore[call-arg]
    with pytest.raises(CircuitError, match="as its deck describes"):
        solve_dc(bent)


def test_slopes_are_the_derivatives() -> None:
    text = "v(a)*sin(v(b))/(1+v(a)^2) + ln(exp(v(b))+2)*tanh(v(a)) + pwl(v(b),0,0,1,2,3,1)"
    tree = parse_expression(text, probes=True)

    def at(a: float, b: float) -> Value:
        given = {"a": Value(a, (1.0, None)), "b": Value(b, (None, 1.0))}
        return evaluate(tree, given.__getitem__, lambda p: given[p.names[0]], SOURCES)

    for a, b in [(0.3, 0.7), (-1.2, 2.0)]:
        for k, (da, db) in enumerate([(1e-6, 0), (0, 1e-6)]):
            rise = (at(a + da, b + db).value - at(a - da, b - db).value) / 2e-6
            assert at(a, b).slopes[k] == pytest.approx(rise, rel=1e-6)


def test_a_branch_that_is_not_taken_has_no_say() -> None:
    circuit = read_deck("t\nv1 in 0 -1\nb1 o 0 v=v(in)>0 ? sqrt(v(in)) : 2*v(in)\nr1 o 0 1\n")
    assert float(solve_op(circuit).voltage("o")[0]) == pytest.approx(-2)


@pytest.mark.parametrize(
    ("deck", "says"),
    [
        (".param a = 1 + 2 b = 3\nr1 1 0 {a}", "needs braces"),
        ("r1 1 0 {1?0?1:2:3}", "needs parentheses"),
        ("r1 1 0 {3mil}", "write it out"),
        (".param a={b} b={a}\nr1 1 0 {a}", "defined by itself"),
        ("x1 1 s q=2\n.subckt s a r=1\nr1 a 0 {r}\n.ends", "no parameter q"),
        ("x1 1 s m=2\n.subckt s a r=1\nr1 a 0 {r}\n.ends", "m of a subcircuit"),
        ("x1 1 s\n.subckt s a r=1\n.param r=2\nr1 a 0 {r}\n.ends", "set by .param inside"),
        (".func f(x) {f(x)}\nr1 1 0 {f(1)}", "without end"),
        ("v1 1 0 1\nr1 1 0 1\n.control\nalter r1 = 2\nrun\n.endc", "command alter"),
        ("v1 1 0 1\nr1 1 0 1\n.control\nset temp=50\n.endc", "command set"),
    ],
)
def test_what_makes_no_sense_is_refused(deck: str, says: str) -> None:
    with pytest.raises(NetlistError, match=re.escape(says)):
        read_deck(f"t\n{deck}\n")


def test_commands_give_analyses_and_output_is_read_over() -> None:
    circuit = read_deck(
        "t\nv1 1 0 1\nr1 1 0 1\n.measure tran x max v(1)\n.control\nset numdgt=10\nrun\n"
        "tran 1u 1m\nprint v(1)\n.endc\n"
    )
    assert [type(a).__name__ for a in circuit.analyses] == ["Transient"]


def test_a_source_out_of_its_domain_does_not_converge() -> None:
    with pytest.raises(CircuitError, match="converge"):
        solve_op(read_deck("t\nv1 in 0 -1\nb1 o 0 v=ln(v(in))\nr1 o 0 1\n"))


def test_a_batched_run_refuses_a_source_by_expression() -> None:
    from quire.circuits import prepare

    circuit = read_deck("t\nv1 in 0 1\nb1 o 0 v=v(in)*time\nr1 o 0 1\n.tran 1u 1m\n")
    with pytest.raises(CircuitError, match="b1: a source by expression"):
        prepare(circuit, ["o"], ["r1"], 1e-6)


def test_a_card_shows_what_the_deck_says() -> None:
    with pytest.raises(UnsupportedElement, match=re.escape("c1 1 0 cmod l={2*a}")):
        read_deck("t\n.param a=1\nc1 1 0 cmod l={2*a}\n")
