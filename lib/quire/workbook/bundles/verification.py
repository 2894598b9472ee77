"""Verification: whether a bundle is whole, and its run comes out again, claim by claim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nbformat import NotebookNode

from quire.workbook import notebooks
from quire.workbook.bundles.archive import unpack
from quire.workbook.bundles.contents import RECORD, TABLE
from quire.workbook.cards import Tolerance
from quire.workbook.comparisons import is_volatile, tolerance_of
from quire.workbook.entries import CLAIM_MIME, figure
from quire.workbook.errors import ChapterFailed, UserError, check_timeout, plain_line
from quire.workbook.files import work_folder
from quire.workbook.lifelines import ending_with_parent
from quire.workbook.tolerances import data_differences

Answer = Literal["same bytes", "same verdict", "differs", "could not run"]
"""What became of a claim: its entry is the same; its verdict is, and its numbers are within the
cell's tolerance; another verdict or number; not measured, for want of something or by a fault."""

_RECORDED = ("chapter", "points")


@dataclass(frozen=True)
class Checked:
    """One claim of a bundle beside its replay."""

    id: str
    point: int
    answer: Answer
    before: str
    after: str
    why: str = ""


def verify(
    path: Path,
    replay: bool = True,
    fresh: bool = True,
    timeout: float | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Checked, ...]:
    """Check a bundle and replay it.

    Parameters
    ----------
    path
        The bundle.
    replay
        Whether to run it; without, only its members are held against its manifest.
    fresh
        Whether to run it in an environment made for it from its ``packages.txt``, or in this one.
        In both it runs its own copy of the library.
    timeout
        Seconds that each point may take.
    tell
        Told what is being done.

    Returns
    -------
    tuple of Checked
        An answer per claim and point; empty without a replay.

    Raises
    ------
    UserError
        When the bundle is not whole, or is none; `ChapterFailed` when no environment could be made.
    """
    check_timeout(timeout)
    members = unpack(path)
    record = _record(path, members)
    slug = record["chapter"]
    tell(f"{path.name}: {len(members)} members, all as the manifest says")
    if not replay:
        return ()
    with work_folder() as folder:
        root, out = folder / "bundle", folder / "out"
        out.mkdir()
        for name, data in members.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        python = _environment(folder, root, tell) if fresh else sys.executable
        tell(f"{slug}: running {len(record['points'])} point(s)")
        _run(python, root, out, timeout)
        return tuple(_answers(slug, root, out, record, TABLE in members))


def _record(path: Path, members: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        record = json.loads(members[RECORD])
        sound = isinstance(record["chapter"], str) and isinstance(record["points"], list)
    except (KeyError, ValueError, TypeError, RecursionError):
        sound = False
    if not sound or f"notebooks/{record['chapter']}.ipynb" not in members:
        raise UserError(f"{path.name} is a zip, and no bundle of a run", "make one: quire bundle")
    return dict(record)


def _environment(folder: Path, root: Path, tell: Callable[[str], None]) -> str:
    tell("making an environment from packages.txt")
    place = folder / "environment"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = (
        [sys.executable, "-m", "venv", str(place)],
        [*pip, "-r", str(root / "packages.txt"), "-c", str(root / "constraints.txt")],
    )
    for step in steps:
        done = subprocess.run(
            ending_with_parent(step), capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            told = plain_line(errors[-1] if errors else done.stderr[-300:])
            raise ChapterFailed(f"no environment for the bundle ({told})", "try it with --here")
    return str(python)


def _run(python: str, root: Path, out: Path, timeout: float | None) -> None:
    environment = {**os.environ, "QUIRE_HOME": str(root), "PYTHONPATH": str(root / "lib")}
    words = ["-m", "quire.workbook.bundles.replaying", str(root / RECORD), str(out)]
    done = subprocess.run(
        ending_with_parent([python, *words, *([str(timeout)] if timeout else [])]),
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode and not any(out.iterdir()):
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise ChapterFailed(f"the replay did not start ({plain_line(last)})", "try it with --here")


def _answers(
    slug: str, root: Path, out: Path, record: Mapping[str, Any], is_study: bool
) -> Iterator[Checked]:
    stored = notebooks.read(root / "notebooks" / f"{slug}.ipynb")
    table = _table(root) if is_study else []
    tolerances = dict(_tolerances(stored))
    for index, _ in enumerate(record["points"]):
        before = table[index] if is_study else dict(_claims(stored))
        reason = out / f"{index}.txt"
        again = out / f"{index}.ipynb"
        after = dict(_claims(notebooks.read(again))) if again.is_file() else {}
        why = plain_line(reason.read_text(encoding="utf-8")) if reason.is_file() else "no result"
        for identifier, old in before.items():
            yield _answer(identifier, index, old, after.get(identifier), tolerances, why)


def _answer(
    identifier: str,
    index: int,
    old: Mapping[str, Any],
    new: Mapping[str, Any] | None,
    tolerances: Mapping[str, tuple[Tolerance, bool] | None],
    why: str,
) -> Checked:
    def told(answer: Answer, why: str = "") -> Checked:
        after = "" if new is None else _told(new)
        return Checked(identifier, index, answer, _told(old), after, why)

    if new is None:
        return told("could not run", why)
    shared = [key for key in old if key in new]
    if all(old[key] == new[key] for key in shared):
        return told("same bytes")
    if new["verdict"] == "not run here":
        return told("could not run", str(new.get("reason") or ""))
    if old["verdict"] != new["verdict"]:
        return told("differs", f"{old['verdict']} became {new['verdict']}")
    tolerance = tolerances.get(identifier, (Tolerance(), True))
    if tolerance is None:  # a clock: only the verdict can come out again
        return told("same verdict")
    for key in ("measured", "interval"):
        if key in old:
            for what in data_differences(old[key], new.get(key), *tolerance, at=f".{key}"):
                return told("differs", what)
    return told("same verdict")


def _told(claim: Mapping[str, Any]) -> str:
    return f"{claim['verdict']} {figure(claim.get('measured'))}"


def _claims(notebook: NotebookNode) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, claim in _stored(notebook):
        yield claim["id"], claim


def _tolerances(notebook: NotebookNode) -> Iterator[tuple[str, tuple[Tolerance, bool] | None]]:
    for cell, claim in _stored(notebook):
        yield claim["id"], None if is_volatile(cell) else tolerance_of(cell)


def _stored(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, dict[str, Any]]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            claim = output.get("data", {}).get(CLAIM_MIME)
            if claim:
                yield cell, dict(claim)


def _table(root: Path) -> list[dict[str, dict[str, Any]]]:
    from quire.workbook.runs import read_study

    return [
        {identifier: dict(claim) for identifier, claim in run.claims.items()}
        for run in read_study(root / TABLE).values()
    ]
