"""A new chapter: notebook, card, topic module, test, bibliography and table of contents at once.

The skeleton is a whole chapter about a theorem that is true, so it passes the tests as it stands;
its author replaces the content and keeps the form.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import shutil
from pathlib import Path
from string import Template

import yaml
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode

from quire.workbook.book.contents import update_contents
from quire.workbook.cards import Part
from quire.workbook.chapters import all_chapters, find_chapter
from quire.workbook.errors import UserError, plain_line, quoted
from quire.workbook.execution import Progress, run
from quire.workbook.files import is_alive, write_atomically
from quire.workbook.home import PACKAGE, home
from quire.workbook.notebooks import dumps

_TEMPLATES = Path(__file__).parent / "templates"
_FIRST_FREE, _LAST = 16, 99
_ARXIV = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5}")
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MODULES = ("model", "experiments", "exercises")
_TESTS = ("test_model", "test_exercises")
_JOURNAL = ".quire-new-"
"""Opens the name of a file that says what is to be undone if a chapter is not finished."""


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
    if not _ARXIV.fullmatch(arxiv_id):
        raise UserError(f"{quoted(arxiv_id)} is not an arXiv id", "write it like 2603.20966")
    if not _SLUG.fullmatch(slug):
        raise UserError(
            f"{quoted(slug)} is not a slug",
            "use small letters, digits and underscores, a letter first, at most 40",
        )
    if keyword.iskeyword(slug) or keyword.issoftkeyword(slug):
        raise UserError(f"{slug!r} is a word of Python's own", "choose another slug")
    if root / "lib" / "quire" != PACKAGE:
        raise UserError(f"{root} is not the checkout of this quire", "run it from a checkout")
    for journal in sorted(root.glob(f"{_JOURNAL}*")):
        _take_back(root, journal)
    chapters = all_chapters(root)
    folders = (PACKAGE / slug, PACKAGE / f"{slug}.py", root / "tests" / slug)
    if any(f.exists() for f in folders) or slug in {each.slug[3:] for each in chapters}:
        raise UserError(f"{slug!r} is taken", "choose another slug")
    number = max([_FIRST_FREE, *(int(chapter.number) + 1 for chapter in chapters)])
    if number > _LAST:
        raise UserError(f"there are chapters up to {_LAST}", "a slug has two digits")
    words = {
        **_spellings(plain_line(title or "") or f"A chapter on arXiv {arxiv_id}"),
        "arxiv": arxiv_id,
        "slug": f"{number}_{slug}",
        "topic": slug,
        "number": str(number),
        "cite": f"arxiv{arxiv_id.replace('.', '')}",
        "part": part,
    }
    return _write(root, words, on_progress)


def _spellings(title: str) -> dict[str, str]:
    """Return a title as Markdown, YAML and BibTeX write it, whatever letters it has."""
    braces = str.maketrans({"{": "(", "}": ")", "\\": r"\textbackslash "})
    bibtex = re.sub(r"([%&#$_])", r"\\\1", title.translate(braces))
    return {
        "heading": re.sub(r"([\\`*_{}\[\]<>$#|])", r"\\\1", title),
        "title_yaml": json.dumps(title, ensure_ascii=False),
        "title_bibtex": bibtex.replace("~", r"\textasciitilde ").replace("^", r"\textasciicircum "),
    }


def _write(root: Path, words: dict[str, str], on_progress: Progress | None) -> tuple[Path, ...]:
    topic, slug = words["topic"], words["slug"]
    toc, bibliography = _toc(root), _bibliography(root)
    old = {path: path.read_text(encoding="utf-8") for path in (toc, bibliography)}
    package, tests = PACKAGE / topic, root / "tests" / topic
    files = {
        **{package / f"{name}.py": _fill(f"{name}.py", words) for name in _MODULES},
        package / "__init__.py": _fill("package.py", words),
        **{tests / f"{name}.py": _fill(f"{name}.py", words) for name in _TESTS},
        root / "notebooks" / f"{slug}.ipynb": dumps(_notebook(words)),
        root / "notebooks" / f"{slug}.yml": _fill("card.yml", words),
    }
    entry = _reference(words)
    journal = root / f"{_JOURNAL}{os.getpid()}.json"
    about = {
        "files": [path.relative_to(root).as_posix() for path in files],
        "folders": [path.relative_to(root).as_posix() for path in (package, tests)],
        "topic": topic,
        "toc": old[toc],
        "entry": entry,
    }
    write_atomically(journal, json.dumps(about))
    try:
        for path, text in files.items():
            write_atomically(path, text)
        write_atomically(bibliography, old[bibliography].rstrip() + entry)
        update_contents(root)
        _name_in_contracts(root, topic, present=True)
        _run(slug, root, on_progress)
    except BaseException:
        _take_back(root, journal, mine=True)
        raise
    journal.unlink()
    return (*files, bibliography, toc)


def _take_back(root: Path, journal: Path, mine: bool = False) -> None:
    """Undo a chapter that was begun and not finished, unless its process still works on it."""
    pid = journal.name.removeprefix(_JOURNAL).partition(".")[0]
    if not mine and (not pid.isdigit() or is_alive(int(pid))):
        return
    try:
        about = json.loads(journal.read_text(encoding="utf-8"))
        files, folders = list(about["files"]), list(about["folders"])
        toc, entry, topic = (str(about[name]) for name in ("toc", "entry", "topic"))
    except (OSError, ValueError, KeyError, TypeError):
        journal.unlink(missing_ok=True)
        return
    for name in files:
        (root / name).unlink(missing_ok=True)
    for name in folders:
        shutil.rmtree(root / name, ignore_errors=True)
    text = _bibliography(root).read_text(encoding="utf-8")
    if entry in text:
        write_atomically(_bibliography(root), text.replace(entry, "\n"))
    _name_in_contracts(root, topic, present=False)
    update_contents(root)
    if yaml.safe_load(toc) == yaml.safe_load(_toc(root).read_text(encoding="utf-8")):
        write_atomically(_toc(root), toc)  # the same, as it was laid out
    journal.unlink(missing_ok=True)


def _name_in_contracts(root: Path, topic: str, present: bool) -> None:
    """Have the import contracts of ``pyproject.toml`` name a topic, or not: topics stay apart."""
    path = root / "pyproject.toml"
    head, mark, contracts = path.read_text(encoding="utf-8").partition("[tool.importlinter]")
    lists = re.compile(r'(?:^    "quire\.\w+",\n)+', flags=re.MULTILINE)

    def renewed(match: re.Match[str]) -> str:
        lines = set(match[0].splitlines(keepends=True)) - {f'    "quire.{topic}",\n'}
        return "".join(sorted(lines | ({f'    "quire.{topic}",\n'} if present else set())))

    write_atomically(path, head + mark + lists.sub(renewed, contracts))


def _run(slug: str, root: Path, on_progress: Progress | None) -> None:
    """Execute the fresh notebook in place: chapters are committed with their outputs."""
    chapter = find_chapter(slug, root)
    run(chapter, chapter.notebook, on_progress=on_progress)


def _notebook(words: dict[str, str]) -> NotebookNode:
    text = _fill("notebook.md", words | {"install": install_cell()})
    notebook = read_myst_markdown_notebook(_HEADER + text, MdParserConfig())
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"{words['topic'].replace('_', '-')[:50]}-{index}"
    return notebook


def install_cell() -> str:
    """Return the source of every chapter's first code cell: it installs Quire."""
    return _fill("install.py", {}).rstrip("\n")


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
        f"\n\n@misc{{{words['cite']},\n  title = {{{words['title_bibtex']}}},\n"
        f"  author = {{The authors}},\n  year = {{20{words['arxiv'][:2]}}},\n"
        f"  eprint = {{{words['arxiv']}}},\n  archivePrefix = {{arXiv}},\n}}\n"
    )
