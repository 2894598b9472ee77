"""Runs: what a chapter's run stored, read from a notebook, a study's table or a bundle of either.

It reads what the runs stored and needs no card, so that runs of other days can be read as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.workbook import notebooks
from quire.workbook.entries import CLAIM_MIME
from quire.workbook.errors import UserError
from quire.workbook.files import work_folder


@dataclass(frozen=True)
class Run:
    """One run as it was stored.

    Attributes
    ----------
    chapter
        The chapter's slug.
    parameters
        The values that were given, by name.
    record
        Versions, machine, data and commit, as the run wrote them down.
    claims
        Its claims by id, as the notebook stored them.
    """

    chapter: str
    parameters: Mapping[str, Any]
    record: Mapping[str, Any]
    claims: Mapping[str, Mapping[str, Any]]


Points = dict[tuple[tuple[str, Any], ...], Run]
"""The runs of a file by their parameters; a notebook has one, under an empty key."""


def read_runs(path: Path) -> Points:
    """Return the runs of an executed notebook, of a study's table, or of a bundle of either.

    Raises
    ------
    UserError
        When there is no such file, it is of no such kind, or it was not made by a run.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise UserError(f"{path}: {what}", "name a notebook, a table or a bundle that is there")
    if path.suffix not in _READERS:
        raise UserError(
            f"{path} is no file of a run",
            "give an executed notebook (.ipynb), a study's table (.parquet) or a bundle (.zip)",
        )
    return _READERS[path.suffix](path)


def _read_bundle(path: Path) -> Points:
    from quire.workbook.bundles.archive import unpack
    from quire.workbook.bundles.contents import TABLE

    members = unpack(path)
    found = [name for name in members if name == TABLE or name.endswith(".ipynb")]
    if not found:
        raise UserError(f"{path.name} is a zip, and no bundle of a run", "make one: quire bundle")
    name = TABLE if TABLE in found else found[0]
    with work_folder() as folder:
        inside = folder / Path(name).name
        inside.write_bytes(members[name])
        return _READERS[inside.suffix](inside)


def _read_notebook(path: Path) -> Points:
    data = notebooks.load(path)
    record = data["metadata"].get("quire")
    if not isinstance(record, dict) or not isinstance(record.get("chapter"), str):
        raise UserError(f"{path.name} was not made by 'quire run'", "run the chapter first")
    found: dict[str, Mapping[str, Any]] = {}
    for cell in data["cells"]:
        for output in cell.get("outputs", []):
            claim = (output.get("data") or {}).get(CLAIM_MIME)
            if isinstance(claim, dict) and isinstance(claim.get("id"), str):
                found[claim["id"]] = claim
    parameters = record.get("parameters")
    return {(): Run(record["chapter"], parameters or {}, record, found)}


def read_study(path: Path) -> Points:
    """Return the runs of a study's table by their parameters, in its order.

    Raises
    ------
    UserError
        When the file is no table of a study.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[b"quire"])
        slug = str(about["chapter"])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path.name} is no table of a study", "make one with 'quire study'") from (
            None
        )
    rows: Sequence[dict[str, Any]] = table.to_pylist()
    claims = [n.removeprefix("verdict:") for n in table.column_names if n.startswith("verdict:")]
    names = table.column_names[: table.column_names.index(claims[0] if claims else "seconds")]
    points: Points = {}
    for row in rows:
        parameters = {name: row[name] for name in names}
        points[tuple(parameters.items())] = Run(slug, parameters, about, _claims_of(row, claims))
    return points


def _claims_of(row: Mapping[str, Any], claims: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    measured = json.loads(row["measured"] or "{}")
    intervals = json.loads(row.get("intervals") or "{}")
    return {
        i: {
            "verdict": row[f"verdict:{i}"],
            "measured": measured.get(i),
            "interval": intervals.get(i),
        }
        for i in claims
        if row[f"verdict:{i}"] is not None
    }


_READERS = {".ipynb": _read_notebook, ".parquet": read_study, ".zip": _read_bundle}
