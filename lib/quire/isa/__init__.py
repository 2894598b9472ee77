"""A universal GPU instruction set: assembler, codec, four engines, costs, conformance.

Read in this order: `program` (instructions, kernels, launches) and `table` (the one table of
instructions, whose functions are in `numbers`), `structure` (which end belongs to which if), `text`
(assembler, codec, containers), `deviations` (what the reference does otherwise), `engines` (four
mechanisms of divergence), `kernels` and `primitives` (our programs), `costs` (occupancy, bank
conflicts, measured cards, a model of time), `fuzzing` (conformance), `peers` (the same kernels
elsewhere), `experiments` (what the chapter measures) and `exercises`.

The instruction set is WAVE v0.4 (Abraham and Okoli 2026, and the public specification).
"""

from quire.isa.costs import occupancy, register_budget, resident_waves
from quire.isa.deviations import FOUND_BY_RUNNING, REFERENCE, Deviation
from quire.isa.dialects import DIALECTS, Dialect
from quire.isa.engines import ENGINES, run
from quire.isa.engines.protocol import Engine, Events, Outcome, RunOptions, Schedule
from quire.isa.program import Instruction, Kernel, Launch, Module
from quire.isa.table import TABLE
from quire.isa.text.assembler import assemble
from quire.isa.text.container import read_wbin, write_wbin
from quire.isa.text.disassembler import assembly_lines, disassemble
from quire.isa.text.encoding import decode, encode

__all__ = [
    "DIALECTS",
    "ENGINES",
    "FOUND_BY_RUNNING",
    "REFERENCE",
    "TABLE",
    "Deviation",
    "Dialect",
    "Engine",
    "Events",
    "Instruction",
    "Kernel",
    "Launch",
    "Module",
    "Outcome",
    "RunOptions",
    "Schedule",
    "assemble",
    "assembly_lines",
    "decode",
    "disassemble",
    "encode",
    "occupancy",
    "read_wbin",
    "register_budget",
    "resident_waves",
    "run",
    "write_wbin",
]
