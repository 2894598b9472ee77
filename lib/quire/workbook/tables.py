"""Tables: the points of a study as one tidy table, a row per point.

Columns, in order: every parameter of the chapter; each claim by its id (``15.2``), a number, or
text where it is a word, JSON text where it is a list or a mapping; the claim's verdict by the card
of today (``verdict:15.2``); then `RUN_COLUMNS`. Lists among the parameters are JSON text, too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quire.workbook.cards import Claim
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.points import Point
from quire.workbook.verdicts import Verdict, judge_stored

RUN_COLUMNS = ("seconds", "state", "error", "traceback", "key")
"""How each run went: its seconds; ``done`` or ``failed``, and why; the key of its point."""


def check_names(chapter: Chapter, parameters: Mapping[str, Any]) -> None:
    """Refuse a chapter whose parameters are called like a column of every study; `UserError`."""
    for name in RUN_COLUMNS:
        if name in parameters:
            raise UserError(
                f"{chapter.slug} has a parameter {name!r}, which is a column of every study",
                "give the parameter another name",
            )


def tabulate(chapter: Chapter, points: Sequence[Point]) -> pd.DataFrame:
    """Return the table of ``points``, in their order; what a failed point lacks is empty."""
    columns: dict[str, pd.Series] = {}
    for name in points[0].parameters:
        columns[name] = _parameter([point.parameters[name] for point in points])
    stored = [{claim["id"]: claim for claim in point.claims} for point in points]
    for claim in chapter.card.claims:
        mine = [row.get(claim.id) for row in stored]
        columns[claim.id] = _measurement([entry["measured"] if entry else None for entry in mine])
        columns[f"verdict:{claim.id}"] = _text([_verdict(claim, entry) for entry in mine])
    columns["seconds"] = pd.Series([point.seconds for point in points], dtype="float64")
    for name in RUN_COLUMNS[1:]:
        columns[name] = _text([getattr(point, name) for point in points])
    return pd.DataFrame(columns)


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


def _parameter(values: list[Any]) -> pd.Series:
    if all(isinstance(value, bool) for value in values):
        return pd.Series(values, dtype="bool")
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return pd.Series(values, dtype="int64")
    return _measurement(values)


def _measurement(values: list[Any]) -> pd.Series:
    """Return numbers (and flags, as 1 and 0) as floats, anything else as text."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return pd.Series([None if v is None else float(v) for v in values], dtype="float64")
    return _text(
        [value if isinstance(value, str | None) else json.dumps(value) for value in values]
    )


def _text(values: Sequence[str | None]) -> pd.Series:
    return pd.Series(list(values), dtype="str")
