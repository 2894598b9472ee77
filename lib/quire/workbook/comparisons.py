"""Two runs of one chapter compared: the outputs that were committed, and those of today.

Where processor, cores, settings and versions are those that made the committed outputs, the
outputs must be the same bytes. Elsewhere words must agree and numbers lie within the tolerance
that the cell declares in its metadata (``{"quire": {"rel": 0.02}}``), or a small default.

Left out are timings (cells tagged ``volatile``), pictures beside the chart they were drawn from,
tables of a ledger (each of their entries is compared where it was measured), and whatever depends
on something that one of the two runs did not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from quire.workbook.cards import Tolerance
from quire.workbook.chapters import Chapter
from quire.workbook.charts import VEGALITE_MIME
from quire.workbook.dependence import dependent_cells
from quire.workbook.entries import CLAIM_MIME, LEDGER_MIME
from quire.workbook.errors import UserError
from quire.workbook.ledger import stored_claims, stored_gaps
from quire.workbook.needs import missing
from quire.workbook.tolerances import DEFAULT, data_differences, text_difference

_JSON = (VEGALITE_MIME, "application/json")
_MEASURED = ("measured", "interval")
# What follows from a measurement that lies near the line, where another processor may cross it.
_VERDICT = ("outcome", "verdict", "reason")


@dataclass(frozen=True)
class Difference:
    """One output that is not what it was."""

    cell: str
    what: str

    def __str__(self) -> str:
        return f"cell {self.cell}: {self.what}"


@dataclass(frozen=True)
class Comparison:
    """How a run of today stands to the committed one.

    Attributes
    ----------
    exact
        Whether the two ran on the same arithmetic and versions, and had to give the same bytes.
    differences
        What differs.
    skipped
        The cells that were left out because one of the runs lacked what they depend on.
    """

    exact: bool
    differences: tuple[Difference, ...]
    skipped: tuple[str, ...]


def compare(chapter: Chapter, committed: NotebookNode, today: NotebookNode) -> Comparison:
    """Compare two executed notebooks of ``chapter``, cell by cell.

    Parameters
    ----------
    chapter
        The chapter, whose card tells what a claim needs.
    committed, today
        Its notebook as it was committed, and as it ran now with the same parameters.

    Raises
    ------
    UserError
        When a cell declares a tolerance that is none.
    """
    exact = same_arithmetic(*(run.metadata.get("quire", {}) for run in (committed, today)))
    before, after = _cells(committed), _cells(today)
    if [(cell.id, cell.source) for cell in before] != [(cell.id, cell.source) for cell in after]:
        return Comparison(exact, (Difference("-", "the two have other cells"),), ())
    one_sided = _one_sided(chapter, committed, today)
    skipped = dependent_cells(before, _storing(one_sided, before, after), one_sided)
    differences: list[Difference] = []
    for old, new in zip(before, after, strict=True):
        if old.cell_type != "code" or old.id in skipped:
            continue
        differences += [Difference(old.id, what) for what in _cell_differences(old, new, exact)]
    return Comparison(exact, tuple(differences), tuple(c.id for c in before if c.id in skipped))


def same_arithmetic(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two runs had the same processor, cores, settings and versions.

    Parameters
    ----------
    one, other
        The records of the runs, ``notebook.metadata["quire"]``. A package that only one of them
        has is no difference: what needs it is *not run here* in the other.
    """
    versions = [dict(record.get("packages") or {}) for record in (one, other)]
    common = versions[0].keys() & versions[1].keys()
    return (
        one.get("arithmetic") is not None
        and one["arithmetic"] == other.get("arithmetic")
        and "python" in common
        and all(versions[0][name] == versions[1][name] for name in common)
    )


def tolerance_of(cell: Mapping[str, Any]) -> tuple[Tolerance, bool]:
    """Return the tolerance of a cell's numbers, and whether the cell declared it.

    Raises
    ------
    UserError
        When the declaration is not one of ``rel`` and ``abs``.
    """
    declared = cell["metadata"].get("quire", {})
    if not declared:
        return DEFAULT, False
    try:
        given = Tolerance.model_validate(dict(declared))
    except ValueError:
        raise UserError(
            f"cell {cell['id']} declares quire = {dict(declared)}",
            'write {"rel": 0.02}, {"abs": 0.1}, or both',
        ) from None
    return Tolerance(abs=max(given.abs, DEFAULT.abs), rel=max(given.rel, DEFAULT.rel)), True


def is_volatile(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell's outputs are timings and the like, other in every run."""
    return "volatile" in cell["metadata"].get("tags", [])


def _cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def _one_sided(chapter: Chapter, committed: NotebookNode, today: NotebookNode) -> set[str]:
    """Return the claims that one run measured and the other, lacking something, did not."""
    ran_then, ran_now = _measured(committed), _measured(today)
    lost = {
        claim.id
        for claim in chapter.card.claims
        if claim.id in ran_then - ran_now and missing(claim) is not None
    }
    together = {
        stored["id"]
        for stored in stored_claims(today)
        if stored["id"] in ran_then - ran_now
        and str(stored["reason"]).startswith(tuple(f"measured together with {i}," for i in lost))
    }
    return lost | (together if lost else set()) | (ran_now - ran_then)


def _measured(notebook: NotebookNode) -> set[str]:
    stored = stored_claims(notebook)
    return {claim["id"] for claim in stored if claim["verdict"] != "not run here"} - set(
        stored_gaps(notebook)
    )


def _storing(identifiers: set[str], *runs: list[NotebookNode]) -> set[str]:
    """Return the cells that store one of these claims in one of the runs."""
    return {
        cell.id
        for cells in runs
        for cell in cells
        for output in cell.get("outputs", [])
        if output.get("data", {}).get(CLAIM_MIME, {}).get("id") in identifiers
    }


def _cell_differences(old: NotebookNode, new: NotebookNode, exact: bool) -> Iterator[str]:
    if is_volatile(old):
        told = [_claim_ids(cell) for cell in (old, new)]
        if told[0] != told[1]:
            yield f"claims {sorted(told[0] ^ told[1])} were measured in one of the runs only"
        return
    before, after = _outputs(old), _outputs(new)
    if len(before) != len(after):
        yield f"{len(before)} outputs became {len(after)}"
        return
    tolerance, declared = tolerance_of(old)
    for index, (one, other) in enumerate(zip(before, after, strict=True), 1):
        if exact:
            if one != other:
                first = next(data_differences(one, other, Tolerance(), True), "other bytes")
                yield f"output {index}{first}"
            continue
        if one.keys() != other.keys():
            yield f"output {index}: {sorted(one)} became {sorted(other)}"
            continue
        for what in _output_differences(one, other, tolerance, declared):
            yield f"output {index}, {what}"


def _output_differences(
    one: dict[str, Any], other: dict[str, Any], tolerance: Tolerance, declared: bool
) -> Iterator[str]:
    if CLAIM_MIME in one:  # its text and its HTML are made from it
        yield from _claim_differences(one[CLAIM_MIME], other[CLAIM_MIME], tolerance, declared)
        return
    for mime, old in one.items():
        new = other[mime]
        if mime in _JSON:
            for what in data_differences(old, new, tolerance, declared):
                yield f"{mime}{what}"
        elif isinstance(old, str) and isinstance(new, str) and not mime.startswith("image/png"):
            fault = text_difference(old, new, tolerance, declared)
            if fault:
                yield f"{mime}: {fault}"


def _claim_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], tolerance: Tolerance, declared: bool
) -> Iterator[str]:
    """Yield how a claim's entry differs; its verdict may, when only rounding moved the number."""
    fixed = [k for k in {**old, **new} if k not in (*_MEASURED, *_VERDICT)]
    differences = [f": {k} is another" for k in fixed if old.get(k) != new.get(k)]
    for key in _MEASURED:
        place = f".{key}"
        differences += data_differences(old.get(key), new.get(key), tolerance, declared, place)
    yield from (f"claim {old['id']}{what}" for what in differences)
    moved = any(old.get(key) != new.get(key) for key in _MEASURED)
    if not moved and old["verdict"] != new["verdict"]:
        yield f"claim {old['id']}: {old['verdict']} became {new['verdict']}"


def _claim_ids(cell: NotebookNode) -> set[str]:
    stored = (output.get("data", {}).get(CLAIM_MIME) for output in cell.outputs)
    return {claim["id"] for claim in stored if claim}


def _outputs(cell: NotebookNode) -> list[dict[str, Any]]:
    """Return a cell's outputs as plain data by type, streams merged, without what is left out."""
    found: list[dict[str, Any]] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            name = f"stream {output.name}"
            if found and list(found[-1]) == [name]:
                found[-1][name] += output.text
            else:
                found.append({name: output.text})
        elif output.output_type == "error":
            found.append({"error": f"{output.ename}: {output.evalue}"})
        else:
            data = dict(output.data)
            if LEDGER_MIME in data or 'class="quire-ledger"' in data.get("text/html", ""):
                continue
            if VEGALITE_MIME in data:
                data.pop("image/png", None)
            found.append(data)
    return found
