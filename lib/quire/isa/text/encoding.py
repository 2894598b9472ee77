"""The codec: instructions to the 32-bit words of WAVE v0.4 and back (specification, section 8).

Word 0 is ``[31:24] opcode | [23:16] rd | [15:8] rs1 | [7:4] modifier | 0 | negate | [1:0]
predicate``; word 1 is ``[31:24] rs2 | [23:16] rs3 | [15:8] rs4 | 0 | [1:0] scope`` or an immediate.
The guard ``@p0`` has the code of "no guard" (deviation (c) of the authors' toolchain is in the
encoding itself), so decoding cannot return it.
"""

import struct

from quire.isa.errors import EncodingError
from quire.isa.program import Guard, Instruction, Kernel
from quire.isa.table import BY_CODE, PREDICATES, SPECIAL_REGISTERS
from quire.signatures import checked

_SHIFTS = {"rd": 16, "rs1": 8, "rs2": 24, "rs3": 16, "rs4": 8, "scope": 0, "imm": 0}


def encode_words(instruction: Instruction) -> tuple[int, ...]:
    """Return the one or two words of an instruction."""
    operation = instruction.operation
    words = [operation.opcode << 24 | operation.modifier << 4, 0][: operation.words]
    if instruction.guard is not None:
        words[0] |= instruction.guard.negated << 2 | instruction.guard.register
    for operand in operation.operands:
        where = 0 if operand.field in ("rd", "rs1") else 1
        words[where] |= getattr(instruction, operand.field) << _SHIFTS[operand.field]
    return tuple(words)


@checked
def encode(kernel: Kernel) -> bytes:
    """Return the code of a kernel: its words, little-endian."""
    words = [word for instruction in kernel.instructions for word in encode_words(instruction)]
    return struct.pack(f"<{len(words)}I", *words)


def decode_words(word0: int, word1: int | None, offset: int = 0) -> Instruction:
    """Decode one or two words; ``word1`` may be None at the end of the code.

    Raises
    ------
    EncodingError
        an unknown opcode or modifier, a missing second word, a field out of range, or a bit that
        the instruction does not use.
    """
    code = (word0 >> 24, word0 >> 4 & 0xF)
    operation = BY_CODE.get(code)
    if operation is None:
        raise EncodingError(
            f"offset {offset}: no instruction has opcode 0x{code[0]:02X} and modifier {code[1]}"
        )
    if operation.words == 2 and word1 is None:
        raise EncodingError(f"offset {offset}: {operation.mnemonic} lacks its second word")
    fields: dict[str, int] = {}
    for operand in operation.operands:
        if operand.field == "imm":
            fields["imm"] = word1 or 0
            continue
        mask = 3 if operand.field == "scope" else 0xFF
        word = word0 if operand.field in ("rd", "rs1") else word1 or 0
        value = word >> _SHIFTS[operand.field] & mask
        limit = {"p": PREDICATES, "s": len(SPECIAL_REGISTERS)}.get(operand.form, 256)
        if value >= limit:
            raise EncodingError(
                f"offset {offset}: field {operand.field} of {operation.mnemonic} is {value},"
                f" but only 0 to {limit - 1} exist"
            )
        fields[operand.field] = value
    bits = word0 & 7
    guard = Guard(bits & 3, bool(bits & 4)) if bits else None
    instruction = Instruction(operation, **fields, guard=guard, offset=offset)
    written = encode_words(instruction)
    if written != (word0, word1)[: operation.words]:
        given = " ".join(f"{w:08X}" for w in (word0, word1)[: operation.words] if w is not None)
        raise EncodingError(
            f"offset {offset}: reserved bits are set in {given} ({operation.mnemonic})"
        )
    return instruction


@checked
def decode(code: bytes) -> tuple[Instruction, ...]:
    """Return the instructions of a code section.

    Raises
    ------
    EncodingError
        what `decode_words` rejects, or a size that is no multiple of 4.
    """
    if len(code) % 4:
        raise EncodingError(f"code of {len(code)} bytes is no whole number of 32-bit words")
    words = struct.unpack(f"<{len(code) // 4}I", code)
    instructions, position = [], 0
    while position < len(words):
        following = words[position + 1] if position + 1 < len(words) else None
        instruction = decode_words(words[position], following, 4 * position)
        instructions.append(instruction)
        position += instruction.operation.words
    return tuple(instructions)
