"""Parameters: what a notebook's parameters cell declares, and whether given values fit it.

The cell is read as Python, by `ast` and `tokenize`, and never run: each line is
``name: type = value  # unit, meaning``. What can not be read so is refused in one line.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional, Union

from pydantic import TypeAdapter, ValidationError

from quire.workbook.cards import ProfileName, Range
from quire.workbook.chapters import Chapter
from quire.workbook.constants import NotPlain, evaluate
from quire.workbook.errors import UserError, quoted
from quire.workbook.notebooks import tags

_TYPES: dict[str, Any] = {t.__name__: t for t in (bool, int, float, str, list, tuple, dict)}
_GENERIC = {"Literal": Literal, "Optional": Optional, "Union": Union}
_MOST_BITS = 63
"""Whole numbers are kept in 64 bits: in tables, and in every compiled program."""

_FILE = re.compile(r"(?:.*_)?(?:file|path|folder|directory)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("true", "True"), True),
    **dict.fromkeys(("false", "False"), False),
    **dict.fromkeys(("", "null", "None")),
}


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell: ``name: type = default  # unit, meaning``."""

    name: str
    type: str
    default: Any
    help: str
    allowed: Range = field(default_factory=Range)

    def check(self, value: Any) -> Any:
        """Return ``value`` as this parameter's type.

        Numbers are not taken from words nor flags from numbers; a whole number does for a float.

        Raises
        ------
        UserError
            When it does not fit, or is out of range.
        """
        try:
            typed = self._adapter().validate_json(json.dumps(value), strict=True)
        except (ValidationError, TypeError, ValueError, RecursionError):
            raise UserError(
                f"parameter {self.name} = {quoted(value)} is not of type {self.type}",
                f"give a value like {quoted(self.default)}",
            ) from None
        self._check_range(typed)
        return typed

    def parse(self, text: str) -> Any:
        """Read a value as typed on a command line: a declared ``str`` takes the text as it is."""
        if self.takes_text:
            return text
        value = parse_value(text)
        return text if not self._fits(value) and self._fits(text) else value

    @property
    def takes_text(self) -> bool:
        """Whether the type is a text, or one of some texts: then nothing in a value is syntax."""
        return self.type == "str" or bool(re.fullmatch(r"Literal\[(['\"]).*\1\]", self.type))

    @property
    def is_file(self) -> bool:
        """Whether the value names a file: its unit or the end of its name says so."""
        unit = re.split(r"[\s,;:]", self.help.strip(), maxsplit=1)[0].lower()
        named = bool(_FILE.fullmatch(unit) or _FILE.fullmatch(self.name))
        return named and self._fits("") and self.allowed.choices is None

    def located(self, value: Any) -> Any:
        """Return ``value``, a file's name made absolute: the kernel works in another folder.

        Raises
        ------
        UserError
            For the home of a user that there is not.
        """
        if not (self.is_file and isinstance(value, str) and value):
            return value
        try:
            return str(Path(value).expanduser().absolute())
        except RuntimeError as fault:
            raise UserError(
                f"parameter {self.name} = {quoted(value)}: {fault}", "name a file by its whole path"
            ) from None

    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(eval(self.type, {"__builtins__": {}}, {**_TYPES, **_GENERIC}))

    def _fits(self, value: Any) -> bool:
        try:
            self._adapter().validate_json(json.dumps(value), strict=True)
        except (ValidationError, TypeError, ValueError, RecursionError):
            return False
        return True

    def _check_range(self, value: Any) -> None:
        choices = self.allowed.choices
        low, high = self.allowed.at_least, self.allowed.at_most
        for item in _leaves(value):
            if choices is not None and item not in choices:
                listed = ", ".join(map(str, choices))
                raise UserError(
                    f"parameter {self.name} = {quoted(item)} is unknown", f"use one of {listed}"
                )
            if item is None or isinstance(item, str | bool):
                continue
            if isinstance(item, float) and not math.isfinite(item):
                raise UserError(f"parameter {self.name} = {item} is not finite", "give a number")
            if isinstance(item, int) and item.bit_length() > _MOST_BITS:
                raise UserError(
                    f"parameter {self.name} = {quoted(item)} has more than 64 bits",
                    "give a smaller number",
                )
            if (low is not None and item < low) or (high is not None and item > high):
                raise UserError(
                    f"parameter {self.name} = {quoted(item)} is out of range",
                    f"give a value {_bounds(low, high)}",
                )


def declared(chapter: Chapter) -> dict[str, Parameter]:
    """Return what the parameters cell of ``chapter`` declares, by name, in order.

    Raises
    ------
    UserError
        When the cell is not Python, holds another line than ``name: type = value``, a type or a
        value that can not be read without running it, a name twice; when two cells are tagged
        ``parameters``; when the card gives a range to a parameter that is not there.
    """
    found = _read(chapter)
    for name in chapter.card.parameters:
        if name not in found:
            raise UserError(
                f"{chapter.slug}.yml has a range for {quoted(name)}, which the notebook does not "
                "declare",
                f"use one of {', '.join(found) or 'none'}",
            )
    return found


def names_of(chapter: Chapter) -> tuple[str, ...]:
    """Return the names in the parameters cell, whatever the card says of them; `UserError`."""
    return tuple(_read(chapter))


def _read(chapter: Chapter) -> dict[str, Parameter]:
    cells = [c for c in chapter.cells() if c["cell_type"] == "code" and "parameters" in tags(c)]
    if len(cells) > 1:
        raise UserError(
            f"{chapter.slug}: {len(cells)} cells are tagged parameters", "keep the tag on one"
        )
    ranges = chapter.card.parameters
    found: dict[str, Parameter] = {}
    for parameter in _lines(chapter.slug, cells[0]["source"], ranges) if cells else ():
        if parameter.name in found:
            raise UserError(
                f"{chapter.slug}: the parameters cell declares {parameter.name} twice",
                "keep one of the lines",
            )
        found[parameter.name] = parameter
    return found


def resolve(
    chapter: Chapter, given: Mapping[str, Any], profile: ProfileName = "default"
) -> dict[str, Any]:
    """Return the parameters of a run that differ from the notebook's own cell, checked.

    ``given`` wins over the profile, the profile over the notebook. Values are plain JSON data. A
    file is named from the present folder.

    Raises
    ------
    UserError
        For an unknown profile, an unknown name, a wrong type, or a value out of range.
    """
    known = declared(chapter)
    try:
        chosen = dict(chapter.card.profiles[profile])
    except KeyError:
        listed = ", ".join(chapter.card.profiles)
        raise UserError(f"no profile {quoted(profile)}", f"use one of {listed}") from None
    for name in (*chosen, *given):
        if name not in known:
            refusal = unknown(chapter, name, known)
            raise refusal
    chosen.update({name: known[name].located(plain(value)) for name, value in given.items()})
    for name, value in chosen.items():
        known[name].check(value)
    return {name: plain(value) for name, value in chosen.items()}


def injection(chapter: Chapter, chosen: Mapping[str, Any]) -> str:
    """Return the source of the cell that sets ``chosen``, each value in its declared type."""
    known = declared(chapter)
    lines = [f"{name} = {known[name].check(value)!r}" for name, value in chosen.items()]
    return "\n".join(["# Parameters", *lines])


def parse_given(chapter: Chapter, assignments: Mapping[str, str]) -> dict[str, Any]:
    """Read the values of ``-p name=value``, each as its parameter is declared.

    Raises
    ------
    UserError
        For a parameter that the chapter does not have.
    """
    known = declared(chapter)
    for name in assignments:
        if name not in known:
            refusal = unknown(chapter, name, known)
            raise refusal
    return {name: known[name].parse(text) for name, text in assignments.items()}


def unknown(chapter: Chapter, name: str, known: Mapping[str, Parameter]) -> UserError:
    """Return what is to be said of a parameter that the chapter does not have."""
    return UserError(
        f"{chapter.slug} has no parameter {quoted(name)}",
        f"use one of {', '.join(known) or 'none'}",
    )


def parse_assignments(pairs: list[str]) -> dict[str, str]:
    """Split ``name=value`` words.

    Raises
    ------
    UserError
        For a word without ``=``, or a name given twice.
    """
    parsed: dict[str, str] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise UserError(f"-p {quoted(pair)} has no value", "write -p name=value")
        if name in parsed:
            raise UserError(f"-p {name} is given twice", "give each parameter once")
        parsed[name] = text
    return parsed


def parse_value(text: str) -> Any:
    """Read a value that no type is known of, as typed on a command line.

    That is a Python literal (``1``, ``0.5``, ``[1, 2]``, ``"a word"``), or ``true``, ``false``,
    ``null``, or a bracketed list of words; anything else is the text itself.
    """
    stripped = text.strip()
    if stripped in _WORDS:
        return _WORDS[stripped]
    if _NUMBER.fullmatch(stripped) or stripped[:1] in tuple("[({\"'+-.") or stripped[:1].isdigit():
        try:
            return plain(ast.literal_eval(_expression(stripped)))
        except (SyntaxError, tokenize.TokenError, ValueError, RecursionError, MemoryError):
            pass
    if stripped[:1] == "[" and stripped[-1:] == "]":
        return _bare_list(stripped)
    return text


def plain(value: Any) -> Any:
    """Return NumPy values as Python's and tuples as lists: parameters are plain JSON data."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _lines(slug: str, source: str, ranges: Mapping[str, Range]) -> Iterator[Parameter]:
    try:
        statements = ast.parse(source).body
        comments = _comments(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as fault:
        line = f", line {fault.lineno}" if isinstance(fault, SyntaxError) else ""
        raise UserError(
            f"{slug}: the parameters cell is not Python{line}", "write name: type = value"
        ) from None
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ):
            continue
        yield _parameter(slug, statement, comments, ranges)


def _parameter(
    slug: str, statement: ast.stmt, comments: Mapping[int, str], ranges: Mapping[str, Range]
) -> Parameter:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=note, value=ast.expr() as value):
            declared_type: ast.expr | None = note
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            declared_type = None
        case _:
            raise UserError(
                f"{slug}: the parameters cell, line {statement.lineno}, is no parameter",
                "write name: type = value",
            )
    try:
        default = evaluate(value)
    except NotPlain as fault:
        raise UserError(
            f"{slug}: the default of parameter {name} can not be read ({fault})",
            "write a number, a text, True, False, None, or a list of them",
        ) from None
    spans = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    parameter = Parameter(
        name=name,
        type=_type(slug, name, declared_type, default),
        default=plain(default),
        help=next((comments[line] for line in reversed(spans) if line in comments), ""),
        allowed=ranges.get(name, Range()),
    )
    if not parameter._fits(parameter.default):
        raise UserError(
            f"{slug}: the default of parameter {name}, {quoted(default)}, is not of type "
            f"{parameter.type}",
            "mend one of the two",
        )
    return parameter


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _type(slug: str, name: str, note: ast.expr | None, default: Any) -> str:
    """Return a declared type as text that `Parameter` can use, or the type of the default.

    Raises
    ------
    UserError
        When the type can not be read, or a default None has none.
    """
    if note is None:
        if default is None:
            raise UserError(
                f"{slug}: parameter {name} = None has no type", f"write {name}: int | None = None"
            )
        return type(default).__name__
    try:
        if isinstance(note, ast.Constant) and isinstance(note.value, str):
            note = ast.parse(note.value.strip(), mode="eval").body
        written = ast.unparse(_Plainly().visit(note))
        TypeAdapter(eval(written, {"__builtins__": {}}, {**_TYPES, **_GENERIC}))
    except Exception:  # whatever such a type raises, it is none that a parameter can have
        raise UserError(
            f"{slug}: parameter {name} has a type that can not be read ({ast.unparse(note)})",
            "use bool, int, float, str, list, tuple, dict, None, or a union of them",
        ) from None
    return written


class _Plainly(ast.NodeTransformer):
    """Drops ``typing.`` before a name, and refuses whatever a type does not need."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in ("typing", "t"):
            return ast.Name(id=node.attr, ctx=ast.Load())
        raise ValueError(node.attr)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        known = node.id in {**_TYPES, **_GENERIC}
        older = {"List": "list", "Dict": "dict", "Tuple": "tuple"}.get(node.id)
        if not known and older is None:
            raise ValueError(node.id)
        return node if known else ast.Name(id=str(older), ctx=ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        raise ValueError("a call")


def _expression(text: str) -> ast.expr:
    """Return one Python expression that is all of ``text``: no comment, no second line.

    Raises
    ------
    SyntaxError
        When it is more, or none.
    """
    kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    if tokenize.COMMENT in kinds or "\n" in text:
        raise SyntaxError("more than an expression")
    return ast.parse(text, mode="eval").body


def _bare_list(text: str) -> Any:
    """Read ``[plain, fast]``, a list of words without quotes; the text itself if it is no such."""
    items = [item.strip() for item in text[1:-1].split(",")]
    if not all(items) or any(set(item) & set("[](){}\"'#") for item in items):
        return text
    return [parse_value(item) for item in items]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return f"of at most {high:g}"
    return f"of at least {low:g}" if high is None else f"from {low:g} to {high:g}"
