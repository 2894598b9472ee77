"""At a glance: what stands at the head of every chapter, from its executed ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quire.workbook.book.pages.markup import (
    bar,
    count,
    in_words,
    of_role,
    processor_of,
    raw,
    verdict,
)
from quire.workbook.cards import Role
from quire.workbook.chapters import Chapter
from quire.workbook.entries import Entry
from quire.workbook.text import markup
from quire.workbook.verdicts import OUTCOMES

SHOWN = 6
"""Claims of one verdict that are shown; those beyond are folded."""


def block(chapter: Chapter, entries: Sequence[Entry], record: Mapping[str, Any]) -> str:
    """Return the section as MyST text.

    Parameters
    ----------
    chapter
        The chapter, whose card says in a sentence what its paper is about.
    entries
        Its executed ledger. Only the paper's claims are listed; findings are counted, and those
        that failed are listed, because they are what we learned.
    record
        What the executed notebook records of its run.
    """
    claims = of_role(entries, "claim")
    findings = of_role(entries, "finding")
    surprises = [entry for entry in findings if entry.outcome == "missed"]
    parts = [
        '<div class="quire-glance">',
        f'<p class="quire-glance-paper">{markup(chapter.card.summary)}</p>',
    ]
    if without := _without(entries):
        parts.append(f'<p class="quire-glance-lacking">{without}</p>')
    if claims:
        parts += [_counted("The paper's claims", claims, "claim"), *_lists(claims)]
    if findings:
        parts += [_counted("Our findings", findings, "finding"), *_lists(surprises)]
    parts += [f'<p class="quire-glance-run">{_run(record)}</p>', "</div>"]
    return "## At a glance\n\n" + raw("\n".join(parts))


def _counted(title: str, entries: Sequence[Entry], role: Role) -> str:
    counts = count(entries)
    return (
        f'<div class="quire-glance-counts"><p><strong>{title}</strong>: '
        f"{markup(in_words(counts, role))}</p>{bar(counts, role)}</div>"
    )


def _lists(entries: Sequence[Entry]) -> list[str]:
    """Return one list a verdict, each line linked to the cell that measured it."""
    lists = []
    for outcome in OUTCOMES:
        lines = [_line(entry) for entry in entries if entry.outcome == outcome]
        if not lines:
            continue
        shown = f"<ul>{''.join(lines[:SHOWN])}</ul>"
        more = lines[SHOWN:]
        if more:
            shown += (
                f"<details><summary>and {len(more)} more: {of_outcome(entries, outcome)}</summary>"
                f"<ul>{''.join(more)}</ul></details>"
            )
        lists.append(shown)
    return lists


def of_outcome(entries: Sequence[Entry], outcome: str) -> str:
    """Return the verdict that an outcome has among these entries."""
    return next(entry.verdict for entry in entries if entry.outcome == outcome)


def _line(entry: Entry) -> str:
    where = f' <small class="quire-where">{markup(entry.where)}</small>' if entry.where else ""
    return (
        f'<li>{verdict(entry)} <span><a href="#{entry.anchor}">{markup(entry.says)}</a>'
        f"{where}</span></li>"
    )


def _without(entries: Sequence[Entry]) -> str:
    """Return one line on the datasets that were not here, empty when none was missed."""
    lacking = {
        need.partition(":")[2]
        for entry in entries
        if entry.outcome == "not run" and "dataset" in entry.reason
        for need in entry.needs
        if need.startswith("dataset:")
    }
    if not lacking:
        return ""
    names = ", ".join(f"<code>{markup(name)}</code>" for name in sorted(lacking))
    return (
        f"This page was made without data that others publish ({names}): what depends on them is "
        "left out and reads <em>not run here</em>. <code>quire data fetch</code> brings them."
    )


def _run(record: Mapping[str, Any]) -> str:
    seconds = record.get("seconds")
    commit = str(record.get("commit") or "")
    parts = [
        f"{seconds:g} s" if isinstance(seconds, int | float) else "",
        f"profile {record['profile']}" if record.get("profile") else "",
        f"commit {commit[:9]}{'+' if commit.endswith('+') else ''}" if commit else "",
        processor_of(record),
        f"computed on {record['device']}" if record.get("device") else "",
    ]
    told = " · ".join(dict.fromkeys(markup(part) for part in parts if part))
    if not told:
        return "This notebook has not been run by <code>quire run</code>."
    return f'Last run: {told} (<a href="../book/status.html">status</a>)'
