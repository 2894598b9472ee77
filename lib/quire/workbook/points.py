"""Points: one run of a study each, keyed by everything its result depends on, and kept on disk.

A point's key is the sha256 of its chapter's fingerprint and of the parameters. Change one of them
and the point is another point; change none and it needs no second run.

Finished points lie in a folder beside the study's table, one JSON file each, written whole or not
at all. Stored are the measurements, not the verdicts: those are judged by the card of the day. One
study at a time works on a table: its folder is locked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from quire.workbook.chapters import Chapter
from quire.workbook.files import holding, make_folder, write_atomically
from quire.workbook.fingerprints import fingerprint

_LOCK = ".lock"
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
        self.table = table
        self.folder = table.with_name(f"{table.name}.points")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one study; `UserError` when another one holds it.

        A folder that holds no point in the end is removed.
        """
        make_folder(self.folder)
        try:
            with holding(self.folder / _LOCK, f"another study is working on {self.table}"):
                yield
        finally:
            with suppress(OSError):
                self.folder.rmdir()

    def save(self, point: Point) -> None:
        """Write a point, whole or not at all; `UserError` when the disk is full."""
        text = json.dumps(asdict(point), indent=1, ensure_ascii=False)
        write_atomically(make_folder(self.folder, 0) / f"{point.key}.json", text + "\n")

    def load(self, key: str, parameters: Mapping[str, Any] | None = None) -> Point | None:
        """Return the point of this key, or None when there is none that can be read.

        Nothing is taken on trust: a file whose key, parameters or shape are other than those of the
        point it stands for is no point.
        """
        try:
            fields = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            fields["claims"] = tuple(fields["claims"])
            point = Point(**fields)
            sound = _is_sound(point)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if not sound or point.key != key:
            return None
        if parameters is not None and _canonical(point.parameters) != _canonical(parameters):
            return None
        return point


def point_key(chapter: Chapter, source: str, parameters: Mapping[str, Any]) -> str:
    """Return the sha256 that names a run of ``chapter`` with ``parameters``, in hex.

    ``source`` is `source_digest` of the chapter; the parameters are plain data, in any order.
    """
    text = json.dumps([chapter.slug, source, dict(parameters)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def source_digest(chapter: Chapter, prints: Mapping[str, str] | None = None) -> str:
    """Return the sha256 of all that a run depends on besides its parameters.

    ``prints`` is the chapter's `fingerprint`, taken anew without it.
    """
    return hashlib.sha256(_canonical(prints or fingerprint(chapter)).encode()).hexdigest()


def _canonical(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data), sort_keys=True)


def _is_sound(point: Point) -> bool:
    return (
        isinstance(point.parameters, dict)
        and point.state in ("done", "failed")
        and isinstance(point.seconds, int | float)
        and all(isinstance(text, str) for text in (point.key, point.error, point.traceback))
        and all(isinstance(claim, dict) for claim in point.claims)
    )
