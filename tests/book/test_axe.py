"""Every kind of page under axe-core: nothing that keeps a reader out, in either theme."""

from __future__ import annotations

import re
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from .conftest import HARD_CASES, Book
from .visits import open_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

_RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.flatMap(
  (each) => each.nodes.map((node) => `${each.id}: ${node.target.join(' ')}`))"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The text of axe-core, from the package that carries it."""
    found = util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("needs axe-playwright-python")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def _kinds(book: Book) -> list[str]:
    """Return a page of each kind: all prose and chapters, one of the long library pages."""
    return [
        page
        for page in book.pages
        if not re.match(r"book/library/|py-modindex|genindex", page)
        or page == "book/library/workbook.html"
    ]


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_no_page_keeps_a_reader_out(
    book: Book, browser: Any, axe: str, theme: str, width: int
) -> None:
    found: dict[str, list[str]] = {}
    for page in _kinds(book):
        tab = open_page(book, browser, page, theme, width)
        tab.evaluate(axe)
        violations = tab.evaluate(_RUN)
        if violations:
            found[page] = violations
        tab.close()
    assert found == {}


def test_axe_would_see_a_fault(book: Book, browser: Any, axe: str) -> None:
    tab = open_page(book, browser, HARD_CASES)
    tab.evaluate("() => document.querySelector('main').append(document.createElement('img'))")
    tab.evaluate(axe)
    assert any(line.startswith("image-alt") for line in tab.evaluate(_RUN))
    tab.close()
