"""The race of Monte Carlo runs, and the derivative of a rise time against differences.

All runners simulate the same rectifier over the same points, in turn, in one run. Errors are
against a fine reference of our own.
"""

import statistics
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from quire import checks
from quire.circuits.batched.gradients import differences, measure_and_gradient, rise_time
from quire.circuits.batched.monte_carlo import Variants, draw_values, run_variants
from quire.circuits.batched.transient import Batch, prepare
from quire.circuits.netlist.elements import Transient
from quire.circuits.netlist.reader import read_deck
from quire.circuits.peers import neospice, ngspice

RECTIFIER = """rectifier
V1 in 0 SIN(0 5 1k)
D1 in out dm
R1 out 0 1k
C1 out 0 1u
.model dm D(IS=1e-14 N=1 RS=0)
.end
"""
STEP, STOP = 3e-6, 3e-3
SPREAD = 0.1
VARIED = (("r1", 1e3), ("c1", 1e-6))


@dataclass(frozen=True)
class Runner:
    """One simulator in the race: variants a second in every round, and its largest error."""

    simulator: str
    rates: tuple[float, ...]  # start-up left out, of each alike
    error: float  # volts, largest over five variants
    start: float  # seconds of start-up: a process, a compilation, a first call

    @property
    def rate(self) -> float:
        """The median rate."""
        return statistics.median(self.rates)

    def times(self, other: "Runner") -> tuple[float, float, float]:
        """Return this rate over another's: median of rounds, least and largest."""
        ratios = sorted(a / b for a, b in zip(self.rates, other.rates, strict=True))
        return statistics.median(ratios), ratios[0], ratios[-1]


@lru_cache(maxsize=4)
def rectifier_batch(step: float = STEP) -> Batch:
    """Return the rectifier prepared for batched runs with a given step, compiled once for all."""
    return prepare(
        read_deck(RECTIFIER), ["out"], [name for name, _ in VARIED], step,
        Transient(step, STOP, 0.0, step),
    )  # fmt: skip


def race(count: int, rounds: int, seed: int) -> tuple[Runner, ...]:
    """Run the race with whatever rivals are here.

    Rates leave out the start of each: the process and reading of ngspice (an empty run, its median
    taken off), our compilation, a first call of neospice.

    Parameters
    ----------
    count
        Variants that ours runs in a round; rivals run a tenth, at least ten.
    rounds
        Five or more.
    seed
        Of the draws.
    """
    count, rounds = checks.integer("count", count, 10), checks.integer("rounds", rounds, 5)
    batch = rectifier_batch()
    values = draw_values(batch.varied, count, SPREAD, seed)
    few = max(10, count // 10)
    part = {name: row[:few] for name, row in values.items()}
    deck = neospice.parametrised(RECTIFIER, ".tran 3u 3m 0 3u", VARIED)
    rates: dict[str, list[float]] = {"ours": []}
    starts: dict[str, float] = {}
    if ngspice.available():
        rates["ngspice"] = []
    if _has_neospice():
        rates["neospice"] = []
    start = time.perf_counter()
    run_variants(batch, values)
    starts["ours"] = time.perf_counter() - start
    if "neospice" in rates:
        starts["neospice"] = neospice.time_monte_carlo(deck, VARIED, SPREAD, few, seed)[0]
    if "ngspice" in rates:
        starts["ngspice"] = statistics.median(ngspice.time_start(RECTIFIER) for _ in range(rounds))
    for _ in range(rounds):
        start = time.perf_counter()
        done = run_variants(batch, values)
        rates["ours"].append(count / (time.perf_counter() - start))
        if "ngspice" in rates:
            took = ngspice.time_variants(RECTIFIER, "tran 3u 3m 0 3u", part)
            rates["ngspice"].append(few / max(took - starts["ngspice"], 1e-3 * took))
        if "neospice" in rates:
            took, failed = neospice.time_monte_carlo(deck, VARIED, SPREAD, few, seed)
            rates["neospice"].append((few - failed) / took)
    errors = _errors(done, values)
    # what a first call takes beyond a later one
    for name, runs in (("ours", count), ("neospice", few)):
        if name in starts:
            starts[name] = max(starts[name] - runs / statistics.median(rates[name]), 0.0)
    return tuple(
        Runner(name, tuple(found), errors[name], starts[name]) for name, found in rates.items()
    )


def _errors(done: Variants, values: dict[str, Any], checked: int = 5) -> dict[str, float]:
    """Return every simulator's largest error over the first variants, at the points of the grid."""
    part = {name: row[:checked] for name, row in values.items()}
    fine = run_variants(rectifier_batch(STEP / 20), part)
    truth = np.stack(
        [np.interp(done.times, fine.times, fine.waves[:, 0, k]) for k in range(checked)]
    )
    worst = {"ours": float(np.abs(done.waves[:, 0, :checked].T - truth).max())}
    if ngspice.available():
        found = []
        for k in range(checked):
            text = RECTIFIER.replace("1k\nC1", f"{part['r1'][k]:.12e}\nC1").replace(
                "0 1u", f"0 {part['c1'][k]:.12e}"
            )
            table = ngspice.simulate(text, "tran 3u 3m 0 3u", ["v(out)"])
            found.append(np.interp(done.times, table[:, 0], table[:, 1]))
        worst["ngspice"] = float(np.abs(np.stack(found) - truth).max())
    if _has_neospice():
        deck = neospice.parametrised(RECTIFIER, ".tran 3u 3m 0 3u", VARIED)
        rows = np.stack([part[name] for name, _ in VARIED], axis=1)
        waves = neospice.waves(deck, VARIED, rows, "out")
        theirs = np.stack([np.interp(done.times, times, wave) for times, wave in waves])
        worst["neospice"] = float(np.abs(theirs - truth).max())
    return worst


def _has_neospice() -> bool:
    import importlib.util

    return importlib.util.find_spec("neospice") is not None


@dataclass(frozen=True)
class Slope:
    """A derivative of the rise time: by the chain rule, by differences, and their disagreement."""

    component: str
    nominal: float
    percent: float  # change of the rise time, in per cent, for one per cent more
    difference: float
    disagreement: float


AMPLIFIER = """a bipolar stage driven by a step
VCC cc 0 12
VIN s 0 PULSE(0 0.5 0 1n 1n 1 2)
RS s b 10k
RB cc b 600k
RC cc o 2k
RE e 0 220
CL o 0 100p
Q1 o b e qn
.model qn NPN(IS=1e-15 BF=120 VAF=80 CJE=4p CJC=2p TF=0.3n)
.tran 10n 4u
.end
"""


def rise_time_slopes() -> tuple[float, tuple[Slope, ...]]:
    """Return the fall time of a bipolar stage in nanoseconds, and its derivatives by component."""
    circuit = read_deck(AMPLIFIER)
    batch = prepare(circuit, ["o"], ["rs", "rc", "re", "cl", "q1.bf", "q1.cjc"], 10e-9)

    def fall(times: Any, wave: Any) -> Any:
        return rise_time(times, -wave)

    seconds, slopes = measure_and_gradient(batch, fall)
    by_differences = differences(batch, fall)
    rows = []
    for v in batch.varied:
        scale = v.nominal / seconds
        ours, theirs = slopes[v.name] * scale, by_differences[v.name] * scale
        size = max(abs(ours), abs(theirs), 1e-3)
        rows.append(Slope(v.name, v.nominal, ours, theirs, abs(ours - theirs) / size))
    return 1e9 * seconds, tuple(rows)


@dataclass(frozen=True)
class Spread:
    """What the variants of a rectifier show: ripple and level over the last period."""

    r1: float
    c1: float
    level: float
    ripple: float


def rectifier_spread(count: int, seed: int) -> tuple[Spread, ...]:
    """Return level and ripple of the output of every variant, over the last millisecond."""
    batch = rectifier_batch()
    values = draw_values(batch.varied, count, 0.2, seed)
    done = run_variants(batch, values)
    last = done.waves[done.times >= STOP - 1e-3, 0]
    return tuple(
        Spread(float(r), float(c), float(wave.mean()), float(np.ptp(wave)))
        for r, c, wave in zip(values["r1"], values["c1"], last.T, strict=True)
    )
