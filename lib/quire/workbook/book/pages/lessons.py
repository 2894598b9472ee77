"""Lessons: what became of every line of every ledger, counted, and sorted by why it did not hold.

Why a line did not hold is a judgement, written in ``book/lessons.yml``; everything else is counted
when the book is built. A line that holds by now, or whose chapter is not there, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from docutils.nodes import make_id  # type: ignore[import-untyped]

from quire.workbook.book.pages.markup import (
    NAMES,
    Ledgers,
    count,
    grid,
    in_words,
    number_word,
    of_role,
    page_of,
    raw,
    verdict,
)
from quire.workbook.book.pages.written import Written, read_list
from quire.workbook.cards import ROLES, Role
from quire.workbook.entries import Entry
from quire.workbook.text import markup
from quire.workbook.verdicts import OUTCOMES, VERDICTS

FILE = "lessons.yml"


class Kind(Written):
    """One reason why lines did not hold: its name, what it is, and the lines."""

    title: str
    says: str
    ids: tuple[str, ...]


class Kinds(Written):
    """The reasons, for the papers' claims and for our findings."""

    claims: tuple[Kind, ...]
    findings: tuple[Kind, ...]


def read_kinds(root: Path) -> Kinds:
    """Read ``book/lessons.yml`` of the workbook at ``root``; `UserError`."""
    return read_list(root / "book" / FILE, Kinds)


def inserts(root: Path, ledgers: Ledgers) -> dict[str, Callable[[], str]]:
    """Return what stands in the page's places, by the name of each place."""
    entries = [entry for listed in ledgers.values() for entry in listed]
    pages = {entry.id: page_of(chapter) for chapter, listed in ledgers.items() for entry in listed}
    claims, findings = of_role(entries, "claim"), of_role(entries, "finding")

    def sorted_out(role: Role, listed: Sequence[Entry]) -> str:
        kinds = read_kinds(root)
        return _sorted(kinds.claims if role == "claim" else kinds.findings, role, listed, pages)

    return {
        "papers": lambda: number_word(len(ledgers)),
        "lessons, in short": partial(_in_short, entries),
        "lessons, by role": partial(_by_role, entries),
        "lessons, kinds of claims": partial(sorted_out, "claim", claims),
        "lessons, kinds of findings": partial(sorted_out, "finding", findings),
        "lessons, by spread": partial(_by_spread, claims),
        "lessons, by source": partial(_by_source, claims),
        "lessons, by kind": partial(_by_kind, claims, findings),
        "lessons, changed": partial(_changed, entries),
    }


def failed(entries: Iterable[Entry], role: Role) -> list[Entry]:
    """Return the lines that are sorted by why: claims that did not hold, findings that failed."""
    wanted = [o for o in OUTCOMES if o != "held"] if role == "claim" else ["missed", "differs"]
    return [entry for entry in entries if entry.outcome in wanted]


def _in_short(entries: Sequence[Entry]) -> str:
    claims, findings = of_role(entries, "claim"), of_role(entries, "finding")
    held = count(claims)["held"]
    wrong = len(failed(findings, "finding"))
    others = in_words({**count(findings), "missed": 0, "differs": 0}, "finding")
    changed = sum(bool(entry.changed) for entry in entries)
    return "\n".join(
        (
            f"- Of **{len(claims)}** claims of the papers, **{held}** were reproduced. The others: "
            f"{in_words({**count(claims), 'held': 0}, 'claim')}.",
            f"- Of **{len(findings)}** expectations of our own about the papers, **{wrong}** "
            f"failed. The others: {others}.",
            f"- Of all **{len(entries)}** lines, **{changed}** say that the expectation, or the "
            "way of measuring it, was changed after a result had been seen.",
        )
    )


def _by_role(entries: Sequence[Entry]) -> str:
    rows = {NAMES[role][1]: of_role(entries, role) for role in ROLES}
    return _outcomes("role", rows, ("hold", *VERDICTS[1:2], "do not hold", *VERDICTS[3:]))


def _by_spread(claims: Sequence[Entry]) -> str:
    without = [entry for entry in _ran(claims) if entry.interval is None]
    within = [entry for entry in _ran(claims) if entry.interval is not None]
    told = (
        f"Of the claims measured without an interval, {count(without)['held']} of {len(without)} "
        f"were reproduced; of those measured with one, {count(within)['held']} of {len(within)}."
    )
    table = _outcomes("measured", {"without an interval": without, "with an interval": within})
    return f"{told}\n\n{table}"


def _by_source(claims: Sequence[Entry]) -> str:
    return _outcomes(
        "source", {word: [e for e in claims if e.source == word] for word in ("seen", "inferred")}
    )


def _by_kind(claims: Sequence[Entry], findings: Sequence[Entry]) -> str:
    rows = {}
    for name, listed in (("claims", claims), ("findings", findings)):
        for kind in ("exact", "value", "bound", "order", "shape"):
            of_kind = [entry for entry in listed if entry.kind == kind]
            if of_kind:
                rows[f"{name}, {kind}"] = of_kind
    return _outcomes("kind", rows, ("hold", *VERDICTS[1:2], "do not hold", *VERDICTS[3:]))


def _changed(entries: Sequence[Entry]) -> str:
    findings = of_role(entries, "finding")
    claims = of_role(entries, "claim")
    rows = {}
    for name, listed in (("claims", claims), ("findings", findings)):
        rows[f"{name}, changed"] = [entry for entry in listed if entry.changed]
        rows[f"{name}, as first written"] = [entry for entry in listed if not entry.changed]
    return _outcomes("expectation", rows, ("hold", *VERDICTS[1:2], "do not hold", *VERDICTS[3:]))


def _ran(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.outcome != "not run"]


def _outcomes(
    name: str, rows: Mapping[str, Sequence[Entry]], heads: Sequence[str] = VERDICTS
) -> str:
    return raw(
        grid(
            (name, *heads, "lines"),
            [
                (markup(label), *map(str, count(entries).values()), str(len(entries)))
                for label, entries in rows.items()
            ],
        )
    )


def _sorted(
    kinds: Sequence[Kind], role: Role, entries: Sequence[Entry], pages: Mapping[str, str]
) -> str:
    """Return the kinds as a table of counts, and each with what it is and its lines, folded."""
    waiting = {entry.id: entry for entry in failed(entries, role)}
    found = [(kind, [waiting.pop(i) for i in kind.ids if i in waiting]) for kind in kinds]
    if waiting:
        unsorted = Kind(title="Not sorted yet", says="New lines.", ids=tuple(waiting))
        found.append((unsorted, [*waiting.values()]))
    found = [(kind, lines) for kind, lines in found if lines]
    many = sum(len(lines) for _, lines in found)
    if not many:
        return "There are none."
    told = f"{many} {'line' if many == 1 else 'lines'}, by why:"
    blocks = [
        told,
        raw(grid(("why", "lines"), [(_aim(kind), str(len(lines))) for kind, lines in found])),
    ]
    for kind, lines in found:
        listed = "".join(_line(entry, pages[entry.id]) for entry in lines)
        few = "The line" if len(lines) == 1 else f"The {number_word(len(lines))} lines"
        blocks += [
            f"### {kind.title}",
            kind.says,
            f"``````{{admonition}} {few}\n:class: dropdown quire-lines\n\n"
            f"{raw(f'<ul>{listed}</ul>')}\n``````",
        ]
    return "\n\n".join(blocks)


def _aim(kind: Kind) -> str:
    return f'<a href="#{make_id(kind.title)}">{markup(kind.title)}</a>'


def _line(entry: Entry, page: str) -> str:
    return (
        f'<li>{verdict(entry)} <a href="{page}#{entry.anchor}">{markup(entry.id)}</a> '
        f"{markup(entry.says)}</li>"
    )
