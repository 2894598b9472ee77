"""Performance: the speeds that we set ourselves, and what a session of benchmarks measured.

Targets come from the chapters' ledgers. Records come from ``data/golden/performance``, one file a
machine, written by ``benchmarks/record.py`` from one session of ``pytest benchmarks``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from quire.workbook.book.pages import scoreboard
from quire.workbook.book.pages.markup import Ledgers, count, grid, in_words, of_role, raw
from quire.workbook.errors import UserError
from quire.workbook.text import markup

FOLDER = Path("data") / "golden" / "performance"

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def inserts(root: Path, ledgers: Ledgers) -> dict[str, Callable[[], str]]:
    """Return what stands in the page's places, by the name of each place."""
    return {
        "performance, targets": partial(_targets, ledgers),
        "performance, records": partial(_records, root),
    }


def read_records(root: Path) -> dict[str, dict[str, Any]]:
    """Return the records of the workbook at ``root``, by the name of their machine.

    Raises
    ------
    UserError
        When one of them can not be read.
    """
    found = {}
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(f"{path.name} is no record", "restore it from git") from None
    return found


def in_unit(seconds: float) -> str:
    """Return a time with three digits in the unit that suits it."""
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    value = seconds / size
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"


def _targets(ledgers: Ledgers) -> str:
    entries = [entry for listed in ledgers.values() for entry in of_role(listed, "target")]
    if not entries:
        return "No chapter has set itself a speed."
    told = f"{len(entries)} targets: {in_words(count(entries), 'target')}."
    return f"{told}\n\n{raw(scoreboard.table(ledgers, 'target'))}"


def _records(root: Path) -> str:
    records = read_records(root)
    if not records:
        return "No session is kept: `nox -s bench -- --keep NAME` writes one."
    return "\n\n".join(_record(name, record) for name, record in records.items())


def _record(name: str, record: Mapping[str, Any]) -> str:
    machine = record["machine"]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in record["rows"]:
        groups.setdefault(row["group"], []).append(row)
    before, after = machine["load"]
    about = (
        f"{machine['processor']}, {machine['cores']} cores, computed on {machine['device']}; "
        f"load {before:.1f} at the beginning and {after:.1f} at the end; "
        f"commit `{record['commit'] or 'unknown'}`, {record['date']}; "
        + ", ".join(f"{package} {version}" for package, version in record["versions"].items())
    )
    busy = min(before, after) > machine["cores"]
    told = " Its cores had other work all the while, which widens the intervals."
    blocks = [f"### {name}", f"{about}.{told * busy}"]
    for group, rows in groups.items():
        if len(rows) < 2:
            continue
        reference = next(row for row in rows if row["reference"])
        kind = "the bound" if reference["bound"] else "the quickest"
        blocks += [
            f"**{group}.** As a ratio to {kind}, *{reference['name']}*:",
            raw(
                grid(
                    ("what", "median", "ratio", "95 % interval", "rounds"),
                    [_row(row) for row in sorted(rows, key=lambda row: row["seconds"])],
                )
            ),
        ]
    return "\n\n".join(blocks)


def _row(row: Mapping[str, Any]) -> Sequence[str]:
    ends = row["ratio_interval"]
    spread = f"{_ratio(ends[0])} to {_ratio(ends[1])}" if ends and not row["reference"] else ""
    return (
        markup(row["name"]), in_unit(row["seconds"]), _ratio(row["ratio"]), spread,
        str(row["rounds"]),
    )  # fmt: skip


def _ratio(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
