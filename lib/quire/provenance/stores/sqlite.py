"""A population of runs in SQLite: two tables, which the ten questions are asked of."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from quire.provenance.questions.population import Population
from quire.provenance.schema.errors import Malformed, told
from quire.provenance.stores.files import open_document
from quire.signatures import checked

SCHEMA = """
create table runs (run integer primary key, investigation_id text, incident text, prompt text,
    model text, category text, confidence real, correct integer, trigger_place integer,
    plans integer);
create table steps (run integer, place integer, plan_version integer, intent text, inference text,
    tool text, touches_target integer, in_evidence integer, rejects integer,
    primary key (run, place)) without rowid;
"""
_HELD = "select type, name, sql from sqlite_master order by name"


@checked
@contextmanager
def sqlite_store(
    population: Population, path: str | Path = ":memory:"
) -> Iterator[sqlite3.Connection]:
    """Open a database that holds the population, and close it at the end of the block.

    Parameters
    ----------
    population
        What is stored.
    path
        A file that is not there yet, or memory.

    Yields
    ------
    sqlite3.Connection
        With the tables ``runs`` and ``steps``.

    Raises
    ------
    Malformed
        When the file is there already, or cannot be written; nothing is left of it then.
    """
    file = None if path == ":memory:" else Path(path)
    if file is not None and (file.exists() or file.is_symlink()):
        raise Malformed(file.name, "is there already: a store is written into a new file")
    connection = None
    try:
        try:
            connection = sqlite3.connect(path)
            connection.executescript(SCHEMA)
            for name, columns in population.tables().items():
                marks = ", ".join("?" * len(columns))
                connection.executemany(
                    f"insert into {name} values ({marks})",
                    zip(*(_plain(c) for c in columns.values()), strict=True),
                )
            connection.commit()
        except BaseException as fault:
            if connection is not None:
                connection.close()
            if file is not None:  # nothing half-written
                for left in (file, file.with_name(f"{file.name}-journal")):
                    with suppress(OSError):
                        left.unlink()
            if isinstance(fault, sqlite3.Error | UnicodeError | OverflowError):
                raise Malformed(str(path) if file is None else file.name, f"{fault}") from None
            raise
        yield connection
    finally:
        if connection is not None:
            connection.close()


@checked
@contextmanager
def sqlite_reader(path: str | Path, wait_s: float = 5.0) -> Iterator[sqlite3.Connection]:
    """Open a store that somebody else may have written, to be read alone, and close it at the end.

    A file can hold what runs when it is read: views and virtual tables in the place of the tables.
    Nothing but the two tables, as they were made, is accepted, and no schema is trusted.

    Parameters
    ----------
    path
        A file of `sqlite_store`.
    wait_s
        How long to wait for a writer that holds it.

    Yields
    ------
    sqlite3.Connection
        With the tables ``runs`` and ``steps``; writing fails.

    Raises
    ------
    Malformed
        For no file, one that is no database, one that is held by a writer, or another schema.
    """
    file = Path(path)
    found = open_document(file)
    if found is None:
        raise Malformed(file.name, "is missing")
    with os.fdopen(found, "rb") as stream:
        if stream.read(16) != b"SQLite format 3\x00":
            raise Malformed(file.name, "is no SQLite database")
    with closing(sqlite3.connect(":memory:")) as own:
        own.executescript(SCHEMA)
        wanted = own.execute(_HELD).fetchall()
    uri = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=wait_s)) as connection:
        try:
            for pragma in ("trusted_schema = off", "query_only = on", "cell_size_check = on"):
                connection.execute(f"pragma {pragma}")
            held = connection.execute(_HELD).fetchall()
        except sqlite3.Error as fault:
            raise Malformed(file.name, f"cannot be read: {fault}") from None
        for row in held:
            if row not in wanted:
                what = f"{row[0]} {row[1]}"
                raise Malformed(file.name, f"holds {told(what)} in another form than a store's")
        for row in wanted:
            if row not in held:
                raise Malformed(file.name, f"lacks the table {row[1]}")
        yield connection


@checked
def ask(connection: Any, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query; works for SQLite and for DuckDB."""
    return [tuple(row) for row in connection.execute(query).fetchall()]


def _plain(column: np.ndarray) -> list[Any]:
    if column.dtype.kind == "f":
        return [None if np.isnan(x) else x for x in column.tolist()]
    return list(column.tolist())
