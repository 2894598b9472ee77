"""The reference page, generated from the table."""

from quire.isa.table import SPECIAL_REGISTERS, TABLE, Operation

_FORMS = {"r": "r", "d": "rr", "q": "rrrr", "p": "p", "s": "sr", "i": "imm32", "l": "label"}


def signature(operation: Operation) -> str:
    """Return the operands of a row as text, with the field that holds each: ``rd:r, rs1:r``."""
    return ", ".join(
        f"{operand.field}:{_FORMS.get(operand.form, 'scope')}{'?' * operand.optional}"
        for operand in operation.operands
    )


def rows() -> list[dict[str, str | int]]:
    """One record per mnemonic, in the order of opcodes."""
    ordered = sorted(TABLE.values(), key=lambda row: (row.opcode, row.modifier))
    return [
        {
            "mnemonic": row.mnemonic,
            "opcode": f"{row.opcode:02X}",
            "modifier": row.modifier,
            "words": row.words,
            "operands": signature(row),
            "counted as": row.event.name.lower(),
            "meaning": row.meaning,
        }
        for row in ordered
    ]


def markdown() -> str:
    """Return the table and the special registers as Markdown."""
    records = rows()
    names = list(records[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for record in records:
        cells = [str(record[name]).replace("|", "\\|") for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| special register | index |", "| --- | --- |"]
    lines += [f"| {name} | {index} |" for index, name in enumerate(SPECIAL_REGISTERS)]
    return "\n".join(lines) + "\n"
