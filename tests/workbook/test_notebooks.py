"""A broken notebook is one line; a written one is valid JSON and the same each time."""

import json
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_notebook, new_output

from quire.workbook.errors import UserError
from quire.workbook.notebooks import dumps, load, merge_streams, read

CELL = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": []}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n",
        '{"nbformat": 3, "worksheets": []}',
        '{"nbformat": 4}',
        '{"nbformat": 4, "cells": 3}',
        '{"nbformat": 4, "cells": [3]}',
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}',
        '{"nbformat": 4, "cells": [{"cell_type": "magic", "source": ""}]}',
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": [1]}]}',
        "[" * 100_000,
        "\xff\xfe",
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match=r"broken.ipynb is not a notebook .*: restore it from git"):
        load(path)
    with pytest.raises(UserError):
        read(tmp_path / "missing.ipynb")


def test_a_notebook_without_kernel_language_ids_or_metadata_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bare.ipynb"
    path.write_text(
        json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a\n"]}]})
    )
    first, second = read(path), read(path)
    assert dumps(first) == dumps(second)
    assert first.cells[0].source == "a\n"
    assert first.cells[0].id == "cell-0"
    assert first.metadata.kernelspec.name == "python3"


def notebook(*outputs: dict[str, Any]) -> NotebookNode:
    return new_notebook(cells=[new_code_cell("1", id="c", outputs=list(outputs))])


def test_numbers_and_letters_that_json_lacks_do_not_spoil_the_file() -> None:
    data = {"application/json": {"a": [float("inf"), float("nan"), 1.5]}, "text/plain": "\udc80"}
    text = dumps(notebook(from_dict({"output_type": "display_data", "data": data, "metadata": {}})))
    plain = json.loads(text, parse_constant=pytest.fail)
    assert plain["cells"][0]["outputs"][0]["data"]["application/json"] == {"a": [None, None, 1.5]}
    text.encode()


def streams(*pieces: tuple[str, str]) -> list[NotebookNode]:
    return [
        new_output("display_data", {"text/plain": text})
        if name == "chart"
        else new_output("stream", name=name, text=text)
        for name, text in pieces
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        [("stdout", "ab"), ("stderr", "x"), ("chart", "c"), ("stdout", "d")],
        [("stdout", "a"), ("stdout", "b"), ("stderr", "x"), ("chart", "c"), ("stdout", "d")],
        [("stderr", "x"), ("stdout", "a"), ("stdout", "b"), ("chart", "c"), ("stdout", "d")],
    ],
)
def test_printed_text_does_not_depend_on_how_it_arrived(pieces: list[tuple[str, str]]) -> None:
    cell = new_code_cell("1", outputs=streams(*pieces))
    merge_streams(cell)
    assert [(o.get("name", "chart"), o.get("text", "c")) for o in cell.outputs] == [
        ("stdout", "ab"),
        ("stderr", "x"),
        ("chart", "c"),
        ("stdout", "d"),
    ]
