"""How long one wave takes alone: an in-order scoreboard over the instructions that it ran.

An instruction starts one cycle after the one before it, and not before its operands are there; its
result is there after its latency. Latencies are measured facts of a card.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from quire.isa.program import Instruction
from quire.isa.table import Kind


@dataclass(frozen=True)
class Latencies:
    """Cycles until a result is there.

    A barrier of a workgroup of w waves takes ``barrier + barrier_wave * w`` cycles.
    """

    arithmetic: float
    local: float
    shuffle: float
    barrier: float
    barrier_wave: float

    def of_barrier(self, waves: int) -> float:
        """Return the cycles of one barrier of a workgroup of ``waves`` waves."""
        return self.barrier + self.barrier_wave * waves


def _names(instruction: Instruction, written: bool) -> Iterable[tuple[str, int]]:
    """List the registers and predicates that an instruction reads or writes.

    Yields
    ------
    tuple
        ``"r"`` or ``"p"``, and a number.
    """
    for operand in instruction.operation.operands:
        if (operand.field == "rd") == written:
            start = getattr(instruction, operand.field)
            if operand.form == "p":
                yield "p", start
            for k in range(operand.width):
                yield "r", start + k
    if not written and instruction.guard is not None:
        yield "p", instruction.guard.register


def path_cycles(
    instructions: Iterable[Instruction], latencies: Latencies, device: float, waves: int
) -> float:
    """Return the cycles from the first instruction to the last result.

    ``device`` is the latency of a load from device memory, ``waves`` those of the workgroup. Stores
    are not waited for.
    """
    ready: dict[tuple[str, int], float] = {}
    now = end = 0.0
    for instruction in instructions:
        start = max([now, *(ready.get(name, 0.0) for name in _names(instruction, False))])
        kind = instruction.operation.kind
        if kind in (Kind.LOAD, Kind.ATOMIC):
            takes = latencies.local if instruction.operation.is_local else device
        elif kind is Kind.WAVE:
            takes = latencies.shuffle
        elif kind is Kind.STORE:
            takes = 1.0
        else:
            takes = latencies.arithmetic
        if instruction.mnemonic == "barrier":
            now = start + latencies.of_barrier(waves)
        else:
            now = start + 1.0
            for name in _names(instruction, True):
                ready[name] = start + takes
        end = max(end, now, *(ready[name] for name in _names(instruction, True)), 0.0)
    return end
