"""What a notebook shows besides charts and claims: tables of rows, and paragraphs.

`show` takes what an experiment returns and shows it as a table that a reader can read: headings
with units instead of names of fields, numbers to the digits that mean something, no column of row
numbers, a dash where nothing was measured. `say` shows a paragraph, for a sentence that exists only
where its result does. Both give HTML for pages and text for terminals, and escape what they are
given.
"""

from __future__ import annotations

import dataclasses
import html
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from IPython.display import display

from quire.workbook.errors import UserError

MISSING = "—"
"""What stands in a table for a value that was not measured."""

WIDTH = 80
"""Columns of a terminal that a table's text keeps to."""

_GAP = 2  # blanks between two columns of text
_LEAST = 9  # characters that a column of words is never made narrower than


@dataclass(frozen=True)
class Column:
    """One column of a table, its cells already in words.

    Attributes
    ----------
    heading
        What stands above it, with the unit in parentheses.
    cells
        One text per row.
    numeric
        Whether every cell that is not missing is a number: such columns stand to the right.
    """

    heading: str
    cells: tuple[str, ...]
    numeric: bool


@dataclass(frozen=True)
class Table:
    """A table that shows itself as HTML or as text of at most `WIDTH` columns."""

    columns: tuple[Column, ...]
    caption: str = ""

    def _repr_html_(self) -> str:
        kinds = [' class="quire-number"' if c.numeric else "" for c in self.columns]
        head = "".join(
            f'<th scope="col"{kind}>{html.escape(column.heading)}</th>'
            for column, kind in zip(self.columns, kinds, strict=True)
        )
        rows = zip(*(column.cells for column in self.columns), strict=True)
        body = "\n".join(
            "<tr>"
            + "".join(
                f"<td{kind}>{html.escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)
            )
            + "</tr>"
            for row in rows
        )
        above = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        return (
            f'<div class="quire-table"><table class="quire-rows">{above}'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
        )

    def __repr__(self) -> str:
        widths = _widths(self.columns)
        lines = _in_columns(self.columns, widths) if widths else _in_records(self.columns)
        above = textwrap.wrap(self.caption, WIDTH) if self.caption else []
        return "\n".join([*above, *lines])


@dataclass(frozen=True)
class Paragraphs:
    """Sentences that show themselves as HTML or as text of at most `WIDTH` columns."""

    text: str

    def _repr_html_(self) -> str:
        parts = [f"<p>{_inline(part)}</p>" for part in self._parts()]
        return f'<div class="quire-say">{"".join(parts)}</div>'

    def __repr__(self) -> str:
        return "\n\n".join(textwrap.fill(part, WIDTH) for part in self._parts())

    def _parts(self) -> list[str]:
        parts = (_plain(part) for part in re.split(r"\n\s*\n", self.text))
        return [part for part in parts if part]


def show(
    rows: Any,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    digits: int | Mapping[str, int] = 3,
    caption: str = "",
    least: float = 0.0,
) -> None:
    """Show rows as a table, as an output of the running cell.

    Parameters
    ----------
    rows
        A list of dataclass instances or of mappings, a mapping of equally long columns, or a
        pandas DataFrame (its index is not shown).
    columns
        Field to heading, in the order to show; or only the fields. All of them by default, with
        blanks in place of underscores.
    digits
        Significant digits of fractions, for all columns or by field (3 where a field is absent).
    caption
        A line above the table.
    least
        Fractions nearer to zero than this are shown as less than it; zero itself stays 0.

    Raises
    ------
    UserError
        When `rows` has no such form, a field is absent, or `digits` is not between 1 and 15.
    """
    display(table(rows, columns, digits, caption, least))


def say(text: str) -> None:
    """Show a paragraph, as an output of the running cell; a blank line begins another.

    Of Markdown it knows ``**strong**``, ``*emphasis*``, `` `code` `` and ``$formula$``. Everything
    else, HTML above all, stands for itself.
    """
    display(Paragraphs(text))


def table(
    rows: Any,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    digits: int | Mapping[str, int] = 3,
    caption: str = "",
    least: float = 0.0,
) -> Table:
    """Return the table that `show` shows; its parameters are those of `show`.

    Raises
    ------
    UserError
        As `show`.
    """
    given = _columns_of(rows)
    if columns is None:
        if not given:
            raise UserError("rows = none, and no columns", "name the columns of an empty table")
        headings = {name: name.replace("_", " ") for name in given}
    elif isinstance(columns, Mapping):
        headings = {str(name): str(heading) for name, heading in columns.items()}
    else:
        headings = {str(name): str(name).replace("_", " ") for name in columns}
    empty = not given and _is_empty(rows)
    for name in headings:
        if name not in given and not empty:
            raise UserError(
                f"columns = {name!r}: the rows have no such field",
                f"use some of {', '.join(given) or 'none'}",
            )
    made = [
        _column(heading, given.get(name, []), _digits(digits, name), least)
        for name, heading in headings.items()
    ]
    return Table(tuple(made), _plain(caption))


def in_words(value: Any, digits: int = 3) -> str:
    """Return one value as a table shows it: ``0.123``, ``12,345``, ``yes``, or a dash for none."""
    value = _as_python(value)
    if _is_missing(value):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        number = int(value)
        return _signed(f"{number:,}" if abs(number) >= 10_000 else str(number))
    if isinstance(value, float):
        return _fraction(value, digits)
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(str(k))} {in_words(v, digits)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(in_words(item, digits) for item in value)
    return _plain(str(value))


def _columns_of(rows: Any) -> dict[str, list[Any]]:
    """Return rows of any accepted form as columns by name.

    Raises
    ------
    UserError
        For another form, columns of different lengths, or two of one name.
    """
    if hasattr(rows, "iloc") and hasattr(rows, "columns"):
        names = [str(name) for name in rows.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"rows = two columns named {twice[0]!r}", "name each column once")
        return {name: list(rows.iloc[:, place]) for place, name in enumerate(names)}
    if isinstance(rows, Mapping):
        columns = {str(name): _listed(str(name), values) for name, values in rows.items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            told = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
            raise UserError(f"rows = columns of different lengths ({told})", "make them equal")
        return columns
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise UserError(
            f"rows = a {type(rows).__name__}",
            "give a list of dataclasses or mappings, a mapping of columns, or a DataFrame",
        )
    records = [_record(row) for row in rows]
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [record.get(name) for record in records] for name in names}


def _record(row: Any) -> dict[str, Any]:
    if isinstance(row, Mapping):
        return {str(name): value for name, value in row.items()}
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    raise UserError(
        f"rows = a list that holds a {type(row).__name__}", "give dataclasses or mappings"
    )


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UserError(
            f"rows = column {name!r} is a {type(values).__name__}", "give one value per row"
        )
    return list(values)


def _is_empty(rows: Any) -> bool:
    return len(list(rows)) == 0


def _digits(digits: int | Mapping[str, int], name: str) -> int:
    chosen = digits.get(name, 3) if isinstance(digits, Mapping) else digits
    if isinstance(chosen, bool) or not isinstance(chosen, int) or not 1 <= chosen <= 15:
        raise UserError(f"digits = {chosen!r}", "give a whole number from 1 to 15")
    return chosen


def _column(heading: str, values: Sequence[Any], digits: int, least: float) -> Column:
    plain = [_as_python(value) for value in values]
    told = [value for value in plain if not _is_missing(value)]
    numeric = bool(told) and all(
        isinstance(value, Real) and not isinstance(value, bool) for value in told
    )
    cells = (
        f"< {least:g}"
        if isinstance(value, float) and 0 < abs(value) < least
        else in_words(value, digits)
        for value in plain
    )
    return Column(_plain(heading), tuple(cells), numeric)


def _as_python(value: Any) -> Any:
    """Return a NumPy or JAX number as Python's own, an array as a list."""
    return value.tolist() if hasattr(value, "tolist") else value


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _fraction(value: float, digits: int) -> str:
    if math.isinf(value):
        return _signed("-∞" if value < 0 else "∞")
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # after rounding: 9.996 is 10.0
    if exponent < -4 or exponent >= 9:
        mantissa = f"{value:.{digits - 1}e}".partition("e")[0]
        return _signed(f"{mantissa}e{exponent}")
    text = f"{value:,.{max(0, digits - 1 - exponent)}f}"
    return _signed(text if abs(value) >= 10_000 else text.replace(",", ""))


def _signed(text: str) -> str:
    return text.replace("-", "−", 1) if text.startswith("-") else text


def _plain(text: str) -> str:
    """Return text on one line, without control characters and the sequences of terminals."""
    text = re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)", "", text)
    text = "".join(c if c.isprintable() or c.isspace() else "" for c in text)
    return " ".join(text.split())


def _inline(text: str) -> str:
    """Return one paragraph's small markup as HTML; code and formulas are left as they are."""
    parts = re.split(r"(`[^`]+`|\$[^$\s](?:[^$]*[^$\s])?\$(?!\d))", text)
    made = []
    for part in parts:
        safe = html.escape(part, quote=False)
        if len(part) > 2 and part[0] == part[-1] == "`":
            made.append(f"<code>{safe[1:-1]}</code>")
        elif len(part) > 2 and part[0] == part[-1] == "$":
            made.append(f'<span class="math notranslate nohighlight">\\({safe[1:-1]}\\)</span>')
        else:
            safe = re.sub(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", r"<strong>\1</strong>", safe)
            made.append(re.sub(r"\*(?=[^\s*])([^*]+?)(?<=\S)\*", r"<em>\1</em>", safe))
    return "".join(made)


def _widths(columns: Sequence[Column]) -> list[int]:
    """Return the widths of the columns' text; empty when they do not fit side by side."""
    natural = [max(map(len, (c.heading, *c.cells))) for c in columns]
    least = [
        # Numbers are never broken; a heading breaks between its words.
        max(map(len, (*c.cells, *c.heading.split())), default=1) if c.numeric else _LEAST
        for c in columns
    ]
    widths = [min(a, WIDTH) for a in natural]
    while widths and sum(widths) + _GAP * (len(widths) - 1) > WIDTH:
        loose = [i for i, width in enumerate(widths) if width > least[i]]
        if not loose:
            return []
        widths[max(loose, key=lambda i: widths[i])] -= 1
    return widths


def _in_columns(columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    rule = (" " * _GAP).join("-" * width for width in widths)
    heads = [c.heading for c in columns]
    rows = zip(*(c.cells for c in columns), strict=True)
    lines = [*_row(heads, columns, widths), rule]
    for row in rows:
        lines += _row(row, columns, widths)
    return lines


def _row(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    """Return one row as lines: a cell too long for its column goes on below."""
    parts = [textwrap.wrap(cell, w) or [""] for cell, w in zip(cells, widths, strict=True)]
    height = max((len(part) for part in parts), default=0)
    lines = []
    for i in range(height):
        texts = [part[i] if i < len(part) else "" for part in parts]
        placed = [
            text.rjust(width) if column.numeric else text.ljust(width)
            for text, column, width in zip(texts, columns, widths, strict=True)
        ]
        lines.append((" " * _GAP).join(placed).rstrip())
    return lines


def _in_records(columns: Sequence[Column]) -> list[str]:
    """Return a table too wide for a terminal as one block per row."""
    lines: list[str] = []
    for cells in zip(*(column.cells for column in columns), strict=True):
        for column, cell in zip(columns, cells, strict=True):
            lines += textwrap.wrap(f"{column.heading}: {cell}", WIDTH, subsequent_indent="    ")
        lines.append("")
    return lines[:-1]
