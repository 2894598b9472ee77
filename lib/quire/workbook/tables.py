"""Tables: the points of a study as one tidy table, a row per point.

Columns, in order: every parameter of the chapter; each claim by its id (``15.2``), a number, or
text where the card expects a word, a list or a mapping; the claim's verdict by the card of today
(``verdict:15.2``); then `RUN_COLUMNS`. The types of the columns follow from the parameters cell and
the card, never from what happened to succeed: two studies of a chapter open together. A measurement
that does not fit its column leaves it empty and stands, as all of them do, in ``measured``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quire.workbook.cards import Claim
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.parameters import declared
from quire.workbook.points import Point
from quire.workbook.verdicts import Verdict, judge_stored

RUN_COLUMNS = ("seconds", "state", "error", "traceback", "key", "measured", "intervals")
"""How each run went: its seconds; ``done`` or ``failed``, and why; the key of its point; all that
it measured, and the intervals, as JSON text."""


def check_names(chapter: Chapter, parameters: Sequence[str]) -> None:
    """Refuse a chapter whose parameters are called like a column of every study.

    Raises
    ------
    UserError
        When one of them is.
    """
    for name in RUN_COLUMNS:
        if name in parameters:
            raise UserError(
                f"{chapter.slug} has a parameter {name!r}, which is a column of every study",
                "give the parameter another name",
            )


def tabulate(chapter: Chapter, points: Sequence[Point]) -> pd.DataFrame:
    """Return the table of ``points``, in their order; what a failed point lacks is empty."""
    return _arrow(chapter, points).to_pandas()


def _arrow(chapter: Chapter, points: Sequence[Point]) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for name, parameter in declared(chapter).items():
        kind = _PLAIN_TYPES.get(parameter.type, pa.string())
        columns[name] = _column(kind, [point.parameters[name] for point in points])
    stored = [{claim["id"]: claim for claim in point.claims} for point in points]
    for claim in chapter.card.claims:
        mine = [row.get(claim.id) for row in stored]
        measured = [entry["measured"] if entry else None for entry in mine]
        columns[claim.id] = _column(_type_of(claim), measured)
        verdicts = [_verdict(claim, entry) for entry in mine]
        columns[f"verdict:{claim.id}"] = _column(pa.string(), verdicts)
    columns["seconds"] = _column(pa.float64(), [point.seconds for point in points])
    for name in ("state", "error", "traceback", "key"):
        columns[name] = _column(pa.string(), [getattr(point, name) for point in points])
    for name, key in (("measured", "measured"), ("intervals", "interval")):
        everything = [{i: claim.get(key) for i, claim in row.items()} for row in stored]
        columns[name] = _column(pa.string(), everything)
    return pa.table(columns)


def parquet(table: pd.DataFrame, about: dict[str, Any]) -> bytes:
    """Return ``table`` as a Parquet file, with ``about`` as JSON in its metadata under "quire"."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(arrow.schema.metadata or {}), b"quire": json.dumps(about).encode()}
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def _verdict(claim: Claim, stored: dict[str, Any] | None) -> Verdict | None:
    if stored is None:
        return None
    return judge_stored(claim, stored).verdict


_PLAIN_TYPES = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "str": pa.string(),
}


def _type_of(claim: Claim) -> pa.DataType:
    """Return the type of a claim's column: a number unless the card expects something else."""
    numeric = claim.kind in ("value", "bound") or (
        claim.kind == "exact" and isinstance(claim.expect, bool | int | float)
    )
    return pa.float64() if numeric else pa.string()


def _column(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """Return a column of one type; what does not fit is empty, texts are JSON but for words."""
    fit = _text if kind == pa.string() else _number if kind == pa.float64() else _itself
    return pa.array([None if value is None else fit(value) for value in values], type=kind)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text.encode("utf-8", "replace").decode()


def _number(value: Any) -> float | None:
    """Return a number (a flag as 1 or 0), None for what is none or is beyond a float."""
    if not isinstance(value, bool | int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _itself(value: Any) -> Any:
    return value
