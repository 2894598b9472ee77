"""Changes: what became of the claims between two runs, or two studies, of one chapter.

`compare_files` takes two executed notebooks or two studies' tables and tells which verdicts
flipped, which measurements moved (and whether their intervals still meet), and in which parameters,
versions and data the two differ. It reads what the runs stored and needs no card: two runs are
compared as they were judged then.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from quire.workbook import notebooks
from quire.workbook.entries import CLAIM_MIME, figure
from quire.workbook.errors import UserError

Kind = Literal["flipped", "moved", "rejudged", "only in A", "only in B", "same"]
"""What became of a claim: another verdict; another measurement; the same measurement under another
expectation; measured by one run alone; or nothing."""

_CARD = ("says", "kind", "expect", "tolerance", "fails_if")
_RECORDED = ("packages", "arithmetic", "datasets")
_WHERE = {"packages": "version", "arithmetic": "machine", "datasets": "dataset"}


@dataclass(frozen=True)
class Run:
    """One run as it was stored.

    Attributes
    ----------
    chapter
        The chapter's slug.
    parameters
        The values that were given, by name.
    record
        Versions, machine, data and commit, as the run wrote them down.
    claims
        Its claims by id, as the notebook stored them.
    """

    chapter: str
    parameters: Mapping[str, Any]
    record: Mapping[str, Any]
    claims: Mapping[str, Mapping[str, Any]]


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
    """Compare two executed notebooks, or two studies' tables, of one chapter.

    Parameters
    ----------
    one, other
        Two ``.ipynb`` files that were run, or two ``.parquet`` tables that studies wrote.

    Raises
    ------
    UserError
        When a file can not be read, was not made by a run, or the two are of other kinds or of
        other chapters.
    """
    if one.suffix != other.suffix or one.suffix not in _READERS:
        raise UserError(
            f"{one.name} and {other.name} can not be compared",
            "give two executed notebooks (.ipynb) or two studies' tables (.parquet)",
        )
    for path in (one, other):
        if not path.is_file():
            raise UserError(f"{path}: no such file", "name a notebook or a table that is there")
    before, after = _READERS[one.suffix](one), _READERS[one.suffix](other)
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
    return f"{told} [{pair[0]:.4g}, {pair[1]:.4g}]" if pair else told


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


Points = dict[tuple[tuple[str, Any], ...], Run]
"""The runs of a file by their parameters; a notebook has one, under an empty key."""


def _read_notebook(path: Path) -> Points:
    data = notebooks.load(path)
    record = data["metadata"].get("quire")
    if not isinstance(record, dict) or not isinstance(record.get("chapter"), str):
        raise UserError(f"{path.name} was not made by 'quire run'", "run the chapter first")
    found: dict[str, Mapping[str, Any]] = {}
    for cell in data["cells"]:
        for output in cell.get("outputs", []):
            claim = (output.get("data") or {}).get(CLAIM_MIME)
            if isinstance(claim, dict) and isinstance(claim.get("id"), str):
                found[claim["id"]] = claim
    parameters = record.get("parameters")
    return {(): Run(record["chapter"], parameters or {}, record, found)}


def read_study(path: Path) -> Points:
    """Return the runs of a study's table by their parameters, in its order.

    Raises
    ------
    UserError
        When the file is no table of a study.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[b"quire"])
        slug = str(about["chapter"])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path.name} is no table of a study", "make one with 'quire study'") from (
            None
        )
    rows: Sequence[dict[str, Any]] = table.to_pylist()
    claims = [n.removeprefix("verdict:") for n in table.column_names if n.startswith("verdict:")]
    names = table.column_names[: table.column_names.index(claims[0] if claims else "seconds")]
    points: Points = {}
    for row in rows:
        parameters = {name: row[name] for name in names}
        points[tuple(parameters.items())] = Run(slug, parameters, about, _claims_of(row, claims))
    return points


def _claims_of(row: Mapping[str, Any], claims: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    measured = json.loads(row["measured"] or "{}")
    intervals = json.loads(row.get("intervals") or "{}")
    return {
        i: {
            "verdict": row[f"verdict:{i}"],
            "measured": measured.get(i),
            "interval": intervals.get(i),
        }
        for i in claims
        if row[f"verdict:{i}"] is not None
    }


_READERS = {".ipynb": _read_notebook, ".parquet": read_study}
