"""Building: every chapter executed, everything staged, rendered, and put in place at the end.

The sources are only read. All happens in a folder beside the output, which takes the old book's
place last: a build that fails leaves the old book as it was.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from quire.workbook.book import assets, reference, scoreboard, staging
from quire.workbook.book.contents import read_contents, with_chapters, write_contents
from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter, all_chapters
from quire.workbook.errors import ChapterFailed, UserError
from quire.workbook.files import make_folder
from quire.workbook.home import home
from quire.workbook.ledger import read_ledger

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all): one step per chapter, and one for the rendering."""

MARKER = ".quire-book"
"""A file in every built book: no folder without it is ever replaced."""

_FIRST_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=book/index.html">
<title>Quire</title>
</head>
<body><h1>Quire</h1><p><a href="book/index.html">The book begins here.</a></p></body>
</html>
"""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_log = logging.getLogger("quire.book")


def build_book(
    output: Path,
    profile: ProfileName = "default",
    execute: bool = True,
    jobs: int | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Run every chapter, render the book into ``output``, and return its first page.

    Parameters
    ----------
    output
        The folder that becomes the book: a new one, an empty one, or an older book.
    profile
        The parameters that the chapters run with.
    execute
        Whether to run the chapters, or to show what their committed notebooks hold.
    jobs
        Chapters run at the same time; two by default.
    on_progress
        Told after each step.

    Raises
    ------
    UserError
        When ``output`` can not be written or holds something else, before any work.
    ChapterFailed
        When chapters fail, after all have run; the old book stays.
    """
    output = _check_output(output)
    root, chapters = home(), all_chapters()
    steps = len(chapters) + 1
    advance = on_progress or (lambda done, total: None)
    advance(0, steps)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as name:
        work = Path(name)
        if execute:
            executed = _run_all(chapters, profile, work / "runs", jobs or 2, advance)
        else:
            executed = {chapter: chapter.read() for chapter in chapters}
        notebooks = _stage(root, work / "source", executed)
        pages = _render(work / "source", work / "rendered")
        assets.write_assets(pages / "_static")
        for name, notebook in notebooks.items():  # what the download button gives
            nbformat.write(notebook, pages / "_sources" / name)
        (pages / "index.html").write_text(_FIRST_PAGE, encoding="utf-8")
        (pages / MARKER).touch()
        _put_in_place(pages, output, work)
    advance(steps, steps)
    return output / "index.html"


def _check_output(output: Path) -> Path:
    output = output.expanduser().absolute()
    if output.is_file():
        raise UserError(f"{output} is a file", "name a folder for the book")
    if output.is_dir() and any(output.iterdir()) and not (output / MARKER).is_file():
        raise UserError(
            f"{output} holds something else than a book", "name a new or an empty folder"
        )
    make_folder(output.parent)
    if output.exists() and not os.access(output, os.W_OK):
        raise UserError(f"can not write into {output}", "choose a folder you may write to")
    return output


def _run_all(
    chapters: Sequence[Chapter], profile: ProfileName, folder: Path, jobs: int, advance: Progress
) -> dict[Chapter, NotebookNode]:
    """Execute the chapters, each in a process of its own, ``jobs`` at a time."""
    folder.mkdir()
    running: list[subprocess.Popen[str]] = []
    faults: dict[Chapter, str] = {}
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        futures = {pool.submit(_run, c, profile, folder, running): c for c in chapters}
        for done, future in enumerate(as_completed(futures), start=1):
            if fault := future.result():
                faults[futures[future]] = fault
            advance(done, len(chapters) + 1)
    except BaseException:
        # Ctrl-C: the runs close their kernels on SIGTERM; none of them outlives this process.
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True)
    if faults:
        raise ChapterFailed(
            "; ".join(faults[chapter] for chapter in chapters if chapter in faults),
            "the book stays as it was",
        )
    return {c: nbformat.read(folder / f"{c.slug}.ipynb", as_version=4) for c in chapters}


def _run(
    chapter: Chapter, profile: ProfileName, folder: Path, running: list[subprocess.Popen[str]]
) -> str:
    """Run one chapter by the command line; return its one line of complaint, empty if none."""
    target = folder / f"{chapter.slug}.ipynb"
    command = [sys.executable, "-m", "quire", "run", chapter.slug]
    process = subprocess.Popen(
        [*command, "--profile", profile, "--output", str(target)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "QUIRE_HOME": str(home())},
    )
    running.append(process)
    _, complaint = process.communicate()
    running.remove(process)
    if process.returncode == 0:
        return ""
    lines = complaint.strip().splitlines() or [f"{chapter.slug}: ended with {process.returncode}"]
    return lines[-1].removeprefix("quire: ")


def _stage(
    root: Path, folder: Path, executed: Mapping[Chapter, NotebookNode]
) -> dict[str, NotebookNode]:
    """Write everything that Sphinx reads into ``folder``; return the notebooks, by their place."""
    staging.stage_sources(root, folder)
    notebooks = {f"notebooks/{each.notebook.name}": book for each, book in executed.items()}
    for path in sorted((root / "book").glob("*.ipynb")):  # prose that shows what it did
        notebooks[f"book/{path.name}"] = nbformat.read(path, as_version=4)
    for name, notebook in notebooks.items():
        staging.stage_notebook(notebook, folder / name)
    ledgers = {chapter: read_ledger(chapter, notebook) for chapter, notebook in executed.items()}
    (folder / "book" / "scoreboard.md").write_text(scoreboard.page(ledgers), encoding="utf-8")
    reference.stage_reference(folder)
    write_contents(with_chapters(read_contents(root), list(executed)), folder / "_toc.yml")
    assets.stage_themes(folder / "_static")
    return notebooks


def _render(source: Path, folder: Path) -> Path:
    """Render ``source`` by jupyter-book, log its warnings, and return the folder of the pages."""
    render = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", render, "build", str(source), "--path-output", str(folder)]
    done = subprocess.run(
        [*command, "--quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    plain = _COLOUR.sub("", done.stdout)
    lines = [line.replace(f"{source}/", "") for line in plain.splitlines()]
    for line in lines:
        if "WARNING" in line or "ERROR" in line:
            _log.warning(line)
    pages = folder / "_build" / "html"
    if done.returncode != 0 or not (pages / "index.html").is_file():
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        raise ChapterFailed(f"jupyter-book could not render the pages ({last})", "mend the source")
    return pages


def _put_in_place(pages: Path, output: Path, work: Path) -> None:
    """Move the finished pages to ``output``; the old book is whole until it is replaced."""
    old = work / "old"
    if output.exists():
        output.rename(old)
    try:
        pages.rename(output)
    except OSError:
        if old.exists():
            old.rename(output)
        raise
