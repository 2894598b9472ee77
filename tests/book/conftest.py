"""One book per session: the whole workbook and a chapter of hard cases, in a real browser."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from quire.workbook.book import build_book

from .hard_cases import write_chapter
from .visits import Visit, visit

ROOT = Path(__file__).parents[2]
HARD_CASES = "notebooks/98_hard_cases.html"
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]


@dataclass(frozen=True)
class Book:
    """A rendered book, and what the rendering complained of."""

    folder: Path
    complaints: tuple[str, ...]

    @property
    def pages(self) -> tuple[str, ...]:
        """Every page but the one that only leads to the first, by its path in the book."""
        found = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.html"))
        return tuple(p for p in found if p != "index.html" and not p.startswith("_static/"))


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """The workbook as committed and the chapter of hard cases, rendered without running."""
    home = tmp_path_factory.mktemp("home")
    ignored = shutil.ignore_patterns(".ipynb_checkpoints")
    for name in ("book", "notebooks", "data/golden/performance"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, home / name, ignore=ignored)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(ROOT / name, home / name)
    write_chapter(home / "notebooks")
    complaints: list[str] = []
    ear = logging.Handler()
    ear.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("quire.book").addHandler(ear)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_HOME", str(home))
        first_page = build_book(tmp_path_factory.mktemp("pages") / "book", execute=False)
    logging.getLogger("quire.book").removeHandler(ear)
    return Book(first_page.parent, tuple(complaints))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A Chromium with an empty profile; skipped, with the reason, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium on the PATH (apt-get install chromium)")
    with playwright.sync_playwright() as engine:
        profile = str(tmp_path_factory.mktemp("profile"))
        context = engine.chromium.launch_persistent_context(
            profile, executable_path=program, headless=True, args=_FLAGS
        )
        yield context
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core, from the package that carries it."""
    found = util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("needs axe-playwright-python")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def visits(book: Book, browser: Any, axe: str) -> tuple[Visit, ...]:
    """Every page: in light on a desk, in dark on a phone; and the chapters on a laptop.

    axe-core looks at each of them, but for all of the long library pages save one.
    """
    views = (("light", 1440, 390), ("dark", 390, 1280))
    laptop = [page for page in book.pages if page.startswith("notebooks/")]
    alike = re.compile(r"book/library/(?!workbook\.html)|py-modindex|genindex")
    return (
        *(
            visit(book, browser, page, *view, axe="" if alike.match(page) else axe)
            for page in book.pages
            for view in views
        ),
        *(visit(book, browser, page, "light", 1280, 1440) for page in laptop),
    )
