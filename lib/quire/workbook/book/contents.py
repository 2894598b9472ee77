"""The book's table of contents: the committed ``_toc.yml``, held to the chapters that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from quire.workbook.cards import Part
from quire.workbook.chapters import Chapter, all_chapters
from quire.workbook.files import write_atomically

PARTS: tuple[str, ...] = get_args(Part)


def read_contents(root: Path) -> dict[str, Any]:
    """Return the committed table of contents of the workbook at ``root``."""
    return dict(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))


def with_chapters(contents: Mapping[str, Any], chapters: Sequence[Chapter]) -> dict[str, Any]:
    """Return the contents with exactly ``chapters`` in them, each in its card's part.

    The order of the listed chapters is kept; one that is not listed goes before the first of its
    part with a higher number. A part without chapters is left out. The parts of prose stay around.
    """
    parts = contents["parts"]
    places = [i for i, part in enumerate(parts) if part["caption"] in PARTS]
    first = places[0] if places else max(len(parts) - 1, 0)
    prose = [part for part in parts if part["caption"] not in PARTS]
    listed = [entry["file"] for part in parts for entry in part["chapters"] if "file" in entry]
    shelves = {caption: _shelf(caption, listed, chapters) for caption in PARTS}
    middle = [
        {"caption": caption, "chapters": [{"file": file} for file in files]}
        for caption, files in shelves.items()
        if files
    ]
    return {**contents, "parts": [*prose[:first], *middle, *prose[first:]]}


def write_contents(contents: Mapping[str, Any], path: Path) -> None:
    """Write a table of contents to ``path`` as YAML."""
    write_atomically(path, yaml.safe_dump(dict(contents), sort_keys=False, allow_unicode=True))


def update_contents(root: Path) -> None:
    """Bring the committed ``_toc.yml`` of the workbook at ``root`` in line with its chapters."""
    write_contents(with_chapters(read_contents(root), all_chapters(root)), root / "_toc.yml")


def _shelf(caption: str, listed: Sequence[str], chapters: Sequence[Chapter]) -> list[str]:
    here = {f"notebooks/{each.slug}" for each in chapters if each.part == caption}
    files = [file for file in listed if file in here]
    for file in sorted(here - set(files)):
        later = next((i for i, other in enumerate(files) if other > file), len(files))
        files.insert(later, file)
    return files
