"""Grading: a folder of returned notebooks becomes a table, each run in a process of its own.

A notebook's code never meets the checks: its process hands the answers over as data (`values`), and
the checks run here. What it does to itself, by a loop without end, an exit, or a flood of output,
costs its author alone.
"""

from __future__ import annotations

import csv
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from quire.workbook import notebooks
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError, plain_line
from quire.workbook.files import work_folder, write_atomically
from quire.workbook.handouts import sandbox, values
from quire.workbook.handouts.copies import graded_cells
from quire.workbook.handouts.questions import Question, questions
from quire.workbook.home import PACKAGE

_LONGEST_LINE = 32 << 20
_MOST_CALLS = 100_000


@dataclass(frozen=True)
class Grade:
    """What one returned notebook is worth.

    Attributes
    ----------
    notebook
        The name of its file.
    points
        By exercise number.
    feedback
        By exercise number: ``right``, ``not right``, ``no answer``, or why it could not be judged.
        The right answer is never told.
    note
        What happened to the notebook as a whole; empty when it ran to its end.
    """

    notebook: str
    points: Mapping[int, float]
    feedback: Mapping[int, str]
    note: str = field(default="")

    @property
    def total(self) -> float:
        """The sum of the points."""
        return sum(self.points.values())


def grade(
    chapter: Chapter,
    folder: Path,
    points: Mapping[int, float] | None = None,
    limits: sandbox.Limits | None = None,
    unconfined: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Grade, ...]:
    """Grade every notebook of a folder against a chapter's exercises; nothing goes to a network.

    Parameters
    ----------
    chapter
        The chapter that was handed out.
    folder
        Where the returned notebooks lie.
    points
        Points of the exercises by number, 1 each by default.
    limits
        What each notebook may take.
    unconfined
        Grade also on a system that cannot keep a notebook out of other folders.
    on_progress
        Told (notebooks done, notebooks in all).

    Raises
    ------
    UserError
        When the folder holds no notebook, the chapter no exercise, or the system cannot confine a
        notebook and ``unconfined`` was not asked for.
    """
    if not sandbox.is_confining() and not unconfined:
        raise UserError(
            "this system cannot keep a notebook out of your folders (no Landlock)",
            "grade on Linux, or in a container or another account with --unconfined",
        )
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".ipynb")
    except OSError as fault:
        raise UserError(f"{folder}: {fault.strerror}", "name a folder of notebooks") from None
    if not files:
        raise UserError(f"{folder} holds no notebook", "name the folder that students returned")
    asked = questions(chapter.cells())
    if not asked:
        raise UserError(f"{chapter.slug} has no exercises", "grade a chapter that has some")
    tell = on_progress or (lambda done, total: None)
    limits = limits or sandbox.Limits()
    with work_folder() as work:
        work.chmod(0o711)  # a notebook's own folder below is open to its process alone
        library = _library(work)
        grades = []
        for file in files:
            grades.append(_graded(chapter, asked, file, points or {}, limits, work, library))
            tell(len(grades), len(files))
    return tuple(grades)


def table(grades: Sequence[Grade]) -> str:
    """Return grades as CSV: notebook, points of each exercise, total, feedback, note."""
    numbers = sorted({number for grade in grades for number in grade.points})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["notebook", *(f"exercise {n}" for n in numbers), "total",
                     *(f"feedback {n}" for n in numbers), "note"])  # fmt: skip
    for each in grades:
        writer.writerow([_cell(each.notebook), *(f"{each.points[n]:g}" for n in numbers),
                         f"{each.total:g}", *(_cell(each.feedback[n]) for n in numbers),
                         _cell(each.note)])  # fmt: skip
    return buffer.getvalue()


def write_table(grades: Sequence[Grade], path: Path) -> None:
    """Write `table` to ``path``, whole or not at all; `UserError`."""
    write_atomically(path, table(grades))


def _cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _graded(
    chapter: Chapter,
    asked: Sequence[Question],
    file: Path,
    points: Mapping[int, float],
    limits: sandbox.Limits,
    work: Path,
    library: Path,
) -> Grade:
    try:
        cells = graded_cells(notebooks.load(file))
    except UserError as fault:
        return _nothing(file, asked, str(fault))
    checks = import_module(f"quire.{chapter.card.topic}.exercises")
    with _Child(work, library, chapter, limits) as child:
        try:
            said = child.ask({"cells": cells, "names": [each.variable for each in asked]})
            answers = {each.number: said["answers"][each.variable] for each in asked}
        except _Ended as fault:
            return _nothing(file, asked, str(fault))
        except (KeyError, TypeError):
            return _nothing(file, asked, "its process did not speak as it should")
        won, told = {}, {}
        for each in asked:
            right, told[each.number] = _judged(
                getattr(checks, each.check), answers[each.number], child
            )
            won[each.number] = float(points.get(each.number, 1)) if right else 0.0
        faults = said.get("faults") or []
        note = f"a cell raised {plain_line(str(faults[0]))}" if faults else ""
        return Grade(file.name, won, told, note)


def _judged(check: Callable[[Any], Any], data: Any, child: _Child) -> tuple[bool, str]:
    try:
        answer = values.decode(data, child.call)
        if answer is None:
            return False, "no answer"
        if isinstance(answer, values.Strange):
            return False, f"an answer of type {plain_line(answer.type_name)} cannot be read"
        right = check(answer)
    except values.Unreadable as fault:
        return False, f"the answer cannot be read: {plain_line(str(fault))}"
    except _Ended as fault:
        return False, str(fault)
    except Exception as fault:
        return False, f"the answer could not be checked ({type(fault).__name__})"
    right = type(right).__name__ in ("bool", "bool_") and bool(right)
    return right, "right" if right else "not right"


def _nothing(file: Path, asked: Sequence[Question], why: str) -> Grade:
    numbers = [each.number for each in asked]
    return Grade(file.name, dict.fromkeys(numbers, 0.0), dict.fromkeys(numbers, "not run"), why)


def _library(work: Path) -> Path:
    """Copy the library without the checks of its exercises, and return where it stands."""
    copy = work / "lib"
    shutil.copytree(
        PACKAGE, copy / "quire",
        ignore=shutil.ignore_patterns("exercises.py", "exercises", "__pycache__", "_checkout"),
    )  # fmt: skip
    shutil.copy(PACKAGE / "workbook" / "exercises.py", copy / "quire" / "workbook")
    return copy


class _Ended(Exception):
    """A notebook's process ended, or did not answer in time."""


class _Child:
    """The process of one returned notebook."""

    def __init__(self, work: Path, library: Path, chapter: Chapter, limits: sandbox.Limits) -> None:
        self.folder = work / f"notebook-{time.monotonic_ns()}"
        self.library, self.limits = library, limits
        self.home = work / "home"
        _furnish(self.home, chapter)
        self.deadline = time.monotonic() + limits.seconds
        self.waiting = b""
        self.calls = 0

    def __enter__(self) -> _Child:
        self.folder.mkdir(mode=0o755)
        self.read_end, their_out = os.pipe()
        their_in, self.write_end = os.pipe()
        own = {"HOME", "TMPDIR", "IPYTHONDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self.library),
            "PYTHONDONTWRITEBYTECODE": "1",
            "QUIRE_HOME": str(self.home),
            "JAX_PLATFORMS": "cpu",
            "MPLBACKEND": "agg",
            **dict.fromkeys(own, str(self.folder)),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "quire.workbook.handouts.answering",
             str(their_out), str(their_in)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self.folder, env=environment, pass_fds=(their_out, their_in),
            start_new_session=True,
        )  # fmt: skip
        os.close(their_out)
        os.close(their_in)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()
        os.close(self.read_end)
        os.close(self.write_end)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send the order and return the answers."""
        order = {
            **order,
            "folder": str(self.folder),
            "readable": [str(self.library), str(self.home)],
            "limits": asdict(self.limits),
        }
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write((json.dumps(order) + "\n").encode())
            self.process.stdin.flush()
        return self._line()

    def call(self, number: int, given: tuple[Any, ...]) -> Any:
        """Call a function of the notebook where it lives.

        Raises
        ------
        ValueError
            When the function raised.
        _Ended
            When functions were called too often.
        """
        self.calls += 1
        if self.calls > _MOST_CALLS:
            raise _Ended("its functions were called too often")
        order = {"function": number, "given": values.encode(tuple(given), [])}
        with suppress(OSError):
            os.write(self.write_end, (json.dumps(order) + "\n").encode())
        said = self._line()
        if "fault" in said:
            raise ValueError(f"the function raised {plain_line(str(said['fault']))}")
        return values.decode(said.get("value"), self.call)

    def _line(self) -> dict[str, Any]:
        while b"\n" not in self.waiting:
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.read_end], [], [], left)[0]:
                raise _Ended(f"it was still running after {self.limits.seconds:g} s")
            piece = os.read(self.read_end, 1 << 16)
            if not piece:
                raise _Ended("its process ended before it had answered")
            self.waiting += piece
            if len(self.waiting) > _LONGEST_LINE:
                raise _Ended("it answered more than can be read")
        line, _, self.waiting = self.waiting.partition(b"\n")
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise _Ended("its process did not speak as it should")
        return said


def _furnish(home: Path, chapter: Chapter) -> None:
    """Make the small workbook in which a notebook's set-up cell finds its card."""
    if home.exists():
        return
    (home / "notebooks").mkdir(parents=True)
    (home / "data").mkdir()
    (home / "_toc.yml").write_text("format: jb-book\nroot: notebooks\n", encoding="utf-8")
    root = chapter.notebook.parents[1]
    registry = root / "data" / "registry.toml"
    known = registry.read_text(encoding="utf-8") if registry.is_file() else ""
    (home / "data" / "registry.toml").write_text(known, encoding="utf-8")  # none of its data
    for name in ("data/golden", "peers"):  # a set-up cell reads them, or asks what there is
        if (root / name).is_dir():
            shutil.copytree(root / name, home / name)
    card = chapter.notebook.with_suffix(".yml")
    shutil.copy(card, home / "notebooks")
    # Of the chapter's own notebook only what declares its parameters: the solutions stay here.
    cells = [cell for cell in chapter.cells() if "parameters" in notebooks.tags(cell)]
    about = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (home / "notebooks" / chapter.notebook.name).write_text(json.dumps(about), encoding="utf-8")
