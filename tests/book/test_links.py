"""The rendered files themselves: every link leads somewhere, and nothing is loaded from afar."""

from __future__ import annotations

import json
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from .conftest import HARD_CASES, Book

pytestmark = pytest.mark.timeout(600)


class _Page(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.twice: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if identifier := given.get("id"):
            (self.twice if identifier in self.ids else self.ids).add(identifier)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ("script", "img", "iframe", "source") and "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in (
            "canonical",
            "index",
            "search",
            "next",
            "prev",
        ):
            self.loads.append(given["href"])


@cache
def _read(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def test_every_link_inside_the_book_leads_somewhere(book: Book) -> None:
    broken = []
    for page in book.pages:
        here = book.folder / page
        for link in _read(here).links:
            parts = urlsplit(link)
            if parts.scheme or link == "#":
                continue
            target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
            if not target.is_file():
                broken.append(f"{page}: {link}")
            elif target.name == "scoreboard.html" and "=" in parts.fragment:
                continue  # a choice of rows
            elif parts.fragment and unquote(parts.fragment) not in _read(target).ids:
                broken.append(f"{page}: {link} (no such place)")
    assert broken == []


def test_nothing_is_loaded_from_afar(book: Book) -> None:
    afar = [
        f"{page}: {source}"
        for page in book.pages
        for source in _read(book.folder / page).loads
        if urlsplit(source).scheme not in ("", "data")
    ]
    assert afar == []


def test_the_hard_chapter_names_nothing_twice(book: Book) -> None:
    assert _read(book.folder / HARD_CASES).twice == set()


def test_the_folder_opens_on_the_first_page(book: Book) -> None:
    text = (book.folder / "index.html").read_text(encoding="utf-8")
    assert "url=book/index.html" in text
    assert (book.folder / "book" / "index.html").is_file()


def test_a_chapters_download_is_the_executed_notebook(book: Book) -> None:
    path = book.folder / "_sources" / "notebooks" / "98_hard_cases.ipynb"
    notebook = nbformat.read(path, as_version=4)
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"application/vnd.vegalite.v5+json", "application/vnd.quire.claim+json"} <= kinds
    assert "quire-figure" not in json.dumps(notebook)


def test_the_scoreboard_keeps_the_roles_apart_and_links_every_row(book: Book) -> None:
    scores = (book.folder / "book" / "scoreboard.html").read_text(encoding="utf-8")
    checks = (book.folder / "book" / "checks.html").read_text(encoding="utf-8")
    for claim in ("98.1", "98.2", "98.3", "98.4", "98.6"):
        assert f'<a href="../notebooks/98_hard_cases.html#claim-{claim}">{claim}</a>' in scores
        assert f"#claim-{claim}" not in checks
    assert "#claim-98.5" in checks
    assert "#claim-98.5" not in scores
    assert "Nothing &lt;at all&gt; &#96;&#96;&#96;&#96;is sent" in scores
    for outcome in ("reproduced", "not-reproduced", "undecided", "not-run-here"):
        assert f'data-outcome="{outcome}"' in scores


def test_the_status_tells_of_every_run(book: Book) -> None:
    text = (book.folder / "book" / "status.html").read_text(encoding="utf-8")
    assert '98<span class="quire-long"> · Hard cases</span>' in text
    assert '<td class="quire-number">1.50</td>' in text


def test_the_first_page_has_a_card_a_chapter(book: Book) -> None:
    text = (book.folder / "book" / "index.html").read_text(encoding="utf-8")
    assert text.count('class="quire-card"') == sum("notebooks/" in page for page in book.pages)
    assert "4 claims of the paper: 1 reproduced, 1 not reproduced, 1 undecided, 1 not run" in text
    for theme in ("light", "dark"):
        assert (book.folder / "_static" / "chapters" / f"98_hard_cases-{theme}.png").is_file()
