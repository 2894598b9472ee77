"""A new chapter: notebook, card, topic module, test, bibliography and table of contents at once.

The skeleton is a whole chapter about a theorem that is true, so it passes the tests as it stands;
its author replaces the content and keeps the form.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from string import Template

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode

from quire.workbook.book.contents import update_contents
from quire.workbook.cards import Part
from quire.workbook.chapters import all_chapters, find_chapter
from quire.workbook.errors import UserError
from quire.workbook.execution import Progress, run
from quire.workbook.files import write_atomically
from quire.workbook.home import PACKAGE, home

_TEMPLATES = Path(__file__).parent / "templates"
_FIRST_FREE = 16


def new_chapter(
    arxiv_id: str,
    slug: str,
    title: str | None = None,
    part: Part = "Machines",
    on_progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Make the skeleton of a chapter in the workbook, run it once, and return the new files.

    Parameters
    ----------
    arxiv_id
        Such as ``2603.20966``.
    slug
        The chapter's name in small letters, digits and underscores; also its topic package.
    title
        The paper's title; a placeholder without it.
    part
        The part of the book it goes under.
    on_progress
        Told after each cell of the first run.

    Raises
    ------
    UserError
        For a malformed id or slug, a name that is taken, or a workbook that is not a checkout.
    """
    root = home()
    if not re.fullmatch(r"\d{4}\.\d{4,5}", arxiv_id):
        raise UserError(f"{arxiv_id!r} is not an arXiv id", "write it like 2603.20966")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", slug):
        raise UserError(
            f"{slug!r} is not a slug", "use small letters, digits and underscores, a letter first"
        )
    if root / "lib" / "quire" != PACKAGE:
        raise UserError(f"{root} is not the checkout of this quire", "run it from a checkout")
    chapters = all_chapters(root)
    folders = (PACKAGE / slug, root / "tests" / slug)
    if any(f.exists() for f in folders) or slug in {each.slug[3:] for each in chapters}:
        raise UserError(f"{slug!r} is taken", "choose another slug")
    number = max([_FIRST_FREE, *(int(chapter.number) + 1 for chapter in chapters)])
    words = {
        "title": title or f"A chapter on arXiv {arxiv_id}",
        "arxiv": arxiv_id,
        "slug": f"{number}_{slug}",
        "topic": slug,
        "number": str(number),
        "cite": f"arxiv{arxiv_id.replace('.', '')}",
        "part": part,
    }
    return _write(root, words, on_progress)


def _write(root: Path, words: dict[str, str], on_progress: Progress | None) -> tuple[Path, ...]:
    topic, slug = words["topic"], words["slug"]
    shared = {path: path.read_text(encoding="utf-8") for path in (_toc(root), _bibliography(root))}
    package, tests = PACKAGE / topic, root / "tests" / topic
    files = {
        package / "__init__.py": _fill("package.py", words),
        package / "model.py": _fill("model.py", words),
        tests / "test_model.py": _fill("test_model.py", words),
        root / "notebooks" / f"{slug}.yml": _fill("card.yml", words),
        root / "notebooks" / f"{slug}.ipynb": nbformat.writes(_notebook(words)) + "\n",
        _bibliography(root): shared[_bibliography(root)].rstrip() + _reference(words),
    }
    try:
        for path, text in files.items():
            write_atomically(path, text)
        update_contents(root)
        _run(slug, root, on_progress)
    except BaseException:
        for path in files.keys() - shared.keys():
            path.unlink(missing_ok=True)
        for path, text in shared.items():
            write_atomically(path, text)
        for folder in (package, tests):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return (*files, _toc(root))


def _run(slug: str, root: Path, on_progress: Progress | None) -> None:
    """Execute the fresh notebook in place: chapters are committed with their outputs."""
    chapter = find_chapter(slug, root)
    run(chapter, chapter.notebook, on_progress=on_progress)


def _notebook(words: dict[str, str]) -> NotebookNode:
    notebook = read_myst_markdown_notebook(_HEADER + _fill("notebook.md", words), MdParserConfig())
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"{words['topic'].replace('_', '-')[:50]}-{index}"
    return notebook


_HEADER = """\
---
jupytext:
  text_representation:
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""


def _fill(template: str, words: dict[str, str]) -> str:
    return Template((_TEMPLATES / f"{template}.in").read_text(encoding="utf-8")).substitute(words)


def _toc(root: Path) -> Path:
    return root / "_toc.yml"


def _bibliography(root: Path) -> Path:
    return root / "book" / "references.bib"


def _reference(words: dict[str, str]) -> str:
    return (
        f"\n\n@misc{{{words['cite']},\n  title = {{{words['title']}}},\n"
        f"  author = {{The authors}},\n  year = {{20{words['arxiv'][:2]}}},\n"
        f"  eprint = {{{words['arxiv']}}},\n  archivePrefix = {{arXiv}},\n}}\n"
    )
