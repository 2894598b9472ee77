"""The browser: Debian's Chromium, or any on the PATH, in which the document is drawn."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Any, TypeVar

from quire.workbook.errors import ChapterFailed, UserError
from quire.workbook.files import temporary_name

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
NEWEST_WITHOUT_HEADS = 130
"""Chromium draws running heads (the margin boxes of CSS) from the version after this one."""

T = TypeVar("T")

WIDTH = 642  # px: the column of an A4 page, 170 mm
_PATIENCE = 900_000  # ms: a whole book on a busy machine
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
_DRAWN = "() => !document.querySelector('.quire-chart:not([data-drawn])')"
_TYPESET = "() => window.MathJax?.startup?.promise?.then(() => true) ?? false"


def program() -> str | None:
    """Return the path of a Chromium, None when there is none on the PATH."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def lacking() -> UserError | None:
    """Return what keeps this environment from printing, with its remedy, and None if nothing."""
    for name in ("playwright", "pypdf"):
        if util.find_spec(name) is None:
            return UserError(
                f"printing needs {name}, which is not installed",
                "pip install 'quire-workbook[workbook,print]'",
            )
    if program() is None:
        return UserError(
            "printing needs Chromium, and none is on the PATH", "apt-get install chromium"
        )
    return None


def apart(call: Callable[[], T]) -> T:
    """Return what ``call`` returns in a thread of its own, where no event loop runs.

    Playwright refuses a thread with one, such as that of a notebook's kernel.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(call).result()


@contextmanager
def opened(text: str, folder: Path) -> Iterator[Any]:
    """Open an HTML document as if it lay in ``folder``; yield Playwright's page once it is drawn.

    To be used inside `apart`.

    Raises
    ------
    UserError
        When Chromium is too old.
    ChapterFailed
        When Chromium does not start, a formula is faulty, or a chart is not drawn.
    """
    from playwright.sync_api import Error, sync_playwright

    path = folder / f"{temporary_name()}.html"
    path.write_text(text, encoding="utf-8")
    try:
        with tempfile.TemporaryDirectory(prefix="quire-print-") as profile, sync_playwright() as p:
            context = p.chromium.launch_persistent_context(
                profile,
                executable_path=program(),
                headless=True,
                args=list(_FLAGS),
                viewport={"width": WIDTH, "height": 900},
                color_scheme="light",
            )
            try:
                _check_version(context)
                page = context.new_page()
                page.set_default_timeout(_PATIENCE)
                _draw(page, path)
                yield page
            finally:
                context.close()
    except Error as fault:
        first = str(fault).strip().splitlines()[0]
        raise ChapterFailed(
            f"Chromium could not print the book ({first})", "the pages are built; print again"
        ) from None
    finally:
        path.unlink(missing_ok=True)


def _check_version(context: Any) -> None:
    told = context.browser.version if context.browser else ""
    if not told:  # a persistent context has no browser of its own to ask
        page = context.new_page()
        told = page.evaluate("navigator.userAgent").partition("Chrome/")[2]
        page.close()
    major = told.partition(".")[0]
    if major.isdigit() and int(major) <= NEWEST_WITHOUT_HEADS:
        raise UserError(
            f"Chromium {major} draws no running heads",
            f"install Chromium {NEWEST_WITHOUT_HEADS + 1} or later",
        )


def _draw(page: Any, path: Path) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(f"{request.url} was not loaded"))
    page.emulate_media(media="print", color_scheme="light")
    page.goto(path.as_uri(), wait_until="load", timeout=_PATIENCE)
    page.wait_for_function(_TYPESET, timeout=_PATIENCE)
    page.wait_for_function(_DRAWN, timeout=_PATIENCE)
    page.evaluate("async () => { await document.fonts.ready; window.quireFinish(); }")
    if faults:
        raise ChapterFailed(f"the book could not be drawn for paper ({faults[0]})", "report it")
