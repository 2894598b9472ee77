"""A population of runs in DuckDB (package duckdb), asked with the same SQL as SQLite."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from quire.provenance.questions.population import Population
from quire.provenance.schema.errors import Malformed


@contextmanager
def duckdb_store(population: Population, path: str = ":memory:") -> Iterator[Any]:
    """Open a DuckDB database that holds the population, and close it at the end of the block.

    Yields
    ------
    duckdb.DuckDBPyConnection
        With the tables ``runs`` and ``steps``.

    Raises
    ------
    Malformed
        When the file is there already.
    """
    import duckdb
    import pyarrow

    if path != ":memory:" and os.path.lexists(path):
        raise Malformed(Path(path).name, "is there already: a store is written into a new file")
    connection = duckdb.connect(path, config={"threads": 1})
    try:
        for name, columns in population.tables().items():
            table = pyarrow.table({k: _arrow(pyarrow, c) for k, c in columns.items()})
            connection.register("incoming", table)
            connection.execute(f"create table {name} as select * from incoming")
            connection.unregister("incoming")
        yield connection
    finally:
        connection.close()


def _arrow(pyarrow: Any, column: np.ndarray) -> Any:
    if column.dtype.kind == "f":
        return pyarrow.array(column, mask=np.isnan(column))
    if column.dtype.kind == "O":
        return pyarrow.array(column.tolist(), pyarrow.string())
    return pyarrow.array(column)
