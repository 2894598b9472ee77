"""A chapter gives today what was committed, and the same bytes twice."""

from typing import Any

import nbformat
import pytest

from quire.workbook.chapters import Chapter
from quire.workbook.execution import execute
from quire.workbook.ledger import faults, read_ledger

pytestmark = [pytest.mark.chapter, pytest.mark.slow]

# A picture and full digits of a measurement may differ in the last bit on another processor.
MACHINE_DEPENDENT = (
    "/metadata",
    "/cells/*/outputs/*/data/image~1png",
    "/cells/*/outputs/*/data/application~1vnd.quire.claim+json",
    "/cells/*/outputs/*/data/application~1papermill.record~1text~1plain",
)


def volatile(notebook: nbformat.NotebookNode) -> list[int]:
    """Return the places of the cells whose outputs are timings and the like."""
    return [
        index
        for index, cell in enumerate(notebook.cells)
        if "volatile" in cell.metadata.get("tags", [])
    ]


@pytest.mark.timeout(900)
def test_the_committed_outputs_are_those_of_today(chapter: Chapter, nb_regression: Any) -> None:
    notebook = chapter.read()
    nb_regression.exec_timeout = 600
    nb_regression.diff_ignore = MACHINE_DEPENDENT + tuple(
        f"/cells/{index}/outputs" for index in volatile(notebook)
    )
    nb_regression.check(str(chapter.notebook))


@pytest.mark.timeout(300)
def test_the_smoke_profile_runs_twice_to_the_same_bytes(chapter: Chapter) -> None:
    first, second = (execute(chapter, profile="smoke", timeout=120) for _ in range(2))
    assert faults(chapter, first) == ()
    assert len(read_ledger(chapter, first)) == len(chapter.card.claims)
    for notebook in (first, second):
        notebook.metadata.pop("quire")
        for index in volatile(notebook):
            notebook.cells[index].outputs = []
    assert nbformat.writes(first) == nbformat.writes(second)
