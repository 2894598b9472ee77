"""Circuits by elimination: SPICE decks in steps of time, what never changes eliminated once.

Read in this order: `netlist` (decks of text become flat circuits), `devices` (diodes and
transistors), `formulations` (node voltages or branch currents), `elimination` (Gauss-Jordan,
blocked, on threads, on devices; partial reduction), `analyses` (operating point, sweeps, steps in
time), `batched` (many variants in one program, and derivatives), `peers` (other people's
simulators), `experiments` (what the chapter measures), `exercises`.

A rectifier, from its deck to its waveform and the derivative of its rise time::

    import quire.circuits as qc

    circuit = qc.read_deck('''rectifier
    v1 in 0 sin(0 5 1k)
    d1 in out dm
    r1 out 0 1k
    c1 out 0 1u
    .model dm d(is=1e-14)
    .tran 1u 0.25m
    ''')
    waves = qc.solve_transient(circuit)
    print(waves.voltage("out").max(), waves.counts.iterations)
    batch = qc.prepare(circuit, outputs=["out"], varied=["r1", "c1"], h=1e-6)
    seconds, slopes = qc.measure_and_gradient(batch, qc.rise_time)

What needs JAX or Numba loads when it is first asked for: a process that only eliminates starts in a
moment.
"""

from typing import TYPE_CHECKING

from quire.circuits.analyses.results import Counts, Result
from quire.circuits.analyses.steady import solve_ac, solve_dc, solve_op
from quire.circuits.analyses.transient import solve_transient
from quire.circuits.elimination.costs import break_even, crossover
from quire.circuits.elimination.gauss_jordan import (
    Eliminated,
    gauss_jordan,
    gauss_jordan_blocked,
    inverse,
)
from quire.circuits.elimination.low_rank import LowRank
from quire.circuits.elimination.reduction import Reduction, reduce_constant_rows, solve_reduced
from quire.circuits.errors import (
    CircuitError,
    NetlistError,
    NewtonFailure,
    SingularCircuit,
    TimestepTooSmall,
    UnsupportedElement,
    ZeroResistance,
)
from quire.circuits.formulations.branch import (
    Branch,
    branch_equations,
    nodal_equations,
    solve_branches,
)
from quire.circuits.formulations.companions import branch_transient
from quire.circuits.formulations.mna import System, build_system
from quire.circuits.netlist.elements import AcSweep, Circuit, DcSweep, Sweep, Transient
from quire.circuits.netlist.numbers import parse_number
from quire.circuits.netlist.reader import read_deck
from quire.later import loaded_later

if TYPE_CHECKING:
    from quire.circuits.batched.gradients import differences, measure_and_gradient, rise_time
    from quire.circuits.batched.monte_carlo import Variants, draw_values, run_variants
    from quire.circuits.batched.transient import Batch, Tolerances, prepare
    from quire.circuits.elimination.sharded import gauss_jordan_sharded
    from quire.circuits.elimination.threads import MOST_THREADS, gauss_jordan_threads

__all__ = [
    "MOST_THREADS",
    "AcSweep",
    "Batch",
    "Branch",
    "Circuit",
    "CircuitError",
    "Counts",
    "DcSweep",
    "Eliminated",
    "LowRank",
    "NetlistError",
    "NewtonFailure",
    "Reduction",
    "Result",
    "SingularCircuit",
    "Sweep",
    "System",
    "TimestepTooSmall",
    "Tolerances",
    "Transient",
    "UnsupportedElement",
    "Variants",
    "ZeroResistance",
    "branch_equations",
    "branch_transient",
    "break_even",
    "build_system",
    "crossover",
    "differences",
    "draw_values",
    "gauss_jordan",
    "gauss_jordan_blocked",
    "gauss_jordan_sharded",
    "gauss_jordan_threads",
    "inverse",
    "measure_and_gradient",
    "nodal_equations",
    "parse_number",
    "prepare",
    "read_deck",
    "reduce_constant_rows",
    "rise_time",
    "run_variants",
    "solve_ac",
    "solve_branches",
    "solve_dc",
    "solve_op",
    "solve_reduced",
    "solve_transient",
]

_LATER = {
    "batched.gradients": ("differences", "measure_and_gradient", "rise_time"),
    "batched.monte_carlo": ("Variants", "draw_values", "run_variants"),
    "batched.transient": ("Batch", "Tolerances", "prepare"),
    "elimination.sharded": ("gauss_jordan_sharded",),
    "elimination.threads": ("MOST_THREADS", "gauss_jordan_threads"),
}

__getattr__ = loaded_later(__name__, _LATER)
