"""Small tables in files: comma-separated, plain or gzipped, read into columns."""

import csv
import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quire.checks import real_array
from quire.signatures import checked

Columns = dict[str, Any]

UNITS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9}
"""Nanoseconds in a unit that ends a column's name: ``time_us``, ``latency(ns)``, ``Mean [ms]``."""

TYPICAL = ("median", "time", "latency", "mean", "average", "avg", "duration")
"""What a column of times may be called, the better first; least and largest are no such column."""


@checked
def read_columns(path: str | Path, separator: str | None = None) -> Columns:
    """Return a table's columns by name: arrays of numbers, or lists of words.

    A column with a cell that is no number is a list of words throughout.

    Parameters
    ----------
    path
        A file that opens with a line of names; gzipped where its name ends in ``.gz``.
    separator
        Between cells; None to take the comma, or, where the first line has none, the tab or the
        semicolon that it has. Lines that begin with # are passed over.

    Raises
    ------
    ValueError
        When the file is empty or no table in UTF-8, has rows of different lengths or two columns of
        one name, or a number that is not finite.
    """
    path = Path(path)
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
        lines = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
        first = next((line for line in lines if line.strip()), "")
        if separator is None:
            separator = next((mark for mark in ",\t;" if mark in first), ",")
        numbers_alone = _numbers(lines, separator)
        if numbers_alone is not None:
            return numbers_alone
        rows = [row for row in csv.reader(lines, delimiter=separator) if any(row)]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as fault:
        raise ValueError(f"path = {path.name}: must be a table in UTF-8 ({fault})") from None
    if len(rows) < 2:
        raise ValueError(f"path = {path.name}: must hold a line of names and at least one row")
    names = [name.strip() for name in rows[0]]
    while len(names) > 1 and not names[-1] and all(not row[-1] for row in rows[1:]):
        names, rows = names[:-1], [row[:-1] for row in rows]  # each line ends with a separator
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise ValueError(f"path = {path.name}: two columns are called {twice[0]!r}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise ValueError(
                f"path = {path.name}: row {number} has {len(row)} cells, {len(names)} are named"
            )
    columns: Columns = {}
    for name, cells in zip(names, zip(*rows[1:], strict=True), strict=True):
        try:
            numbers = np.array(list(map(float, cells)))
        except ValueError:
            columns[name] = [cell.strip() for cell in cells]
            continue
        if not np.isfinite(numbers).all():
            raise ValueError(f"path = {path.name}: column {name} has a number that is not finite")
        columns[name] = numbers
    return columns


def _numbers(lines: list[str], separator: str) -> Columns | None:
    """Return the columns of a table of plain numbers, None for any other; many times as fast."""
    filled = [line for line in lines if line.strip()]
    if len(filled) < 2 or '"' in filled[0]:
        return None
    names = [name.strip() for name in filled[0].split(separator)]
    try:
        table = np.loadtxt(filled[1:], delimiter=separator, comments=None, ndmin=2)
    except ValueError:
        return None
    if table.shape[1] != len(set(names)) or len(set(names)) < len(names):
        return None
    if not np.isfinite(table).all():
        return None
    return dict(zip(names, np.ascontiguousarray(table.T), strict=True))


def same_length(name: str, table: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Check that columns of a table are as long as each other.

    Raises
    ------
    ValueError
        When they are not; tells their lengths.
    """
    sizes = [np.size(table[column]) for column in columns]
    if len(set(sizes)) > 1:
        told = ", ".join(f"{c} {s}" for c, s in zip(columns, sizes, strict=True))
        raise ValueError(f"{name} = columns of different lengths ({told}): must be one table")


def unit_of(column: str) -> float | None:
    """Return the nanoseconds in the unit that ends a column's name, None where none does."""
    words = [word for word in re.split(r"[^a-zµμ]+", column.lower()) if word]
    return UNITS.get(words[-1]) if len(words) > 1 else None


def times_ns(
    name: str, table: Mapping[str, Any], preferred: str, *, above: float | None = None
) -> np.ndarray:
    """Return a table's column of times, in nanoseconds.

    Parameters
    ----------
    name
        Of the table, for messages.
    table
        Columns by name.
    preferred
        The column to take; microseconds where its name tells no unit. Where it is missing, the
        column of a median, time, latency or mean whose name ends in a unit is taken.
    above
        As in `real_array`; zero and more are allowed if None.

    Raises
    ------
    ValueError
        When there is no such column, or it holds anything but numbers from zero up.
    """
    column = time_column(table, preferred)
    if column not in table:
        raise ValueError(
            f"{name} has no column {preferred!r}, nor another of times with a unit: it has "
            f"{', '.join(table)}"
        )
    limits = {"least": 0.0} if above is None else {"above": above}
    factor = unit_of(column)
    return real_array(column, table[column], 1, **limits) * (1e3 if factor is None else factor)


def time_column(table: Mapping[str, Any], preferred: str) -> str:
    """Return the name of the column that `times_ns` reads, ``preferred`` where there is none."""
    if preferred in table:
        return preferred
    named = {c: re.split(r"[^a-z]+", c.lower()) for c in table if unit_of(c) is not None}
    return next((c for word in TYPICAL for c, words in named.items() if word in words), preferred)
