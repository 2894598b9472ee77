"""Chapters: the notebooks of the workbook, each with its card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

from quire.workbook.cards import Card, Part, read_card
from quire.workbook.errors import UserError
from quire.workbook.home import home

_STEM = re.compile(r"^(\d\d)_[a-z0-9_]+$")


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
        """The chapter's card; `UserError` when it is missing or faulty."""
        path = self.notebook.with_suffix(".yml")
        if not path.is_file():
            raise UserError(f"{self.slug} has no card", f"write notebooks/{path.name}")
        return read_card(path)

    @property
    def part(self) -> Part:
        """The part of the book the chapter stands in."""
        return self.card.part

    def read(self) -> nbformat.NotebookNode:
        """Return the committed notebook, with the outputs of its default parameters."""
        try:
            return nbformat.read(self.notebook, as_version=4)
        except Exception as fault:  # nbformat raises a family of types for a torn file
            raise UserError(
                f"{self.notebook.name} is not a notebook ({type(fault).__name__})",
                "restore it from git",
            ) from None

    @cached_property
    def title(self) -> str:
        """The notebook's first heading."""
        for cell in self.read().cells:
            if cell.cell_type == "markdown":
                for line in cell.source.splitlines():
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
    wanted = name.zfill(2) if name.isdigit() else name
    for chapter in chapters:
        if wanted in (chapter.slug, chapter.number):
            return chapter
    known = ", ".join(chapter.slug for chapter in chapters) or "none yet"
    raise UserError(f"no chapter {name!r}", f"use one of: {known}")


def _find(root: Path) -> Iterator[Chapter]:
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        if _STEM.match(path.stem):
            yield Chapter(path)
