"""Paths: shorter ways through the book, with the minutes of every step.

The steps are written in ``book/paths.yml``; minutes come from `minutes` and, for a page of prose,
from its words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from nbformat import NotebookNode

from quire.workbook.book.pages import minutes
from quire.workbook.book.pages.markup import grid, linked, raw
from quire.workbook.book.pages.teaching import EXERCISE
from quire.workbook.book.pages.written import Written, read_list
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.handouts.questions import number_asked
from quire.workbook.text import markup

FILE = "paths.yml"
PAGE_MINUTES = 8.0
"""A page of prose is counted with this many minutes, whatever is folded on it."""

Executed = Mapping[Chapter, NotebookNode]


class Step(Written):
    """A step: a chapter, whole or in sections, or a titled page of ``book/``, and why."""

    chapter: str = ""
    page: str = ""
    title: str = ""
    sections: tuple[str, ...] = ()
    why: str


class Paths(Written):
    """The two shorter paths."""

    hour: tuple[Step, ...]
    weekend: tuple[Step, ...]


def read_paths(root: Path) -> Paths:
    """Read ``book/paths.yml`` of the workbook at ``root``; `UserError`."""
    return read_list(root / "book" / FILE, Paths)


def inserts(root: Path, executed: Executed) -> dict[str, Callable[[], str]]:
    """Return what stands in the page's places, by the name of each place."""
    return {
        "paths, hour": lambda: _table(read_paths(root).hour, root, executed),
        "paths, weekend": lambda: _table(read_paths(root).weekend, root, executed, exercises=True),
        "paths, whole": partial(_whole, executed),
        "paths, pace": lambda: str(minutes.WORDS_A_MINUTE),
        "paths, exercise": lambda: str(EXERCISE),
    }


def _table(steps: tuple[Step, ...], root: Path, executed: Executed, exercises: bool = False) -> str:
    by_number = {chapter.number: chapter for chapter in executed}
    rows, total, worked = [], 0.0, 0
    for step in steps:
        chapter = by_number.get(step.chapter)
        if chapter is not None:
            step = _as_far_as_there(step, executed[chapter])
            where, read = linked(chapter), reading(executed[chapter], step)
            asked = number_asked(executed[chapter].cells) if exercises else 0
        elif step.page and (root / "book" / f"{step.page}.md").is_file():
            where = f'<a href="{step.page}.html">{markup(step.title or step.page)}</a>'
            read, asked = PAGE_MINUTES, 0
        else:
            continue
        sections = ", ".join(step.sections) or ("whole" if chapter else "page")
        row = [where, markup(sections), markup(step.why), f"{read:.0f}"]
        rows.append((*row, str(EXERCISE * asked)) if exercises else tuple(row))
        total, worked = total + round(read), worked + EXERCISE * asked
    foot = ["all", "", "", f"{total:.0f}", *([str(worked)] if exercises else [])]
    heads = ["step", "read", "why", "reading (min)", *(["exercises (min)"] if exercises else [])]
    return raw(grid(heads, [*rows, foot], words=3))


def reading(notebook: NotebookNode, step: Step) -> float:
    """Return the minutes of a step in its chapter.

    Raises
    ------
    UserError
        When the chapter has no such section.
    """
    headings = {section.heading for section in minutes.sections(notebook)}
    if missing := {*step.sections} - headings:
        raise UserError(
            f"{FILE}: chapter {step.chapter} has no section {min(missing)!r}", "mend the path"
        )
    return minutes.minutes(notebook, *step.sections)


def _as_far_as_there(step: Step, notebook: NotebookNode) -> Step:
    """Return a step without the sections that the chapter no longer has; the tests tell of them."""
    headings = {section.heading for section in minutes.sections(notebook)}
    kept = tuple(section for section in step.sections if section in headings)
    return step.model_copy(update={"sections": kept})


def _whole(executed: Executed) -> str:
    read = sum(minutes.minutes(notebook) for notebook in executed.values())
    asked = sum(number_asked(notebook.cells) for notebook in executed.values())
    run = sum(float(n.metadata.get("quire", {}).get("seconds") or 0) for n in executed.values())
    return (
        f"{len(executed)} chapters take {read / 60:.1f} hours to read, {run / 60:.0f} minutes to "
        f"run and, with {asked} exercises, {EXERCISE * asked / 60:.0f} hours to work through"
    )
