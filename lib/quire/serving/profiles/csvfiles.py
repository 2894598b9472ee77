"""Small tables in files: comma-separated, plain or gzipped, read into columns."""

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np

Columns = dict[str, Any]


def read_columns(path: str | Path, separator: str = ",") -> Columns:
    """Return a table's columns by name: arrays of numbers, lists of words.

    Parameters
    ----------
    path
        A file that opens with a line of names; gzipped where its name ends in ``.gz``.
    separator
        Between cells.

    Raises
    ------
    ValueError
        When the file is empty, no text, has rows of different lengths, or a column is half numbers.
    """
    path = Path(path)
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as fault:
        raise ValueError(f"path = {path.name}: must be a table in UTF-8 ({fault})") from None
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    if len(rows) < 2:
        raise ValueError(f"path = {path.name}: must hold a line of names and at least one row")
    names = [name.strip() for name in rows[0]]
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
