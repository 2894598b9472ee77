"""Two runs of a chapter, and two studies: which verdicts flipped, what moved, what else differs."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from quire.workbook.bundles import archive
from quire.workbook.changes import Changes, chart, compare_files
from quire.workbook.chapters import Chapter
from quire.workbook.charts import save
from quire.workbook.cli import main
from quire.workbook.entries import CLAIM_MIME
from quire.workbook.errors import UserError
from quire.workbook.points import Point
from quire.workbook.tables import parquet, tabulate


def claim(i: str, verdict: str, measured: Any, interval: Any = None, **card: Any) -> dict[str, Any]:
    return {
        "id": i, "role": "claim", "verdict": verdict, "measured": measured, "interval": interval,
        "expect": 1, **card,
    }  # fmt: skip


def notebook(path: Path, *claims: dict[str, Any], **record: Any) -> Path:
    cell = new_code_cell("", outputs=[new_output("display_data", {CLAIM_MIME: c}) for c in claims])
    made = new_notebook(cells=[cell])
    made.metadata["quire"] = {"chapter": "99_tiny", **record}
    nbformat.write(made, path)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    one = notebook(
        tmp_path / "a.ipynb",
        claim("99.1", "reproduced", 1.0),
        claim("99.2", "reproduced", 2.0, [1.5, 2.5]),
        claim("99.3", "reproduced", 4.0, [3.9, 4.1]),
        claim("99.4", "holds", True),
        claim("99.5", "holds", 7),
        parameters={"size": 3},
        packages={"jax": "1", "numpy": "2"},
    )
    other = notebook(
        tmp_path / "b.ipynb",
        claim("99.1", "not reproduced", 1.2),
        claim("99.2", "reproduced", 2.2, [1.8, 2.6]),
        claim("99.3", "reproduced", 5.0, [4.9, 5.1]),
        claim("99.4", "holds", True),
        claim("99.6", "holds", 7),
        parameters={"size": 4},
        packages={"jax": "1", "numpy": "3"},
    )
    return one, other


def kinds(changes: Changes) -> dict[str, str]:
    return {change.id: change.kind for change in changes.claims}


def test_what_became_of_each_claim(pair: tuple[Path, Path]) -> None:
    changes = compare_files(*pair)
    assert kinds(changes) == {
        "99.1": "flipped",
        "99.2": "moved",
        "99.3": "moved",
        "99.4": "same",
        "99.5": "only in A",
        "99.6": "only in B",
    }
    by_id = {change.id: change for change in changes.claims}
    assert by_id["99.1"].shift == pytest.approx(0.2)
    assert (by_id["99.2"].intervals, by_id["99.3"].intervals) == ("meet", "apart")
    assert by_id["99.4"].shift is None  # a flag is no number
    assert changes.surroundings == (
        ("parameter", "size", "3", "4"),
        ("version", "numpy", "2", "3"),
    )
    assert changes.changed[0].id == "99.1"


def test_a_run_is_the_same_as_itself(pair: tuple[Path, Path]) -> None:
    changes = compare_files(pair[0], pair[0])
    assert set(kinds(changes).values()) == {"same"}
    assert (changes.flipped, changes.surroundings, changes.changed) == (0, (), ())


def test_the_same_number_under_another_card_is_told(tmp_path: Path) -> None:
    one = notebook(tmp_path / "a.ipynb", claim("99.1", "reproduced", 1.0, expect=1))
    other = notebook(tmp_path / "b.ipynb", claim("99.1", "reproduced", 1.0, expect=1.1))
    assert kinds(compare_files(one, other)) == {"99.1": "rejudged"}


def study(chapter: Chapter, path: Path, sizes: dict[int, float]) -> Path:
    points = [
        Point(
            f"k{size}",
            {"size": size, "word": "plain"},
            "done",
            1.0,
            (claim("99.2", "reproduced", value, [value - 1, value + 1], outcome="held"),),
        )
        for size, value in sizes.items()
    ]
    path.write_bytes(parquet(tabulate(chapter, points), {"chapter": chapter.slug}))
    return path


def test_studies_are_compared_point_by_point(tiny: Chapter, tmp_path: Path) -> None:
    one = study(tiny, tmp_path / "a.parquet", {1: 1.0, 2: 4.0, 3: 9.0})
    other = study(tiny, tmp_path / "b.parquet", {2: 4.0, 3: -2.0, 4: 16.0})
    changes = compare_files(one, other)
    told = [(c.point["size"], c.kind) for c in changes.claims if c.id == "99.2"]
    assert told == [(2, "same"), (3, "flipped")]  # the card of today: a square is not negative
    assert changes.unmatched == 2
    assert {c.intervals for c in changes.claims if c.id == "99.2"} == {"meet", "apart"}
    with pytest.raises(UserError, match="no point in common"):
        compare_files(one, study(tiny, tmp_path / "c.parquet", {7: 49.0}))


def test_a_bundle_stands_for_what_is_in_it(
    pair: tuple[Path, Path], tiny: Chapter, tmp_path: Path
) -> None:
    one, other = tmp_path / "a.zip", tmp_path / "b.zip"
    one.write_bytes(archive.pack({"notebooks/99_tiny.ipynb": pair[0].read_bytes()}))
    changes = compare_files(one, pair[1])
    assert (changes.flipped, kinds(changes)) == (1, kinds(compare_files(*pair)))
    table = study(tiny, tmp_path / "a.parquet", {1: 1.0, 2: 4.0})
    within = {"notebooks/99_tiny.ipynb": pair[0].read_bytes(), "study.parquet": table.read_bytes()}
    other.write_bytes(archive.pack(within))
    assert [c.kind for c in compare_files(table, other).claims] == ["same", "same"]
    with pytest.raises(UserError, match="one is a study"):
        compare_files(one, other)


@pytest.mark.parametrize("case", ["chapter", "kinds", "other", "missing", "plain", "torn", "zip"])
def test_what_can_not_be_compared_is_one_line(
    case: str, tiny: Chapter, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    one, other = pair
    told = "compare two runs of one chapter"
    match case:
        case "chapter":
            other = notebook(tmp_path / "c.ipynb", chapter="98_other")
        case "kinds":
            other, told = study(tiny, tmp_path / "b.parquet", {1: 1.0}), "one is a study"
        case "other":
            other, told = tmp_path / "a.txt", "no file of a run"
            other.write_text("a")
        case "missing":
            other, told = tmp_path / "none.ipynb", "no such file"
        case "plain":
            other, told = tmp_path / "plain.ipynb", "not made by 'quire run'"
            nbformat.write(new_notebook(), other)
        case "torn":
            one, other, told = tmp_path / "a.parquet", tmp_path / "b.parquet", "no table of a study"
            one.write_bytes(b"PAR1")
            other.write_bytes(b"PAR1")
        case "zip":
            other, told = tmp_path / "b.zip", "no bundle of a run"
            other.write_bytes(archive.pack({"a.txt": b"a"}))
    with pytest.raises(UserError, match=told):
        compare_files(one, other)


@pytest.mark.parametrize("suffix", ["svg", "png", "html"])
def test_the_chart_is_written_and_asks_for_no_network(
    suffix: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    target = tmp_path / f"moved.{suffix}"
    save(chart(compare_files(*pair)), target)
    data = target.read_bytes()
    start = {"svg": b"<svg", "png": b"\x89PNG", "html": b"<!DOCTYPE html>"}[suffix]
    assert data.lstrip().startswith(start)
    assert b'src="http' not in data


def test_a_chart_of_no_numbers_and_of_no_form(pair: tuple[Path, Path], tmp_path: Path) -> None:
    words = notebook(tmp_path / "w.ipynb", claim("99.1", "holds", "yes"))
    with pytest.raises(UserError, match="no number to draw"):
        chart(compare_files(words, words))
    with pytest.raises(UserError, match=r"\.svg, \.png or \.html"):
        save(chart(compare_files(*pair)), tmp_path / "moved.gif")


def test_the_command_tells_by_its_status(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def quire(*words: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main(["compare", *map(str, words)])
        return int(end.value.code or 0), capsys.readouterr().out

    status, out = quire(*pair, "--json")
    told = json.loads(out)
    assert (status, told["counts"]["flipped"], told["changed"][0]["id"]) == (1, 1, "99.1")
    status, out = quire(*pair)
    assert status == 1 and "verdicts flipped: 1" in out and "numpy" in out
    assert quire(pair[0], pair[0])[0] == 0
