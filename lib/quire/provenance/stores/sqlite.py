"""A population of runs in SQLite: two tables, which the ten questions are asked of."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from quire.provenance.questions.population import Population

SCHEMA = """
create table runs (run integer primary key, investigation_id text, incident text, prompt text,
    model text, category text, confidence real, correct integer, trigger_place integer,
    plans integer);
create table steps (run integer, place integer, plan_version integer, intent text, inference text,
    tool text, touches_target integer, in_evidence integer, rejects integer,
    primary key (run, place)) without rowid;
"""


@contextmanager
def sqlite_store(population: Population, path: str = ":memory:") -> Iterator[sqlite3.Connection]:
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
    """
    connection = sqlite3.connect(path)
    try:
        connection.executescript(SCHEMA)
        for name, columns in population.tables().items():
            marks = ", ".join("?" * len(columns))
            connection.executemany(
                f"insert into {name} values ({marks})",
                zip(*(_plain(c) for c in columns.values()), strict=True),
            )
        connection.commit()
        yield connection
    finally:
        connection.close()


def ask(connection: Any, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query; works for SQLite and for DuckDB."""
    return [tuple(row) for row in connection.execute(query).fetchall()]


def _plain(column: np.ndarray) -> list[Any]:
    if column.dtype.kind == "f":
        return [None if np.isnan(x) else x for x in column.tolist()]
    return list(column.tolist())
