"""What the book's Sphinx build needs beyond jupyter-book, registered with it.

Links to cells and tables of data are here; numbers of theorems are in `numbering`, the glossary is
in `terms`.

Loaded by name from ``_config.yml``; nothing else of the workbook imports it.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, ClassVar

from docutils import nodes  # type: ignore[import-untyped]
from docutils.parsers.rst import directives  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from quire.workbook.book.numbering import number_by_chapter
from quire.workbook.book.reference import escape_bars
from quire.workbook.book.terms import link_first_uses


class RowsTable(SphinxDirective):
    """``{quire-table} package.module:function``: a table of the rows that a function returns.

    Each row is a dataclass or a mapping; its fields are the columns. So a topic that keeps its
    facts as data (an instruction set, a list of formats) needs no page written beside them.
    """

    required_arguments = 1
    option_spec: ClassVar = {"caption": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Call the named function and return its rows as one HTML table."""
        module, _, name = self.arguments[0].partition(":")
        rows = [_as_mapping(row) for row in getattr(import_module(module), name)()]
        return [nodes.raw("", table(rows, self.options.get("caption", "")), format="html")]


def table(rows: Iterable[Mapping[str, Any]], caption: str = "") -> str:
    """Return rows as an HTML table in a box that scrolls; columns are the first row's keys."""
    rows = list(rows)
    columns = list(rows[0]) if rows else []
    head = "".join(
        f'<th scope="col">{html.escape(name.replace("_", " "))}</th>' for name in columns
    )
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(row[c]))}</td>" for c in columns) + "</tr>"
        for row in rows
    )
    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="quire-table"><table>{above}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def name_cells(_app: Sphinx, document: nodes.document) -> None:
    """Give each staged code cell its id in the page, so that a figure can link to its code."""
    for cell in document.findall(nodes.container):
        staged: dict[str, Any] = cell.get("cell_metadata", {})
        anchor = staged.get("quire_anchor")
        if anchor and anchor not in cell["ids"]:
            cell["ids"].append(anchor)


def as_mathematics(
    _app: Sphinx, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]
) -> None:
    """Let vertical bars in docstrings stand for themselves."""
    lines[:] = escape_bars(lines)


def leave_out_thebe(app: Sphinx) -> None:
    """Undo what jupyter-book adds for Thebe even where it is switched off: it names a network."""
    for event, listeners in app.events.listeners.items():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe" and event != "config-inited":
                listeners.remove(listener)
    app.registry.css_files[:] = [
        (name, given) for name, given in app.registry.css_files if "thebe" not in name
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("quire-table", RowsTable)
    app.connect("doctree-read", name_cells)
    app.connect("doctree-read", link_first_uses)
    app.connect("env-get-updated", number_by_chapter, priority=900)  # after Sphinx's own
    app.connect("autodoc-process-docstring", as_mathematics, priority=1)
    app.connect("config-inited", lambda app, _config: leave_out_thebe(app))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _as_mapping(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
