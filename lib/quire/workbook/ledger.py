"""The ledger: a chapter measures its claims, and an executed notebook carries the result.

Inside a notebook::

    claims = quire.workbook.begin("15_sketching", globals())
    claims.measure("15.2", ratio)      # shows the verdict, and stores it as this cell's output
    claims.measure("15.9", mean, interval=(low, high))     # over seeds, or rounds of a clock
    claims.table("claim", "finding")                       # the chapter's last cells
    claims.table("check", "target")

Outside, `read_ledger` takes the same measurements back out of the executed notebook: there is no
side file and no hidden state.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from IPython.display import display
from nbformat import NotebookNode

from quire.workbook import charts, intervals, repeats
from quire.workbook.cards import ROLES, Card, Claim, Role
from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.entries import CLAIM_MIME, LEDGER_MIME, Entry, LedgerTable
from quire.workbook.errors import UserError
from quire.workbook.needs import conditions, missing
from quire.workbook.parameters import declared
from quire.workbook.text import clean
from quire.workbook.verdicts import Judgement, judge, judge_stored, unfit, word

NEVER = "never measured by the notebook"
_DEEPEST = 8


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

    def measure(self, identifier: str, value: Any, interval: Any = None) -> None:
        """Judge ``value`` against the claim and show the verdict as an output of this cell.

        Parameters
        ----------
        identifier
            The claim's id in the card.
        value
            What was measured, in the form that the claim's kind asks for.
        interval
            ``(low, high)`` in which the value lies with the draws, or with the clock (five seeds or
            rounds at least); for an *order* a mapping from name to such a pair, for a *shape* a
            list of one pair per point. An interval astride the line reads *undecided*.

        Raises
        ------
        UserError
            When the card has no such claim, or value or interval are not of the form asked for.
        """
        claim = self.card.claim(identifier)
        plain = to_plain(identifier, value)
        wanted = unfit(claim, plain)
        if wanted is not None:
            raise UserError(
                f"claim {identifier} measured {clean(repr(plain))[:60]}",
                f"a claim of kind {claim.kind!r} is measured by {wanted}",
            )
        ends = None if interval is None else to_plain(identifier, interval)
        fault = None if ends is None else intervals.unfit(claim, plain, ends)
        if fault is not None:
            raise UserError(f"claim {identifier}", fault)
        self._show(claim, plain, ends, judge(claim, plain, ends))

    def not_run(self, identifier: str, why: str) -> None:
        """Record that the claim was *not run here*, and why ("needs mpi_ranks > 0")."""
        claim = self.card.claim(identifier)
        self._show(claim, None, None, Judgement("not run", word(claim.role, "not run"), clean(why)))

    def can_measure(self, *identifiers: str) -> bool:
        """Return whether all that these claims need is here; if not, record them as not run.

        Each claim is told its own reason: what it needs itself, or which of the others keeps the
        cell from running.
        """
        gaps = {i: missing(self.card.claim(i)) for i in identifiers}
        blocked = [i for i, gap in gaps.items() if gap is not None]
        for identifier, gap in gaps.items():
            if gap is not None:
                self.not_run(identifier, gap)
            elif blocked:
                first = blocked[0]
                self.not_run(identifier, f"measured together with {first}, which {gaps[first]}")
        return not blocked

    def table(self, *roles: Role) -> LedgerTable:
        """Return the ledger as a table of every claim of these roles, in the card's order.

        A claim that no cell measured is told what it needs, or that it was never measured.

        Parameters
        ----------
        *roles
            ``claim``, ``finding``, ``check``, ``target``; all four when none is named.

        Raises
        ------
        UserError
            For a role that there is not.
        """
        for role in roles:
            if role not in ROLES:
                raise UserError(f"no role {role!r}", f"use one of {', '.join(ROLES)}")
        claims = [c for c in self.card.claims if c.role in (roles or ROLES)]
        return LedgerTable(
            tuple(self._entries.get(c.id) or _unmeasured(self.chapter, c) for c in claims),
            tuple(c.id for c in claims if c.id not in self._entries and missing(c) is not None),
        )

    def _show(self, claim: Claim, measured: Any, interval: Any, judgement: Judgement) -> None:
        entry = _entry(self.chapter.slug, claim, measured, interval, judgement)
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
    notebook never measured reads *not run here*, with what it needed where the notebook ran.
    """
    notebook = notebook if notebook is not None else chapter.read()
    measured = {stored["id"]: stored for stored in stored_claims(notebook)}
    gaps = stored_gaps(notebook)
    entries = []
    for claim in chapter.card.claims:
        stored = measured.get(claim.id)
        if stored is None:
            entries.append(_unmeasured(chapter, claim, gaps.get(claim.id, NEVER)))
            continue
        judgement = judge_stored(claim, stored)
        run = judgement.outcome != "not run"
        value, ends = (stored["measured"], stored.get("interval")) if run else (None, None)
        entries.append(_entry(chapter.slug, claim, value, ends, judgement))
    unsteady = repeats.told(notebook)
    return tuple(replace(entry, repeats=unsteady.get(entry.id, "")) for entry in entries)


def faults(chapter: Chapter, notebook: NotebookNode | None = None) -> tuple[str, ...]:
    """Return what is wrong with a ledger: claims unmeasured, measured twice, or not in the card.

    A claim whose needs were absent where the notebook ran, as its table says, is no fault.
    """
    notebook = notebook if notebook is not None else chapter.read()
    seen = [stored["id"] for stored in stored_claims(notebook)]
    excused = stored_gaps(notebook)
    known = [claim.id for claim in chapter.card.claims]
    lacking = [i for i in known if i not in seen and i not in excused]
    return (
        *(f"claim {i} is in the card but was never measured" for i in lacking),
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


def stored_gaps(notebook: NotebookNode) -> dict[str, str]:
    """Return what the tables of a notebook stored: claims that no cell measured, and why."""
    gaps: dict[str, str] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            gaps |= output.get("data", {}).get(LEDGER_MIME, {})
    return gaps


def to_plain(identifier: str, value: Any) -> Any:
    """Return a measured value as plain JSON data; `UserError` when it can not be."""
    return _plain(identifier, value, depth=0)


def _plain(identifier: str, value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise UserError(f"claim {identifier} measured nested data", "give a list of numbers")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {
            str(_plain(identifier, str(key), depth)): _plain(identifier, item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(identifier, item, depth + 1) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) > sys.float_info.max:
            raise UserError(
                f"claim {identifier} measured a whole number of {value.bit_length()} bits",
                "a measurement must be finite and fit a double",
            )
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UserError(f"claim {identifier} measured {value}", "a measurement must be finite")
        return float(value)
    if isinstance(value, str):
        return clean(value)
    raise UserError(
        f"claim {identifier} measured a {type(value).__name__}",
        "give a number, a flag, a word, or a list or mapping of them",
    )


def _entry(slug: str, claim: Claim, measured: Any, interval: Any, judgement: Judgement) -> Entry:
    return Entry(
        chapter=slug,
        id=claim.id,
        role=claim.role,
        says=claim.says,
        where=claim.where,
        kind=claim.kind,
        source=claim.source,
        expect=claim.expect,
        tolerance=claim.tolerance.model_dump(),
        fails_if=claim.fails_if,
        changed=claim.changed,
        fair=claim.fair,
        needs=claim.needs,
        unit=claim.unit,
        measured=measured,
        interval=interval,
        outcome=judgement.outcome,
        verdict=judgement.verdict,
        reason=judgement.reason,
    )


def _unmeasured(chapter: Chapter, claim: Claim, reason: str | None = None) -> Entry:
    """Return the entry of a claim that no cell measured; without a reason, ask what is missing."""
    if reason is None:
        reason = missing(claim) or NEVER
    if reason == NEVER and (condition := conditions(claim)):
        reason = f"{NEVER} ({condition})"
    return _entry(
        chapter.slug, claim, None, None, Judgement("not run", word(claim.role, "not run"), reason)
    )
