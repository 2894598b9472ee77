"""The workbook: the machinery that knows notebooks, and knows nothing of any topic.

Read in this order: `cards` (what is claimed), `chapters` (where it stands), `parameters` (what can
be varied), `verdicts` and `ledger` (how a measurement is judged and kept), `execution` (one run),
`studies` (many runs), `datasets` (what is fetched), `charts`, `shown` and `book` (what is shown),
`scaffold` (a new chapter) and `cli` (the ``quire`` command, a few lines over the rooms above).

A notebook needs `begin`, `show` and `say`; a script may want all of them.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quire.workbook.chapters import Chapter, all_chapters, find_chapter
from quire.workbook.errors import ChapterFailed, UserError

if TYPE_CHECKING:
    from quire.workbook.book import build_book
    from quire.workbook.datasets import fetch
    from quire.workbook.execution import execute, run
    from quire.workbook.exercises import check_answer
    from quire.workbook.ledger import begin, read_ledger
    from quire.workbook.shown import say, show
    from quire.workbook.studies import study

__all__ = [
    "Chapter",
    "ChapterFailed",
    "UserError",
    "all_chapters",
    "begin",
    "build_book",
    "check_answer",
    "execute",
    "fetch",
    "find_chapter",
    "read_ledger",
    "run",
    "say",
    "show",
    "study",
]

# Loaded when first asked for: a listing should not wait for Dask, papermill or Sphinx.
_LATER = {
    "begin": "ledger",
    "check_answer": "exercises",
    "read_ledger": "ledger",
    "execute": "execution",
    "run": "execution",
    "study": "studies",
    "build_book": "book",
    "fetch": "datasets",
    "say": "shown",
    "show": "shown",
}


def __getattr__(name: str) -> Callable[..., Any]:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
