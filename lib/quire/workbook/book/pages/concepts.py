"""Concepts: an index of the glossary's terms, each with the places where the chapters use it.

A place is a section or a subsection of a chapter in whose prose the term stands. Code, formulas,
links and what is folded are no prose.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from docutils.nodes import make_id  # type: ignore[import-untyped]
from nbformat import NotebookNode

from quire.workbook.book.pages import minutes
from quire.workbook.book.pages.markup import bare, page_of, raw
from quire.workbook.book.terms import GLOSSARY, pattern_of, read_entries
from quire.workbook.chapters import Chapter
from quire.workbook.text import markup

MOST = 3
"""Places of one chapter that are listed: those where the term stands most often."""

Executed = Mapping[Chapter, NotebookNode]
Term = tuple[str, ...]
"""A term by all its names, the first of which leads."""

Uses = dict[Term, dict[Chapter, dict[str, int]]]
"""By term and by chapter, how often it stands under each heading."""


def inserts(root: Path, executed: Executed) -> dict[str, Callable[[], str]]:
    """Return what stands in the page's places, by the name of each place."""
    return {"concepts": lambda: index(uses(read_entries(root / f"{GLOSSARY}.md"), executed))}


def uses(terms: Sequence[Term], executed: Executed) -> Uses:
    """Return where each term stands; a term that contains another is counted as itself alone."""
    found: Uses = {term: {} for term in terms}
    by_word = {name.lower(): term for term in terms for name in term}
    if not by_word:
        return found
    pattern = pattern_of(tuple(by_word))
    for chapter, notebook in executed.items():
        for heading, text in minutes.prose(notebook):
            for use in pattern.finditer(re.sub(r"\s+", " ", text)):
                places = found[by_word[use[1].lower()]].setdefault(chapter, {})
                places[heading] = places.get(heading, 0) + 1
    return found


def index(found: Uses) -> str:
    """Return the index as MyST text, letter by letter."""
    blocks = []
    letters: dict[str, list[Term]] = {}
    for term in sorted((t for t in found if found[t]), key=lambda term: term[0].lower()):
        letters.setdefault(term[0][0].upper(), []).append(term)
    for letter, terms in letters.items():
        rows = "".join(f"<dt>{_term(t)}</dt><dd>{_places(found[t])}</dd>" for t in terms)
        blocks += [f"## {letter}", raw(f'<dl class="quire-concepts">{rows}</dl>')]
    if unused := sorted((t[0] for t in found if not found[t]), key=str.lower):
        told = ", ".join(unused)
        blocks.append(f"In the glossary, and in no chapter's prose under that name: {told}.")
    return "\n\n".join(blocks)


def _term(term: Term) -> str:
    return f'<a href="glossary.html#term-{_term_id(term[0])}">{markup(", ".join(term))}</a>'


def _term_id(name: str) -> str:
    """Return a term's id as Sphinx makes it, which keeps capitals and turns signs into dashes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")


def _places(where: Mapping[Chapter, Mapping[str, int]]) -> str:
    told = []
    for chapter, places in where.items():
        most = sorted(places, key=lambda heading: -places[heading])[:MOST]
        shown = [heading for heading in places if heading in most]  # as they stand on the page
        links = "; ".join(_link(chapter, heading) for heading in shown)
        rest = len(places) - len(shown)
        more = f" and {rest} more" if rest else ""
        told.append(
            f'<li><a href="{page_of(chapter)}">{chapter.number} · {markup(bare(chapter.title))}</a>'
            f": {links}{more}</li>"
        )
    return f"<ul>{''.join(told)}</ul>"


def _link(chapter: Chapter, heading: str) -> str:
    words = re.sub(r"[`*$]|\{[a-z]+\}", "", heading)
    anchor = "" if heading == minutes.OPENING else f"#{make_id(words)}"
    return f'<a href="{page_of(chapter)}{anchor}">{markup(words)}</a>'
