"""Replaying: run the points of a bundle in its own folder, with its own library.

`verification` starts this as a program, ``python -m quire.workbook.bundles.replaying RECORD OUT``,
with ``QUIRE_HOME`` and ``PYTHONPATH`` inside the unpacked bundle.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from quire.workbook.chapters import find_chapter
from quire.workbook.errors import UserError
from quire.workbook.execution import execute
from quire.workbook.notebooks import dumps
from quire.workbook.parameters import declared


def replay(record: Path, out: Path, timeout: float | None = None) -> None:
    """Run every point that ``record`` names and write ``0.ipynb``, ``1.ipynb``... into ``out``.

    A point that fails leaves ``N.txt`` with the reason in one line instead.
    """
    told: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    chapter = find_chapter(told["chapter"])
    defaults = {name: parameter.default for name, parameter in declared(chapter).items()}
    for index, point in enumerate(told["points"]):
        chosen = {n: v for n, v in point.items() if repr(v) != repr(defaults.get(n, ...))}
        try:
            executed = execute(chapter, chosen, timeout=timeout)
        except UserError as fault:
            (out / f"{index}.txt").write_text(f"{fault}\n", encoding="utf-8")
        else:
            (out / f"{index}.ipynb").write_text(dumps(executed), encoding="utf-8")


if __name__ == "__main__":
    replay(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else None)
