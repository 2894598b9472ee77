"""The types of a study's columns follow from the chapter, never from what happened to succeed."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.points import Point
from quire.workbook.tables import parquet, tabulate

from .conftest import write_chapter


def point(measured: dict[str, Any], state: str = "done", **parameters: Any) -> Point:
    claims = tuple(
        {"id": name, "measured": value, "outcome": "holds", "verdict": "holds", "interval": None}
        for name, value in measured.items()
    )
    return Point("k", {"size": 3, "word": "plain"} | parameters, state, 1.0, claims)


def schema(chapter: Chapter, *points: Point) -> pa.Schema:
    table = pq.read_table(pa.BufferReader(parquet(tabulate(chapter, points), {})))
    return table.schema.remove_metadata()


@pytest.mark.parametrize(
    "points",
    [
        [point({}, state="failed")],
        [point({"99.1": True, "99.2": 4.0})],
        [point({"99.1": "a word", "99.2": 2**1100})],
        [point({"99.1": [1, 2], "99.2": None}), point({}, word="\udc80")],
    ],
)
def test_two_studies_of_a_chapter_have_one_schema(tiny: Chapter, points: list[Point]) -> None:
    assert schema(tiny, *points) == schema(tiny, point({"99.1": True, "99.2": 1.0, "99.3": 1.0}))


def test_a_measurement_that_does_not_fit_is_kept_as_text(tiny: Chapter) -> None:
    (row,) = tabulate(tiny, [point({"99.1": "a word", "99.2": 2**1100})]).to_dict("records")
    assert row["99.2"] != row["99.2"]  # empty
    assert json.loads(row["measured"]) == {"99.1": "a word", "99.2": 2**1100}


def test_the_parameters_have_the_types_of_their_cell(tiny: Chapter) -> None:
    write_chapter(tiny.notebook.parents[1])
    found = schema(find_chapter("99"), point({}))
    assert found.field("size").type == pa.int64()
    assert found.field("word").type in (pa.string(), pa.large_string())
