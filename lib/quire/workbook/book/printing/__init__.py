"""Print and travel: the built book as a PDF, as an EPUB, and its notebooks as a zip.

Read in this order: `products` (what is made, and what it needs), `sheets` (all pages as one
document), `browser` (the document in Chromium, drawn), `pdf`, `epub` and `cover`, `packing` (the
notebooks), `metadata` (title and authors, from CITATION.cff).
"""

from quire.workbook.book.printing.products import Product, lacking, make, offered

__all__ = ["Product", "lacking", "make", "offered"]
