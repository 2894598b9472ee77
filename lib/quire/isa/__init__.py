"""A universal GPU instruction set: assembler, codec, four engines, costs, conformance.

Read in this order: `table` (the one table of instructions, with their functions in `arithmetic`,
`floating`, `formats` and `quick`), `program` (instructions, kernels, launches), `assembly`,
`listing`, `words` and `container` (text, words, files), `structure` (which end belongs to which
if), `machine` (running a kernel) with `engines` (mask stack, predication, program counter per lane,
compiled masks), `deviations` (what the reference does otherwise), `occupancy`, `banks` and `cost`,
`recording` (a run step by step), `fuzzing` (conformance), `kernels` (our programs) and `page` (the
reference page).

The instruction set is WAVE v0.4 (Abraham and Okoli 2026, and the public specification).
"""

from quire.isa.assembly import assemble
from quire.isa.container import read_wbin, write_wbin
from quire.isa.deviations import REFERENCE, SEVEN, Deviation
from quire.isa.listing import disassemble, listing
from quire.isa.machine import Events, Outcome, Schedule, run
from quire.isa.occupancy import DIALECTS, Dialect, occupancy, register_budget, resident_waves
from quire.isa.program import Instruction, Kernel, Launch, Module
from quire.isa.table import TABLE
from quire.isa.words import decode, encode

__all__ = [
    "DIALECTS",
    "REFERENCE",
    "SEVEN",
    "TABLE",
    "Deviation",
    "Dialect",
    "Events",
    "Instruction",
    "Kernel",
    "Launch",
    "Module",
    "Outcome",
    "Schedule",
    "assemble",
    "decode",
    "disassemble",
    "encode",
    "listing",
    "occupancy",
    "read_wbin",
    "register_budget",
    "resident_waves",
    "run",
    "write_wbin",
]
