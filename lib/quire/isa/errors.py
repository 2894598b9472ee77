"""What can go wrong, by name: reading a program, and running one.

The specification leaves barriers under divergence, deadlock, accesses out of bounds and data races
undefined; here each of them is a named error that says where it happened (ours).
"""


class AssemblyError(ValueError):
    """A text that is no program; carries the line and the column, both counted from 1."""

    def __init__(self, what: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {what}")
        self.what, self.line, self.column = what, line, column


class StructureError(ValueError):
    """Control flow that does not nest: an else without if, a break outside a loop, recursion."""


class DivergenceOverflow(StructureError):
    """Control flow nested deeper than the 32 levels that the specification asks for."""


class EncodingError(ValueError):
    """Words or a container that no assembler wrote: bad magic, reserved bits, a cut file."""


class RegisterOutOfRange(ValueError):
    """An instruction names a register that the kernel did not declare."""


class DispatchRejected(ValueError):
    """A launch that asks for more than the core has."""


class UnsupportedOption(ValueError):
    """An option that this engine cannot honour."""


class MachineFault(RuntimeError):
    """A program did what the specification leaves undefined; says who did it and where."""


class OutOfBounds(MachineFault):
    """A load, store or atomic outside of its memory."""


class Misaligned(MachineFault):
    """An address that is no multiple of its access's width, or of 4 for an access wider than that.

    Accesses of 8 and 16 bytes are made word by word and may start at any word. The specification
    leaves other addresses to the implementation; here they are faults.
    """


class DivergentBarrier(MachineFault):
    """A barrier that only some living lanes of a wave reach."""


class Deadlock(MachineFault):
    """Waves wait at a barrier that another wave of their workgroup can no longer reach."""


class DataRace(MachineFault):
    """Two waves touch one word, one of them writes, and no barrier lies between."""


class InstructionLimit(MachineFault):
    """A run that did not end within its allowance of steps."""


class UnsupportedCapability(MachineFault):
    """An optional instruction (matrix multiply-accumulate) on a machine that reports none."""
