"""Entries: one line of a ledger, and how it shows itself in a notebook, a page and a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quire.workbook.cards import ROLES, Bound, Role
from quire.workbook.numerals import printed
from quire.workbook.text import clean, markup
from quire.workbook.verdicts import Outcome, Verdict

CLAIM_MIME = "application/vnd.quire.claim+json"
LEDGER_MIME = "application/vnd.quire.ledger+json"
"""What a table of a ledger stores: the claims that no cell measured, and why."""

ROLE_NAMES: Mapping[Role, str] = {
    "claim": "the paper's claim",
    "finding": "our finding",
    "check": "our check",
    "target": "our target",
}


@dataclass(frozen=True)
class Entry:
    """One line of a ledger: the claim as the card has it, what was measured, and the verdict.

    Attributes
    ----------
    chapter
        The chapter's slug.
    interval
        ``(low, high)`` as a list, or one per name or point; None without one.
    outcome
        How the measurement stands to the claim, the same word in every role.
    verdict
        The outcome in the words of the role.
    reason
        Why it is not held; empty when it is.
    repeats
        How often each verdict came over several seeds, where it changed with the seed; only of a
        notebook that was run so, and never part of its outputs.

    The other fields are those of `quire.workbook.cards.Claim`.
    """

    chapter: str
    id: str
    role: Role
    says: str
    where: str
    kind: str
    source: str | None
    expect: Any
    tolerance: Mapping[str, float]
    fails_if: str
    changed: str
    fair: str
    needs: tuple[str, ...]
    unit: str
    measured: Any
    interval: Any
    outcome: Outcome
    verdict: Verdict
    reason: str
    repeats: str = ""

    @property
    def anchor(self) -> str:
        """The id of the entry's element on the chapter's page (``claim-15.2``)."""
        return f"claim-{self.id}"

    @property
    def number(self) -> str:
        """The chapter's two digits."""
        return self.chapter[:2]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            CLAIM_MIME: {name: value for name, value in asdict(self).items() if name != "repeats"},
            "text/html": _entry_html(self),
            "text/plain": _entry_text(self),
        }


@dataclass(frozen=True)
class LedgerTable:
    """A table of entries that shows itself as HTML or as text.

    ``unmeasured`` are the ids of those entries that no cell of the notebook measured.
    """

    entries: tuple[Entry, ...]
    unmeasured: tuple[str, ...] = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        if self.unmeasured:
            bundle[LEDGER_MIME] = {e.id: e.reason for e in self.entries if e.id in self.unmeasured}
        return bundle

    def _repr_html_(self) -> str:
        rows = "\n".join(
            f'<tr class="quire-{css(e.outcome)}"><td>{e.id}</td>'
            f"<td>{markup(_marked(e))}</td>"
            f"<td>{markup(expectation(e))}</td>"
            f"<td>{markup(measurement(e))}</td>"
            f"<td>{badge(e)}<br>{markup(e.reason)}</td></tr>"
            for e in self.entries
        )
        return (
            '<div class="quire-table"><table class="quire-ledger"><thead><tr>'
            "<th>claim</th><th>says</th><th>expected</th><th>we measured</th><th>verdict</th>"
            "</tr></thead>"
            f"<tbody>\n{rows}\n</tbody></table></div>"
        )

    def __repr__(self) -> str:
        return "\n".join(_entry_text(entry) for entry in self.entries)


def figure(measured: Any, unit: str = "") -> str:
    """Return a measurement as printed: four significant digits, lists and mappings in short."""
    if measured is None:
        return "—"
    if isinstance(measured, bool):
        return "yes" if measured else "no"
    if isinstance(measured, float):
        text = printed(measured)
    elif isinstance(measured, int):
        text = f"{measured:,}"
    elif isinstance(measured, Mapping):
        text = ", ".join(f"{key} {figure(value)}" for key, value in measured.items())
    elif isinstance(measured, list):
        shown = [figure(value) for value in measured]
        text = ", ".join(shown if len(shown) <= 8 else [*shown[:3], "…", *shown[-3:]])
    else:
        text = clean(str(measured))
    return f"{text} {unit}".strip()


def expectation(entry: Entry) -> str:
    """Return in short what the card expects of an entry's claim."""
    slack = entry.tolerance
    parts = [f"{slack['abs']:g}"] if slack["abs"] else []
    parts += [f"{slack['rel']:.3g} rel."] if slack["rel"] else []
    within = f" ± {' + '.join(parts)}" if parts else ""
    match entry.kind:
        case "bound":
            bound = Bound.model_validate(entry.expect)
            low = f"≥ {printed(bound.at_least, 6)}" if bound.at_least is not None else ""
            high = f"≤ {printed(bound.at_most, 6)}" if bound.at_most is not None else ""
            return " and ".join(filter(None, (low, high))) + within
        case "order":
            return " before ".join(map(str, entry.expect)) + within
        case _:
            return figure(entry.expect, entry.unit) + within


def measurement(entry: Entry) -> str:
    """Return what was measured as printed, with its interval."""
    told = figure(entry.measured, entry.unit)
    if entry.interval is None:
        return told
    pairs = entry.interval
    if isinstance(pairs, Mapping):
        ends = ", ".join(f"{name} {_pair(pair)}" for name, pair in pairs.items())
    elif pairs and isinstance(pairs[0], list | tuple):
        shown = [_pair(pair) for pair in pairs]
        ends = ", ".join(shown if len(shown) <= 8 else [*shown[:3], "…", *shown[-3:]])
    else:
        ends = _pair(pairs)
    return f"{told}, interval {ends}"


def tally(entries: Sequence[Entry]) -> str:
    """Return how many entries got each verdict, role by role: the four are never added up."""
    told = []
    for role in ROLES:
        verdicts = [entry.verdict for entry in entries if entry.role == role]
        if verdicts:
            counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
            told.append(f"{role}s: {counts}")
    return "; ".join(told)


def css(outcome: Outcome) -> str:
    """Return the word of an outcome in the names of style classes (``quire-not-run-here``)."""
    named = {"held": "reproduced", "missed": "not-reproduced", "not run": "not-run-here"}
    return named.get(outcome, outcome)


def badge(entry: Entry) -> str:
    """Return the verdict of an entry as a small label in HTML."""
    return f'<span class="quire-badge quire-{css(entry.outcome)}">{entry.verdict}</span>'


def origin(entry: Entry) -> str:
    """Return whose claim it is, and where it stands ("the paper's claim: Theorem 3, seen")."""
    where = ", ".join(filter(None, (entry.where, entry.source)))
    name = ROLE_NAMES[entry.role]
    return f"{name}: {where}" if where else name


def _pair(pair: Any) -> str:
    low, high = pair
    return f"{printed(low)} to {printed(high)}"


def _marked(entry: Entry) -> str:
    return f"{entry.says} ({origin(entry)})"


def _entry_text(entry: Entry) -> str:
    because = f" ({clean(entry.reason)})" if entry.reason else ""
    return (
        f"[{entry.verdict}] {entry.id}: expected {clean(expectation(entry))}, "
        f"measured {clean(measurement(entry))}{because}"
    )


def _entry_html(entry: Entry) -> str:
    because = f" <small>{markup(entry.reason)}</small>" if entry.reason else ""
    return (
        f'<div class="quire-claim quire-{css(entry.outcome)}" id="{entry.anchor}">'
        f"{badge(entry)} <b>{entry.id}</b> {markup(entry.says)} "
        f"<small>{markup(origin(entry))}</small>"
        f"<br><span>expected {markup(expectation(entry))}; "
        f"measured <b>{markup(measurement(entry))}</b>{because}</span>{_notes(entry)}</div>"
    )


def _notes(entry: Entry) -> str:
    notes = (
        ("It would fail if", entry.fails_if),
        ("How the comparison is fair:", entry.fair),
    )
    lines = [f"<br>{title} {markup(text)}" for title, text in notes if text]
    folded = "".join(lines).removeprefix("<br>")
    changed = (
        f"<br><span>Expectation changed after a result was seen: {markup(entry.changed)}</span>"
        if entry.changed
        else ""
    )
    fold = (
        f"<details><summary>What would make it fail</summary>{folded}</details>" if folded else ""
    )
    return changed + fold
