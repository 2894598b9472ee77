"""A workbook of one small chapter, in a temporary folder that ``QUIRE_HOME`` points at."""

from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from quire.workbook.chapters import Chapter, find_chapter

CARD = """\
paper:
  title: A tiny paper
  authors: [A. Author]
  arxiv: "2601.00001"
  cite: author2026tiny
topic: tiny
part: Machines
summary: A chapter of four cells that squares a number.
profiles:
  smoke: {size: 1}
  default: {}
  full: {size: 100}
parameters:
  size: {at_least: 0, at_most: 1000}
  word: {choices: [plain, raise, die, hang]}
claims:
  - id: "99.1"
    role: claim
    says: The square of size is its square.
    where: section 1
    kind: exact
    expect: true
    source: seen
    fails_if: the product and the power differ
  - id: "99.2"
    role: claim
    says: Squares are not negative.
    where: section 1
    kind: bound
    expect: {at_least: 0}
    source: seen
    fails_if: the square of size is below zero
  - id: "99.3"
    role: check
    says: One is measured by a program that nobody has.
    kind: value
    expect: 1
    fails_if: the program gives another number
    needs: ["program:no-such-program"]
"""

WORK = """\
import os, time
if word == "raise":
    raise ValueError("broken on purpose")
if word == "die":
    os._exit(7)
if word == "hang":
    time.sleep(600)
claims.measure("99.1", size * size == size**2)
"""


def write_chapter(root: Path, work: str = WORK, card: str = CARD) -> Chapter:
    """Write notebook and card of chapter 99 into ``root`` and return the chapter."""
    (root / "notebooks").mkdir(parents=True, exist_ok=True)
    if not (root / "_toc.yml").exists():
        (root / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    parameters = dedent(
        """\
        size: int = 3  # items, how many
        word: str = "plain"  # what the work cell does
        """
    )
    cells = [
        new_markdown_cell("# A tiny chapter", id="title"),
        new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell(
            'from quire import workbook\n\nclaims = workbook.begin("99_tiny", globals())',
            id="begin",
        ),
        new_code_cell(work, id="work"),
        new_code_cell(
            'claims.measure("99.2", float(size**2))\n'
            'if claims.can_measure("99.3"):\n    claims.measure("99.3", 1)',
            id="more",
        ),
        new_code_cell("claims.table()", id="table"),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, root / "notebooks" / "99_tiny.ipynb")
    (root / "notebooks" / "99_tiny.yml").write_text(card)
    return find_chapter("99", root)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chapter:
    """The chapter ``99_tiny``, the only one of a workbook of its own."""
    root = tmp_path / "workbook"
    monkeypatch.setenv("QUIRE_HOME", str(root))
    return write_chapter(root)
