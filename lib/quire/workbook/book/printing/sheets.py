"""Sheets: the pages of the book, in the order of its contents, as one document.

Paper and e-readers show the same document. `sheets.js` gives every id its page's name, turns links
between pages into links inside the document, opens the folds that a reader of paper needs and takes
out the others; `sheets.css` sets it on A4.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from quire.workbook.errors import ChapterFailed

HERE = Path(__file__).parent
FRONT = "Front matter"

# The library reference has as many pages as all chapters; on paper nobody looks a signature up.
_ON_SCREEN = re.compile(r"book/library(/|$)")


_SECOND = re.compile(
    r'<section[^>]* id="([^"]+)">\s*(?:<span[^>]*></span>\s*)*<h2>(.*?)</h2>', re.DOTALL
)


@dataclass(frozen=True)
class Section:
    """A heading of the second level: its words, and its id in its page."""

    title: str
    anchor: str


@dataclass(frozen=True)
class Sheet:
    """A page of the book as it goes to paper.

    Attributes
    ----------
    page
        Its path in the built book.
    part
        The caption of the part that it stands in.
    title, sections
        Its first heading, and those of the second level, with "Solutions" where there are any.
    body
        What stands in its article, as HTML.
    """

    page: str
    part: str
    title: str
    sections: tuple[Section, ...]
    body: str

    @property
    def name(self) -> str:
        """The page's name, which opens every id of it in the document."""
        return re.sub(r"[^A-Za-z0-9]+", "-", PurePosixPath(self.page).stem)

    @property
    def is_chapter(self) -> bool:
        """Whether the page is a paper's chapter."""
        return self.page.startswith("notebooks/")

    def place(self, section: Section) -> str:
        """Return the id that a section has in the document."""
        return f"{self.name}--{section.anchor}"


def read_sheets(pages: Path, contents: Mapping[str, Any]) -> tuple[Sheet, ...]:
    """Return the sheets of a built book, the first page first, in the order of its contents.

    Raises
    ------
    ChapterFailed
        When a page of the contents was not built.
    """
    listed = [(FRONT, contents["root"])]
    for part in contents["parts"]:
        listed += [(part.get("caption", ""), e["file"]) for e in part["chapters"] if "file" in e]
    return tuple(
        _read(pages, f"{file}.html", part) for part, file in listed if not _ON_SCREEN.match(file)
    )


def _read(pages: Path, page: str, part: str) -> Sheet:
    try:
        text = (pages / page).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ChapterFailed(f"{page} is not in the built book", "build the book again") from None
    body = inner(text, re.search(r'<article class="bd-article"', text), "article")
    sections = _SECOND.findall(body)
    if 'class="solution ' in body:  # `sheets.js` gathers them at the end
        sections.append(("solutions", "Solutions"))
    first = re.search(r"<h1>(.*?)</h1>", body, re.DOTALL)
    return Sheet(
        page,
        part,
        plain(first.group(1)) if first else PurePosixPath(page).stem,
        tuple(Section(plain(words), anchor) for anchor, words in sections),
        re.sub(r'(<img\b[^>]* src=")\.\./', r"\1", body),  # as seen from the book's own folder
    )


def inner(text: str, start: re.Match[str] | None, tag: str) -> str:
    """Return what stands inside the element whose opening tag begins at ``start``.

    Elements of the same name may be nested in it; it is empty where there is none.
    """
    if start is None:
        return ""
    depth, begin = 0, text.index(">", start.start()) + 1
    for found in re.compile(rf"<(/?){tag}\b").finditer(text, start.start()):
        depth += -1 if found.group(1) else 1
        if depth == 0:
            return text[begin : found.start()]
    return ""


def plain(markup: str) -> str:
    """Return the words of a heading, without its own link and without markup."""
    markup = re.sub(r'<a class="headerlink".*?</a>', "", markup, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", markup)).split())


def document(pages: Path, sheets: Sequence[Sheet], title: str, cover: str) -> str:
    """Return the whole book as one HTML document, to be opened from the built book's folder.

    Parameters
    ----------
    pages
        The built book.
    sheets
        Its pages, as `read_sheets` returns them.
    title
        The book's title.
    cover
        The picture of its first page, as SVG.
    """
    head = (pages / sheets[0].page).read_text(encoding="utf-8")
    styles = re.findall(r'<link[^>]*rel="stylesheet"[^>]*>', head)
    tex = re.findall(r"<script>window\.MathJax = .*?</script>", head)
    tail = [
        '<script defer src="_static/mathjax/tex-chtml.js"></script>',
        '<script src="_static/quire-chart-themes.js"></script>',
        f"<script>{(HERE / 'sheets.js').read_text(encoding='utf-8')}</script>",
        '<script src="_static/quire-charts.js"></script>',
    ]
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en" data-theme="light" data-paper>\n<head>',
            f'<meta charset="utf-8">\n<title>{html.escape(title)}</title>',
            *(style.replace('href="../', 'href="') for style in styles),
            *tex,
            f"<style>{(HERE / 'sheets.css').read_text(encoding='utf-8')}</style>",
            f"<style>{running_heads(sheets)}</style>",
            '</head>\n<body><main class="bd-content"><div class="bd-article">',
            f'<section class="quire-cover" id="cover">{cover}</section>',
            table_of_contents(sheets),
            *_parts(sheets),
            "</div></main>",
            *tail,
            "</body>\n</html>\n",
        )
    )


def _parts(sheets: Sequence[Sheet]) -> list[str]:
    return [
        f'<section class="sheet sheet-{sheet.name}" id="{sheet.name}" data-page="{sheet.page}"'
        f"{' data-chapter' if sheet.is_chapter else ''}>{sheet.body}</section>"
        for sheet in sheets
    ]


def running_heads(sheets: Sequence[Sheet]) -> str:
    """Return the style that puts each page's title at the left of its heads.

    The page's number at the right is the same for all, in `sheets.css`.
    """
    rules = []
    for sheet in sheets:
        words = sheet.title.replace("\\", "\\\\").replace('"', '\\"')
        rules.append(
            f".sheet-{sheet.name} {{ page: sheet-{sheet.name}; }}\n"
            f'@page sheet-{sheet.name} {{ @top-left {{ content: "{words}"; }} }}'
        )
    return "\n".join(rules).replace("</", "<\\/")


def table_of_contents(sheets: Sequence[Sheet]) -> str:
    """Return the table of contents; its numbers are filled in when the pages are counted."""
    lines = ['<nav class="quire-contents" id="contents"><h1>Contents</h1>']
    part = None
    for sheet in sheets:
        if sheet.part != part and sheet.part != FRONT:
            lines.append(f'<p class="contents-part">{html.escape(sheet.part)}</p>')
        part = sheet.part
        lines.append(
            f'<p class="contents-page"><a href="#{sheet.name}">{html.escape(sheet.title)}</a>'
            f'<span class="contents-dots"></span>{_number(sheet.name)}</p>'
        )
        inside = " ".join(
            f'<span><a href="#{sheet.place(s)}">{html.escape(s.title)}</a> '
            f"{_number(sheet.place(s))}</span>"
            for s in sheet.sections
        )
        if inside:
            lines.append(f'<p class="contents-sections">{inside}</p>')
    return "\n".join((*lines, "</nav>"))


def _number(place: str) -> str:
    return f'<b class="contents-number" data-place="{place}">000</b>'
