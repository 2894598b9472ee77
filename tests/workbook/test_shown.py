"""Tables and paragraphs: what is shown of rows of every form, and what hostile cells can not do."""

from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

from quire.workbook import shown
from quire.workbook.errors import UserError


@dataclass(frozen=True)
class Run:
    grid: str
    seconds: float
    words_sent: int
    held: bool


RUNS = [Run("4 x 1", 0.123456, 12, True), Run("2 x 2", 12.3456, 123456, False)]


class _Cells(HTMLParser):
    """The tags of a page's part, and the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells and self.tags[-1] in ("td", "th") and data.strip():
            self.cells[-1] += data


def test_rows_of_every_form_give_one_table() -> None:
    mappings = [vars(run) for run in RUNS]
    columns = {name: np.array([m[name] for m in mappings]) for name in mappings[0]}
    frame = pd.DataFrame(mappings, index=[7, 3])
    tables = [shown.table(rows) for rows in (RUNS, mappings, columns, frame, iter(RUNS))]
    assert all(each == tables[0] for each in tables)
    assert repr(tables[0]) == (
        "grid   seconds  words sent  held\n"
        "-----  -------  ----------  ----\n"
        "4 x 1    0.123          12  yes\n"
        "2 x 2     12.3     123,456  no"
    )


def test_columns_choose_order_and_headings() -> None:
    made = shown.table(RUNS, {"seconds": "time (s)", "grid": "grid"}, digits={"seconds": 2})
    assert [c.heading for c in made.columns] == ["time (s)", "grid"]
    assert made.columns[0].cells == ("0.12", "12")
    assert [c.numeric for c in made.columns] == [True, False]
    page = _Cells(made._repr_html_())
    assert page.cells == ["time (s)", "grid", "0.12", "4 x 1", "12", "2 x 2"]
    assert '<th scope="col" class="quire-number">time (s)</th>' in made._repr_html_()


def test_hostile_cells_headings_and_captions_stay_text() -> None:
    evil = "</td><script>alert(1)</script>\x1b[31m\x1b]8;;http://a\x07 a\n\tb &amp; \x00c"
    made = shown.table([{evil: evil}], caption=evil)
    page = _Cells(made._repr_html_())
    assert set(page.tags) == {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert page.cells == [shown._plain(evil)] * 2
    assert "\x1b" not in made._repr_html_() + repr(made)
    assert "\n\tb" not in repr(made)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (float("nan"), 3, "—"),
        (None, 3, "—"),
        (pd.NA, 3, "—"),
        (pd.NaT, 3, "—"),
        (np.float32("nan"), 3, "—"),
        (float("inf"), 3, "∞"),
        (float("-inf"), 3, "−∞"),
        (True, 3, "yes"),
        (np.bool_(False), 3, "no"),
        (9999, 3, "9999"),
        (-12345, 3, "−12,345"),
        (0.0, 3, "0"),
        (0.5, 3, "0.500"),
        (9.996, 3, "10.0"),
        (1234.5678, 3, "1235"),
        (123456.7, 3, "123,457"),
        (0.00012345, 3, "0.000123"),
        (0.000012345, 3, "1.23e−5".replace("−", "-")),
        (6.02e23, 2, "6.0e23"),
        (-0.25, 2, "−0.25"),
        (np.int64(3), 3, "3"),
        ((1, 2.5, None), 2, "1, 2.5, —"),
        ({"a": 1.0}, 2, "a 1.0"),
        (np.array([1, 2]), 3, "1, 2"),
    ],
)
def test_a_value_in_words(value: object, digits: int, text: str) -> None:
    assert shown.in_words(value, digits) == text


def test_a_column_with_missing_numbers_is_still_one_of_numbers() -> None:
    (column,) = shown.table([{"x": 1.5}, {"x": None}, {}]).columns
    assert (column.numeric, column.cells) == (True, ("1.50", "—", "—"))
    (flags,) = shown.table([{"x": True}]).columns
    assert not flags.numeric


def test_long_words_wrap_at_eighty_columns_and_numbers_do_not_break() -> None:
    rows = [{"claim": "word " * 40, "reason": "because " * 20, "a long heading (s)": 1234567.0}]
    text = repr(shown.table(rows))
    assert max(map(len, text.splitlines())) <= 80
    assert "1,234,567" in text
    assert text.count("because") == 20


def test_too_many_columns_become_one_block_a_row() -> None:
    text = repr(shown.table([{f"quantity {i}": i * 1e6 for i in range(20)}] * 2))
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[:2] == ["quantity 0: 0", "quantity 1: 1,000,000"]
    assert text.count("\n\n") == 1


def test_no_rows_show_the_headings_alone() -> None:
    made = shown.table([], {"grid": "grid", "seconds": "time (s)"})
    assert _Cells(made._repr_html_()).cells == ["grid", "time (s)"]
    assert repr(made).splitlines()[0] == "grid  time (s)"


@pytest.mark.parametrize(
    ("rows", "given", "line"),
    [
        (RUNS, {"columns": ["second"]}, "columns = 'second': the rows have no such field"),
        (RUNS, {"digits": 0}, "digits = 0: give a whole number from 1 to 15"),
        (RUNS, {"digits": True}, "digits = True"),
        ([], {}, "rows = none, and no columns"),
        ("text", {}, "rows = a str"),
        (3, {}, "rows = a int"),
        ([1, 2], {}, "rows = a list that holds a int"),
        ([Run], {}, "rows = a list that holds a type"),
        ({"a": [1], "b": [1, 2]}, {}, "columns of different lengths"),
        ({"a": "text"}, {}, "column 'a' is a str"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "two columns named 'a'"),
    ],
)
def test_what_is_no_table_is_told_in_one_line(rows: object, given: dict, line: str) -> None:
    with pytest.raises(UserError) as caught:
        shown.table(rows, **given)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_output_is_html_and_text_alone() -> None:
    for thing in (shown.table(RUNS), shown.Paragraphs("Some words.")):
        bundle, metadata = DisplayFormatter().format(thing)
        assert set(bundle) == {"text/html", "text/plain"}
        assert metadata == {}


def test_a_paragraph_knows_a_little_markup_and_no_html() -> None:
    text = "It is **strong**, *loud*, `a*b*c` and $n_1 < n_2$.\n\nCosts $5 and $6, 2 * 3 * 4 <b>."
    assert shown.Paragraphs(text)._repr_html_() == (
        '<div class="quire-say"><p>It is <strong>strong</strong>, <em>loud</em>, '
        '<code>a*b*c</code> and <span class="math notranslate nohighlight">'
        "\\(n_1 &lt; n_2\\)</span>.</p><p>Costs $5 and $6, 2 * 3 * 4 &lt;b&gt;.</p></div>"
    )
    assert repr(shown.Paragraphs("a\nb\n\n\x1b[31mc")) == "a b\n\nc"


def test_show_and_say_are_shown_by_the_running_cell(capsys: pytest.CaptureFixture[str]) -> None:
    from quire import workbook

    workbook.show(RUNS, {"grid": "grid"})
    workbook.say("One sentence.")
    assert capsys.readouterr().out == "grid\n-----\n4 x 1\n2 x 2\nOne sentence.\n"


def test_fractions_below_the_least_are_told_as_such() -> None:
    made = shown.table({"gap": [4.3e-6, -2e-9, 0.0, 0.5, 3, None]}, least=1e-3)
    column = made.columns[0]
    assert column.cells == ("< 0.001", "< 0.001", "0", "0.500", "3", "—") and column.numeric
    assert "&lt; 0.001" in made._repr_html_()
