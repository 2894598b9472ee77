"""Points: one run of a study each, keyed by everything its result depends on, and kept on disk.

A point's key is the sha256 of the notebook's code, the source of the library that the notebook can
reach (its topic, the topics that this one imports, the rooms of the workbook that a run goes
through), and the parameters. Change one of them and the point is another point; change none and it
needs no second run.

Finished points lie in a folder beside the study's table, one JSON file each, written whole or not
at all. Stored are the measurements, not the verdicts: those are judged by the card of the day.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from quire.workbook.chapters import Chapter
from quire.workbook.files import make_folder, write_atomically
from quire.workbook.home import PACKAGE

State = Literal["done", "failed"]


@dataclass(frozen=True)
class Point:
    """What one run gave.

    Attributes
    ----------
    key
        See `point_key`.
    parameters
        Every parameter of the chapter, by name.
    state
        ``failed`` when the chapter did not reach its end.
    seconds
        From the run's start to its end, by the clock of the machine that ran it.
    claims
        What the notebook measured, as it stored it, in the order of its cells.
    error, traceback
        Why a failed point failed: in one line, and in the kernel's own words.
    """

    key: str
    parameters: dict[str, Any]
    state: State
    seconds: float
    claims: tuple[dict[str, Any], ...] = ()
    error: str = ""
    traceback: str = ""


class PointStore:
    """The points of a study, one file each, in the folder ``<table>.points`` beside its table."""

    def __init__(self, table: Path) -> None:
        self.folder = make_folder(table.with_name(f"{table.name}.points"))

    def save(self, point: Point) -> None:
        """Write a point, whole or not at all; `UserError` when the disk is full."""
        text = json.dumps(asdict(point), indent=1, ensure_ascii=False)
        write_atomically(self.folder / f"{point.key}.json", text + "\n")

    def load(self, key: str) -> Point | None:
        """Return the point of this key, or None when there is none that can be read."""
        try:
            fields = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            fields["claims"] = tuple(fields["claims"])
            return Point(**fields)
        except (OSError, ValueError, TypeError, KeyError):
            return None


def point_key(chapter: Chapter, source: str, parameters: Mapping[str, Any]) -> str:
    """Return the sha256 that names a run of ``chapter`` with ``parameters``, in hex.

    ``source`` is `source_digest` of the chapter; the parameters are plain data, in any order.
    """
    text = json.dumps([chapter.slug, source, dict(parameters)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def source_digest(chapter: Chapter) -> str:
    """Return the sha256 of the chapter's code cells and of the library source they can reach."""
    code = [cell.source for cell in chapter.read().cells if cell.cell_type == "code"]
    digest = hashlib.sha256(json.dumps(code).encode())
    for file in _reachable([chapter.card.topic, *_mentioned("\n".join(code))]):
        digest.update(f"\n{file.relative_to(PACKAGE).as_posix()}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _reachable(topics: Iterable[str]) -> list[Path]:
    """Return the files that a run of code which mentions ``topics`` can execute, sorted.

    These are quire's own ``__init__``, the rooms of the workbook that a run goes through, the
    topics, and whatever topics these mention. The workbook leads to no topic.
    """
    found: set[str] = {"workbook"}
    files = [PACKAGE / "__init__.py", *(PACKAGE / "workbook" / f"{room}.py" for room in _ROOMS)]
    waiting = list(topics)
    while waiting:
        topic = waiting.pop()
        if topic in found:
            continue
        found.add(topic)
        sources = list((PACKAGE / topic).rglob("*.py"))
        files += sources
        for source in sources:
            waiting += _mentioned(source.read_text(encoding="utf-8"))
    return sorted(files)


_ROOMS = (
    "cards",
    "chapters",
    "datasets",
    "execution",
    "ledger",
    "parameters",
)
"""Rooms that decide what a run measures; pages, charts and commands do not."""

_DOTTED = re.compile(r"\bquire\.([a-z]\w*)")
_FROM = re.compile(r"\bfrom\s+quire\s+import\s+(\([^)]*\)|[^\n]*)")


def _mentioned(source: str) -> set[str]:
    """Return the names that follow ``quire.`` or ``from quire import`` in some source.

    Read as text, not as syntax, because a notebook's cells need not be Python. A name in a comment
    counts too: a point too many is run again, never one too few.
    """
    names = set(_DOTTED.findall(source))
    for listed in _FROM.findall(source):
        names.update(re.findall(r"\w+", listed))
    return names
