"""The ledger: a chapter measures its claims, and an executed notebook carries the result.

Inside a notebook::

    claims = quire.workbook.begin("15_sketching", globals())
    claims.measure("15.2", ratio)      # shows the verdict, and stores it as this cell's output
    claims.table()                     # the chapter's last cell

Outside, `read_ledger` takes the same measurements back out of the executed notebook: there is no
side file and no hidden state.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from IPython.display import display
from nbformat import NotebookNode

from quire.workbook import charts
from quire.workbook.cards import Card, Claim
from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.entries import CLAIM_MIME, Entry, LedgerTable
from quire.workbook.errors import UserError
from quire.workbook.needs import missing
from quire.workbook.parameters import declared
from quire.workbook.verdicts import Verdict, judge


class Ledger:
    """The claims of one chapter while its notebook runs.

    Parameters
    ----------
    chapter
        The chapter whose card is held against the measurements.
    """

    def __init__(self, chapter: Chapter) -> None:
        self.chapter = chapter
        self.card: Card = chapter.card
        self._entries: dict[str, Entry] = {}

    def measure(self, identifier: str, value: Any) -> None:
        """Judge ``value`` against the claim and show the verdict as an output of this cell.

        Raises
        ------
        UserError
            When the card has no such claim, or the value is not plain data.
        """
        claim = self.card.claim(identifier)
        plain = to_plain(identifier, value)
        judgement = judge(claim, plain)
        self._show(claim, plain, judgement.verdict, judgement.reason)

    def not_run(self, identifier: str, missing: str) -> None:
        """Record that the claim was *not run here*, and what is missing ("needs mpi_ranks > 0")."""
        self._show(self.card.claim(identifier), None, "not run here", missing)

    def can_measure(self, *identifiers: str) -> bool:
        """Return whether all that these claims need is here; if not, record them as not run."""
        gaps = {i: missing(self.card.claim(i)) for i in identifiers}
        for identifier, gap in gaps.items():
            if gap is not None:
                self.not_run(identifier, gap)
            elif any(gaps.values()):
                self.not_run(identifier, next(g for g in gaps.values() if g is not None))
        return not any(gaps.values())

    def table(self) -> LedgerTable:
        """Return the chapter's ledger as a table of every claim of the card, in its order."""
        return LedgerTable(
            tuple(self._entries.get(c.id) or _unmeasured(self.chapter, c) for c in self.card.claims)
        )

    def _show(self, claim: Claim, measured: Any, verdict: Verdict, reason: str) -> None:
        entry = _entry(self.chapter.slug, claim, measured, verdict, reason)
        self._entries[claim.id] = entry
        display(entry)


def begin(slug: str, namespace: Mapping[str, Any]) -> Ledger:
    """Open a chapter inside its notebook: check its parameters, set up its charts and its ledger.

    Parameters
    ----------
    slug
        The chapter's slug or number.
    namespace
        The notebook's ``globals()``, where its parameters live.

    Raises
    ------
    UserError
        When a parameter is missing, of a wrong type, or out of the card's range.
    """
    chapter = find_chapter(slug)
    for name, parameter in declared(chapter).items():
        if name not in namespace:
            raise UserError(f"parameter {name} is not set", "run the parameters cell first")
        parameter.check(namespace[name])
    charts.enable()
    return Ledger(chapter)


def read_ledger(chapter: Chapter, notebook: NotebookNode | None = None) -> tuple[Entry, ...]:
    """Return one entry per claim of the card, in its order, from an executed notebook.

    Verdicts are computed anew from the stored measurement and the card of today. A claim that the
    notebook never measured reads *not run here*.
    """
    measured: dict[str, Entry] = {}
    for stored in stored_claims(notebook if notebook is not None else chapter.read()):
        claim = next((c for c in chapter.card.claims if c.id == stored["id"]), None)
        if claim is None:
            continue
        if stored["verdict"] == "not run here":
            entry = _entry(chapter.slug, claim, None, "not run here", stored["reason"])
        else:
            judgement = judge(claim, stored["measured"])
            entry = _entry(
                chapter.slug, claim, stored["measured"], judgement.verdict, judgement.reason
            )
        measured[claim.id] = entry
    return tuple(measured.get(c.id) or _unmeasured(chapter, c) for c in chapter.card.claims)


def faults(chapter: Chapter, notebook: NotebookNode | None = None) -> tuple[str, ...]:
    """Return what is wrong with a ledger: claims unmeasured, measured twice, or not in the card."""
    seen = [stored["id"] for stored in stored_claims(notebook or chapter.read())]
    known = [claim.id for claim in chapter.card.claims]
    return (
        *(f"claim {i} is in the card but was never measured" for i in known if i not in seen),
        *(f"claim {i} was measured twice" for i in sorted({i for i in seen if seen.count(i) > 1})),
        *(f"claim {i} was measured but is not in the card" for i in seen if i not in known),
    )


def stored_claims(notebook: NotebookNode) -> list[dict[str, Any]]:
    """Return the raw claim outputs of a notebook, in the order of its cells."""
    return [
        dict(output["data"][CLAIM_MIME])
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if CLAIM_MIME in output.get("data", {})
    ]


def to_plain(identifier: str, value: Any) -> Any:
    """Return a measured value as plain JSON data; `UserError` when it can not be."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): to_plain(identifier, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(identifier, item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"claim {identifier} measured {value}", "a measurement must be finite")
    try:
        json.dumps(value)
    except TypeError:
        raise UserError(
            f"claim {identifier} measured a {type(value).__name__}",
            "give a number, a flag, a word, or a list or mapping of them",
        ) from None
    return value


def _entry(slug: str, claim: Claim, measured: Any, verdict: Verdict, reason: str) -> Entry:
    return Entry(
        chapter=slug,
        id=claim.id,
        says=claim.says,
        kind=claim.kind,
        source=claim.source,
        expect=claim.expect,
        tolerance=claim.tolerance.model_dump(),
        needs=claim.needs,
        unit=claim.unit,
        measured=measured,
        verdict=verdict,
        reason=reason,
    )


def _unmeasured(chapter: Chapter, claim: Claim) -> Entry:
    return _entry(chapter.slug, claim, None, "not run here", "never measured by the notebook")
