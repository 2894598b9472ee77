"""The rules of a page let a good page pass and catch each way of breaking them."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from quire.workbook.cards import Card
from quire.workbook.charts import VEGALITE_MIME
from quire.workbook.entries import CLAIM_MIME
from quire.workbook.scaffold import install_cell

from . import page_rules as rules

CLAIM = {
    "id": "99.1",
    "role": "claim",
    "says": "Three is three, measured once more.",
    "where": "section 1",
    "kind": "exact",
    "expect": 3,
    "source": "seen",
    "fails_if": "the number is another",
}
SPEC = {
    "config": {"legend": {"orient": "bottom"}},
    "layer": [{"encoding": {"x": {"field": "a"}, "color": {"field": "b"}}}],
}
EXERCISE = "````{exercise}\n:label: one\nWhat is three?\n````"
SOLUTION = "````{solution} one\n:class: dropdown\n\nThree.\n````"


def card(**changes: Any) -> Card:
    target = {**CLAIM, "id": "99.2", "role": "target", "source": None, "where": ""}
    return Card.model_validate(
        {
            "paper": {"title": "T", "authors": ["A"], "arxiv": "2601.00001", "cite": "a2026"},
            "topic": "tiny",
            "part": "Machines",
            "summary": "A page that keeps to the form.",
            "profiles": {"smoke": {}, "default": {}, "full": {}},
            "claims": [{**CLAIM, **changes}, target],
        }
    )


def shown(**data: Any) -> NotebookNode:
    named = {"text": "text/plain", "html": "text/html", "chart": VEGALITE_MIME, "claim": CLAIM_MIME}
    return new_output("execute_result", data={named[k]: v for k, v in data.items()})


def code(cell: str, source: str, *tags: str, outputs: Any = ()) -> NotebookNode:
    return new_code_cell(source, id=cell, metadata={"tags": list(tags)}, outputs=list(outputs))


def page() -> NotebookNode:
    sections = {name: new_markdown_cell(f"## {name}") for name in rules.HEADINGS}
    drawn = shown(chart=SPEC, text="chart")
    table = shown(html='<table class="quire-rows"><td>1.5</td></table>', text="1.5")
    return new_notebook(
        cells=[
            new_markdown_cell("# 99 · A page\n\n{cite:t}`a2026`"),
            code("install", install_cell(), "remove-cell"),
            code("parameters", "size: int = 3  # items", "parameters", "hide-input"),
            code("setup", "from quire import tiny\nclaims = begin('99')", "hide-input"),
            new_markdown_cell("We found three. It was to be expected. It took a second."),
            code("chart", "draw(size)", "hide-input", outputs=[drawn]),
            *list(sections.values())[:4],
            code("work", "rows = tiny.experiments.three(size)\nshow(rows)", outputs=[table]),
            code(
                "clock",
                "claims.measure('99.2', rows.seconds)",
                "volatile",
                outputs=[shown(claim={"id": "99.2"}, html="<b>", text="holds")],
            ),
            *list(sections.values())[4:8],
            new_markdown_cell(EXERCISE),
            code("answer", "answer = None  # a number\ncheck_answer(answer, exercises.three)"),
            new_markdown_cell(SOLUTION),
            sections["Checks"],
            code("check", "claims.measure('99.1', size)", "hide-cell"),
            sections["The ledger"],
            code("claims", 'claims.table("claim", "finding")'),
            code("checks", 'claims.table("check", "target")'),
        ]
    )


def faults(notebook: NotebookNode, about: Card) -> list[str]:
    found: list[Iterator[str]] = [
        rules.headings(notebook, "99"),
        rules.opening(notebook),
        rules.visible_code(notebook),
        rules.folded_code(notebook),
        rules.volatile_clocks(notebook, about),
        rules.readable_output(notebook),
        rules.exercises(notebook),
        rules.ledgers(notebook, about),
        rules.claims_are_sentences(about),
        rules.nothing_typed(notebook),
        rules.legends_below(notebook),
    ]
    return [fault for one in found for fault in one]


def test_a_good_page_has_no_fault() -> None:
    assert faults(page(), card()) == []


def test_the_explorer_may_stand_inside_the_idea() -> None:
    moved = page()
    explore = next(c for c in moved.cells if c.source == "## Explore")
    idea = next(c for c in moved.cells if c.source == "## The idea")
    explore.source, idea.source = "Words.", "## The idea\n\n### Explore"
    assert faults(moved, card()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"says": "the bound is tight, at every size"}, "is no whole sentence"),
        ({"says": "The same for one server of ten."}, "cannot be read alone"),
    ],
)
def test_a_claim_that_cannot_be_read_alone_is_caught(changes: dict[str, Any], words: str) -> None:
    assert any(words in fault for fault in faults(page(), card(**changes)))


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return the cell of this id, or else the first whose source starts so."""
    found = [c for c in notebook.cells if c.id == name]
    return found[0] if found else next(c for c in notebook.cells if c.source.startswith(name))


def source(name: str, text: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: cell(notebook, name).update(source=text)


def tags(name: str, *given: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: cell(notebook, name).metadata.update(tags=list(given))


def output(name: str, **data: Any) -> Callable[[NotebookNode], None]:
    return lambda notebook: cell(notebook, name).update(outputs=[shown(**data)])


def printed(text: str, stream: str = "stdout") -> Callable[[NotebookNode], None]:
    made = new_output("stream", name=stream, text=text)
    return lambda notebook: cell(notebook, "work").update(outputs=[made])


RIGHT = {"config": {"legend": {"orient": "right"}}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (source("# 99", "# A page {cite:t}`a`"), "does not open with '# 99"),
        (source("# 99", "# 99 · A page"), "does not cite"),
        (source("## The idea", "## An idea"), "the sections are"),
        (source("## Checks", "Checks"), "the sections are"),
        (source("We found", "# Another title"), "more than one title"),
        (source("We found", "We found three."), "1 sentences"),
        (tags("parameters", "parameters"), "folded parameters"),
        (tags("setup"), "folded set-up"),
        (output("chart", html="<b>", text="b"), "no chart before the first section"),
        (source("work", "\n".join("abcdefghijklm")), "has 13 lines"),
        (source("work", "a" * 81), "a line of 81 characters"),
        (tags("chart"), "draws a chart and is not tagged"),
        (source("work", "import os"), "sets up and is not tagged"),
        (tags("check"), "stands under Checks and is not folded"),
        (tags("clock"), "measures a target and is not tagged volatile"),
        (output("work", text="3"), "the bare value 3"),
        (output("work", html='<table class="dataframe">', text="x"), "as pandas draws it"),
        (output("work", html="<td>&lt;x</td><td>NaN</td>", text="x"), "absent value"),
        (printed("0    1.0\ndtype: float64"), "a pandas series"),
        (printed("('independent keys',) = 3"), "a tuple"),
        (printed("(1, 2)"), "a tuple"),
        (printed("steps\n[]\n"), "an empty collection"),
        (printed("array([1])"), "an array"),
        (printed("<NA>"), "absent value"),
        (printed("<quire.Thing object at 0x7f>"), "address"),
        (printed("Warning", "stderr"), "stderr"),
        (source("answer", "answer = 3\ncheck_answer(answer, exercises.three)"), "open answer"),
        (
            source("answer", "answer = None\ncheck_answer(answer, lambda a: a == 3)"),
            "exercises.NAME",
        ),
        (source("answer", "answer = None"), "1 exercises, 0 cells"),
        (
            source("answer", "answer = None\nassert 3\ncheck_answer(answer, exercises.three)"),
            "asserts",
        ),
        (source("````{solution", SOLUTION.replace(":class: dropdown", "")), "unfolded"),
        (source("````{solution", SOLUTION + "\n\n" + SOLUTION), "more than one solution"),
        (source("````{solution", "Three."), "0 cells with a solution"),
        (source("````{exercise", "What is three?"), "no exercise"),
        (source("claims", "claims.table()"), "no ledger of claims and findings"),
        (source("checks", "claims"), "no ledger of checks and targets"),
        (source("check", "claims.measure('99.1', 3)"), "measures the literal 3"),
        (source("check", "claims.measure('99.1', [-3, 4 / 2])"), "measures the literal"),
        (source("check", "claims.measure('99.1', value=True)"), "measures the literal True"),
        (output("chart", chart={**SPEC, **RIGHT}, text="x"), "a legend at the right"),
    ],
)
def test_each_way_of_breaking_the_form_is_caught(
    change: Callable[[NotebookNode], None], words: str
) -> None:
    broken = copy.deepcopy(page())
    change(broken)
    told = faults(broken, card())
    assert any(words in fault for fault in told), told


def test_prose_in_brackets_is_no_raw_output() -> None:
    for text in ("f(x, y) is (almost) 3 (see 1, 2).", "from [0, 1]", "(P = 3, n = 4)", "NaNo"):
        kept = page()
        printed(text)(kept)
        assert faults(kept, card()) == []
