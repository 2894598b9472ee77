"""The PDF: printed until its table of contents is right, then given bookmarks and a description.

Chromium draws the charts as vectors, tags the text for readers that speak, turns links between
pages into links inside the file, and sets running heads and page numbers. It can not know a page's
number while it lays out the table of contents, so the numbers of one printing go into the next.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quire.workbook.book.printing.metadata import Metadata
from quire.workbook.book.printing.sheets import FRONT, Sheet
from quire.workbook.errors import ChapterFailed
from quire.workbook.files import write_atomically

PRINTINGS = 4
"""Printings after which the numbers of the table of contents must have settled."""

_NUMBER = """(places) => {
  for (const each of document.querySelectorAll(".contents-number")) {
    each.textContent = places[each.dataset.place] ?? "";
  }
}"""


def write_pdf(page: Any, sheets: Sequence[Sheet], metadata: Metadata, path: Path) -> int:
    """Print the drawn document into ``path`` and return the number of pages.

    Parameters
    ----------
    page
        The document, as `browser.opened` yields it.
    sheets
        The pages that it was made of.
    metadata
        Title and authors, for the file's description.
    path
        The file; it is replaced only by a whole one.

    Raises
    ------
    ChapterFailed
        When the page numbers do not settle.
    """
    from pypdf import PdfReader

    told: Mapping[str, int] = {}
    for _ in range(PRINTINGS):
        printed = page.pdf(
            prefer_css_page_size=True, print_background=True, tagged=True, outline=False
        )
        reader = PdfReader(io.BytesIO(printed))
        places = _places(reader)
        if places == told:
            write_atomically(path, _described(printed, reader, sheets, metadata))
            return len(reader.pages)
        told = places
        page.evaluate(_NUMBER, places)
    raise ChapterFailed("the numbers of the table of contents do not settle", "report it")


def _places(reader: Any) -> dict[str, int]:
    """Return the number of the page on which each id stands that something links to."""
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(reader.pages, start=1)}
    return {
        name.removeprefix("/"): numbers[place.raw_get("/Page").idnum]
        for name, place in reader.named_destinations.items()
    }


def _described(printed: bytes, reader: Any, sheets: Sequence[Sheet], metadata: Metadata) -> bytes:
    """Return the printed file with bookmarks (parts, chapters, sections) and a description."""
    from pypdf import PdfWriter
    from pypdf.generic import BooleanObject, DictionaryObject, Fit, NameObject, TextStringObject

    writer = PdfWriter(io.BytesIO(printed), incremental=True)
    named = {name.removeprefix("/"): place for name, place in reader.named_destinations.items()}
    numbers = _places(reader)

    def mark(title: str, place: str, above: Any = None, bold: bool = False) -> Any:
        if place not in named:
            return above
        top = named[place].get("/Top")
        fit = Fit.xyz(left=0, top=float(top) if top is not None else None)
        return writer.add_outline_item(
            title=title,
            page_number=numbers[place] - 1,
            parent=above,
            bold=bold,
            fit=fit,
            is_open=above is None,
        )

    writer.add_outline_item(title="Contents", page_number=1)
    part, above = FRONT, None
    for sheet in sheets:
        if sheet.part != part:
            part = sheet.part
            above = mark(part, sheet.name, bold=True)
        chapter = mark(sheet.title, sheet.name, above)
        for section in sheet.sections:
            mark(section.title, sheet.place(section), chapter)
    writer.add_metadata(
        {
            "/Title": metadata.full_title,
            "/Author": ", ".join(metadata.authors),
            "/Subject": metadata.subtitle,
            "/Keywords": ", ".join(metadata.keywords),
            "/Creator": f"Quire {metadata.version}".strip(),
        }
    )
    root = writer.root_object
    root[NameObject("/Lang")] = TextStringObject("en")
    root[NameObject("/PageMode")] = NameObject("/UseOutlines")
    root[NameObject("/ViewerPreferences")] = DictionaryObject(
        {NameObject("/DisplayDocTitle"): BooleanObject(True)}
    )
    finished = io.BytesIO()
    writer.write(finished)
    return finished.getvalue()
