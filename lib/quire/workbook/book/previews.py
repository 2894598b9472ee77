"""Previews: what a link leads to, shown beside it without leaving the page or asking a network.

A browser forbids a page on a disk to read another page. So each page carries, as inert templates,
the terms, citations, theorems, exercises and equations that its own links lead to, taken from the
built pages; the pages' script shows them to the pointer and to the focus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

from quire.workbook.book.printing.sheets import inner


@dataclass(frozen=True)
class Preview:
    """What a link may show: its kind, which the style knows, and its HTML."""

    kind: str
    content: str


Place = tuple[str, str]
"""A page of the book and an id in it."""

_KINDS = (
    ("term", re.compile(r'<dt id="(term-[^"]+)"')),
    ("citation", re.compile(r'<div class="citation" id="([^"]+)"')),
    ("theorem", re.compile(r'<div class="proof [a-z]+ admonition" id="([^"]+)"')),
    ("exercise", re.compile(r'<div class="exercise admonition" id="([^"]+)"')),
    ("equation", re.compile(r'<div class="math notranslate nohighlight" id="([^"]+)"')),
)
# The navigation's links, and those of headings to themselves, are no references.
_LINK = re.compile(
    r'<a class="(?!nav-link|headerlink)([^"]*\binternal\b[^"]*)" href="([^"]+)"([^>]*)>'
)


def add_previews(folder: Path) -> None:
    """Let the pages below ``folder`` carry what their references lead to, in place."""
    pages = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.html"))
        if not path.relative_to(folder).as_posix().startswith("_static/")
    }
    found = {
        (name, place): preview for name, text in pages.items() for place, preview in previewed(text)
    }
    for name, text in pages.items():
        changed = with_previews(name, text, found)
        if changed != text:
            (folder / name).write_text(changed, encoding="utf-8")


def previewed(page: str) -> Iterator[tuple[str, Preview]]:
    """Yield the id and the preview of everything in a page that can be shown elsewhere."""
    for kind, opening in _KINDS:
        for start in opening.finditer(page):
            if kind == "term":
                content = inner(page, re.compile("<dd").search(page, start.end()), "dd")
            else:
                content = inner(page, start, "div")
            if kind == "citation":  # its label stands in the link
                content = re.sub(r'<span class="label">.*?(?=<p>)', "", content, flags=re.DOTALL)
            if kind == "equation":
                content = f'<div class="math notranslate nohighlight">{content}</div>'
            yield start.group(1), Preview(kind, _inert(content))


def with_previews(name: str, page: str, found: Mapping[Place, Preview]) -> str:
    """Return a page whose references name their previews, which stand at its end."""
    carried: dict[Place, str] = {}

    def marked(link: re.Match[str]) -> str:
        classes, href, rest = link.groups()
        parts = urlsplit(href)
        if parts.scheme or not parts.fragment or "nav-link" in classes:
            return link.group()
        page_of = normpath(join(dirname(name), unquote(parts.path))) if parts.path else name
        place = (page_of, unquote(parts.fragment))
        if place not in found:
            return link.group()
        key = carried.setdefault(place, f"quire-preview-{len(carried) + 1}")
        rest = re.sub(r' title="[^"]*"', "", rest)  # or two boxes would say the same
        return (
            f'<a class="{classes}" href="{href}"{rest} data-quire-preview="{key}" '
            f'data-quire-kind="{found[place].kind}">'
        )

    page = _LINK.sub(marked, page)
    templates = "\n".join(
        f'<template id="{key}">{found[place].content}</template>' for place, key in carried.items()
    )
    if not templates:
        return page
    head, end, tail = page.rpartition("</body>")
    return f"{head}{templates}\n{end}{tail}" if end else page


def _inert(content: str) -> str:
    """Return HTML without links, scripts and ids: a preview is read, and nothing leads to it."""
    content = re.sub(r'<a class="headerlink".*?</a>', "", content, flags=re.DOTALL)
    content = re.sub(r"<script\b.*?</script>", "", content, flags=re.DOTALL)
    content = re.sub(r"</?a\b[^>]*>", "", content)
    content = re.sub(r'(<[a-z][^>]*?) id="[^"]*"', r"\1", content)
    return re.sub(r"\\label\{[^}]*\}", "", content).strip()  # TeX knows each label once
