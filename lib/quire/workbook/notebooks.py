"""Notebook files: read with one clear line for a broken one, written as valid JSON, made equal.

`load` reads a file as plain data and needs no notebook library: a kernel and a listing want no
more. `read` gives the same as nbformat's nodes, brought to the present format.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from quire.workbook import deferred  # noqa: F401  before nbformat, which would wait for a second
from quire.workbook.errors import UserError, plain_text

if TYPE_CHECKING:
    from nbformat import NotebookNode

_STREAMS = ("stdout", "stderr")
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def load(path: Path) -> dict[str, Any]:
    """Return a notebook file as plain data, its cells' sources and streams as single strings.

    Raises
    ------
    UserError
        When the file can not be read, is no JSON (conflict markers, torn), or is no notebook of
        format 4.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        reason = getattr(fault, "strerror", None) or type(fault).__name__
        _refuse(path, reason)
    if not isinstance(data, dict) or data.get("nbformat") != 4:
        _refuse(path, "not of notebook format 4")
    data["metadata"] = data.get("metadata", {})
    cells = data.get("cells")
    if not isinstance(cells, list) or not isinstance(data["metadata"], dict):
        _refuse(path, "it has no list of cells")
    for index, cell in enumerate(cells):
        if not _is_cell(cell):
            _refuse(path, f"cell {index + 1} is none")
        cell["source"] = _joined(cell.get("source", ""))
    return data


def read(path: Path) -> NotebookNode:
    """Return a notebook file as nbformat's nodes, in format 4.5, every cell with an id.

    Raises
    ------
    UserError
        As `load` does.
    """
    import nbformat
    from nbformat.v4.rwbase import rejoin_lines

    notebook = rejoin_lines(nbformat.from_dict(load(path)))
    for index, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{index}")  # nbformat would draw one at random
    notebook.nbformat_minor = max(notebook.get("nbformat_minor", 5), 5)
    notebook.metadata.setdefault("kernelspec", nbformat.from_dict(_KERNEL))
    return notebook


def dumps(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file: valid JSON, whatever its outputs hold.

    Numbers that JSON does not have (infinity, not a number) become null, and what is no UTF-8 a
    replacement character.
    """
    from nbformat.v4 import nbjson

    return str(nbjson.writes(_valid(notebook))) + "\n"


def is_injected(cell: Mapping[str, Any]) -> bool:
    """Tell whether a run put this cell in, with its parameters: it is none of the chapter's own."""
    return "injected-parameters" in tags(cell)


def tags(cell: Mapping[str, Any]) -> list[str]:
    """Return the tags of a cell."""
    found = cell.get("metadata", {}).get("tags", [])
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


def merge_streams(cell: NotebookNode) -> None:
    """Join the pieces in which a cell's printed text happened to arrive, stdout before stderr.

    Pieces between two other outputs (a chart, a table) belong together; how many there were, and in
    which order the two streams took turns, is the doing of buffers and differs from run to run.
    """
    merged: list[Any] = []
    waiting: dict[str, Any] = {}
    for output in [*cell.outputs, None]:
        if output is not None and output.get("output_type") == "stream":
            first = waiting.setdefault(output["name"], output)
            if first is not output:
                first["text"] = _joined(first["text"]) + _joined(output["text"])
            continue
        merged += [waiting[name] for name in _STREAMS if name in waiting]
        waiting = {}
        if output is not None:
            merged.append(output)
    cell.outputs = merged


def _is_cell(cell: Any) -> bool:
    return (
        isinstance(cell, dict)
        and cell.get("cell_type") in ("code", "markdown", "raw")
        and isinstance(cell.setdefault("metadata", {}), dict)
        and _is_text(cell.get("source", ""))
        and (
            cell["cell_type"] != "code"
            or (
                isinstance(cell.setdefault("outputs", []), list)
                and all(isinstance(output, dict) for output in cell["outputs"])
            )
        )
    )


def _is_text(source: Any) -> bool:
    return isinstance(source, str) or (
        isinstance(source, list) and all(isinstance(line, str) for line in source)
    )


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _valid(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_valid(item) for item in value]
    if isinstance(value, dict):
        return type(value)({key: _valid(item) for key, item in value.items()})
    return value


def _refuse(path: Path, reason: str) -> NoReturn:
    raise UserError(
        f"{path.name} is not a notebook ({plain_text(reason)})", "restore it from git"
    ) from None
