"""The page on sweeps shows a study that was really run, and that would come out the same today."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

from quire.workbook import charts
from quire.workbook.chapters import find_chapter
from quire.workbook.execution import execute
from quire.workbook.ledger import read_ledger

ROOT = Path(__file__).parents[2]
PAGE = nbformat.read(ROOT / "book" / "sweep.ipynb", as_version=4)
CELLS = {cell.id: cell for cell in PAGE.cells}


def call() -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the page's own call of `study`."""
    assigned = ast.parse(CELLS["study"].source).body[-1]
    assert isinstance(assigned, ast.Assign)
    assert isinstance(assigned.value, ast.Call)
    positional = [ast.literal_eval(each) for each in assigned.value.args]
    named = {each.arg or "": ast.literal_eval(each.value) for each in assigned.value.keywords}
    return positional, named


def drawn() -> list[dict[str, Any]]:
    """The rows of the page's chart."""
    (spec,) = [o["data"][charts.VEGALITE_MIME] for o in CELLS["chart"].outputs]
    assert charts.problems(spec) == ()
    (rows,) = spec["datasets"].values()
    return list(rows)


def test_every_point_of_the_study_was_done() -> None:
    (_, grid), _ = call()
    points = {(row["nystrom_r"], row["spectrum"]) for row in drawn()}
    assert len(points) == len(grid["nystrom_r"]) * len(grid["spectrum"])
    assert all(row["ratio"] is not None for row in drawn())
    assert "failed" not in CELLS["table"].outputs[0]["data"]["text/plain"]


def test_the_page_says_what_its_numbers_say() -> None:
    ratios = {(r["claim"], r["nystrom_r"], r["spectrum"]): r["ratio"] for r in drawn()}
    assert all(1 / 3 < ratio < 1 for ratio in ratios.values())
    for (claim, rank, spectrum), ratio in ratios.items():
        if spectrum == '["exp8"]':
            assert ratio < ratios[claim, rank, '["poly1"]']
    lowest_rank = min(rank for _, rank, _ in ratios)
    for claim in ("15.9", "15.9-range"):
        mine = {point: ratio for point, ratio in ratios.items() if point[0] == claim}
        assert max(mine, key=lambda point: mine[point])[1:] == (lowest_rank, '["poly1"]')


@pytest.mark.chapter
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_point_comes_out_the_same_today() -> None:
    (name, grid), given = call()
    point = {parameter: values[0] for parameter, values in grid.items()}
    chapter = find_chapter(name, ROOT)
    executed = execute(chapter, {**given["given"], **point}, profile=given["profile"])
    measured = {entry.id: entry.measured for entry in read_ledger(chapter, executed)}
    shown = {
        row["claim"]: row["ratio"]
        for row in drawn()
        if row["nystrom_r"] == point["nystrom_r"] and row["spectrum"] == '["exp8"]'
    }
    assert len(shown) == 2
    for claim, ratio in shown.items():
        assert measured[claim] == pytest.approx(ratio, abs=2e-4)
