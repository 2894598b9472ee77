"""The book: executed chapters and prose, staged and rendered into pages that open from a disk.

Read in this order: `building` (what happens when), `contents`, `bibliography` and `links` (what is
checked before any work), `fetching` (data that can be had), `staging` (from a notebook to a page),
`scoreboard` and `reference` (pages that nobody writes by hand), `rendering` and `directives` (what
jupyter-book and Sphinx are told), `assets` and `mending` (what makes the pages whole without a
network), `previews` (what a link shows of its end), `printing` (the book as a PDF, an EPUB and a
zip of notebooks), `workplace` and `interrupts` (how a build can be stopped and leaves nothing
behind).
"""

from quire.workbook.book.building import build_book

__all__ = ["build_book"]
