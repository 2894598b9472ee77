"""The EPUB: a file of XHTML per page, from the document after MathJax and the charts have run.

Formulas are MathML and charts SVG; there is no script and nothing that would be fetched.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import vl_convert

from quire.workbook.book.printing.metadata import Metadata
from quire.workbook.book.printing.packing import write_zip
from quire.workbook.book.printing.sheets import FRONT, HERE, Sheet

_COVER_SCALE = 0.7  # of the drawing: 1190 px wide
_KINDS = {
    b"\x89PNG": ("png", "image/png"),
    b"\xff\xd8\xff": ("jpg", "image/jpeg"),
    b"GIF8": ("gif", "image/gif"),
}
_CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""
_PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
lang="en" xml:lang="en">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="book.css"/></head>
<body{kind}>{body}</body>
</html>
"""
# What HTML allows and XML does not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Item:
    """A file of the EPUB, as its package lists it."""

    name: str
    kind: str
    content: bytes
    properties: str = ""

    @property
    def identifier(self) -> str:
        """Its id in the package."""
        return "f-" + re.sub(r"[^A-Za-z0-9]+", "-", self.name)


def write_epub(
    page: Any,
    sheets: Sequence[Sheet],
    metadata: Metadata,
    cover: str,
    pages: Path,
    path: Path,
) -> None:
    """Write the drawn document as an EPUB 3.

    Parameters
    ----------
    page
        The document, as `browser.opened` yields it.
    sheets
        The pages that it was made of.
    metadata
        Title, authors and rights.
    cover
        The cover, as SVG.
    pages
        The built book, which has the pictures.
    path
        The file.
    """
    page.evaluate((HERE / "leaves.js").read_text(encoding="utf-8"))
    drawn = page.evaluate("() => window.quireLeaves()")
    images = dict(_images(drawn["images"], pages))
    bodies = {leaf["name"]: leaf["body"] for leaf in drawn["leaves"]}
    picture = bytes(vl_convert.svg_to_png(cover, scale=_COVER_SCALE))
    items = [
        Item("nav.xhtml", "application/xhtml+xml", navigation(sheets).encode(), "nav"),
        Item("cover.xhtml", "application/xhtml+xml", _cover_page(metadata).encode()),
        Item("cover.png", "image/png", picture, "cover-image"),
        Item("book.css", "text/css", (HERE / "leaves.css").read_bytes()),
        *(leaf(sheet, bodies[sheet.name], images) for sheet in sheets),
        *images.values(),
    ]
    files = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": _CONTAINER.encode(),
        "book/package.opf": package(items, sheets, metadata).encode(),
        **{f"book/{item.name}": item.content for item in items},
    }
    write_zip(files, path, plain=["mimetype"])


def leaf(sheet: Sheet, body: str, images: Mapping[str, Item]) -> Item:
    """Return a page as a file of the EPUB.

    Parameters
    ----------
    sheet
        The page.
    body
        What `leaves.js` made of it.
    images
        The pictures that it may name, by the names that it uses.
    """
    body = re.sub(r"quire-image:(images/\d+)", lambda m: images[m.group(1)].name, body)
    body = _NOT_XML.sub("", body)
    properties = " ".join(
        name for name, mark in (("mathml", "<math"), ("svg", "<svg")) if mark in body
    )
    text = _PAGE.format(title=html.escape(sheet.title), body=body, kind="")
    return Item(f"{sheet.name}.xhtml", "application/xhtml+xml", text.encode(), properties)


def navigation(sheets: Sequence[Sheet]) -> str:
    """Return the table of contents: parts, their chapters, and the sections of these."""
    lines: list[str] = []
    part = FRONT
    for sheet in sheets:
        if sheet.part != part:
            lines.append("</ol></li>" if part != FRONT else "")
            lines.append(f"<li><span>{html.escape(sheet.part)}</span><ol>")
            part = sheet.part
        inside = "".join(
            f'<li><a href="{sheet.name}.xhtml#{sheet.place(s)}">{html.escape(s.title)}</a></li>'
            for s in sheet.sections
        )
        below = f"<ol>{inside}</ol>" if inside else ""
        title = html.escape(sheet.title)
        lines.append(f'<li><a href="{sheet.name}.xhtml">{title}</a>{below}</li>')
    lines.append("</ol></li>" if part != FRONT else "")
    toc = f'<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>'
    marks = (
        '<nav epub:type="landmarks" id="landmarks" hidden="hidden"><ol>'
        '<li><a epub:type="cover" href="cover.xhtml">Cover</a></li>'
        '<li><a epub:type="toc" href="nav.xhtml">Contents</a></li>'
        f'<li><a epub:type="bodymatter" href="{sheets[0].name}.xhtml">The book</a></li>'
        "</ol></nav>"
    )
    return _PAGE.format(title="Contents", body=toc + marks, kind="")


def package(items: Sequence[Item], sheets: Sequence[Sheet], metadata: Metadata) -> str:
    """Return the package document: metadata, every file, and the order of reading."""
    said = [
        f'<dc:identifier id="id">{metadata.identifier}</dc:identifier>',
        f"<dc:title>{html.escape(metadata.full_title)}</dc:title>",
        "<dc:language>en</dc:language>",
        *(f"<dc:creator>{html.escape(author)}</dc:creator>" for author in metadata.authors),
        *(f"<dc:subject>{html.escape(word)}</dc:subject>" for word in metadata.keywords),
        *([f"<dc:rights>{html.escape(metadata.licence)}</dc:rights>"] if metadata.licence else []),
        *([f"<dc:date>{metadata.released}</dc:date>"] if metadata.released else []),
        f'<meta property="dcterms:modified">{metadata.made:%Y-%m-%dT%H:%M:%SZ}</meta>',
        '<meta property="schema:accessMode">textual</meta>',
        '<meta property="schema:accessMode">visual</meta>',
        '<meta property="schema:accessModeSufficient">textual</meta>',
        *(
            f'<meta property="schema:accessibilityFeature">{feature}</meta>'
            for feature in ("alternativeText", "MathML", "structuralNavigation", "tableOfContents")
        ),
        '<meta property="schema:accessibilityHazard">none</meta>',
        '<meta property="schema:accessibilitySummary">Every chart has a description in words; '
        "formulas are MathML.</meta>",
    ]
    listed = [
        f'<item id="{item.identifier}" href="{item.name}" media-type="{item.kind}"'
        + (f' properties="{item.properties}"' if item.properties else "")
        + "/>"
        for item in items
    ]
    by_name = {item.name: item.identifier for item in items}
    order = ["cover.xhtml", "nav.xhtml", *(f"{sheet.name}.xhtml" for sheet in sheets)]
    spine = [f'<itemref idref="{by_name[name]}"/>' for name in order]
    newline = "\n"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" '
        'xml:lang="en">\n<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
        f"{newline.join(said)}\n</metadata>\n<manifest>\n{newline.join(listed)}\n</manifest>\n"
        f"<spine>\n{newline.join(spine)}\n</spine>\n</package>\n"
    )


def _cover_page(metadata: Metadata) -> str:
    title = html.escape(metadata.full_title, quote=True)
    body = f'<section class="cover"><img src="cover.png" alt="Cover: {title}"/></section>'
    return _PAGE.format(title=html.escape(metadata.title), body=body, kind=' epub:type="cover"')


def _images(found: Mapping[str, str], pages: Path) -> Iterator[tuple[str, Item]]:
    """Yield the pictures that pages show: files of the built book, and data in the page itself."""
    for name, source in found.items():
        if source.startswith("data:"):
            head, _, data = source.partition(",")
            content = base64.b64decode(data) if ";base64" in head else unquote_to_bytes(data)
        else:
            content = (pages / source.partition("?")[0]).read_bytes()
        ending, kind = next(
            (found for start, found in _KINDS.items() if content.startswith(start)),
            ("svg", "image/svg+xml"),
        )
        yield name, Item(f"{name}.{ending}", kind, content)
