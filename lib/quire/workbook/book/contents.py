"""The book's table of contents: the committed ``_toc.yml``, held to the chapters that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from quire.workbook.cards import Part
from quire.workbook.chapters import Chapter, all_chapters
from quire.workbook.errors import UserError
from quire.workbook.files import write_atomically

PARTS: tuple[str, ...] = get_args(Part)


def read_contents(root: Path) -> dict[str, Any]:
    """Return the committed table of contents of the workbook at ``root``.

    Raises
    ------
    UserError
        When ``_toc.yml`` is missing, no YAML, or no table of contents with a root and parts.
    """
    remedy = "restore it from git"
    try:
        contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("_toc.yml is missing", remedy) from None
    except UnicodeDecodeError as fault:
        raise UserError(f"_toc.yml is not UTF-8 (byte {fault.start})", remedy) from None
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(
            f"_toc.yml{where}: {getattr(fault, 'problem', None) or 'not YAML'}", remedy
        ) from None
    if wrong := _fault(contents):
        raise UserError(f"_toc.yml: {wrong}", remedy)
    return dict(contents)


def _fault(contents: Any) -> str:
    """Return what is wrong with a table of contents, empty when nothing is."""
    if contents is None:
        return "it is empty"
    if not isinstance(contents, dict):
        return f"it holds a {type(contents).__name__}, not a mapping"
    if not isinstance(contents.get("root"), str):
        return "it names no root page ('root: book/index')"
    parts = contents.get("parts")
    if not isinstance(parts, list) or not parts:
        return "it has no list of parts ('parts:')"
    for number, part in enumerate(parts, start=1):
        entries = part.get("chapters") if isinstance(part, dict) else None
        if not isinstance(entries, list) or not entries:
            return f"part {number} has no list of chapters ('chapters:')"
        if not isinstance(part.get("caption", ""), str):
            return f"the caption of part {number} is not a text"
        for entry in entries:
            if not isinstance(entry, dict) or not {"file", "glob", "url"} & set(entry):
                return f"part {number} holds {entry!r}, which is no '- file: NAME'"
    return ""


def with_chapters(contents: Mapping[str, Any], chapters: Sequence[Chapter]) -> dict[str, Any]:
    """Return the contents with exactly ``chapters`` in them, each in its card's part.

    The order of the listed chapters is kept; one that is not listed goes before the first of its
    part with a higher number. A part without chapters is left out. The parts of prose stay around.
    """
    parts = contents["parts"]
    places = [i for i, part in enumerate(parts) if part.get("caption") in PARTS]
    first = places[0] if places else max(len(parts) - 1, 0)
    prose = [part for part in parts if part.get("caption") not in PARTS]
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
