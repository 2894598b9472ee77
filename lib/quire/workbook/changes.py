"""Changes: what became of the claims between two runs, or two studies, of one chapter.

`compare_files` takes two executed notebooks or two studies' tables, or bundles of them, and tells
which verdicts flipped, which measurements moved (and whether their intervals still meet), and in
which parameters, versions and data the two differ. It reads what the runs stored (`runs`) and needs
no card: two runs are compared as they were judged then.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from quire.workbook.entries import figure
from quire.workbook.errors import UserError
from quire.workbook.numerals import printed
from quire.workbook.runs import Run, read_runs

Kind = Literal["flipped", "moved", "rejudged", "only in A", "only in B", "same"]
"""What became of a claim: another verdict; another measurement; the same measurement under another
expectation; measured by one run alone; or nothing."""

_CARD = ("says", "kind", "expect", "tolerance", "fails_if")
_RECORDED = ("packages", "arithmetic", "datasets")
_WHERE = {"packages": "version", "arithmetic": "machine", "datasets": "dataset"}


@dataclass(frozen=True)
class ClaimChange:
    """What became of one claim.

    Attributes
    ----------
    before, after
        Its verdicts; empty where it was not measured.
    measured
        Both measurements, intervals beside them where there are any.
    shift
        The relative change of a measured number, None where it is no number or was 0.
    intervals
        ``apart`` or ``meet`` where both measurements carry an interval, empty otherwise.
    point
        The parameters of the point, in a study; empty for notebooks.
    """

    id: str
    role: str
    kind: Kind
    before: str
    after: str
    measured: tuple[str, str]
    shift: float | None
    intervals: str
    point: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """How run, or study, B stands to A.

    Attributes
    ----------
    claims
        Every claim of either, at every point that both have, in the order of A.
    surroundings
        What else differs: (parameter, version, machine, dataset or commit; its name; A; B).
    unmatched
        Points that only one of two studies has.
    """

    chapter: str
    claims: tuple[ClaimChange, ...]
    surroundings: tuple[tuple[str, str, str, str], ...]
    unmatched: int = 0

    @property
    def changed(self) -> tuple[ClaimChange, ...]:
        """The claims that are not the same, flipped verdicts first."""
        order = ("flipped", "rejudged", "only in A", "only in B", "moved")
        return tuple(
            sorted((c for c in self.claims if c.kind != "same"), key=lambda c: order.index(c.kind))
        )

    @property
    def flipped(self) -> int:
        """How many verdicts are other words."""
        return sum(change.kind == "flipped" for change in self.claims)


def compare_files(one: Path, other: Path) -> Changes:
    """Compare two executed notebooks, or two studies' tables, or bundles of them, of one chapter.

    Parameters
    ----------
    one, other
        Two ``.ipynb`` files that were run, or two ``.parquet`` tables that studies wrote; a bundle
        of one (``.zip``) stands for it.

    Raises
    ------
    UserError
        When a file can not be read, was not made by a run, or the two are of other kinds or of
        other chapters.
    """
    before, after = read_runs(one), read_runs(other)
    if (() in before) != (() in after):
        raise UserError(
            f"{one.name} and {other.name} can not be compared: one is a study",
            "give two runs, or two studies",
        )
    slugs = {run.chapter for run in (*before.values(), *after.values())}
    if len(slugs) != 1:
        raise UserError(
            f"{one.name} and {other.name} are of the chapters {', '.join(sorted(slugs))}",
            "compare two runs of one chapter",
        )
    shared = [key for key in before if key in after]
    if not shared:
        raise UserError(
            f"{one.name} and {other.name} have no point in common",
            "sweep the same values in both studies",
        )
    inside = len(before) > 1 or len(after) > 1
    claims = [
        change
        for key in shared
        for change in compare_runs(before[key], after[key], dict(key) if inside else {})
    ]
    first = shared[0]
    told = _surroundings(before[first], after[first])
    return Changes(slugs.pop(), tuple(claims), told, len(before.keys() ^ after.keys()))


def compare_runs(
    one: Run, other: Run, point: Mapping[str, Any] | None = None
) -> tuple[ClaimChange, ...]:
    """Return what became of every claim of either run, in the order of ``one``."""
    ids = [*one.claims, *(i for i in other.claims if i not in one.claims)]
    return tuple(_change(i, one.claims.get(i), other.claims.get(i), point or {}) for i in ids)


def as_data(changes: Changes) -> dict[str, Any]:
    """Return the changes as plain data for JSON: counts, changed claims, surroundings."""
    counts: dict[str, int] = {}
    for change in changes.claims:
        counts[change.kind] = counts.get(change.kind, 0) + 1
    return {
        "chapter": changes.chapter,
        "counts": counts,
        "unmatched": changes.unmatched,
        "changed": [dict(vars(change)) for change in changes.changed],
        "surroundings": [
            dict(zip(("what", "name", "before", "after"), row, strict=True))
            for row in changes.surroundings
        ],
    }


def chart(changes: Changes) -> Any:
    """Draw how far every measured number moved: an Altair chart, a row per claim.

    Raises
    ------
    UserError
        When no claim that both measured is a number.
    """
    import altair as alt

    from quire.workbook import charts

    rows = [
        {"claim": c.id, "shift": c.shift, "verdict": "flipped" if c.kind == "flipped" else "kept"}
        for c in changes.claims
        if c.shift is not None
    ]
    if not rows:
        raise UserError("there is no number to draw", "leave --chart out")
    moved = len({row["claim"] for row in rows if row["shift"]})
    charts.enable()
    return (
        alt.Chart(
            alt.Data(values=rows),
            title=f"{changes.chapter}: verdicts flipped {changes.flipped}, numbers moved {moved}",
            description=f"Relative change of each measured number of {changes.chapter}",
        )
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("shift:Q", title="change from A to B, relative", axis=alt.Axis(format="+%")),
            y=alt.Y("claim:N", title="claim", sort=None),
            color=alt.Color("verdict:N", title="verdict").scale(
                domain=["kept", "flipped"], range=list(charts.CATEGORIES[:2])
            ),
            shape=alt.Shape("verdict:N", title="verdict"),
        )
    )


def _change(
    identifier: str,
    one: Mapping[str, Any] | None,
    other: Mapping[str, Any] | None,
    point: Mapping[str, Any],
) -> ClaimChange:
    here = one if one is not None else other
    assert here is not None  # one of the runs has it
    a, b = one or {}, other or {}
    kind: Kind = "same"
    if one is None or other is None:
        kind = "only in B" if one is None else "only in A"
    elif a.get("verdict") != b.get("verdict"):
        kind = "flipped"
    elif any(a.get(key) != b.get(key) for key in _CARD if key in a and key in b):
        kind = "rejudged"
    elif any(a.get(key) != b.get(key) for key in ("measured", "interval")):
        kind = "moved"
    return ClaimChange(
        id=identifier,
        role=str(here.get("role", "")),
        kind=kind,
        before=str(a.get("verdict") or ""),
        after=str(b.get("verdict") or ""),
        measured=(_measured(a), _measured(b)),
        shift=_shift(a.get("measured"), b.get("measured")),
        intervals=_meeting(a.get("interval"), b.get("interval")),
        point=point,
    )


def _measured(claim: Mapping[str, Any]) -> str:
    if claim.get("measured") is None:
        return ""
    told = figure(claim["measured"], str(claim.get("unit") or ""))
    pair = _pair(claim.get("interval"))
    return f"{told} [{printed(pair[0])}, {printed(pair[1])}]" if pair else told


def _shift(a: Any, b: Any) -> float | None:
    x, y = _number(a), _number(b)
    if x is None or y is None:
        return None
    if x == y:
        return 0.0
    return (y - x) / abs(x) if x else None


def _meeting(a: Any, b: Any) -> str:
    one, other = _pair(a), _pair(b)
    if one is None or other is None:
        return ""
    return "meet" if one[0] <= other[1] and other[0] <= one[1] else "apart"


def _pair(interval: Any) -> tuple[float, float] | None:
    if not isinstance(interval, list | tuple) or len(interval) != 2:
        return None
    low, high = _number(interval[0]), _number(interval[1])
    return None if low is None or high is None else (low, high)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _surroundings(one: Run, other: Run) -> tuple[tuple[str, str, str, str], ...]:
    rows = [("parameter", *row) for row in _differing(one.parameters, other.parameters)]
    for key in _RECORDED:
        a, b = one.record.get(key) or {}, other.record.get(key) or {}
        if not isinstance(a, Mapping) or not isinstance(b, Mapping):
            a, b = {key: a}, {key: b}
        rows += [(_WHERE[key], *row) for row in _differing(a, b)]
    rows += [("commit", *row) for row in _differing(*({"commit": r.record.get("commit")}
                                                     for r in (one, other)))]  # fmt: skip
    return tuple(rows)


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in [*a, *(name for name in b if name not in a)]:
        if a.get(name) != b.get(name):
            yield name, _told(a.get(name)), _told(b.get(name))


def _told(value: Any) -> str:
    if value is None:
        return "—"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
