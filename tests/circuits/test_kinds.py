"""Circuits of kinds that were not tried while the library was written, against the ngspice here."""

from typing import NamedTuple

import numpy as np
import pytest

from quire.circuits import read_deck, solve_ac, solve_dc, solve_op, solve_transient
from quire.circuits.peers import ngspice

pytestmark = pytest.mark.skipif(not ngspice.available(), reason="needs the program ngspice")
CLOSE = ".options reltol=1e-4 abstol=1e-13 vntol=1e-8 chgtol=1e-16"  # of steps in time


class Kind(NamedTuple):
    """A deck without analyses, one analysis, nodes to compare, and how far they may differ."""

    deck: str
    analysis: str
    nodes: list[str]
    allowed: float  # of the largest value, of the swing in time


DIFFPAIR = """differential pair dc
vcc c 0 12
vee e 0 -12
v1 1 0 dc 0 ac 1
r1 c 3 10k
r2 c 4 10k
q1 3 1 5 qn
q2 4 0 5 qn
q3 5 6 7 qn
q4 6 6 7 qn 2
r3 0 6 20k
r7 7 e 100
.model qn npn(is=2e-16 bf=200 vaf=100 cje=1p cjc=0.5p tf=0.1n rb=50 ikf=20m)
"""
BANDGAP = """bandgap temp sweep
vcc c 0 5
r1 o a 20k
r2 o b 2k
r3 b e 1.5k
q1 a a 0 qn
q2 e e 0 qn 8
e1 x 0 b a 2000
rx x o 10
rl o 0 100k
.model qn npn(is=1e-16 bf=100 xtb=1.2 eg=1.17 xti=3)
.nodeset v(o)=1.2
"""
HIER = """nested subckt with params, ac
.param w=2
.subckt lp a b r=1k c=1n
r1 a b {r}
c1 b 0 {c}
.ends
.subckt two a b q=1
x1 a m lp r={1k*q} c={2n/q}
e1 n 0 m 0 1
x2 n b lp
.ends
v1 in 0 ac 1 45
x1 in o two q={w}
x2 o p two
rl p 0 10k
"""
DARL_OP = """darlington, jfetless current mirror op
vcc c 0 10
q1 c b m qn
q2 c m o qn 4
ro o 0 8
rb c b 10k
q3 b e1 0 qn
r3 o e1 3.3k
r4 e1 0 1k
q5 x x c qp
q6 y x c qp 3
rx x 0 20k
ry y 0 1k
.model qn npn(is=1e-15 bf=100 ikf=0.5 ise=1e-13 ne=2 re=0.1 rc=0.5 rb=20 irb=0)
.model qp pnp(is=1e-15 bf=50 vaf=40 ikf=0.1)
"""
ZENER = """zener regulator
v1 in 0 sin(12 3 120)
r1 in z 470
d1 0 z dz
q1 in z o qn
rl o 0 1k
c1 o 0 10u
.model dz d(is=1e-14 bv=5.6 ibv=5m rs=2)
.model qn npn(is=1e-14 bf=100 cje=20p)
"""
OPAMP = """macro opamp integrator with clamp
.subckt op p m o
rin p m 1meg
g1 0 x p m 1m
rx x 0 1meg
cx x 0 159n
e1 y 0 x 0 1
ro y o 75
d1 x hp dl
vh hp 0 12
d2 hm x dl
vm hm 0 -12
.ends
v1 in 0 pulse(-1 1 0 1u 1u 0.5m 1m)
r1 in m 10k
c1 m o 10n
r2 m o 1meg
x1 0 m o op
.model dl d(is=1e-14)
"""
PUSHPULL = """push pull amp
vp p 0 15
vn n 0 -15
v1 in 0 sin(0 5 1k 0 100 30)
r1 p b1 4.7k
r2 b2 n 4.7k
d1 b1 in dd
d2 in b2 dd
q1 p b1 o qn
q2 n b2 o qp
rl o 0 100
.model dd d(is=1e-14 tt=5n cjo=4p)
.model qn npn(is=1e-14 bf=100 cje=25p cjc=8p tf=0.5n rb=5)
.model qp pnp(is=1e-14 bf=80 cje=25p cjc=12p tf=1n rb=5 vaf=60)
"""
XFMR_EXP = """exp, pwl, isources, floating caps
i1 0 a exp(0 1m 1u 2u 10u 3u)
r1 a 0 1k
c1 a b 1n
r2 b 0 2k
l1 b c 100u
r3 c 0 50
v1 d 0 pwl(0 0 1u 1 2u 1 2.5u -1 8u 0)
r4 d b 3k
g1 0 c d 0 1m
"""
SRLATCH = """nmos sr latch
.subckt nor a b y vdd
m1 y a 0 0 nm w=10u l=2u
m2 y b 0 0 nm w=10u l=2u
m3 y vdd vdd vdd2 nm2 w=2u l=4u
vx vdd2 0 -1
cl y 0 50f
.ends
vdd d 0 5
vs s 0 pwl(0 0 10n 0 11n 5 20n 5 21n 0 60n 0)
vr r 0 pwl(0 0 30n 0 31n 5 40n 5 41n 0 60n 0)
xa s qb q d nor
xb r q qb d nor
.ic v(q)=0 v(qb)=4
.model nm nmos(vto=0.8 kp=40u gamma=0.4 phi=0.6 lambda=0.02
+ cgso=200p cgdo=200p cj=100u pb=0.8)
.model nm2 nmos(vto=0.7 kp=40u gamma=0.4 phi=0.65)
"""
RING = """cmos nand ring w/ bulk caps
.subckt nand a b y vdd
mp1 y a vdd vdd pm w=4u l=1u ad=8p as=8p pd=8u ps=8u
mp2 y b vdd vdd pm w=4u l=1u ad=8p as=8p pd=8u ps=8u
mn1 y a z 0 nm w=4u l=1u ad=8p as=8p pd=8u ps=8u
mn2 z b 0 0 nm w=4u l=1u ad=8p as=8p pd=8u ps=8u
.ends
vdd d 0 3.3
ven en 0 pulse(0 3.3 0.2n 0.1n 0.1n 100n 200n)
x1 en y3 y1 d nand
x2 y1 y1 y2 d nand
x3 y2 y2 y3 d nand
c1 y1 0 20f
c2 y2 0 20f
c3 y3 0 20f
.model nm nmos(level=1 vto=0.6 kp=100u gamma=0.4 lambda=0.05 phi=0.7
+ cgso=0.2n cgdo=0.2n cj=0.3m cjsw=0.2n mj=0.5 mjsw=0.3)
.model pm pmos(level=1 vto=-0.7 kp=40u gamma=0.5 lambda=0.06 phi=0.7
+ cgso=0.2n cgdo=0.2n cj=0.4m cjsw=0.25n)
"""
KINDS = {
    "a differential pair with a mirror": Kind(
        DIFFPAIR, "dc v1 -0.2 0.2 0.04", ["3", "4", "6"], 1e-06
    ),
    "the same pair in frequency": Kind(DIFFPAIR, "ac dec 2 1k 10g", ["3", "4"], 1e-06),
    "a band gap over temperature": Kind(BANDGAP, "dc temp -40 120 40", ["o", "a"], 1e-06),
    "filters in filters with parameters": Kind(HIER, "ac dec 3 1k 10meg", ["o", "p"], 1e-06),
    "a Darlington pair and PNP mirrors": Kind(DARL_OP, "op", ["o", "m", "y", "b"], 1e-06),
    "a Zener diode behind a follower": Kind(ZENER, "tran 50u 10m 0 50u", ["z", "o"], 0.001),
    "an integrator that clamps": Kind(OPAMP, "tran 2u 1m 0 2u", ["o", "m"], 0.001),
    "a push-pull stage": Kind(PUSHPULL, "tran 5u 0.5m 0 5u", ["o", "b1"], 0.001),
    "sources of all shapes": Kind(XFMR_EXP, "tran 0.05u 10u 0 0.05u", ["a", "b", "c"], 0.003),
    "a latch that is set and reset": Kind(SRLATCH, "tran 0.1n 60n 0 0.1n", ["q", "qb"], 0.02),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_circuit_has_the_answers_of_ngspice(name: str) -> None:
    kind = KINDS[name]
    word = kind.analysis.split()[0]
    options = CLOSE if word == "tran" else ngspice.TIGHT
    solve = {"op": solve_op, "dc": solve_dc, "ac": solve_ac, "tran": solve_transient}[word]
    ours = solve(read_deck(f"{kind.deck}{options}\n.{kind.analysis}\n"))
    probes = [f"v({node})" for node in kind.nodes]
    table = ngspice.simulate(f"{kind.deck}{ngspice.TIGHT}\n.end\n", kind.analysis, probes)
    for k, node in enumerate(kind.nodes):
        if word == "ac":
            theirs = table[:, 1 + 2 * k] + 1j * table[:, 2 + 2 * k]
        else:
            theirs = table[:, k - len(kind.nodes)]
        found = ours.at(table[:, 0], node) if word == "tran" else ours.voltage(node)
        size = np.ptp(theirs) if word == "tran" else np.abs(theirs).max()
        assert np.abs(found - theirs).max() <= kind.allowed * size, node


def test_a_ring_of_gates_has_the_period_of_ngspice() -> None:
    analysis = "tran 10p 4n 0 10p"
    ours = solve_transient(read_deck(f"{RING}{CLOSE}\n.{analysis}\n"))
    table = ngspice.simulate(f"{RING}{ngspice.TIGHT}\n.end\n", analysis, ["v(y1)"])
    periods = [
        np.diff(_rises(t, v)).mean()
        for t, v in ((ours.axis, ours.voltage("y1")), (table[:, 0], table[:, 1]))
    ]
    assert periods[0] == pytest.approx(periods[1], rel=2e-3)


def _rises(t: np.ndarray, v: np.ndarray) -> np.ndarray:
    at = np.flatnonzero((v[:-1] < 1.65) & (v[1:] >= 1.65))
    return t[at] + (1.65 - v[at]) / (v[at + 1] - v[at]) * (t[at + 1] - t[at])
