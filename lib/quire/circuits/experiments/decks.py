"""Decks held against ngspice: our waveform on its time points, differences over the swing.

The texts and reference tables come in as arguments: this package reads no file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.circuits.analyses.results import Result
from quire.circuits.analyses.steady import solve_ac, solve_dc, solve_op
from quire.circuits.analyses.transient import solve_transient
from quire.circuits.errors import CircuitError, NetlistError
from quire.circuits.netlist.elements import AcSweep, Circuit, DcSweep, Transient
from quire.circuits.netlist.reader import read_deck


@dataclass(frozen=True)
class DeckRow:
    """One deck: sizes, work, and its largest difference from the reference over the swing."""

    deck: str
    analysis: str
    unknowns: int
    points: int
    iterations: int
    coarse: float  # largest difference at the deck's own step
    fine: float  # at a tenth of it; equal to coarse where no step is involved
    allowed: float  # for fine


def analysed(text: str) -> tuple[Circuit, list[str]]:
    """Return a reference deck with the analysis that its comment names, and the saved vectors.

    Raises
    ------
    CircuitError
        When the comments are not there.
    """
    asked = re.search(r"^\* analysis: (.+)$", text, flags=re.M)
    saved = re.search(r"^\* saved: (.+)$", text, flags=re.M)
    if asked is None or saved is None:
        raise CircuitError("the deck has no comments '* analysis:' and '* saved:'")
    body = re.sub(r"(?im)^\.end\s*$", "", text)
    return read_deck(f"{body}\n.{asked[1]}\n.end\n"), saved[1].split()


def solve_deck(circuit: Circuit, *, longest: float | None = None) -> Result:
    """Run the first analysis of a deck.

    Parameters
    ----------
    circuit
        A circuit with at least one analysis.
    longest
        Longest step of a transient analysis.

    Raises
    ------
    CircuitError
        When the deck asks for none.
    """
    if not circuit.analyses:
        raise CircuitError("the deck asks for no analysis")
    match circuit.analyses[0]:
        case DcSweep():
            return solve_dc(circuit)
        case AcSweep():
            return solve_ac(circuit)
        case Transient():
            return solve_transient(circuit, longest=longest)
    return solve_op(circuit)


def vector(result: Result, name: str) -> Any:
    """Return what a vector such as ``v(a,b)`` or ``i(v1)`` means in a result.

    Raises
    ------
    CircuitError
        For a name of another form.
    """
    match = re.fullmatch(r"([vi])\(([^()]+)\)", name.lower())
    if match is None:
        raise CircuitError(f"{name}: must be v(node), v(node,node) or i(element)")
    if match[1] == "i":
        return result.current(match[2])
    return result.voltage(*(part.strip() for part in match[2].split(",")))


def compare_deck(name: str, text: str, reference: Any, *, refine: int = 10) -> DeckRow:
    """Return how far our solution of a reference deck is from ngspice's.

    Parameters
    ----------
    name
        What to call it.
    text
        The deck.
    reference
        Axis and saved vectors as columns; for ``.ac`` real and imaginary part; for ``.op`` a
        mapping from unknown to value.
    refine
        The finer run's longest step is the deck's over this.
    """
    circuit, saved = analysed(text)
    asked = circuit.analyses[0]
    result = solve_deck(circuit)
    coarse = _difference(result, saved, reference)
    fine, finer = coarse, result
    if isinstance(asked, Transient):
        finer = solve_deck(circuit, longest=(asked.longest or asked.step) / refine)
        fine = _difference(finer, saved, reference)
    return DeckRow(
        name, type(asked).__name__, result.system.n, len(result.axis), result.counts.iterations,
        coarse, fine, 1e-4 if isinstance(asked, Transient) else 1e-6,
    )  # fmt: skip


def _difference(result: Result, saved: list[str], reference: Any) -> float:
    if isinstance(reference, Mapping):
        scale = max(abs(value) for value in reference.values())
        pairs = ((result.values[0, result.system.index(k)], v) for k, v in reference.items())
        return float(max(abs(ours - theirs) for ours, theirs in pairs) / scale)
    table = np.asarray(reference)
    worst = 0.0
    for k, name in enumerate(saved):
        ours = vector(result, name)
        if np.iscomplexobj(ours):
            theirs = table[:, 1 + 2 * k] + 1j * table[:, 2 + 2 * k]
            worst = max(worst, float(np.max(np.abs(ours - theirs) / np.abs(theirs))))
            continue
        theirs = table[:, 1 + k]
        on = (
            ours
            if len(ours) == len(theirs) and np.allclose(result.axis, table[:, 0])
            else (np.interp(table[:, 0], result.axis, ours))
        )
        worst = max(worst, float(np.max(np.abs(on - theirs)) / np.ptp(theirs)))
    return worst


def series_circuit(times: Any) -> Any:
    """Return the closed form of the deck ``rlc_series``: time, voltage of the capacitor, current.

    10 ohms, 1 mH and 1 uF from rest, driven by a step of 1 V whose edge of 1 ns is taken as a step
    in its middle; what that leaves out is of the order of (1 ns)^2.
    """
    ohms, henries, farads, edge = 10.0, 1e-3, 1e-6, 1e-9
    decay, natural = ohms / (2 * henries), 1 / np.sqrt(henries * farads)
    swing = np.sqrt(natural**2 - decay**2)
    t = np.maximum(np.asarray(times) - edge / 2, 0.0)
    fading = np.exp(-decay * t)
    volts = 1 - fading * (np.cos(swing * t) + decay / swing * np.sin(swing * t))
    amperes = farads * natural**2 / swing * fading * np.sin(swing * t)
    return np.column_stack([times, volts, amperes])


@dataclass(frozen=True)
class Period:
    """A ring oscillator's period by step, in picoseconds."""

    step: float
    period: float
    spread: float  # largest difference between the last three cycles


def ring_periods(
    text: str, steps: tuple[float, ...], node: str, level: float
) -> tuple[Period, ...]:
    """Return the period of an oscillator for several longest steps, from its last three cycles.

    Raises
    ------
    CircuitError
        When fewer than four cycles are seen.
    """
    circuit, _ = analysed(text)
    rows = []
    for step in steps:
        result = solve_transient(circuit, longest=step)
        wave, times = result.voltage(node), result.axis
        up = np.flatnonzero((wave[:-1] < level) & (wave[1:] >= level))
        crossings = times[up] + (level - wave[up]) / (wave[up + 1] - wave[up]) * (
            times[up + 1] - times[up]
        )
        cycles = np.diff(crossings)[-3:]
        if len(cycles) < 3:
            raise CircuitError(f"{len(cycles)} cycles: at least three are needed")
        rows.append(Period(1e12 * step, 1e12 * float(cycles.mean()), 1e12 * float(np.ptp(cycles))))
    return tuple(rows)


@dataclass(frozen=True)
class Refused:
    """A deck that the reader refuses: the line to blame and why; line 0 where it reads the deck."""

    deck: str
    line: int
    why: str


def refused(decks: Mapping[str, str]) -> tuple[Refused, ...]:
    """Return what the reader says of each deck."""
    rows = []
    for name, text in decks.items():
        try:
            read_deck(text)
            rows.append(Refused(name, 0, "read"))
        except NetlistError as fault:
            rows.append(Refused(name, fault.line, fault.why))
    return tuple(rows)


@dataclass(frozen=True)
class Solved:
    """One deck solved by elimination: work done, and its difference from the reference."""

    deck: str
    analysis: str
    unknowns: int
    points: int
    iterations: int
    rebuilds: int
    difference: float


def solved_by_elimination(name: str, text: str, reference: Any) -> Solved:
    """Solve a deck by Gauss-Jordan elimination at every moment.

    Parameters
    ----------
    name, text, reference
        As in `compare_deck`.
    """
    circuit, saved = analysed(text)
    asked = circuit.analyses[0]
    match asked:
        case DcSweep():
            result = solve_dc(circuit, solver="gje")
        case AcSweep():
            result = solve_ac(circuit, solver="gje")
        case Transient():
            result = solve_transient(circuit, solver="gje")
        case _:
            result = solve_op(circuit, solver="gje")
    return Solved(
        name, type(asked).__name__, result.system.n,
        len(result.axis),
        result.counts.iterations, result.counts.rebuilds, _difference(result, saved, reference),
    )  # fmt: skip
