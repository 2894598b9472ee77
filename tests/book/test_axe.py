"""Every kind of page under axe-core: nothing that keeps a reader out, in either theme."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import HARD_CASES, Book
from .visits import Visit, open_page, violations, wrong

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


def test_no_page_keeps_a_reader_out(visits: tuple[Visit, ...]) -> None:
    assert {(v.theme, v.width) for v in visits} >= {("light", 1440), ("dark", 390)}
    assert wrong(visits, lambda v: v.facts["violations"]) == []


def test_axe_would_see_a_fault(book: Book, browser: Any, axe: str) -> None:
    tab = open_page(book, browser, HARD_CASES)
    tab.evaluate("() => document.querySelector('main').append(document.createElement('img'))")
    assert any(line.startswith("image-alt") for line in violations(tab, axe))
    tab.close()
