"""A run step by step, as rows that a chart can lay out lane by lane."""

from dataclasses import dataclass

import numpy as np

from quire.isa.engines.protocol import RunOptions
from quire.isa.engines.recording import record
from quire.isa.experiments.golden import LANES
from quire.isa.kernels import demonstration
from quire.isa.program import Launch
from quire.isa.text.assembler import assemble
from quire.isa.text.disassembler import assembly_lines

DEPTHS = 3


@dataclass(frozen=True)
class Lanes:
    """One row of the stepper: a step, what the row shows, and an entry per lane."""

    step: int
    row: str
    lanes: list[int]


@dataclass(frozen=True)
class Step:
    """One step: the line that was just run and where the waves stand."""

    step: int
    line: int
    text: str
    waves: str


@dataclass(frozen=True)
class Stepper:
    """A recorded run: the program's lines, steps, mask rows, registers and local memory."""

    lines: list[str]
    steps: list[Step]
    masks: list[Lanes]
    registers: list[Lanes]
    local: list[Lanes]


MASK_ROWS = ("ran it", "alive", *(f"mask {depth}" for depth in range(DEPTHS)))


def stepper() -> Stepper:
    """Record the first wave of the demonstration kernel, 16 threads in two waves of 8 lanes."""
    kernel = assemble(demonstration()).kernel()
    launch = Launch(workgroup=(16, 1, 1), wave_width=8)
    options = RunOptions(lanes=LANES, limit=4096)
    taken = record(kernel, launch, np.zeros(64, np.uint32), depth=DEPTHS, options=options)
    lines = [line.text for line in assembly_lines(kernel)]
    steps, masks, registers, local = [], [], [], []
    for step, at in enumerate(taken.instruction.tolist()):
        waves = (
            f"barriers passed {taken.barriers[step]}, waves waiting {taken.waiting[step]},"
            f" ended {taken.halted[step]}"
        )
        steps.append(Step(step, max(at, 0), lines[at] if at >= 0 else "", waves))
        rows = (taken.active[step], taken.alive[step], *taken.masks[step, :DEPTHS])
        for name, lanes in zip(MASK_ROWS, rows, strict=True):
            masks.append(Lanes(step, name, lanes.astype(int).tolist()))
        for number, lanes in enumerate(taken.registers[step].view(np.int32)):
            registers.append(Lanes(step, f"r{number}", lanes.tolist()))
        local.append(Lanes(step, "local", taken.local[step, :16].astype(int).tolist()))
    return Stepper(lines, steps, masks, registers, local)
