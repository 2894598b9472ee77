"""HTML that several generated pages share: names and links of chapters, labels, bars."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quire.workbook.cards import Role
from quire.workbook.chapters import Chapter
from quire.workbook.entries import Entry, css
from quire.workbook.text import markup
from quire.workbook.verdicts import OUTCOMES, Outcome, Verdict, word

Ledgers = Mapping[Chapter, Sequence[Entry]]
"""What each chapter's executed notebook says of the claims of its card."""

Counts = Mapping[Outcome, int]

NAMES: Mapping[Role, tuple[str, str]] = {
    "claim": ("claim of the paper", "claims of the paper"),
    "finding": ("finding of ours", "findings of ours"),
    "check": ("check of ours", "checks of ours"),
    "target": ("target of ours", "targets of ours"),
}


_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)  # fmt: skip


def numbered(chapter: Chapter) -> str:
    """Return the chapter's title with its number before it: ``15 · Sketching``."""
    return f"{chapter.number} · {bare(chapter.title)}"


def bare(title: str) -> str:
    """Return a title without the chapter's number that may stand before it."""
    return re.sub(r"^\d+\s*[·.:]\s*", "", title)


def page_of(chapter: Chapter, base: str = "../") -> str:
    """Return the address of a chapter's page from a page whose root is ``base``."""
    return f"{base}notebooks/{chapter.slug}.html"


def linked(chapter: Chapter) -> str:
    """Return a link to a chapter: number and title, on a phone the number alone."""
    title = f'<span class="quire-long"> · {markup(bare(chapter.title))}</span>'
    return f'<a href="{page_of(chapter)}">{chapter.number}{title}</a>'


def of_role(entries: Iterable[Entry], *roles: Role) -> list[Entry]:
    """Return the entries of these roles, in their order."""
    return [entry for entry in entries if entry.role in roles]


def count(entries: Iterable[Entry]) -> dict[Outcome, int]:
    """Return how many entries had each outcome, in the order in which outcomes are listed."""
    outcomes = [entry.outcome for entry in entries]
    return {outcome: outcomes.count(outcome) for outcome in OUTCOMES}


def in_words(counts: Counts, role: Role) -> str:
    """Return counts as words, leaving out what there is none of: ``3 reproduced, 1 differs``."""
    told = [f"{number} {_said_of(word(role, o), number)}" for o, number in counts.items() if number]
    return ", ".join(told) or "none"


def _said_of(verdict: Verdict, number: int) -> str:
    """Return a verdict as the verb of so many claims."""
    if verdict == "our expectation failed":
        return "where our expectation failed"
    many = {"holds": "hold", "differs": "differ", "fails": "fail"}
    return many.get(verdict, verdict) if number > 1 else verdict


def bar(counts: Counts, role: Role) -> str:
    """Return a bar of the outcomes, each as long as its share; its name says the numbers."""
    parts = "".join(
        f'<span class="quire-{css(outcome)}" style="flex-grow: {number}">{number}</span>'
        for outcome, number in counts.items()
        if number
    )
    total = sum(counts.values())
    one, many = NAMES[role]
    label = f"{total} {one if total == 1 else many}: {in_words(counts, role)}"
    return f'<div class="quire-bar" role="img" aria-label="{markup(label)}">{parts}</div>'


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a table in a box that scrolls: each row is HTML cells, of which the first names it.

    Parameters
    ----------
    heads
        The columns' names, as plain text.
    rows
        The cells of each row, as HTML.
    words
        How many columns from the left hold words; the others hold numbers.
    """

    def kind(column: int) -> str:
        return "" if column < words else ' class="quire-number"'

    head = "".join(f'<th scope="col"{kind(i)}>{markup(name)}</th>' for i, name in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{cell}</th>' if not i else f"<td{kind(i)}>{cell}</td>"
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="quire-table"><table class="quire-grid"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def number_word(number: int) -> str:
    """Return a number up to twenty in words, and any other in digits."""
    return _NUMBERS[number] if 0 <= number < len(_NUMBERS) else str(number)


def verdict(entry: Entry) -> str:
    """Return the verdict of an entry as a small label."""
    return f'<span class="quire-badge quire-{css(entry.outcome)}">{entry.verdict}</span>'


def processor_of(record: Mapping[str, Any]) -> str:
    """Return what an executed notebook records of its machine: ``AMD EPYC, 2 cores``."""
    arithmetic = record.get("arithmetic") or {}
    cores = arithmetic.get("cores")
    counted = f"{cores} core{'s' if cores != 1 else ''}" if cores else ""
    return ", ".join(filter(None, (str(arithmetic.get("processor") or ""), counted)))


def raw(html: str) -> str:
    """Return HTML as a block of a MyST page that nothing inside it can end."""
    longest = max((len(run) for run in re.findall(r"`+", html)), default=0)
    fence = "`" * max(4, longest + 1)
    return f"{fence}{{raw}} html\n{html}\n{fence}"
