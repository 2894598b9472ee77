"""The ngspice project's own test decks: its printed results against ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.circuits.analyses.results import Result
from quire.circuits.analyses.steady import solve_op
from quire.circuits.analyses.transient import initial_point, solve_transient
from quire.circuits.formulations.assembly import Ports
from quire.circuits.formulations.mna import build_system
from quire.circuits.netlist.elements import Transient
from quire.circuits.netlist.reader import read_deck


@dataclass(frozen=True)
class ProjectRow:
    """One deck of ngspice's tests: what was compared, how much of it, and the difference."""

    deck: str
    compared: str
    values: int
    unknowns: int
    difference: float  # largest, over the swing


def printed_solution(text: str) -> dict[str, float]:
    """Return the initial transient solution that an output file prints, by our names.

    Nodes of nested subcircuits are written ``1:2:9`` there and ``x1.x2.9`` here.
    """
    part = text.partition("Initial Transient Solution")[2]
    found: dict[str, float] = {}
    for line in part.splitlines()[4:]:
        match = re.fullmatch(r"(\S+)\s+(-?[\d.]+(?:e[+-]?\d+)?)\s*", line)
        if match is None:
            if found:
                break
            continue
        *path, last = match[1].split(":")
        found[".".join([*(f"x{p}" for p in path), last])] = float(match[2])
    return found


def printed_plot(text: str) -> Any:
    """Return axis and first vector of a line-printer plot."""
    pairs = re.findall(r"^ (-?\d\.\d+e[+-]\d+)\s+(-?\d\.\d+e[+-]\d+) ", text, flags=re.M)
    return np.array(pairs, dtype=float)


def printed_currents(text: str) -> dict[str, float]:
    """Return the source currents that an operating point prints."""
    pairs = re.findall(r"^\t(\S+#branch)\s+(-?\d\.\d+e[+-]\d+)\s*$", text, flags=re.M)
    return {name: float(value) for name, value in pairs}


def compare_solution(name: str, deck: str, output: str) -> ProjectRow:
    """Compare the solution at time zero of a transient deck."""
    circuit = read_deck(deck)
    system = build_system(circuit)
    asked = circuit.analysis(Transient)
    assert isinstance(asked, Transient)
    x, _ = initial_point(system, Ports(system), asked, "automatic")
    return _row(
        name,
        "solution at time zero",
        printed_solution(output),
        Result(system, np.zeros(1), x[None]),
    )


def compare_currents(name: str, deck: str, output: str) -> ProjectRow:
    """Compare the source currents of an operating point."""
    return _row(name, "source currents", printed_currents(output), solve_op(read_deck(deck)))


def compare_plot(name: str, deck: str, output: str, node: str) -> ProjectRow:
    """Compare one node's waveform at the printed times."""
    circuit = read_deck(deck)
    asked = circuit.analysis(Transient)
    assert isinstance(asked, Transient)
    result = solve_transient(circuit, longest=asked.step / 10)
    table = printed_plot(output)
    gap = np.abs(result.at(table[:, 0], node) - table[:, 1]).max() / np.ptp(table[:, 1])
    return ProjectRow(name, f"v({node}) in time", len(table), result.system.n, float(gap))


def project_rows(texts: Mapping[str, tuple[str, str]]) -> tuple[ProjectRow, ...]:
    """Compare every deck that is at hand.

    Parameters
    ----------
    texts
        Deck and output by name: ``general_rc``, ``general_schmitt``, ``general_mosmem``,
        ``transient_fourbitadder``, ``resistance_res_array``, ``resistance_res_partition``.
    """
    rows = []
    for name, (deck, output) in texts.items():
        if name == "general_rc":
            rows.append(compare_plot(name, deck, output, "2"))
        elif name.startswith("resistance"):
            rows.append(compare_currents(name, deck, output))
        else:
            rows.append(compare_solution(name, deck, output))
    return tuple(rows)


def varying_share(deck: str) -> tuple[int, int]:
    """Return the rows that nonlinear devices touch in a circuit, and all rows."""
    system = build_system(read_deck(deck))
    S, _ = Ports(system).incidence()
    return int(np.count_nonzero(np.abs(S).sum(axis=1))), system.n


def _row(name: str, what: str, printed: Mapping[str, float], result: Result) -> ProjectRow:
    known = set(result.system.unknowns)
    pairs = [
        (result.values[0, result.system.index(k)], v) for k, v in printed.items() if k in known
    ]
    theirs = np.array([v for _, v in pairs])
    ours = np.array([v for v, _ in pairs])
    return ProjectRow(
        name,
        what,
        len(pairs),
        result.system.n,
        float(np.abs(ours - theirs).max() / (np.ptp(theirs) or np.abs(theirs).max())),
    )
