"""Whole simulations by four linear solvers: what reduction gains where its own cost counts.

Each runs the same deck with the same steps control, in turn, on one thread; times are processor
seconds, which leave out waiting for a core, but not what other work does to caches and clocks.
"""

import re
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from quire import checks
from quire.circuits.analyses.linear_solvers import Solve, gje
from quire.circuits.analyses.reduced_solver import ReducedSolver
from quire.circuits.analyses.results import Result
from quire.circuits.analyses.transient import solve_transient
from quire.circuits.errors import CircuitError
from quire.circuits.experiments.elimination import ratio_interval
from quire.circuits.formulations.assembly import Ports
from quire.circuits.netlist.elements import Transient
from quire.circuits.netlist.reader import read_deck
from quire.circuits.peers import klujax, ngspice

_LADDER = 60


@dataclass(frozen=True)
class Simulated:
    """One deck: processor seconds by solver, and how much faster reduction made it."""

    deck: str
    n: int
    m: int  # rows that vary: what reduction keeps
    steps: int
    solves: int
    reductions: int
    whole: float
    reduced: float
    klu: float  # NaN where klujax is not here
    ngspice: float  # NaN where ngspice is not here
    gain: float  # whole over reduced, and its interval over rounds
    low: float
    high: float
    bound: float  # whole over what is left of it when solving takes no time
    klu_gain: float  # KLU over reduced
    klu_low: float
    klu_high: float
    difference: float  # of whole and reduced, over the largest swing


def diode_ladder(stages: int = _LADDER) -> str:
    """Return a deck in which one diode ends a long ladder: one row varies."""
    stages = checks.integer("stages", stages, 2)
    cards = ["a ladder of resistors and capacitors with a diode at its end", "v1 n0 0 sin(0 5 1k)"]
    for k in range(stages):
        cards += [f"r{k + 1} n{k} n{k + 1} 10", f"c{k + 1} n{k + 1} 0 10n"]
    cards += [f"d1 n{stages} 0 dm", ".model dm d(is=1e-14)", ".tran 5u 0.5m 0 5u"]
    return "\n".join([*cards, ".options reltol=1e-5 vntol=1e-9", ".end", ""])


def simulated_rows(
    decks: Mapping[str, str], shares: Mapping[str, float], rounds: int
) -> tuple[Simulated, ...]:
    """Time every deck by every solver that is here.

    Parameters
    ----------
    decks
        Decks with a transient analysis, by name.
    shares
        The part of the run that is simulated, by name; the whole of it where none is given.
    rounds
        Five or more; solvers take turns within a round.
    """
    return tuple(
        _simulated(name, text, shares.get(name, 1.0), checks.integer("rounds", rounds, 5))
        for name, text in decks.items()
    )


def _simulated(name: str, text: str, share: float, rounds: int) -> Simulated:
    circuit = read_deck(text)
    asked = circuit.analysis(Transient)
    assert isinstance(asked, Transient)
    asked = replace(asked, stop=asked.stop * checks.between("share", share, 0.0, 1.0 + 1e-12))
    kept: dict[str, Any] = {}
    solving = _Clock(gje)

    def run(make: Callable[[Ports], Solve]) -> Result:
        return solve_transient(circuit, asked, solver=make)

    def reduced(ports: Ports) -> Solve:
        kept["reduced"] = ReducedSolver(ports)
        return kept["reduced"]

    makers: dict[str, Callable[[Ports], Solve]] = {
        "whole": lambda ports: solving, "reduced": reduced,
    }  # fmt: skip
    if _has_klujax():
        makers["klu"] = _klu
    results = {key: run(make) for key, make in makers.items()}  # warm
    seconds: dict[str, list[float]] = {key: [] for key in makers}
    inside = []
    for _ in range(rounds):
        for key, make in makers.items():
            solving.seconds = 0.0
            start = time.process_time()
            run(make)
            seconds[key].append(time.process_time() - start)
            if key == "whole":
                inside.append(solving.seconds)
    middle = {key: statistics.median(found) for key, found in seconds.items()}
    rest = [max(t - s, 1e-9) for t, s in zip(seconds["whole"], inside, strict=True)]
    ours, other = results["whole"], results["reduced"]
    nodes = slice(0, ours.system.node_count)
    swing = float(np.ptp(ours.values[:, nodes], axis=0).max())
    on = np.stack([np.interp(ours.axis, other.axis, column) for column in other.values[:, nodes].T])
    missing = (float("nan"),) * 3
    return Simulated(
        name, ours.system.n, kept["reduced"].m, ours.counts.steps, ours.counts.iterations,
        kept["reduced"].reductions, middle["whole"], middle["reduced"],
        middle.get("klu", float("nan")), _ngspice_seconds(text, asked, rounds),
        *ratio_interval(seconds["whole"], seconds["reduced"]),
        ratio_interval(seconds["whole"], rest)[0],
        *(ratio_interval(seconds["klu"], seconds["reduced"]) if "klu" in seconds else missing),
        float(np.abs(on.T - ours.values[:, nodes]).max() / swing),
    )  # fmt: skip


class _Clock:
    """A solver that adds up its own processor seconds."""

    def __init__(self, solve: Solve) -> None:
        self.solve, self.seconds = solve, 0.0

    def __call__(self, a: Any, b: Any) -> Any:
        start = time.process_time()
        found = self.solve(a, b)
        self.seconds += time.process_time() - start
        return found


def _klu(ports: Ports) -> Solve:
    system = ports.system
    full = (system.G != 0) | (system.C != 0) | ports.pattern()
    return klujax.Refactored(full)


def _has_klujax() -> bool:
    import importlib.util

    return importlib.util.find_spec("klujax") is not None


def _ngspice_seconds(text: str, asked: Transient, rounds: int) -> float:
    """Return ngspice's processor seconds for the analysis, those of an empty run taken off."""
    if not ngspice.available():
        return float("nan")
    body = re.sub(r"(?im)^\.(tran|end|print|plot)\b.*$", "", text)
    longest = asked.longest or asked.step
    command = f"tran {asked.step:g} {asked.stop:g} 0 {longest:g}" + (
        " uic" if asked.use_initial else ""
    )
    took: list[float] = []
    with TemporaryDirectory() as folder:
        for _ in range(rounds):
            both = [_child_seconds(body, said, Path(folder)) for said in (command, "")]
            took.append(both[0] - both[1])
    return max(statistics.median(took), 0.0)


def _child_seconds(deck: str, control: str, folder: Path) -> float:
    """Return the processor seconds of one ngspice process.

    Raises
    ------
    CircuitError
        When the analysis did not run.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = ngspice.run_control(deck, f"{control}\necho all done", folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if "all done" not in said or (control and "error" in said.lower()):
        raise CircuitError("ngspice did not run the deck")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


DECKS: Sequence[str] = ("halfwave", "bridge", "cmos_ring3", "bjt_stage", "diode_ladder", "adder")
