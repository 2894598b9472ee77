"""The scoreboard: every claim of every chapter, from executed notebooks and nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from quire.workbook import charts
from quire.workbook.book import staging
from quire.workbook.chapters import Chapter
from quire.workbook.entries import Entry, LedgerTable
from quire.workbook.verdicts import OUTCOMES, VERDICTS

Ledgers = Mapping[Chapter, Sequence[Entry]]


@dataclass(frozen=True)
class Count:
    """How many claims of a chapter got each verdict."""

    chapter: Chapter
    verdicts: Mapping[str, int]

    @property
    def total(self) -> int:
        """The number of the chapter's claims."""
        return sum(self.verdicts.values())


def count(ledgers: Ledgers) -> tuple[Count, ...]:
    """Return the verdicts of each chapter, counted."""
    return tuple(
        Count(
            chapter,
            {
                verdict: sum(entry.outcome == outcome for entry in entries)
                for verdict, outcome in zip(VERDICTS, OUTCOMES, strict=True)
            },
        )
        for chapter, entries in ledgers.items()
    )


def page(ledgers: Ledgers) -> str:
    """Return the scoreboard as a MyST page."""
    counts = count(ledgers)
    total = sum(each.total for each in counts)
    held = sum(each.verdicts["reproduced"] for each in counts)
    sections = [
        "# The scoreboard",
        f"Every claim of every chapter, {total} in all, of which {held} "
        f"{'was' if held == 1 else 'were'} reproduced. No verdict on this page was typed: each was "
        "computed by `quire.workbook.verdicts` from what the chapter's notebook measured and from "
        "what its card expected before. [How to read this book](read.md) says what they mean.",
    ]
    if counts:
        sections += [_raw(_counts_table(counts)), _raw(_figure(counts))]
    for chapter, entries in ledgers.items():
        sections += [
            f"## {chapter.number} · [{chapter.title}](../notebooks/{chapter.slug}.ipynb)",
            _raw(LedgerTable(tuple(entries))._repr_html_()),
        ]
    return "\n\n".join(sections) + "\n"


def chart(counts: Sequence[Count]) -> dict[str, Any]:
    """Return the chart of verdicts per chapter as a Vega-Lite specification."""
    rows = [
        {"chapter": each.chapter.slug, "verdict": verdict, "claims": number, "order": order}
        for each in counts
        for order, (verdict, number) in enumerate(each.verdicts.items())
    ]
    total = sum(each.total for each in counts)
    held = sum(each.verdicts["reproduced"] for each in counts)
    told = "; ".join(
        f"{each.chapter.slug}: "
        + ", ".join(f"{number} {verdict}" for verdict, number in each.verdicts.items() if number)
        for each in counts
    )
    drawn = (
        alt.Chart(
            alt.Data(values=rows),
            title=f"{held} of {total} claims reproduced",
            description=f"Claims of each chapter by verdict. {told}.",
            height=max(84, 28 * len(counts)),
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
            tooltip=["chapter:N", "verdict:N", "claims:Q"],
        )
    )
    return {**drawn.to_dict(), "config": charts.config(charts.LIGHT)}


def _figure(counts: Sequence[Count]) -> str:
    spec = chart(counts)
    png = base64.b64encode(charts.png(spec)).decode()
    return staging.figure(spec, "chart-scoreboard", png)


def _counts_table(counts: Sequence[Count]) -> str:
    def cells(verdicts: Mapping[str, int], total: int) -> str:
        numbers = [*(verdicts[v] for v in VERDICTS), total]
        return "".join(f'<td class="quire-number">{number}</td>' for number in numbers)

    rows = "".join(
        f'<tr><td><a href="../notebooks/{each.chapter.slug}.html">{each.chapter.number} '
        f"{html.escape(each.chapter.title)}</a></td>{cells(each.verdicts, each.total)}</tr>"
        for each in counts
    )
    sums: dict[str, int] = {v: sum(each.verdicts[v] for each in counts) for v in VERDICTS}
    heads = "".join(f'<th class="quire-number">{name}</th>' for name in (*VERDICTS, "claims"))
    return (
        f'<div class="quire-table"><table><thead><tr><th>chapter</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody>"
        f"<tfoot><tr><th>all</th>{cells(sums, sum(sums.values()))}</tr></tfoot></table></div>"
    )


def _raw(markup: str) -> str:
    return f"````{{raw}} html\n{markup}\n````"
