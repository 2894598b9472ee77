"""The cover, drawn by code: a square for every claim of every paper, in its verdict's colour."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from quire.workbook import charts
from quire.workbook.book.printing.metadata import Metadata
from quire.workbook.book.printing.sheets import Sheet, plain
from quire.workbook.entries import css
from quire.workbook.verdicts import OUTCOMES, word

WIDTH, HEIGHT = 1680, 2376  # the proportions of an A4 page

_COLOURS = {css(o): charts.VERDICT_COLOURS[word("claim", o)] for o in OUTCOMES}
_WORDS = {css(o): word("claim", o) for o in OUTCOMES}
_MARGIN = 130
_FONT = 'font-family="DejaVu Sans, Arial, sans-serif"'
_LONGEST = 72  # letters of a chapter's title on the cover


@dataclass(frozen=True)
class Row:
    """A chapter on the cover: its title, and how many claims had each verdict (by its style)."""

    title: str
    counts: tuple[tuple[str, int], ...]


def rows(sheets: Sequence[Sheet]) -> tuple[Row, ...]:
    """Return a row per chapter, from the cards on the book's first page."""
    found = []
    for card in re.findall(r'<article class="quire-card">.*?</article>', sheets[0].body, re.DOTALL):
        title = re.search(r"<h4>(.*?)</h4>", card, re.DOTALL)
        counts = re.findall(r'<span class="quire-([a-z-]+)" style="flex-grow: (\d+)">', card)
        if title:
            found.append(Row(plain(title.group(1)), tuple((k, int(n)) for k, n in counts)))
    return tuple(found)


def draw(metadata: Metadata, chapters: Sequence[Row]) -> str:
    """Return the cover as SVG."""
    step = min(110.0, 1300.0 / max(1, len(chapters)))
    most = max((sum(n for _, n in row.counts) for row in chapters), default=1)
    side = min(0.36 * step, (WIDTH - 2 * _MARGIN) / max(most, 1) - 6)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(metadata.full_title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#f6f8fa"/>',
        f'<rect width="{WIDTH}" height="24" fill="{_COLOURS["reproduced"]}"/>',
        _text(_MARGIN, 330, metadata.title, 210, weight=700),
        _text(_MARGIN, 420, metadata.subtitle, 52),
    ]
    top = 570.0
    for number, row in enumerate(chapters):
        y = top + number * step
        title = row.title if len(row.title) <= _LONGEST else f"{row.title[:_LONGEST]}…"
        parts.append(_text(_MARGIN, y, title, min(34.0, 0.34 * step), colour="#444c56"))
        x = float(_MARGIN)
        for name, many in row.counts:
            for _ in range(many):
                parts.append(
                    f'<rect x="{x:.1f}" y="{y + 0.14 * step:.1f}" width="{side:.1f}" '
                    f'height="{side:.1f}" rx="4" fill="{_COLOURS[name]}"/>'
                )
                x += side + 6
    parts.append(_legend(top + len(chapters) * step + 60))
    parts.append(_text(_MARGIN, HEIGHT - 150, ", ".join(metadata.authors), 40, weight=600))
    last = " · ".join(
        filter(
            None,
            (
                metadata.version and f"version {metadata.version}",
                f"{metadata.made:%Y-%m-%d}",
                metadata.licence,
            ),
        )
    )
    parts.append(_text(_MARGIN, HEIGHT - 90, last, 32, colour="#444c56"))
    return "".join((*parts, "</svg>"))


def _legend(y: float) -> str:
    parts, x = [], float(_MARGIN)
    parts.append(_text(x, y - 24, "Each square is a claim of a paper, as measured:", 30))
    for name, colour in _COLOURS.items():
        words = _WORDS[name]
        parts.append(f'<rect x="{x}" y="{y}" width="28" height="28" rx="4" fill="{colour}"/>')
        parts.append(_text(x + 40, y + 25, words, 30))
        x += 84 + 17.5 * len(words)
    return "".join(parts)


def _text(
    x: float, y: float, words: str, size: float, weight: int = 400, colour: str = "#24292f"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" {_FONT} font-size="{size:.1f}" font-weight="{weight}" '
        f'fill="{colour}" text-anchor="start">{html.escape(words)}</text>'
    )
