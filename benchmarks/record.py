"""A session of benchmarks as golden rows: what the performance page shows of one machine.

``python benchmarks/record.py SESSION.json NAME`` reads what ``pytest benchmarks
--benchmark-json SESSION.json`` wrote, and writes ``data/golden/performance/NAME.json``: the
machine, its load, versions and commit, and a row per benchmark with its median seconds and its
ratio to the group's reference. That is the benchmark marked as a bound (``extra_info["bound"]``)
where there is one, and the quickest otherwise. A ratio's interval is the middle 95 % of the ratios
of medians of rounds that are drawn again with replacement; benchmarks with fewer than five rounds
have none. ``extra_info["items"]`` says how many things a round makes, if more than one.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from quire.workbook import machine, provenance
from quire.workbook.book.pages.performance import FOLDER
from quire.workbook.files import make_folder, write_atomically
from quire.workbook.home import home

FEWEST = 5
DRAWS = 1000
SHOWN = ("quire-workbook", "jax", "jaxlib", "numpy", "scipy", "numba")


def rows(session: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per benchmark of a session, group by group; one of no group stands alone."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for each in session["benchmarks"]:
        groups.setdefault(each["group"] or _name(each["name"]), []).append(each)
    return [row for group, made in groups.items() for row in _group(group, made)]


def _group(group: str, made: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    times = [np.array(each["stats"]["data"]) / each["extra_info"].get("items", 1) for each in made]
    bounds = [bool(each["extra_info"].get("bound")) for each in made]
    medians = [float(np.median(seconds)) for seconds in times]
    least = min(range(len(made)), key=lambda i: (any(bounds) and not bounds[i], medians[i]))
    return [
        {
            "group": group,
            "name": _name(each["name"]),
            "seconds": medians[i],
            "rounds": len(times[i]),
            "ratio": medians[i] / medians[least],
            "ratio_interval": None if i == least else _interval(times[i], times[least]),
            "reference": i == least,
            "bound": bounds[i],
            "about": {k: v for k, v in each["extra_info"].items() if k not in ("items", "bound")},
        }
        for i, each in enumerate(made)
    ]


def _interval(over: np.ndarray, under: np.ndarray) -> list[float] | None:
    if min(len(over), len(under)) < FEWEST:
        return None
    draws = np.random.default_rng(0)
    upper, lower = (
        np.median(draws.choice(times, (DRAWS, len(times))), axis=1) for times in (over, under)
    )
    return [float(end) for end in np.percentile(upper / lower, [2.5, 97.5])]


def _name(name: str) -> str:
    """Return ``test_numbers[gaussian-float32]`` as words: ``numbers: gaussian, float32``."""
    words, _, given = name.removeprefix("test_").partition("[")
    chosen = given.rstrip("]").replace("-", ", ")
    return words.replace("_", " ") + (f": {chosen}" if chosen else "")


def record(
    session: Mapping[str, Any], load: Sequence[float], device: str, commit: str | None, day: str
) -> dict[str, Any]:
    """Return the golden record of a session."""
    here = machine.arithmetic()
    versions = provenance.packages()
    return {
        "machine": {
            "processor": here["processor"],
            "cores": here["cores"],
            "device": device,
            "load": [float(each) for each in load],
        },
        "versions": {
            "Python": versions["python"],
            **{name: versions[name] for name in SHOWN if name in versions},
        },
        "commit": commit,
        "date": day,
        "rows": rows(session),
    }


def write(made: Mapping[str, Any], name: str, root: Path) -> Path:
    """Write a record into the workbook at ``root`` and return its file."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise SystemExit(f"name = {name!r}: small letters, digits and dashes")
    make_folder(root / FOLDER)
    path = root / FOLDER / f"{name}.json"
    write_atomically(path, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    return path


def main(arguments: Sequence[str]) -> None:
    """Turn the session named on the command line into a record."""
    import jax

    session = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    device = str(jax.devices()[0].device_kind)
    root = home()
    made = record(
        session,
        session["quire_load"],
        device,
        provenance.git_commit(root),
        date.today().isoformat(),
    )
    print(write(made, arguments[1], root))


if __name__ == "__main__":
    main(sys.argv[1:])
