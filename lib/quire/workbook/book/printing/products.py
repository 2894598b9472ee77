"""Products: the PDF, the EPUB and the notebooks, written into the built book and offered there."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from quire.workbook.book.printing import browser, cover, epub, packing, pdf, sheets
from quire.workbook.book.printing.metadata import read_metadata
from quire.workbook.errors import UserError

Product = Literal["pdf", "epub", "notebooks"]

FILES: Mapping[Product, str] = {
    "pdf": "quire.pdf",
    "epub": "quire.epub",
    "notebooks": "quire-notebooks.zip",
}
_NAMES: Mapping[Product, str] = {
    "pdf": "to print (PDF)",
    "epub": "for an e-reader (EPUB)",
    "notebooks": "as notebooks with checksums (zip)",
}
_PLACE = '<p class="quire-travel" hidden></p>'


def lacking(wanted: Collection[Product]) -> UserError | None:
    """Return what keeps this environment from making a product, with its remedy, or None."""
    return browser.lacking() if {"pdf", "epub"} & set(wanted) else None


def make(
    wanted: Collection[Product],
    pages: Path,
    root: Path,
    contents: Mapping[str, Any],
    config: Mapping[str, Any],
    tell: Callable[[str], None],
) -> None:
    """Write the wanted products into the built book, with their checksums.

    Parameters
    ----------
    wanted
        Which of them.
    pages
        The built book.
    root
        The workbook that it was built from.
    contents
        Its table of contents, as jupyter-book read it.
    config
        Its configuration.
    tell
        Told in a line what was made.

    Raises
    ------
    UserError
        When Chromium or a package is missing or fails; what could be made is there all the same.
    """
    made: list[Product] = []
    if "notebooks" in wanted:
        many = packing.write_notebooks(pages, root, pages / FILES["notebooks"])
        made.append("notebooks")
        tell(f"packed {many} notebooks{_size(pages, 'notebooks')}")
    fault = lacking(wanted)
    if fault is None and {"pdf", "epub"} & set(wanted):
        try:
            browser.apart(lambda: _draw(wanted, made, pages, root, contents, config, tell))
        except UserError as failed:
            fault = failed
    packing.write_sums([pages / FILES[each] for each in made], pages)
    _offer(made, pages / f"{contents['root']}.html")
    if fault is not None:
        raise fault


def _draw(
    wanted: Collection[Product],
    made: list[Product],
    pages: Path,
    root: Path,
    contents: Mapping[str, Any],
    config: Mapping[str, Any],
    tell: Callable[[str], None],
) -> None:
    """Draw all pages once, write what is wanted of them, and add it to what was made."""
    metadata = read_metadata(root, config)
    found = sheets.read_sheets(pages, contents)
    picture = cover.draw(metadata, cover.rows(found))
    text = sheets.document(pages, found, metadata.full_title, picture)
    with browser.opened(text, pages) as page:
        tell(f"drew {len(found)} pages for paper")
        if "pdf" in wanted:
            count = pdf.write_pdf(page, found, metadata, pages / FILES["pdf"])
            made.append("pdf")
            tell(f"printed {count} pages{_size(pages, 'pdf')}")
        if "epub" in wanted:
            epub.write_epub(page, found, metadata, picture, pages, pages / FILES["epub"])
            made.append("epub")
            tell(f"wrote the EPUB{_size(pages, 'epub')}")


def offered(made: Collection[Product], base: str = "../") -> str:
    """Return the line of the book's first page that offers the products."""
    links = [
        f'<a href="{base}{html.escape(FILES[each])}" download>{_NAMES[each]}</a>'
        for each in FILES
        if each in made
    ]
    if not links:
        return _PLACE
    sums = f'<a href="{base}{packing.SUMS}" download>checksums</a>'
    return f'<p class="quire-travel">This book {", ".join(links)}; their {sums}.</p>'


def _offer(made: Collection[Product], first: Path) -> None:
    text = first.read_text(encoding="utf-8")
    first.write_text(text.replace(_PLACE, offered(made)), encoding="utf-8")


def _size(pages: Path, product: Product) -> str:
    return f" ({(pages / FILES[product]).stat().st_size / 1e6:.1f} MB)"
