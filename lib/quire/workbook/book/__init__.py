"""The book: executed chapters and prose, staged and rendered into pages that open from a disk.

Read in this order: `building` (what happens when), `staging` (from a notebook to a page),
`contents` (which pages, in which order), `scoreboard` and `reference` (pages that nobody writes by
hand), `assets` (the scripts and fonts that make the pages need no network) and `directives` (what
Sphinx has to know beyond jupyter-book).
"""

from quire.workbook.book.building import build_book

__all__ = ["build_book"]
