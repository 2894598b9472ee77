"""The comparison of two runs catches what changed, and nothing that a processor may change."""

import copy
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from quire.workbook.chapters import Chapter
from quire.workbook.charts import VEGALITE_MIME
from quire.workbook.comparisons import compare, same_arithmetic
from quire.workbook.entries import CLAIM_MIME, Entry
from quire.workbook.errors import UserError
from quire.workbook.ledger import Ledger

HERE = {"arithmetic": {"processor": "one", "cores": 2}, "packages": {"python": "3", "numpy": "2"}}
ELSEWHERE = {
    "arithmetic": {"processor": "other", "cores": 2},
    "packages": {"python": "3", "numpy": "2"},
}


def entries(chapter: Chapter, monkeypatch: pytest.MonkeyPatch, size: float = 9.0) -> list[Entry]:
    shown: list[Entry] = []
    monkeypatch.setattr("quire.workbook.ledger.display", shown.append)
    ledger = Ledger(chapter)
    ledger.measure("99.1", True)
    ledger.measure("99.2", size)
    ledger.can_measure("99.3")
    return shown


def result(**data: Any) -> NotebookNode:
    named = {"text": "text/plain", "chart": VEGALITE_MIME, "png": "image/png", "html": "text/html"}
    return new_output("execute_result", data={named[k]: v for k, v in data.items()})


def run(shown: list[Entry], record: Any = HERE) -> NotebookNode:
    outputs = [new_output("display_data", data=e._repr_mimebundle_()) for e in shown]
    cells = [
        new_code_cell("size = 3\nclaims = begin('99', globals())", id="parameters"),
        new_code_cell("print(size)", id="stream"),
        new_code_cell("chart(size)", id="chart"),
        new_code_cell("claims.measure('99.1', True)", id="one"),
        new_code_cell("claims.measure('99.2', size)", id="two"),
        new_code_cell("far = 0\nif claims.can_measure('99.3'):\n    far = 1", id="three"),
        new_code_cell("far + 1", id="after"),
        new_code_cell("clock()", id="timing", metadata={"tags": ["volatile"]}),
        new_code_cell("claims.table()", id="table"),
    ]
    stream = [new_output("stream", name="stdout", text="size 3\nvalue 0.420\n")]
    chart = {"datasets": {"data-0": [{"x": 1, "y": 0.25}]}, "title": "0.250 at most"}
    cells[1].outputs = stream
    cells[2].outputs = [result(chart=chart, png="AAAA", text="<chart>")]
    for cell, output in zip(cells[3:6], outputs, strict=True):
        cell.outputs = [output]
    cells[6].outputs = [result(text="1")]
    cells[7].outputs = [result(text="0.31 s")]
    cells[8].outputs = [result(html='<table class="quire-ledger">', text="99.1 reproduced")]
    return new_notebook(cells=cells, metadata={"quire": copy.deepcopy(record)})


@pytest.fixture
def committed(tiny: Chapter, monkeypatch: pytest.MonkeyPatch) -> NotebookNode:
    return run(entries(tiny, monkeypatch))


def changed(notebook: NotebookNode, record: Any = HERE) -> NotebookNode:
    other = copy.deepcopy(notebook)
    other.metadata["quire"] = copy.deepcopy(record)
    return other


def told(chapter: Chapter, committed: NotebookNode, today: NotebookNode) -> str:
    return "; ".join(map(str, compare(chapter, committed, today).differences))


def test_a_run_is_like_itself_wherever_it_ran(tiny: Chapter, committed: NotebookNode) -> None:
    here = compare(tiny, committed, changed(committed))
    assert (here.exact, here.differences, here.skipped) == (True, (), ())
    elsewhere = compare(tiny, committed, changed(committed, ELSEWHERE))
    assert (elsewhere.exact, elsewhere.differences, elsewhere.skipped) == (False, (), ())


def test_last_digits_differ_only_on_another_machine(tiny: Chapter, committed: NotebookNode) -> None:
    for record, differs in ((HERE, True), (ELSEWHERE, False)):
        today = changed(committed, record)
        today.cells[1].outputs[0].text = "size 3\nvalue 0.421\n"
        today.cells[2].outputs[0].data[VEGALITE_MIME]["datasets"]["data-0"][0]["y"] = 0.2500000001
        today.cells[4].outputs[0].data[CLAIM_MIME]["measured"] = 9.0000001
        assert bool(told(tiny, committed, today)) is differs


@pytest.mark.parametrize("record", [HERE, ELSEWHERE])
@pytest.mark.parametrize(
    ("cell", "place", "value", "words"),
    [
        (1, "text", "size 4\nvalue 0.420\n", "cell stream"),
        (1, "text", "size 3\nvalue 0.430\n", "cell stream"),
        (1, "text", "size 3\n", "cell stream"),
        (2, ("datasets", "data-0", 0, "y"), 0.26, "cell chart"),
        (2, ("datasets", "data-0", 0, "x"), 2, "cell chart"),
        (2, ("title",), "0.250 at least", "cell chart"),
        (4, ("measured",), 9.1, "cell two"),
        (4, ("says",), "Squares are negative.", "cell two"),
        (4, ("verdict",), "not reproduced", "cell two"),
        (5, ("id",), "99.4", "cell three"),
        (6, ("text/plain",), "2", "cell after"),
    ],
)
def test_a_real_difference_is_caught_on_every_machine(
    tiny: Chapter,
    committed: NotebookNode,
    record: Any,
    cell: int,
    place: Any,
    value: Any,
    words: str,
) -> None:
    today = changed(committed, record)
    output = today.cells[cell].outputs[0]
    if place == "text":
        output.text = value
    else:
        data = output.data
        target = data if place == ("text/plain",) else data.get(VEGALITE_MIME, data.get(CLAIM_MIME))
        for step in place[:-1]:
            target = target[step]
        target[place[-1]] = value
    assert words in told(tiny, committed, today)


@pytest.mark.parametrize("record", [HERE, ELSEWHERE])
def test_outputs_and_cells_may_not_come_or_go(
    tiny: Chapter, committed: NotebookNode, record: Any
) -> None:
    today = changed(committed, record)
    today.cells[1].outputs = []
    assert "1 outputs became 0" in told(tiny, committed, today)
    today = changed(committed, record)
    today.cells[0].source = "size = 4"
    assert "other cells" in told(tiny, committed, today)


def test_streams_are_one_text_in_however_many_pieces(
    tiny: Chapter, committed: NotebookNode
) -> None:
    today = changed(committed)
    pieces = ("size 3\n", "value 0.420\n")
    today.cells[1].outputs = [new_output("stream", name="stdout", text=text) for text in pieces]
    assert told(tiny, committed, today) == ""


def test_timings_pictures_and_tables_of_the_ledger_are_left_out(
    tiny: Chapter, committed: NotebookNode
) -> None:
    today = changed(committed)
    today.cells[7].outputs[0].data["text/plain"] = "0.77 s"
    today.cells[2].outputs[0].data["image/png"] = "BBBB"
    today.cells[8].outputs[0].data["text/plain"] = "99.1 undecided"
    assert told(tiny, committed, today) == ""


def test_a_claim_may_not_leave_a_cell_of_timings(tiny: Chapter, committed: NotebookNode) -> None:
    committed.cells[7].outputs += committed.cells[4].outputs
    today = changed(committed)
    today.cells[7].outputs = today.cells[7].outputs[:1]
    assert "claims ['99.2'] were measured in one of the runs only" in told(tiny, committed, today)


def test_a_verdict_may_change_only_where_rounding_moved_the_number(
    tiny: Chapter, committed: NotebookNode
) -> None:
    today = changed(committed, ELSEWHERE)
    entry = today.cells[4].outputs[0].data[CLAIM_MIME]
    entry |= {"verdict": "not reproduced", "outcome": "missed", "reason": "8.9 is below 9"}
    assert "reproduced became not reproduced" in told(tiny, committed, today)
    entry["measured"] = 9.0 - 1e-9
    assert told(tiny, committed, today) == ""


def test_a_cell_declares_how_far_its_numbers_may_move(
    tiny: Chapter, committed: NotebookNode
) -> None:
    committed.cells[1].metadata["quire"] = {"rel": 0.1}
    today = changed(committed, ELSEWHERE)
    today.cells[1].outputs[0].text = "size 3\nvalue 0.440\n"
    assert told(tiny, committed, today) == ""
    today.cells[1].outputs[0].text = "size 3\nvalue 0.490\n"
    assert "0.420 became 0.490" in told(tiny, committed, today)
    committed.cells[1].metadata["quire"] = {"relative": 0.1}
    with pytest.raises(UserError, match="cell stream declares"):
        compare(tiny, committed, changed(committed, ELSEWHERE))


@pytest.mark.parametrize("record", [HERE, ELSEWHERE])
def test_what_depends_on_something_absent_is_left_out_and_no_more(
    tiny: Chapter, committed: NotebookNode, record: Any
) -> None:
    """Claim 99.3 was measured where its program is, and is not run here."""
    entry = committed.cells[5].outputs[0].data[CLAIM_MIME]
    entry |= {"verdict": "holds", "outcome": "held", "measured": 1, "reason": ""}
    today = changed(committed, record)
    lost = today.cells[5].outputs[0].data[CLAIM_MIME]
    lost |= {"verdict": "not run here", "measured": None, "reason": "needs the program"}
    today.cells[6].outputs[0].data["text/plain"] = "2"
    found = compare(tiny, committed, today)
    assert (found.differences, found.skipped) == ((), ("three", "after"))
    # the other way round: measured today, not where it was committed
    assert compare(tiny, today, committed).differences == ()
    today.cells[1].outputs[0].text = "size 4\n"
    assert "cell stream" in told(tiny, committed, today)


def test_a_claim_whose_needs_are_here_may_not_be_left_unmeasured(
    tiny: Chapter, committed: NotebookNode
) -> None:
    today = changed(committed, ELSEWHERE)
    entry = today.cells[4].outputs[0].data[CLAIM_MIME]
    entry |= {"verdict": "not run here", "measured": None, "reason": "needs more patience"}
    assert "cell two" in told(tiny, committed, today)


def test_the_same_bytes_are_asked_for_only_where_all_is_the_same() -> None:
    assert same_arithmetic(HERE, HERE)
    assert not same_arithmetic(HERE, ELSEWHERE)
    assert not same_arithmetic({}, {})
    versions = {"python": "3", "numpy": "2", "mypy": "1"}
    assert same_arithmetic(HERE, {**HERE, "packages": versions})
    assert not same_arithmetic(HERE, {**HERE, "packages": {**versions, "numpy": "3"}})
