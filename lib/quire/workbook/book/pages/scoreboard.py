"""The scoreboard: what the executed notebooks say of every claim, and of nothing else.

Two pages: claims of the papers and findings about them; checks and targets, which are about this
workbook. The roles are never added up together.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import altair as alt

from quire.workbook import charts
from quire.workbook.book import figures
from quire.workbook.book.pages.markup import (
    NAMES,
    Ledgers,
    count,
    in_words,
    linked,
    numbered,
    of_role,
    page_of,
    raw,
    verdict,
)
from quire.workbook.cards import Role
from quire.workbook.entries import Entry, css, expectation, measurement
from quire.workbook.text import markup
from quire.workbook.verdicts import VERDICTS, word

_PLURALS: dict[Role, str] = {
    "claim": "The papers' claims",
    "finding": "Our findings",
    "check": "Checks",
    "target": "Targets of speed",
}
_EXPLAINED: dict[Role, str] = {
    "claim": "What a paper, its authors' code or their data state.",
    "finding": "Ours, about the papers: ablations, falsifications, errors found, the range where a "
    "claim holds. An expectation of ours that failed says so; it is how one learns.",
    "check": "Ours, about this workbook: two solvers agree, a golden value comes out, a peer "
    "returns the same.",
    "target": "Ours, about speed: what we set ourselves, on the machine of the "
    "[last run](status.md).",
}


def page(ledgers: Ledgers) -> str:
    """Return the scoreboard of the papers' claims and of our findings as a MyST page."""
    claims = [entry for entries in ledgers.values() for entry in of_role(entries, "claim")]
    sections = ["# The scoreboard", _headline(claims)]
    if claims:
        sections += [raw(_figure(ledgers)), raw(_counts_table(ledgers))]
    sections += [
        "No verdict on this page was typed: each was computed from what the chapter's notebook "
        "measured and from what its card expected before. [How to read this book](read.md) says "
        "what the verdicts mean. Each row leads to the cell that measured it. What we check about "
        "this workbook itself is [on a page of its own](checks.md).",
        *_tables(ledgers, ("claim", "finding")),
    ]
    return "\n\n".join(sections) + "\n"


def checks_page(ledgers: Ledgers) -> str:
    """Return the checks and targets, which are about this workbook, as a MyST page."""
    sections = [
        "# Checks and targets",
        "These are not about the papers, and count for none of their claims: they say whether this "
        "workbook can be trusted, and how fast it is. The papers' claims stand on the "
        "[scoreboard](scoreboard.md).",
        *_tables(ledgers, ("check", "target")),
    ]
    return "\n\n".join(sections) + "\n"


def chart(ledgers: Ledgers) -> dict[str, Any]:
    """Return the chart of the papers' claims by chapter and verdict as a specification."""
    counted = {chapter: count(of_role(entries, "claim")) for chapter, entries in ledgers.items()}
    rows = [
        {
            "chapter": chapter.number,
            "title": numbered(chapter),
            "verdict": word("claim", outcome),
            "claims": number,
            "order": order,
        }
        for chapter, counts in counted.items()
        for order, (outcome, number) in enumerate(counts.items())
    ]
    total = sum(row["claims"] for row in rows if isinstance(row["claims"], int))
    held = sum(counts["held"] for counts in counted.values())
    told = "; ".join(
        f"chapter {chapter.number}: {in_words(counts, 'claim')}"
        for chapter, counts in counted.items()
    )
    drawn = (
        alt.Chart(
            alt.Data(values=rows),
            title=f"{held} of the papers' {total} claims reproduced",
            description=f"The papers' claims of each chapter by verdict. {told}.",
            height=max(84, 28 * len(counted)),
        )
        .mark_bar()
        .encode(
            x=alt.X("claims:Q", title="claims (count)", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("chapter:N", title="chapter"),
            color=alt.Color(
                "verdict:N",
                title="verdict",
                scale=alt.Scale(
                    domain=list(VERDICTS), range=[charts.VERDICT_COLOURS[v] for v in VERDICTS]
                ),
            ),
            order=alt.Order("order:Q"),
            tooltip=["title:N", "verdict:N", "claims:Q"],
        )
    )
    return {**drawn.to_dict(), "config": charts.config(charts.LIGHT)}


def _headline(claims: Sequence[Entry]) -> str:
    counts = count(claims)
    total = len(claims)
    if not total:
        return "No chapter has a claim yet."
    were = "was" if counts["held"] == 1 else "were"
    rest = {outcome: number for outcome, number in counts.items() if outcome != "held" and number}
    others = ", ".join(f"{n} {_past(outcome, n)}" for outcome, n in rest.items())
    return (
        f"**Of {total} {NAMES['claim'][total > 1].replace('paper', 'papers')}, {counts['held']} "
        f"{were} reproduced.**" + (f" Of the others, {others}." if others else "")
    )


def _past(outcome: str, number: int) -> str:
    were = "was" if number == 1 else "were"
    return {
        "differs": "differs" if number == 1 else "differ",
        "missed": f"{were} not reproduced",
        "undecided": f"{were} left undecided by the spread of our measurements",
        "not run": f"{were} *not run here*",
    }[outcome]


def _figure(ledgers: Ledgers) -> str:
    spec = chart(ledgers)
    png = base64.b64encode(charts.png(spec)).decode()
    return figures.figure(spec, "chart-scoreboard", png)


def _counts_table(ledgers: Ledgers) -> str:
    def cells(entries: Sequence[Entry], number: str | None) -> str:
        counts = count(entries)
        made = []
        for outcome, many in counts.items():
            shown = str(many)
            if many and number is not None:
                aim = f"#chapter={number}&amp;verdict={css(outcome)}"
                shown = f'<a href="{aim}">{many}</a>'
            made.append(f'<td class="quire-number">{shown}</td>')
        return "".join((*made, f'<td class="quire-number">{len(entries)}</td>'))

    claims = {chapter: of_role(entries, "claim") for chapter, entries in ledgers.items()}
    rows = "".join(
        f'<tr><th scope="row">{linked(chapter)}</th>{cells(entries, chapter.number)}</tr>'
        for chapter, entries in claims.items()
    )
    everything = [entry for entries in claims.values() for entry in entries]
    heads = "".join(
        f'<th scope="col" class="quire-number">{name}</th>' for name in (*VERDICTS, "claims")
    )
    return (
        '<div class="quire-table"><table class="quire-counts"><thead><tr>'
        f'<th scope="col">chapter</th>{heads}</tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr><th scope="row">all</th>{cells(everything, None)}</tr></tfoot></table></div>'
    )


def _tables(ledgers: Ledgers, roles: tuple[Role, Role]) -> list[str]:
    """Return one table a role, after the place where the page's script puts their filter."""
    sections = [raw('<div class="quire-filter" hidden></div>')]
    for role in roles:
        entries = [e for listed in ledgers.values() for e in of_role(listed, role)]
        counted = f"{len(entries)}: {in_words(count(entries), role)}." if entries else "None yet."
        sections += [
            f"## {_PLURALS[role]}",
            f"{_EXPLAINED[role]} {counted}",
        ]
        if entries:
            sections.append(raw(table(ledgers, role)))
    return sections


def table(ledgers: Ledgers, role: Role) -> str:
    """Return every line of a role as a table, chapter by chapter."""
    groups = []
    for chapter, entries in ledgers.items():
        rows = "".join(_row(entry, page_of(chapter)) for entry in of_role(entries, role))
        if rows:
            groups.append(
                f'<tbody data-chapter="{chapter.number}" data-title="{markup(numbered(chapter))}">'
                f'<tr class="quire-group"><th colspan="4" scope="rowgroup">'
                f'<a href="{page_of(chapter)}">{markup(numbered(chapter))}</a></th></tr>'
                f"{rows}</tbody>"
            )
    return (
        f'<div class="quire-table"><table class="quire-scores" data-role="{role}" '
        f'data-name="{markup(_PLURALS[role])}"><thead><tr><th scope="col">verdict</th>'
        f'<th scope="col">{role}</th><th scope="col">expected</th><th scope="col">measured</th>'
        f"</tr></thead>{''.join(groups)}</table></div>"
    )


def _row(entry: Entry, page: str) -> str:
    where = ", ".join(filter(None, (entry.where, entry.source)))
    place = f" <small>({markup(where)})</small>" if where else ""
    # Why a line is missed or undecided can be read from what stands beside it.
    because = f"<br><small>{markup(entry.reason)}</small>" if entry.outcome == "not run" else ""
    changed = (
        "<details><summary><small>expectation changed after a result was seen</small></summary>"
        f"<small>{markup(entry.changed)}</small></details>"
        if entry.changed
        else ""
    )
    unsteady = (
        f"<br><small>its verdict changed with the seed: {markup(entry.repeats)}</small>"
        if entry.repeats
        else ""
    )
    return (
        f'<tr class="quire-score" data-outcome="{css(entry.outcome)}" '
        f'data-verdict="{entry.verdict}">'
        f"<td>{verdict(entry)}</td>"
        f'<td><a href="{page}#{entry.anchor}">{markup(entry.id)}</a> {markup(entry.says)}'
        f"{place}{changed}{unsteady}</td>"
        f'<td data-name="expected">{markup(expectation(entry))}</td>'
        f'<td data-name="measured">{markup(measurement(entry))}{because}</td></tr>'
    )
