"""Mending: small faults of the theme's and Sphinx's markup, corrected in the rendered pages.

Each rule is one substitution that leaves a page without the fault as it is. A rule that a newer
theme no longer needs does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def mend_pages(folder: Path) -> None:
    """Mend every page below ``folder``, in place."""
    for path in sorted(folder.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        mended = mend(text)
        if mended != text:
            path.write_text(mended, encoding="utf-8")


def mend(page: str) -> str:
    """Return a page with all rules applied."""
    for pattern, replacement in _RULES:
        page = pattern.sub(replacement, page)
    return page


def _signature(found: re.Match[str]) -> str:
    """Let the lines of a long signature be spans: a list without terms is none."""
    lines = re.sub(r"<dl[^>]*>", '<span class="quire-signature">', found.group())
    lines = re.sub(r"<dd[^>]*>", '<span class="quire-parameter">', lines)
    return re.sub(r"</d[ld]>", "</span>", lines)


_RULES: tuple[Rule, ...] = (
    # The logo and the search button stand outside every landmark.
    (
        re.compile(r'<div id="pst-primary-sidebar" class='),
        '<div id="pst-primary-sidebar" role="complementary" aria-label="The book" class=',
    ),
    # The arrow that opens a part of the sidebar has no name.
    (
        re.compile(r"<summary>(?=<span class=\"toctree-toggle\")"),
        '<summary aria-label="The pages below">',
    ),
    # A role that is deprecated, in a list that holds more than items.
    (re.compile(r' role="doc-biblioentry"'), ""),
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    # Long signatures are lists of definitions that define nothing.
    (re.compile(r'<dt class="sig.*?</dt>', re.DOTALL), _signature),
    # The empty corner of a data frame is no heading.
    (re.compile(r"<th></th>"), "<td></td>"),
    # An advertisement's place, which stays empty.
    (re.compile(r'<div id="ethical-ad-placement"[^>]*>\s*</div>'), ""),
)
