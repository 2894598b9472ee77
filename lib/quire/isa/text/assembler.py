"""The assembler: text to a module, with line and column in every error.

One statement per line: a directive (``.kernel``, ``.registers``, ``.local_memory``,
``.workgroup_size``, ``.end``), a label with a colon, or an instruction with an optional guard.
Comments start with ``;`` or ``#``. Labels are byte offsets from the kernel's start.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from quire.isa.errors import AssemblyError
from quire.isa.program import Guard, Instruction, Kernel, Module
from quire.isa.structure import analyse
from quire.isa.table import MAX_REGISTERS, PREDICATES, SCOPES, SPECIAL_REGISTERS, TABLE, Operand
from quire.signatures import checked

_TOKEN = re.compile(
    r"(?P<space>[ \t\r]+)|(?P<comment>[;#].*)|(?P<guard>@!?p\d+)|(?P<directive>\.[A-Za-z_]\w*)"
    r"|(?P<number>-?0x[0-9A-Fa-f_]+|-?\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<comma>,)|(?P<colon>:)"
)
_HINTS = {".cached", ".uncached", ".streaming"}
_FORMS = {
    **{"r": "a register r0 to r254", "d": "the first register of a pair"},
    **{"q": "the first of four registers", "p": "a predicate p0 to p3"},
    **{"s": "a special register sr_…", "i": "a number", "l": "a label"},
    "o": "a scope: wave, workgroup, device or system",
}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int

    def error(self, what: str) -> AssemblyError:
        return AssemblyError(what, self.line, self.column)


@dataclass
class _Draft:
    """A kernel while it is read."""

    name: str
    start: _Token
    registers: int = 32
    local_bytes: int = 0
    workgroup: tuple[int, int, int] = (0, 0, 0)
    code: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[int, _Token]] = field(default_factory=list)
    size: int = 0


@checked
def assemble(source: str) -> Module:
    """Return the module that a text describes.

    Raises `AssemblyError` with line and column for anything that is not WAVE assembly, and
    `StructureError` for control flow that does not nest.
    """
    kernels: list[Kernel] = []
    draft: _Draft | None = None
    for tokens in _lines(source):
        head = tokens[0]
        if head.kind == "directive":
            if head.text == ".kernel":
                if draft is not None:
                    raise head.error(f".kernel inside kernel {draft.name!r}: write .end first")
                draft = _Draft(_only(tokens, "name", "a name").text, head)
            elif draft is None:
                raise head.error(f"{head.text} outside of a kernel")
            elif head.text == ".end":
                if len(tokens) > 1:
                    raise tokens[1].error("nothing may follow .end")
                kernels.append(_finish(draft))
                draft = None
            else:
                _directive(draft, tokens)
        elif draft is None:
            raise head.error("instructions belong between .kernel and .end")
        else:
            _statement(draft, tokens)
    if draft is not None:
        raise draft.start.error(f"kernel {draft.name!r} has no .end")
    return Module(tuple(kernels))


def _lines(source: str) -> Iterator[list[_Token]]:
    for number, text in enumerate(source.splitlines(), start=1):
        tokens, at = [], 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise AssemblyError(f"unexpected character {text[at]!r}", number, at + 1)
            kind = match.lastgroup or ""
            if kind not in ("space", "comment"):
                tokens.append(_Token(kind, match.group(), number, at + 1))
            at = match.end()
        if tokens:
            yield tokens


def _only(tokens: list[_Token], kind: str, wanted: str) -> _Token:
    if len(tokens) != 2 or tokens[1].kind != kind:
        raise tokens[0].error(f"{tokens[0].text} takes {wanted}")
    return tokens[1]


def _whole(token: _Token) -> int:
    try:
        value = int(token.text.replace("_", ""), 0)
    except ValueError:
        raise token.error(f"{token.text} is no whole number") from None
    if value < 0:
        raise token.error(f"{token.text} is negative")
    return value


def _directive(draft: _Draft, tokens: list[_Token]) -> None:
    head = tokens[0]
    if head.text == ".registers":
        draft.registers = _whole(_only(tokens, "number", "a number"))
        if not 1 <= draft.registers <= MAX_REGISTERS:
            raise tokens[1].error(f".registers takes 1 to {MAX_REGISTERS}")
    elif head.text == ".local_memory":
        draft.local_bytes = _whole(_only(tokens, "number", "a number of bytes"))
    elif head.text == ".workgroup_size":
        if [t.kind for t in tokens[1:]] != ["number", "comma", "number", "comma", "number"]:
            raise head.error(".workgroup_size takes three numbers: x, y, z")
        x, y, z = (_whole(t) for t in tokens[1::2])
        draft.workgroup = (x, y, z)
    else:
        raise head.error(f"unknown directive {head.text}")


def _statement(draft: _Draft, tokens: list[_Token]) -> None:
    if len(tokens) >= 2 and tokens[0].kind == "name" and tokens[1].kind == "colon":
        if tokens[0].text in draft.labels:
            raise tokens[0].error(f"label {tokens[0].text!r} is defined twice")
        draft.labels[tokens[0].text] = draft.size
        if len(tokens) > 2:
            _statement(draft, tokens[2:])
        return
    guard = None
    if tokens[0].kind == "guard":
        predicate = int(tokens[0].text.lstrip("@!p"))
        if predicate >= PREDICATES:
            raise tokens[0].error(f"{tokens[0].text}: predicates are p0 to p3")
        guard = Guard(predicate, "!" in tokens[0].text)
        tokens = tokens[1:]
    if not tokens or tokens[0].kind != "name":
        raise AssemblyError("an instruction starts with its mnemonic", *_after(tokens, draft))
    head, rest = tokens[0], tokens[1:]
    if rest and rest[0].text in _HINTS:  # a cache hint has no bits in v0.4
        rest = rest[1:]
    operands = _split(head, rest)
    special = len(operands) == 2 and operands[1].text.startswith("sr_")
    name = "mov_sr" if head.text == "mov" and special else head.text
    operation = TABLE.get(name)
    if operation is None:
        raise head.error(f"unknown mnemonic {head.text!r}")
    wanted = operation.operands
    if len(operands) == len(wanted) - 1 and wanted[0].optional:
        wanted = wanted[1:]
    if len(operands) != len(wanted):
        raise head.error(f"{name} takes {len(wanted)} operands, {len(operands)} are given")
    values = {w.field: _value(draft, w, t) for w, t in zip(wanted, operands, strict=True)}
    draft.code.append(
        Instruction(operation, **values, guard=guard, offset=draft.size, line=head.line)
    )
    draft.size += 4 * operation.words


def _after(tokens: list[_Token], draft: _Draft) -> tuple[int, int]:
    token = tokens[0] if tokens else draft.start
    return token.line, token.column


def _split(head: _Token, rest: list[_Token]) -> list[_Token]:
    operands = rest[::2]
    for token in rest[1::2]:
        if token.kind != "comma":
            raise token.error(f"expected a comma before {token.text!r}")
    if rest and len(rest) % 2 == 0:
        raise rest[-1].error(f"an operand of {head.text} is missing after the comma")
    return operands


def _value(draft: _Draft, operand: Operand, token: _Token) -> int:
    text = token.text
    wrong = token.error(f"{text!r} is not {_FORMS[operand.form]}")
    if operand.form in "rdq":
        if not re.fullmatch(r"r\d+", text):
            raise wrong
        if int(text[1:]) + operand.width > MAX_REGISTERS:
            raise token.error(f"{text} is beyond the last register r{MAX_REGISTERS - 1}")
        return int(text[1:])
    if operand.form == "p":
        if not re.fullmatch(r"p[0-3]", text):
            raise wrong
        return int(text[1])
    if operand.form == "s":
        if text not in SPECIAL_REGISTERS:
            raise wrong
        return SPECIAL_REGISTERS.index(text)
    if operand.form == "o":
        if text.lstrip(".") not in SCOPES:
            raise wrong
        return SCOPES.index(text.lstrip("."))
    if operand.form == "l":
        if token.kind != "name":
            raise wrong
        draft.calls.append((len(draft.code), token))
        return 0
    if token.kind != "number":
        raise wrong
    return _immediate(token)


def _immediate(token: _Token) -> int:
    text = token.text.replace("_", "")
    if re.fullmatch(r"-?(0x[0-9A-Fa-f]+|\d+)", text):
        value = int(text, 0) if "x" in text else int(text)
        if not -(2**31) <= value < 2**32:
            raise token.error(f"{token.text} does not fit into 32 bits")
        return value & 0xFFFFFFFF
    try:
        packed = struct.pack("<f", float(text))
    except OverflowError:
        raise token.error(f"{token.text} is too large for single precision") from None
    return int.from_bytes(packed, "little")


def _finish(draft: _Draft) -> Kernel:
    code = list(draft.code)
    for index, token in draft.calls:
        if token.text not in draft.labels:
            raise token.error(f"label {token.text!r} is not defined in kernel {draft.name!r}")
        code[index] = replace(code[index], imm=draft.labels[token.text])
    analyse(code)
    return Kernel(draft.name, tuple(code), draft.registers, draft.local_bytes, draft.workgroup)
