"""Chapters: the notebooks of the workbook, each with its card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.workbook import notebooks
from quire.workbook.cards import Card, Part, read_card
from quire.workbook.errors import UserError, quoted
from quire.workbook.home import home

if TYPE_CHECKING:
    from nbformat import NotebookNode

_STEM = re.compile(r"([0-9]{2})_[a-z0-9_]+")


@dataclass(frozen=True)
class Chapter:
    """One paper's notebook and card, named by the notebook's stem (``15_sketching``)."""

    notebook: Path

    @property
    def slug(self) -> str:
        """The notebook's stem, by which the chapter is called."""
        return self.notebook.stem

    @property
    def number(self) -> str:
        """The two digits that open the slug."""
        return self.slug[:2]

    @cached_property
    def card(self) -> Card:
        """The chapter's card.

        Raises
        ------
        UserError
            When it is missing or faulty.
        """
        path = self.notebook.with_suffix(".yml")
        if not path.is_file():
            raise UserError(f"{self.slug} has no card", f"write notebooks/{path.name}")
        return read_card(path)

    @property
    def part(self) -> Part:
        """The part of the book the chapter stands in."""
        return self.card.part

    def read(self) -> NotebookNode:
        """Return the committed notebook, with the outputs of its default parameters."""
        return notebooks.read(self.notebook)

    def cells(self) -> list[dict[str, Any]]:
        """Return the committed notebook's own cells as plain data, none that a run put in."""
        return [c for c in notebooks.load(self.notebook)["cells"] if not notebooks.is_injected(c)]

    @cached_property
    def title(self) -> str:
        """The notebook's first heading."""
        for cell in self.cells():
            if cell["cell_type"] == "markdown":
                for line in cell["source"].splitlines():
                    if line.startswith("# "):
                        return line[2:].strip()
        return self.card.paper.title


def all_chapters(root: Path | None = None) -> tuple[Chapter, ...]:
    """Return every chapter under ``root`` (default: the workbook's home), by number."""
    return tuple(_find(root or home()))


def find_chapter(name: str, root: Path | None = None) -> Chapter:
    """Return the chapter called by its slug or its number (``"15"``, ``"15_sketching"``).

    Raises
    ------
    UserError
        When there is none of that name.
    """
    chapters = all_chapters(root)
    wanted = name.zfill(2) if name.isascii() and name.isdigit() else name
    for chapter in chapters:
        if wanted in (chapter.slug, chapter.number):
            return chapter
    known = ", ".join(chapter.slug for chapter in chapters) or "none yet"
    raise UserError(f"no chapter {quoted(name)}", f"use one of: {known}")


def _find(root: Path) -> Iterator[Chapter]:
    folder = root / "notebooks"
    found = [path for path in sorted(folder.glob("*.ipynb")) if _STEM.fullmatch(path.stem)]
    stems = {path.stem for path in found}
    for card in sorted(folder.glob("*.yml")):
        if _STEM.fullmatch(card.stem) and card.stem not in stems:
            raise UserError(
                f"notebooks/{card.name} has no notebook", f"write notebooks/{card.stem}.ipynb"
            )
    yield from map(Chapter, found)
