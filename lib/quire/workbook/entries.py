"""Entries: one line of a ledger, and how it shows itself in a notebook, a page and a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from quire.workbook.cards import Bound
from quire.workbook.verdicts import Verdict

CLAIM_MIME = "application/vnd.quire.claim+json"


@dataclass(frozen=True)
class Entry:
    """One line of a ledger: the claim as the card has it, what was measured, and the verdict."""

    chapter: str
    id: str
    says: str
    kind: str
    source: str
    expect: Any
    tolerance: Mapping[str, float]
    needs: tuple[str, ...]
    unit: str
    measured: Any
    verdict: Verdict
    reason: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            CLAIM_MIME: asdict(self),
            "text/html": _entry_html(self),
            "text/plain": _entry_text(self),
        }


@dataclass(frozen=True)
class LedgerTable:
    """A table of entries that shows itself as HTML or as text."""

    entries: tuple[Entry, ...]

    def _repr_html_(self) -> str:
        rows = "\n".join(
            f'<tr class="quire-{_css(e.verdict)}"><td>{e.id}</td>'
            f"<td>{html.escape(_marked(e))}</td>"
            f"<td>{html.escape(expectation(e))}</td>"
            f"<td>{html.escape(figure(e.measured, e.unit))}</td>"
            f"<td>{_badge(e.verdict)}<br>{html.escape(e.reason)}</td></tr>"
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
        text = f"{measured:.4g}"
    elif isinstance(measured, int):
        text = f"{measured:,}"
    elif isinstance(measured, Mapping):
        text = ", ".join(f"{key} {figure(value)}" for key, value in measured.items())
    elif isinstance(measured, list):
        shown = [figure(value) for value in measured]
        text = ", ".join(shown if len(shown) <= 8 else [*shown[:3], "…", *shown[-3:]])
    else:
        text = str(measured)
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
            low = f"≥ {bound.at_least:g}" if bound.at_least is not None else ""
            high = f"≤ {bound.at_most:g}" if bound.at_most is not None else ""
            return " and ".join(filter(None, (low, high))) + within
        case "order":
            return " before ".join(map(str, entry.expect)) + within
        case _:
            return figure(entry.expect, entry.unit) + within


def _marked(entry: Entry) -> str:
    """Return what is claimed, with the mark of its source unless the words carry it already."""
    carried = re.search(rf"\b{entry.source}\b", entry.says)
    return entry.says if carried else f"{entry.says} ({entry.source})"


def _css(verdict: Verdict) -> str:
    return verdict.replace(" ", "-")


def _badge(verdict: Verdict) -> str:
    return f'<span class="quire-badge quire-{_css(verdict)}">{verdict}</span>'


def _entry_text(entry: Entry) -> str:
    because = f" ({entry.reason})" if entry.reason else ""
    return (
        f"[{entry.verdict}] {entry.id}: expected {expectation(entry)}, "
        f"measured {figure(entry.measured, entry.unit)}{because}"
    )


def _entry_html(entry: Entry) -> str:
    because = f" <small>{html.escape(entry.reason)}</small>" if entry.reason else ""
    return (
        f'<div class="quire-claim quire-{_css(entry.verdict)}" id="claim-{entry.id}">'
        f"{_badge(entry.verdict)} <b>{entry.id}</b> {html.escape(entry.says)} "
        f"<br><span>expected {html.escape(expectation(entry))}; "
        f"measured <b>{html.escape(figure(entry.measured, entry.unit))}</b>{because}</span></div>"
    )
