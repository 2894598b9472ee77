"""The terminal: what the command prints, in whatever width and encoding there is."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from quire.workbook.errors import plain_line

if TYPE_CHECKING:
    from quire.workbook.changes import Changes

_NARROW = 8
"""Letters that a column needs at the least to be worth a table."""


def prepare() -> None:
    """Let a letter that the terminal's encoding lacks be escaped instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")


def print_rows(
    rows: Sequence[Mapping[str, Any]], as_json: bool, columns: Sequence[str] = (), keep: str = ""
) -> None:
    """Print rows as JSON, as a table, or, where the terminal is narrow, as a block for each row.

    Parameters
    ----------
    rows
        What to print, by column.
    as_json
        Print all of every row as JSON.
    columns
        The columns of the table, in order.
    keep
        The column that is never cut off: what one types again.
    """
    if as_json:
        typer.echo(json.dumps(list(rows), indent=2, ensure_ascii=False, default=str))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    cells = [["" if row[c] is None else plain_line(str(row[c])) for c in columns] for row in rows]
    console = Console()
    kept = [len(row[i]) for row in cells for i, c in enumerate(columns) if c == keep]
    needed = max(kept, default=0) + (_NARROW + 3) * (len(columns) - bool(keep))
    if console.width < needed:
        for row in cells:
            titled = zip(columns, row, strict=True)
            typer.echo("\n".join(f"{c}: {text}" for c, text in titled) + "\n")
        return
    table = Table()
    for column in columns:
        table.add_column(column, no_wrap=column == keep, overflow="fold")
    for row in cells:
        table.add_row(*map(escape, row))
    console.print(table)


def print_changes(found: Changes) -> None:
    """Print what became of the claims between two runs, then what else differs between the two."""
    rows = [
        {
            "claim": change.id + _point(change.point),
            "change": " ".join(filter(None, (change.kind, _percent(change.shift)))),
            "A": _cell(change.before, change.measured[0]),
            "B": _cell(change.after, change.measured[1]),
            "intervals": change.intervals,
        }
        for change in found.changed
    ]
    same = len(found.claims) - len(rows)
    alike = f"{same} of {len(found.claims)} claims are the same"
    apart = f"; {found.unmatched} points are in one study only" if found.unmatched else ""
    typer.echo(f"{found.chapter}: verdicts flipped: {found.flipped}; {alike}{apart}")
    if rows:
        print_rows(rows, False, ("claim", "change", "A", "B", "intervals"), keep="claim")
    if found.surroundings:
        others = [
            dict(zip(("what", "name", "A", "B"), row, strict=True)) for row in found.surroundings
        ]
        print_rows(others, False, ("what", "name", "A", "B"), keep="name")


def leave_quietly() -> None:
    """Close a standard output that nobody reads any more, so that no complaint follows at exit."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())


def _point(point: Mapping[str, Any]) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in point.items())})" if point else ""


def _percent(shift: float | None) -> str:
    return f"{shift:+.2%}" if shift else ""


def _cell(verdict: str, measured: str) -> str:
    return f"{verdict} {measured}".strip()
