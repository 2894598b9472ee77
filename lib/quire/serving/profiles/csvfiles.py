"""Small tables in files: comma-separated, plain or gzipped, read into columns."""

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Columns = dict[str, Any]


def read_columns(path: str | Path, separator: str = ",") -> Columns:
    """Return a table's columns by name: arrays of numbers, or lists of words.

    A column with a cell that is no number is a list of words throughout.

    Parameters
    ----------
    path
        A file that opens with a line of names; gzipped where its name ends in ``.gz``.
    separator
        Between cells.

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
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as fault:
        raise ValueError(f"path = {path.name}: must be a table in UTF-8 ({fault})") from None
    if len(rows) < 2:
        raise ValueError(f"path = {path.name}: must hold a line of names and at least one row")
    names = [name.strip() for name in rows[0]]
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise ValueError(f"path = {path.name}: two columns are called {twice[0]!r}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise ValueError(
                f"path = {path.name}: row {number} has {len(row)} cells, {len(names)} are named"
            )
    columns: Columns = {}
    for k, name in enumerate(names):
        cells = [row[k] for row in rows[1:]]
        try:
            numbers = np.array([float(cell) for cell in cells])
        except ValueError:
            columns[name] = cells
            continue
        if not np.isfinite(numbers).all():
            raise ValueError(f"path = {path.name}: column {name} has a number that is not finite")
        columns[name] = numbers
    return columns


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
