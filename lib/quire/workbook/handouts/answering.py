"""Answering: the program that runs a returned notebook's cells and hands its answers over.

`grading` starts it in a process of its own, ``python -m quire.workbook.handouts.answering``, with
a copy of the library that lacks every topic's ``exercises``. It reads one line of JSON from its
standard input (folder, cells, names, limits), confines itself, runs the cells, and writes one line
to the channel it was given: the answers by name, or its fault. After that it answers calls of the
functions among them, a line each.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from quire.workbook.handouts import sandbox, values


def main() -> None:
    """Run the one notebook that standard input names."""
    order = json.loads(sys.stdin.readline())
    out = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    calls = os.fdopen(int(sys.argv[2]), encoding="utf-8")
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115  for the cells
    folder = Path(order["folder"])
    os.chdir(folder)
    sandbox.enter(
        folder, [Path(path) for path in order["readable"]], sandbox.Limits(**order["limits"])
    )
    functions: list[Callable[..., Any]] = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    faults = _run(order["cells"], namespace)
    answers = {}
    for name in order["names"]:
        try:
            answers[name] = values.encode(namespace.get(name), functions)
        except (values.Unreadable, RecursionError, MemoryError) as fault:
            answers[name] = {"strange": str(fault)[:200]}
    _say(out, {"answers": answers, "faults": faults})
    for line in calls:
        _say(out, _called(json.loads(line), functions))


def _run(cells: list[str], namespace: dict[str, Any]) -> list[str]:
    """Run cells in one namespace, as a kernel would; a fault ends its cell and no other."""
    from IPython.core.inputtransformer2 import TransformerManager

    faults = []
    transform = TransformerManager().transform_cell
    for number, source in enumerate(cells, 1):
        try:
            code = compile(transform(source), f"<cell {number}>", "exec")
            with contextlib.redirect_stdout(open(os.devnull, "w", encoding="utf-8")):  # noqa: PTH123
                exec(code, namespace)
        except (Exception, SystemExit, KeyboardInterrupt) as fault:
            faults.append(f"{type(fault).__name__}: {fault}"[:300])
    return faults


def _called(order: dict[str, Any], functions: list[Callable[..., Any]]) -> dict[str, Any]:
    try:
        given = values.decode(order["given"], lambda *_: None, trusted=True)
        result = functions[order["function"]](*given)
        return {"value": values.encode(result, functions)}
    except BaseException as fault:
        return {"fault": f"{type(fault).__name__}: {fault}"[:300]}


def _say(out: IO[str], data: dict[str, Any]) -> None:
    out.write(json.dumps(data) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
