"""Inserts: what is generated into the book's written pages, in the places that name it.

``<!-- quire: NAME -->`` in a page of ``book/`` is replaced by the text made for that name, inside a
line as well as on one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from nbformat import NotebookNode

from quire.workbook.book.pages import concepts, lessons, overview, paths, performance, teaching
from quire.workbook.book.pages.markup import Ledgers
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError

PLACE = re.compile(r"<!-- quire: (.+?) -->")

Makers = Mapping[str, Callable[[], str]]
"""What is made for each name; nothing is made that no page asks for."""


def makers(root: Path, executed: Mapping[Chapter, NotebookNode], ledgers: Ledgers) -> Makers:
    """Return the makers of everything that a page of the workbook at ``root`` may ask for."""
    return {
        overview.NAME: lambda: overview.cards(executed, ledgers),
        **lessons.inserts(root, ledgers),
        **teaching.inserts(root, executed),
        **paths.inserts(root, executed),
        **concepts.inserts(root, executed),
        **performance.inserts(root, ledgers),
    }


def fill(folder: Path, made: Makers) -> None:
    """Fill the places of every page of ``folder``, in place.

    Raises
    ------
    UserError
        When a page names what nothing makes.
    """
    for path in sorted(folder.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        filled = PLACE.sub(partial(_made, path.name, made), text)
        if filled != text:
            path.write_text(filled, encoding="utf-8")


def _made(page: str, made: Makers, place: re.Match[str]) -> str:
    name = place[1]
    if name not in made:
        raise UserError(
            f"book/{page} asks for {name!r}, which nothing makes",
            f"use one of: {', '.join(sorted(made))}",
        )
    return made[name]()
