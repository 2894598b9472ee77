"""A chapter gives today what was committed, and the same bytes twice."""

from pathlib import Path

import nbformat
import pytest

from quire.workbook import datasets
from quire.workbook.chapters import Chapter
from quire.workbook.comparisons import compare, is_volatile, same_arithmetic
from quire.workbook.execution import execute
from quire.workbook.ledger import faults, read_ledger
from quire.workbook.machine import arithmetic
from quire.workbook.provenance import packages

pytestmark = [pytest.mark.chapter, pytest.mark.slow]


@pytest.mark.timeout(1200)
def test_the_committed_outputs_are_those_of_today(chapter: Chapter) -> None:
    committed = chapter.read()
    today = execute(chapter, timeout=1100)
    found = compare(chapter, committed, today)
    told = [*map(str, found.differences)]
    how = "the same bytes" if found.exact else "equal words and near numbers"
    assert told == [], f"{how} were asked for"
    assert faults(chapter, today) == ()
    if found.skipped:
        print(f"{chapter.slug}: not compared for want of data or peers: {', '.join(found.skipped)}")


@pytest.mark.timeout(1200)
def test_the_smoke_profile_is_complete_and_gives_the_same_bytes_twice(chapter: Chapter) -> None:
    first = execute(chapter, profile="smoke", timeout=550)
    assert faults(chapter, first) == ()
    assert len(read_ledger(chapter, first)) == len(chapter.card.claims)
    if made_here(chapter):
        return  # the default profile is held against its committed bytes, which are a second run
    second = execute(chapter, profile="smoke", timeout=550)
    assert stable(first) == stable(second)


@pytest.mark.timeout(1200)
def test_a_chapter_runs_without_any_dataset(
    chapter: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [c for c in chapter.card.claims if any(n.startswith("dataset:") for n in c.needs)]
    if not wanted:
        pytest.skip("no claim of this chapter needs a dataset")
    monkeypatch.setenv("QUIRE_DATA_MIRROR", str(tmp_path))
    if any(row.state == "here" for row in datasets.listing()):
        pytest.skip("datasets were fetched into this checkout")
    bare = execute(chapter, profile="smoke", timeout=550)
    assert faults(chapter, bare) == ()
    verdicts = {entry.id: entry.verdict for entry in read_ledger(chapter, bare)}
    assert {verdicts[claim.id] for claim in wanted} == {"not run here"}


def made_here(chapter: Chapter) -> bool:
    record = chapter.read().metadata.get("quire", {})
    return same_arithmetic(record, {"arithmetic": arithmetic(), "packages": packages()})


def stable(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook's bytes without what differs between any two runs."""
    notebook.metadata.pop("quire")
    for cell in notebook.cells:
        if is_volatile(cell):
            cell.outputs = []
    return str(nbformat.writes(notebook))
