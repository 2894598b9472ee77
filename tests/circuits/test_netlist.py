"""Decks are read as SPICE reads them, and what is outside the subset is refused with its line."""

import math
import re

import numpy as np
import pytest

from quire.circuits import Transient, UnsupportedElement, parse_number, read_deck
from quire.circuits.errors import NetlistError
from quire.circuits.netlist import elements as e
from quire.circuits.netlist.waveforms import waveform


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10.0), ("4.7k", 4700.0), ("1PF", 1e-12), ("10ns", 1e-8), ("3meg", 3e6), ("3M", 3e-3),
        ("2mil", 50.8e-6), ("1e-3k", 1.0), ("-.5", -0.5), ("5volts", 5.0), ("1.5Ghz", 1.5e9),
        ("2f", 2e-15), ("7a", 7.0), ("5Amp", 5.0), ("1d3", 1000.0), ("+3", 3.0), ("1e3meg", 1e9),
        ("2t", 2e12), ("0.1u", 1e-7), ("0", 0.0), ("1.", 1.0),
    ],
)  # fmt: skip
def test_a_number_of_spice(text: str, value: float) -> None:
    assert parse_number(text) == pytest.approx(value, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    "text", ["", "k", "1.2.3", "a1", "--1", "1_0", "1-", "nan", "inf", "v(1)", "1e400"]
)
def test_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        parse_number(text)


def test_the_first_line_is_a_title_whatever_it_says() -> None:
    circuit = read_deck("r9 1 0 5\nr1 1 0 1k\n")
    assert circuit.title == "r9 1 0 5"
    assert [x.name for x in circuit.elements] == ["r1"]


def test_comments_continuations_and_case() -> None:
    circuit = read_deck(
        "title\n* a comment\nV1 A 0 PULSE(0 1\n* between\n+ 1n 2n,3n) ; a comment\n"
        "R1 a GND 1K $ another\nC1 a 0 1PF // and another\n.END\nthis is not read\n"
    )
    source = circuit.element("V1")
    assert isinstance(source, e.VoltageSource)
    assert source.source.numbers == (0, 1, 1e-9, 2e-9, 3e-9)
    assert circuit.nodes == ("a",)
    assert len(circuit.elements) == 3


def test_subcircuits_nest_and_keep_their_names() -> None:
    circuit = read_deck(
        "t\n.subckt half a b\nr1 a m 1k\nr2 m b 1k\n.ends half\n"
        ".subckt whole p q\nx1 p mid half\nx2 mid q half\n.ends\n"
        "v1 in 0 1\nx9 in 0 whole\n"
    )
    assert [x.name for x in circuit.elements] == [
        "v1", "x9.x1.r1", "x9.x1.r2", "x9.x2.r1", "x9.x2.r2",
    ]  # fmt: skip
    assert circuit.element("x9.x1.r2").nodes == ("x9.x1.m", "x9.mid")


def test_a_local_model_hides_the_one_outside() -> None:
    circuit = read_deck(
        "t\n.model dd d(is=1e-12)\n.subckt s a\nd1 a 0 dd\n.model dd d(is=1e-15)\n.ends\n"
        "x1 1 s\nd2 1 0 dd\nv1 1 0 1\n"
    )
    inner, outer = circuit.element("x1.d1"), circuit.element("d2")
    assert isinstance(inner, e.Diode) and isinstance(outer, e.Diode)
    assert (inner.model.values["is"], outer.model.values["is"]) == (1e-15, 1e-12)


def test_a_source_with_everything() -> None:
    source = read_deck("t\nv1 1 0 dc 2 ac 3 90 sin(0 1 1k) distof1 0\nr1 1 0 1\n").element("v1")
    assert isinstance(source, e.VoltageSource)
    assert source.source.dc == 2 and source.source.operating == 2
    assert source.source.ac == pytest.approx(3j)
    assert source.source.kind == "sin"


def test_a_source_without_dc_value_starts_where_its_waveform_does() -> None:
    source = read_deck("t\nv1 1 0 pulse(-1.6 -1.2 10n)\nr1 1 0 1\n").element("v1")
    assert isinstance(source, e.VoltageSource)
    assert source.source.operating == -1.6


def test_the_resistor_with_everything() -> None:
    circuit = read_deck(
        "t\nr1 1 0 10 ac=5 scale=1k\nr2 1 0 10k m=2\nr3 1 0 rm L=11u W=2u ac=2.5k\n"
        ".model rm R RSH = 1000 NARROW = 1u\n"
    )
    assert [(x.ohms, x.ac_ohms) for x in circuit.elements] == [  # type: ignore[union-attr]
        (10e3, 5e3), (5e3, 5e3), (pytest.approx(11e3), 2500.0),
    ]  # fmt: skip


def test_a_transistor_with_a_substrate() -> None:
    circuit = read_deck("t\nq1 c b 0 s qq off\nq2 c b 0 qq 2\n.model qq npn\nr1 s 0 1\n")
    first, second = circuit.elements[:2]
    assert isinstance(first, e.Bipolar) and isinstance(second, e.Bipolar)
    assert (first.nodes[3], first.off, second.nodes[3], second.area) == ("s", True, "0", 2.0)


def test_initial_conditions_and_times() -> None:
    circuit = read_deck(
        "t\nc1 a 0 1u ic=2\nr1 a b 1\nr2 b 0 1\n.ic v(a)=3 v(b) = 1m\n.tran 1n 1u 0 2n uic\n"
    )
    assert circuit.initial == {"a": 3.0, "b": 1e-3}
    assert circuit.analyses == (Transient(1e-9, 1e-6, 0.0, 2e-9, True),)


@pytest.mark.parametrize(
    ("card", "kind", "says"),
    [
        ("j1 1 2 0 jm", UnsupportedElement, "element J"),
        ("b1 1 0 v=ddt(v(1))", NetlistError, "ddt() is no function"),
        ("b1 1 0 v=v(1)+", NetlistError, "ends too early"),
        ("b1 1 0 v=aunif(1,1)", NetlistError, "random"),
        ("b1 1 0 v=hertz", NetlistError, "hertz is not defined"),
        ("b1 1 0 v=sin(1,2)", NetlistError, "takes 1 arguments"),
        ("b1 1 0 v=i(r9)", NetlistError, "no current of its own"),
        ("b1 1 0 v=1 tc1=2", UnsupportedElement, "not tc1"),
        ("b1 1 0", NetlistError, "expression is needed"),
        ("e1 1 0 table {v(1)} = (0,0) (1,1)", UnsupportedElement, "table"),
        ("f1 1 0 r0 2", NetlistError, "no current of its own"),
        ("h1 1 0 v9 2", NetlistError, "no current of its own"),
        ("h1 1 0 v9", NetlistError, "are needed"),
        ("r1 1 0 {2*}", NetlistError, "ends too early"),
        ("r1 1 0 {none}", NetlistError, "none is not defined"),
        ("r1 1 0 {1/0}", NetlistError, "1/0"),
        ("r1 1 0 {sqrt(-1)}", NetlistError, "finite"),
        ("r1 1 0 {2k2}", NetlistError, "no number here"),
        ("r1 1 0 {1+1", NetlistError, "no partner"),
        ("r1 1 0 {gauss(1,1,1)}", NetlistError, "random"),
        ("r1 1 0 {1 $ 2}", NetlistError, "no partner"),
        ("r1 1 0 {" + 300 * "(" + "1", NetlistError, "no partner"),
        (".param a", NetlistError, "name = value"),
        (".param a=", NetlistError, "no value"),
        (".func f(x", NetlistError, "needed"),
        (".lib other.lib tt", UnsupportedElement, "another file"),
        (".tf v(1) v1", UnsupportedElement, ".tf is not built"),
        (".noise v(1) v1 dec 1 1 10", UnsupportedElement, ".noise"),
        (".sens v(1)", UnsupportedElement, ".sens"),
        (".if (1)", UnsupportedElement, ".if"),
        (".temp 27 50", UnsupportedElement, "one temperature"),
        (".temp -300", NetlistError, "absolute zero"),
        (".nodeset v(nowhere)=1", NetlistError, "no node"),
        ("s1 1 0 2 0 sm", UnsupportedElement, "element S"),
        ("e1 1 0 poly(2) 2 0 1", NetlistError, "poly(2) needs"),
        ("e1 1 0 2 0 nine", UnsupportedElement, "gain, POLY"),
        ("v1 1 0 sffm(0 1 1k)", UnsupportedElement, "outside the subset"),
        (".model m nmos level=2", UnsupportedElement, "level = 2"),
        (".model m nmos(ucrit=1 level=6)", UnsupportedElement, "level = 6"),
        (".model m njf", UnsupportedElement, "njf"),
        (".model q npn(xtf=1)", UnsupportedElement, "xtf"),
        (".pz 1 0 2 0 vol pz", UnsupportedElement, ".pz"),
        (".include other.cir", UnsupportedElement, ".include"),
        (".control", NetlistError, "no .endc"),
        (".options method=gear", UnsupportedElement, "gear"),
        (".options rshunt=1e9", UnsupportedElement, "rshunt"),
        ("c1 1 0 cmod", UnsupportedElement, "by model"),
        ("r1 1 0 ten", NetlistError, "not defined"),
        ("r1 1 0", NetlistError, "resistance"),
        ("r1 1", NetlistError, "resistance"),
        ("d1 1 0 nomodel", NetlistError, "not defined"),
        ("v1 1 0 dc", NetlistError, "needs a number"),
        ("v1 1 0 pulse(1)", NetlistError, "2 to 7"),
        ("v1 1 0 pwl(0 1 0 2)", NetlistError, "increase"),
        ("x1 1 0 nosub", NetlistError, "not defined"),
        (".ends", NetlistError, "no .subckt"),
        (".subckt s a", NetlistError, "no .ends"),
        (".tran 1n 0", NetlistError, "stop"),
        (".tran 0 1n", NetlistError, "step"),
        (".tran 1n", NetlistError, "needed"),
        (".dc v1 0 1 -1", NetlistError, "step"),
        (".dc v7 0 1 1", NetlistError, "no source"),
        (".ac dec 10 0 1k", NetlistError, "positive"),
        (".ac dec 1.5 1 1k", NetlistError, "whole"),
        (".ic v(nowhere)=1", NetlistError, "no node"),
        (".ic a=1", NetlistError, "v(node)"),
        ("c1 1 0 -1u", NetlistError, "negative"),
        ("k1 la lb 0.5", NetlistError, "no inductor"),
        ("m1 1 1 0 0 mm l=0", NetlistError, "not defined"),
        (".options reltol=-1", NetlistError, "positive"),
        ("r0 2 0 2k", NetlistError, "taken by line 2"),
    ],
)  # fmt: skip
def test_a_bad_card_is_named(card: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=re.escape(says)) as caught:
        read_deck(f"title\nr0 1 0 1k\n{card}\n")
    assert caught.value.line == 3  # type: ignore[attr-defined]
    assert str(caught.value).startswith("line 3: ")


def test_a_subcircuit_that_holds_itself() -> None:
    with pytest.raises(NetlistError, match="does one hold itself"):
        read_deck("t\n.subckt s a\nx1 a s\n.ends\nx1 1 s\nr1 1 0 1\n")


def test_a_dangling_pin() -> None:
    with pytest.raises(NetlistError, match="has 2 pins, 1 nodes"):
        read_deck("t\n.subckt s a b\nr1 a b 1\n.ends\nx1 1 s\n")


@pytest.mark.parametrize(
    "text", ["", "title only", "title\n+ continues nothing\n", "t\nr1 a b 1\n"]
)
def test_no_circuit(text: str) -> None:
    with pytest.raises(NetlistError):
        read_deck(text)


def test_pulse_has_the_defaults_of_spice() -> None:
    pulse = waveform("pulse", (0.0, 1.0), 0.1, 7.0)
    assert pulse.value(np.array([0.0, 0.05, 0.1, 6.9])) == pytest.approx([0, 0.5, 1, 1])
    assert pulse.corners(7.0) == pytest.approx([0.1])


def test_a_pulse_of_no_width_lasts_to_the_end_as_in_spice() -> None:
    for numbers in ((0.0, 1.0, 0.0, 1.0, 1.0), (0.0, 1.0, 0.0, 1.0, 1.0, 0.0)):
        assert waveform("pulse", numbers, 0.1, 7.0).value(np.array([3.0, 6.9])).tolist() == [1, 1]


def test_a_comment_may_touch_its_dollar_sign() -> None:
    deck = "t\ni1 0 1 5A $glued\nr1 1 0 1k $ apart\n.op\n"
    assert read_deck(deck).element("r1").ohms == 1000


def test_an_initial_condition_in_a_subcircuit_is_refused() -> None:
    deck = "t\nx1 a s\n.subckt s m\nc1 m 0 1u\n.ic v(m)=4\n.ends\n"
    with pytest.raises(UnsupportedElement, match=r"v\(x1\.node\)"):
        read_deck(deck)


def test_pulse_repeats() -> None:
    pulse = waveform("pulse", (0.0, 3.0, 0.0, 1.0, 1.0, 1.0, 5.0), 0.1, 12.0)
    times = np.array([0.5, 1.5, 2.5, 4.0, 5.5, 6.5, 10.5])
    assert pulse.value(times) == pytest.approx([1.5, 3, 1.5, 0, 1.5, 3, 1.5])
    assert pulse.corners(12.0) == pytest.approx([1, 2, 3, 5, 6, 7, 8, 10, 11])


def test_sine_waits_and_decays() -> None:
    sine = waveform("sin", (1.0, 2.0, 10.0, 0.1, 3.0), 1e-3, 1.0)
    assert float(sine.value(0.05)) == 1.0
    assert float(sine.value(0.125)) == pytest.approx(1 + 2 * math.exp(-0.075))


def test_exponential_returns() -> None:
    wave = waveform("exp", (0.0, 1.0, 1.0, 1.0, 3.0, 1.0), 0.1, 10.0)
    assert wave.value(np.array([0.5, 2.0, 40.0])) == pytest.approx(
        [0, 1 - math.exp(-1), 0], abs=1e-12
    )
