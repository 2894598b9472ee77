"""Building: every chapter executed, everything staged, rendered, and put in place at the end.

The sources are only read. All happens in a folder beside the output, which takes the old book's
place last: a build that fails or is stopped leaves the old book as it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from quire.workbook.book import assets, fetching, printing, rendering, staging
from quire.workbook.book.bibliography import check_bibliography
from quire.workbook.book.contents import read_contents, with_chapters, write_contents
from quire.workbook.book.interrupts import Interrupts, noted, stop
from quire.workbook.book.links import read_config, with_repository
from quire.workbook.book.mending import mend_pages
from quire.workbook.book.pages import inserts, overview, scoreboard, status
from quire.workbook.book.previews import add_previews
from quire.workbook.book.printing import Product
from quire.workbook.book.workplace import workplace
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
_LOOK = 0.2  # seconds between two looks for an interrupt


def build_book(
    output: Path,
    profile: ProfileName = "default",
    execute: bool = True,
    jobs: int | None = None,
    on_progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
    repository: str | None = None,
    fetch: bool = False,
    products: Collection[Product] = (),
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
    tell
        Told in a line what each step did and how long it took.
    repository
        The address of a public repository that holds this workbook: its links, and those that
        launch a chapter elsewhere, exist only if it is given here or in ``_config.yml``.
    fetch
        Whether to fetch missing datasets first, as far as a network allows.
    products
        What else to make of the pages and to put beside them: ``pdf``, ``epub``, ``notebooks``.

    Raises
    ------
    UserError
        When ``output`` can not be written or holds something else, or a source is faulty, before
        any work; when the disk is full; when the pages are built and in place but can not be
        printed for want of Chromium or a package.
    ChapterFailed
        When chapters fail, after all have run; the old book stays.
    KeyboardInterrupt
        On Ctrl-C or SIGTERM; the old book stays.
    """
    output = _check_output(output)
    root, chapters = home(), all_chapters()
    contents = with_chapters(read_contents(root), chapters)
    check_bibliography(root / "book" / "references.bib")
    config = with_repository(read_config(root), repository)
    steps = len(chapters) + 1
    advance = on_progress or (lambda done, total: None)
    clock = _Clock(tell or (lambda line: None))
    with noted() as interrupts, workplace(output) as work:
        advance(0, steps)
        if fetch:
            fetching.fetch_what_can_be_had(clock.tell)
            interrupts.check()
        if execute:
            executed = _Runs(profile, work / "runs", interrupts, clock).all(
                chapters, jobs or 2, lambda done: advance(done, steps)
            )
        else:
            executed = {chapter: chapter.read() for chapter in chapters}
        interrupts.check()
        notebooks = _stage(root, work / "source", executed, config, interrupts)
        write_contents(contents, work / "source" / "_toc.yml")
        clock.tell(f"staged {len(notebooks)} notebooks")
        pages = rendering.render(work / "source", work / "rendered", interrupts)
        assets.write_assets(pages / "_static")
        overview.write_pictures(executed, pages / "_static")
        mend_pages(pages)
        add_previews(pages)
        for name, notebook in notebooks.items():  # what the download button gives
            nbformat.write(notebook, pages / "_sources" / name)
        (pages / "index.html").write_text(_FIRST_PAGE, encoding="utf-8")
        (pages / MARKER).touch()
        clock.tell("rendered the pages")
        fault = _make(products, pages, root, contents, config, clock)
        interrupts.check()
        _put_in_place(pages, output, work)
    advance(steps, steps)
    if fault is not None:
        raise fault
    return output / "index.html"


def _make(
    products: Collection[Product],
    pages: Path,
    root: Path,
    contents: Mapping[str, Any],
    config: Mapping[str, Any],
    clock: _Clock,
) -> UserError | None:
    """Make the products; return what kept one from being made: the pages are good without it."""
    try:
        if products:
            printing.make(products, pages, root, contents, config, clock.tell)
    except UserError as fault:
        clock.tell(f"the pages are built, but: {fault}")
        return fault
    return None


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


class _Clock:
    """Tells what was done, with the seconds since the clock began."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began = time.monotonic()

    def tell(self, line: str) -> None:
        self._tell(f"{time.monotonic() - self._began:6.1f} s  {line}")


class _Runs:
    """The chapters' executions, each in a process of its own."""

    def __init__(
        self, profile: ProfileName, folder: Path, interrupts: Interrupts, clock: _Clock
    ) -> None:
        folder.mkdir()
        self.profile = profile
        self.folder = folder
        self.interrupts = interrupts
        self.clock = clock
        self.running: list[subprocess.Popen[str]] = []

    def all(
        self, chapters: Sequence[Chapter], jobs: int, advance: Callable[[int], None]
    ) -> dict[Chapter, NotebookNode]:
        """Execute the chapters, ``jobs`` at a time, and return what they became.

        Raises
        ------
        ChapterFailed
            When any of them failed, after all have run.
        """
        faults: dict[Chapter, str] = {}
        pool = ThreadPoolExecutor(max_workers=jobs)
        try:
            pending = {pool.submit(self._one, chapter): chapter for chapter in chapters}
            while pending:
                finished, _ = wait(pending, timeout=_LOOK, return_when=FIRST_COMPLETED)
                self.interrupts.check()
                for future in finished:
                    chapter = pending.pop(future)
                    if fault := future.result():
                        faults[chapter] = fault
                    advance(len(chapters) - len(pending))
        except BaseException:
            # The runs close their kernels on SIGTERM; none of them outlives this process.
            pool.shutdown(wait=False, cancel_futures=True)
            stop(list(self.running))
            raise
        finally:
            pool.shutdown(wait=True)
        if faults:
            raise ChapterFailed(
                "; ".join(faults[chapter] for chapter in chapters if chapter in faults),
                "the book stays as it was",
            )
        return {c: nbformat.read(self.folder / f"{c.slug}.ipynb", as_version=4) for c in chapters}

    def _one(self, chapter: Chapter) -> str:
        """Run one chapter by the command line; return its one line of complaint, empty if none."""
        target = self.folder / f"{chapter.slug}.ipynb"
        command = [sys.executable, "-m", "quire", "run", chapter.slug]
        began = time.monotonic()
        process = subprocess.Popen(
            [*command, "--profile", self.profile, "--output", str(target)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "QUIRE_HOME": str(home())},
        )
        self.running.append(process)
        if self.interrupts.count:  # noted between the pool's last look and the start
            process.terminate()
        _, complaint = process.communicate()
        self.running.remove(process)
        if process.returncode == 0:
            self.clock.tell(f"ran {chapter.slug} in {time.monotonic() - began:.1f} s")
            return ""
        lines = complaint.strip().splitlines()
        fault = lines[-1] if lines else f"{chapter.slug}: ended with {process.returncode}"
        fault = fault.removeprefix("quire: ")
        if not self.interrupts.count:
            self.clock.tell(f"failed: {fault}")
        return fault


def _stage(
    root: Path,
    folder: Path,
    executed: Mapping[Chapter, NotebookNode],
    config: Mapping[str, Any],
    interrupts: Interrupts,
) -> dict[str, NotebookNode]:
    """Write everything that Sphinx reads into ``folder``; return the notebooks, by their place."""
    staging.stage_sources(root, folder, config)
    ledgers = {chapter: read_ledger(chapter, notebook) for chapter, notebook in executed.items()}
    notebooks = {}
    for chapter, notebook in executed.items():
        interrupts.check()
        name = f"notebooks/{chapter.notebook.name}"
        notebooks[name] = notebook
        staging.stage_chapter(chapter, notebook, ledgers[chapter], folder / name)
    for path in sorted((root / "book").glob("*.ipynb")):  # prose that shows what it did
        name = f"book/{path.name}"
        notebooks[name] = nbformat.read(path, as_version=4)
        staging.stage_notebook(notebooks[name], folder / name)
    pages = {
        "scoreboard": scoreboard.page(ledgers),
        "checks": scoreboard.checks_page(ledgers),
        "status": status.page(executed),
    }
    for name, text in pages.items():
        (folder / "book" / f"{name}.md").write_text(text, encoding="utf-8")
    inserts.fill(folder / "book", inserts.makers(root, executed, ledgers))
    assets.stage_themes(folder / "_static")
    return notebooks


def _put_in_place(pages: Path, output: Path, work: Path) -> None:
    """Move the finished pages to ``output``; the old book is whole until it is replaced.

    Raises
    ------
    OSError
        When the pages can not be moved; the old book is back in its place then.
    """
    old = work / "old"
    if output.exists():
        output.rename(old)
    try:
        pages.rename(output)
    except OSError:
        if old.exists():
            old.rename(output)
        raise
