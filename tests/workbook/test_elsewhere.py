"""Notebooks where there is no ``quire run``: plain papermill, plain nbconvert, a fresh machine."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from quire.workbook.chapters import Chapter
from quire.workbook.ledger import stored_claims
from quire.workbook.scaffold import install_cell


@pytest.fixture
def alone(tiny: Chapter, tmp_path: Path) -> Path:
    """The tiny chapter's notebook with the first cell of all chapters, in a folder of its own."""
    notebook = nbformat.read(tiny.notebook, as_version=4)
    notebook.cells.insert(1, new_code_cell(install_cell(), id="install"))
    nbformat.write(notebook, tiny.notebook)
    file = tmp_path / "elsewhere" / "a notebook.ipynb"
    file.parent.mkdir()
    nbformat.write(notebook, file)
    return file


def measured(notebook: NotebookNode) -> dict[str, object]:
    entries = stored_claims(notebook)
    return {entry["id"]: entry["measured"] for entry in entries if entry["id"] != "99.3"}


def run(alone: Path, *words: str) -> NotebookNode:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=alone.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return nbformat.read(alone.with_name("done.ipynb"), as_version=4)


def test_plain_papermill_runs_a_chapter_with_its_parameters(alone: Path) -> None:
    notebook = run(alone, "papermill", alone.name, "done.ipynb", "-p", "size", "5")
    assert measured(notebook) == {"99.1": True, "99.2": 25.0}


def test_plain_nbconvert_runs_a_chapter(alone: Path) -> None:
    words = ("--to", "notebook", "--execute", "--output", "done.ipynb", alone.name)
    assert measured(run(alone, "nbconvert", *words)) == {"99.1": True, "99.2": 9.0}


@pytest.mark.parametrize("present", [True, False])
def test_the_first_cell_installs_only_what_is_missing(
    present: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda words, check: asked.append(words))
    found = importlib.util.find_spec("quire") if present else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    exec(install_cell(), {})
    if present:
        assert asked == []
    else:
        ((python, *words),) = asked
        assert python == sys.executable
        assert words == ["-m", "pip", "install", "--quiet", "quire-workbook[workbook]"]
