"""The disassembler, and text beside words: the other direction of the same table."""

from dataclasses import dataclass

from quire.isa.program import Instruction, Kernel, Module
from quire.isa.structure import analyse
from quire.isa.table import SCOPES, SPECIAL_REGISTERS, Operand
from quire.isa.text.encoding import encode_words
from quire.signatures import checked


@dataclass(frozen=True)
class Line:
    """One instruction beside its code: offset in bytes, words in hexadecimal, and text."""

    offset: int
    words: str
    text: str


def _operand(instruction: Instruction, operand: Operand, labels: dict[int, str]) -> str:
    value = getattr(instruction, operand.field)
    if operand.form == "p":
        return f"p{value}"
    if operand.form == "s":
        return SPECIAL_REGISTERS[value]
    if operand.form == "i":
        return f"0x{value:X}" if value > 9 else str(value)
    if operand.form == "l":
        return labels[value]
    if operand.form == "o":
        return SCOPES[value]
    return f"r{value}"


def instruction_text(instruction: Instruction, labels: dict[int, str] | None = None) -> str:
    """One instruction as text; a call without ``labels`` shows its byte offset."""
    guard = instruction.guard
    prefix = f"@{'!' * guard.negated}p{guard.register} " if guard else ""
    if labels is None:
        labels = {instruction.imm: f"at_{instruction.imm}"}
    operands = [_operand(instruction, o, labels) for o in instruction.operation.operands]
    return f"{prefix}{instruction.mnemonic} {', '.join(operands)}".rstrip()


@checked
def assembly_lines(kernel: Kernel) -> tuple[Line, ...]:
    """Every instruction of a kernel: its offset, its words, and its text indented by nesting."""
    depth = analyse(kernel.instructions).depth
    labels = _labels(kernel)
    lines = []
    for instruction, level in zip(kernel.instructions, depth, strict=True):
        words = " ".join(f"{word:08X}" for word in encode_words(instruction))
        text = "    " * level + instruction_text(instruction, labels)
        lines.append(Line(instruction.offset, words, text))
    return tuple(lines)


def _labels(kernel: Kernel) -> dict[int, str]:
    calls = sorted({i.imm for i in kernel.instructions if i.mnemonic == "call"})
    return {offset: f"at_{offset}" for offset in calls}


@checked
def disassemble(module: Module | Kernel) -> str:
    """Text that assembles to the same words."""
    kernels = module.kernels if isinstance(module, Module) else (module,)
    pieces = []
    for kernel in kernels:
        pieces += [f".kernel {kernel.name}", f".registers {kernel.registers}"]
        if kernel.local_bytes:
            pieces.append(f".local_memory {kernel.local_bytes}")
        if any(kernel.workgroup):
            pieces.append(".workgroup_size " + ", ".join(map(str, kernel.workgroup)))
        labels = _labels(kernel)
        for line in assembly_lines(kernel):
            if line.offset in labels:
                pieces.append(f"{labels[line.offset]}:")
            pieces.append(f"    {line.text}")
        pieces.append(".end")
    return "\n".join(pieces) + "\n"
