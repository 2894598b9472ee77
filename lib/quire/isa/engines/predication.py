"""Predication: control flow turned into masks before anything runs (if-conversion).

Every block gets a predicate row of its own; an instruction is guarded by the mask of its block, and
what is left of control flow is one backward jump per loop, taken while any lane remains. Functions
are copied to where they are called. The result runs on the array engine with every lane awake: this
is the mechanism of per-instruction predication (Intel's channel enables).
"""

from dataclasses import replace

import numpy as np

from quire.isa.deviations import CONTROL_FLOW, Deviation
from quire.isa.engines.array.machine import load_rows
from quire.isa.engines.array.microcode import (
    ACTIONS,
    MASKS,
    NOWHERE,
    TRUE,
    Control,
    Micro,
    crack,
)
from quire.isa.engines.protocol import DEFAULTS, Outcome, RunOptions, admit
from quire.isa.program import Kernel, Launch
from quire.isa.structure import analyse

_SCRATCH_MASK = MASKS + 1  # depth 0 has no else, so this row is free


def _mask(depth: int) -> int:
    """Return the lanes that are in the block at this depth."""
    return MASKS + 3 * depth


def _other(depth: int) -> int:
    """Return the lanes that wait for the else of the if that opened this depth."""
    return MASKS + 3 * depth + 1


def _staying(depth: int) -> int:
    """Return the lanes that have not left the loop that opened this depth."""
    return MASKS + 3 * depth + 2


class _Emitter:
    """Turns one kernel into micro-operations; ``base`` is the depth where a function starts."""

    def __init__(self, kernel: Kernel, deviation: Deviation) -> None:
        self.code = kernel.instructions
        self.structure = analyse(self.code)
        self.deviation = deviation
        self.rows: list[Micro] = []

    def _logic(self, to: int, first: int, second: int, name: str = "mask_and") -> None:
        self.rows.append(Micro(action=ACTIONS[name], flag=first, second=second, flag_to=to))

    def _remove(self, lanes: int, masks: list[int]) -> None:
        for mask in masks:
            self._logic(mask, mask, lanes, "mask_and_not")

    def _leaving(self, row: Micro, depth: int) -> int:
        """Emit a row with the lanes that a guarded break, return or halt takes away."""
        own = "mask_and_not" if row.negate else "mask_and"
        self._logic(_SCRATCH_MASK, _mask(depth), row.guard, own)
        self._logic(_SCRATCH_MASK, _SCRATCH_MASK, row.flag)
        return _SCRATCH_MASK

    def function(self, start: int, base: int) -> None:
        """Emit the instructions from ``start`` to the end of its function, at depth ``base``."""
        open_loops: list[tuple[int, int]] = []  # depth inside, first row of the body
        for index in range(start, len(self.code)):
            instruction = self.code[index]
            depth = base + self.structure.depth[index]
            name = instruction.mnemonic
            row = crack(instruction, index, self.deviation)[0]
            loops = [depth_ for depth_, _ in open_loops]
            if name == "if":
                own = "mask_and_not" if row.negate else "mask_and"
                self._logic(_SCRATCH_MASK, row.flag, row.guard, own)
                self._logic(_mask(depth + 1), _mask(depth), _SCRATCH_MASK)
                self._logic(_other(depth + 1), _mask(depth), _SCRATCH_MASK, "mask_and_not")
            elif name == "else":
                self._logic(_mask(depth + 1), _other(depth + 1), TRUE)
            elif name == "loop":
                self._logic(_staying(depth + 1), _mask(depth), TRUE)
                open_loops.append((depth + 1, len(self.rows)))
                self._logic(_mask(depth + 1), _staying(depth + 1), TRUE)
            elif name == "endloop":
                inside, first = open_loops.pop()
                back = Micro(control=int(Control.JUMP_IF_ANY), flag=_staying(inside), target=first)
                self.rows.append(back)
            elif name in ("break", "continue"):
                gone = self._leaving(row, depth)
                masks = [_mask(level) for level in range(loops[-1], depth + 1)]
                self._remove(gone, masks + [_staying(loops[-1])] * (name == "break"))
            elif name == "halt" or (name == "return" and base == 0):
                gone = self._leaving(row, depth)
                masks = [_mask(level) for level in range(depth + 1)]
                self._remove(gone, masks + [_staying(level) for level in range(1, depth + 1)])
            elif name == "return":
                if self.structure.depth[index] == 0 and instruction.guard is None:
                    return
                gone = self._leaving(row, depth)
                masks = [_mask(level) for level in range(base, depth + 1)]
                self._remove(gone, masks + [_staying(level) for level in loops])
            elif name == "call":
                self._logic(_mask(depth + 1), _mask(depth), TRUE)
                self.function(self.structure.partner[index], depth + 1)
            elif name == "barrier":
                self.rows.append(replace(row, guard=TRUE))
            elif name != "endif":
                self._guarded(index, depth)

    def _guarded(self, index: int, depth: int) -> None:
        """Emit a plain instruction, guarded by its block and by its own predicate."""
        for row in crack(self.code[index], index, self.deviation):
            guard = _mask(depth)
            if row.guard != TRUE or row.negate:
                own = "mask_and_not" if row.negate else "mask_and"
                self._logic(_SCRATCH_MASK, _mask(depth), row.guard, own)
                guard = _SCRATCH_MASK
            self.rows.append(replace(row, guard=guard, negate=0))


def convert(kernel: Kernel, deviation: Deviation) -> list[Micro]:
    """Return the micro-operations of a kernel without ifs, breaks and calls, ending in a halt."""
    emitter = _Emitter(kernel, deviation)
    emitter.function(0, 0)
    halt = Micro(control=int(Control.HALT), flag_to=NOWHERE)
    return [*emitter.rows, halt]


class Predication:
    """If-conversion; a barrier under divergence is not noticed: the masks are not the machine's."""

    name = "predication"
    honours = frozenset({"schedule", "limit"})
    imitates = ~CONTROL_FLOW

    def run(
        self, kernel: Kernel, launch: Launch, memory: np.ndarray, options: RunOptions = DEFAULTS
    ) -> Outcome:
        """Run a launch; arguments and faults as in `quire.isa.engines.protocol.Engine`."""
        local = admit(self, kernel, launch, memory, options)
        rows = convert(kernel, options.switches & ~CONTROL_FLOW)
        loaded = load_rows(rows, kernel, launch, memory.size, local, options)
        return loaded.finish(loaded.advance(loaded.begin(loaded.hold(memory))))
