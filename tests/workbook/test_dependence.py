"""A cell depends on whatever made the names that it uses."""

from typing import Any

import pytest

from quire.workbook.dependence import dependent_cells


def cells(*sources: str) -> list[dict[str, Any]]:
    return [
        {"id": str(index), "cell_type": "code", "source": source}
        for index, source in enumerate(sources)
    ]


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        (("a = 1", "b = a", "c = b", "d = 2"), "012"),
        (("a = 1", "a = 2", "b = a"), "0"),
        (("a = 1", "if True:\n    a = 2", "b = a"), "02"),
        (("a = 1", "f = lambda a: a\nb = [a for a in range(3)]", "c = a"), "012"),
        (("a = 1", "def f(x):\n    return x + a", "y = f(1)"), "012"),
        (("def f():\n    return 1", "y = f()"), "01"),
        (("a = 1", "rows = []", "rows.append(a)", "len(rows)"), "023"),
        (("a = 1", "t = {}", "t['a'] = a", "t"), "023"),
        (("import numpy as np\na = np.ones(3)", "np.zeros(2)"), "0"),
        (("claims.measure('1', 2)", "claims.table()"), "01"),
        (("a, (b, c) = 1, (2, 3)", "c"), "01"),
        (("for a in range(3):\n    pass", "a"), "01"),
        (("%time a = 1", "a"), "0"),
    ],
)
def test_what_depends_on_the_first_cell(sources: tuple[str, ...], found: str) -> None:
    assert "".join(sorted(dependent_cells(cells(*sources), ["0"]))) == found


def test_the_ledger_itself_carries_no_dependence() -> None:
    notebook = cells("claims = workbook.begin('x', globals())", "claims.measure('1', a)", "claims")
    assert dependent_cells(notebook, ["1"]) == {"1"}


def test_cells_that_name_an_absent_claim_or_ask_what_is_there_are_roots() -> None:
    notebook = cells("x = 1", "for i in ('15.2', '15.3'):\n    y = 1", "z = y", "datasets.find(x)")
    assert dependent_cells(notebook, [], ["15.3"]) == {"1", "2", "3"}
    assert dependent_cells(notebook, [], []) == set()
