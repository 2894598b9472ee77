import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from quire.workbook.chapters import Chapter
from quire.workbook.entries import CLAIM_MIME, Entry, figure
from quire.workbook.errors import UserError
from quire.workbook.ledger import Ledger, faults, read_ledger


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Entry]]:
    entries: list[Entry] = []
    monkeypatch.setattr("quire.workbook.ledger.display", entries.append)
    return entries


def notebook_of(entries: list[Entry]) -> Any:
    outputs = [new_output("display_data", data=entry._repr_mimebundle_()) for entry in entries]
    return new_notebook(cells=[new_code_cell("", outputs=[output]) for output in outputs])


def test_a_measurement_is_an_output_that_can_be_read_back(
    tiny: Chapter, shown: list[Entry]
) -> None:
    ledger = Ledger(tiny)
    ledger.measure("99.1", np.bool_(True))
    ledger.measure("99.2", np.float64(-4.0))
    assert ledger.can_measure("99.3") is False
    assert [entry.verdict for entry in shown] == ["reproduced", "not reproduced", "not run here"]
    notebook = notebook_of(shown)
    assert faults(tiny, notebook) == ()
    assert read_ledger(tiny, notebook) == tuple(shown)


def test_verdicts_are_computed_anew_and_not_believed(tiny: Chapter, shown: list[Entry]) -> None:
    Ledger(tiny).measure("99.2", -4.0)
    notebook = notebook_of(shown)
    notebook.cells[0].outputs[0].data[CLAIM_MIME]["verdict"] = "reproduced"
    assert read_ledger(tiny, notebook)[1].verdict == "not reproduced"


def test_unmeasured_doubled_and_unknown_claims_are_faults(
    tiny: Chapter, shown: list[Entry]
) -> None:
    ledger = Ledger(tiny)
    ledger.measure("99.1", True)
    ledger.measure("99.1", True)
    notebook = notebook_of(shown)
    notebook.cells[1].outputs[0].data[CLAIM_MIME]["id"] = "99.7"
    notebook.cells.append(notebook.cells[0])
    assert set(faults(tiny, notebook)) == {
        "claim 99.2 is in the card but was never measured",
        "claim 99.3 is in the card but was never measured",
        "claim 99.1 was measured twice",
        "claim 99.7 was measured but is not in the card",
    }
    assert read_ledger(tiny, notebook)[1].reason == "never measured by the notebook"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), [1, {2}]])
def test_only_plain_finite_data_is_a_measurement(tiny: Chapter, value: Any) -> None:
    with pytest.raises(UserError, match=r"claim 99\.2 measured"):
        Ledger(tiny).measure("99.2", value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (10**400, "1329 bits"),
        (True, "measured by a number"),
        (None, "measured by a number"),
        ("many", "measured by a number"),
        ([1.0], "measured by a number"),
        ({1: {2: {3: {4: {5: {6: {7: {8: {9: 1}}}}}}}}}, "nested"),
    ],
)
def test_a_measurement_has_the_form_that_the_kind_asks_for(
    tiny: Chapter, value: Any, words: str
) -> None:
    with pytest.raises(UserError, match=words) as fault:
        Ledger(tiny).measure("99.2", value)
    assert "\n" not in str(fault.value)


def test_a_measurement_may_come_with_its_interval(tiny: Chapter, shown: list[Entry]) -> None:
    ledger = Ledger(tiny)
    ledger.measure("99.2", 0.5, interval=(np.float64(-0.1), 1.1))
    assert (shown[0].verdict, shown[0].interval) == ("undecided", [-0.1, 1.1])
    assert "0.5, interval -0.1 to 1.1" in repr(ledger.table("claim"))
    assert read_ledger(tiny, notebook_of(shown))[1] == shown[0]
    with pytest.raises(UserError, match="does not hold the measured 3"):
        ledger.measure("99.2", 3, interval=(0, 1))
    with pytest.raises(UserError, match="takes no interval"):
        ledger.measure("99.1", True, interval=(0, 1))


def test_every_claim_is_told_its_own_reason(tiny: Chapter, shown: list[Entry]) -> None:
    ledger = Ledger(tiny)
    assert ledger.can_measure("99.1", "99.3") is False
    assert [entry.reason for entry in shown] == [
        "measured together with 99.3, which needs the program no-such-program on the PATH",
        "needs the program no-such-program on the PATH",
    ]


def test_a_claim_that_was_never_asked_for_is_told_what_it_needs(
    tiny: Chapter, shown: list[Entry]
) -> None:
    """A cell that stops at the first absent need leaves the second claim without a word."""
    ledger = Ledger(tiny)
    ledger.measure("99.1", True)
    ledger.measure("99.2", 1)
    table = ledger.table("check", "target")
    assert [entry.id for entry in table.entries] == ["99.3"]
    assert "needs the program no-such-program" in repr(table)
    notebook = notebook_of([*shown, table])
    assert faults(tiny, notebook) == ()
    assert "no-such-program" in read_ledger(tiny, notebook)[2].reason


def test_a_table_is_of_the_roles_that_were_named(tiny: Chapter, shown: list[Entry]) -> None:
    ledger = Ledger(tiny)
    assert [entry.id for entry in ledger.table("claim", "finding").entries] == ["99.1", "99.2"]
    assert len(ledger.table().entries) == 3
    with pytest.raises(UserError, match="no role 'claims'"):
        ledger.table("claims")  # type: ignore[arg-type]


def test_texts_cannot_leave_the_entry(tiny: Chapter, shown: list[Entry]) -> None:
    Ledger(tiny).not_run("99.2", "````\n```{raw} html\n<b>\x1b]8;;http://x\x07")
    entry = shown[0]
    bundle = entry._repr_mimebundle_()
    assert entry.reason == "```` ```{raw} html <b>\\x1b]8;;http://x\\x07"
    assert "`" not in bundle["text/html"]
    assert "<b>\\x1b" not in bundle["text/html"]
    assert "\x1b" not in json.dumps(bundle, ensure_ascii=False)


def test_a_claim_that_the_card_lacks_is_refused(tiny: Chapter) -> None:
    with pytest.raises(UserError, match=r"no claim '99\.9'"):
        Ledger(tiny).measure("99.9", 1)


def test_the_table_has_every_claim_in_the_cards_order(tiny: Chapter, shown: list[Entry]) -> None:
    ledger = Ledger(tiny)
    ledger.measure("99.2", 1)
    table = ledger.table()
    assert [entry.id for entry in table.entries] == ["99.1", "99.2", "99.3"]
    assert table._repr_html_().count("<tr") == 4
    assert "never measured" in repr(table)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.3333"),
        (-0.0, "0"),
        (12345, "12,345"),
        (True, "yes"),
        (None, "—"),
        ({"a": 1.0, "b": 2}, "a 1, b 2"),
        (list(range(10)), "0, 1, 2, …, 7, 8, 9"),
    ],
)
def test_figures_are_short(value: Any, text: str) -> None:
    assert figure(value) == text
