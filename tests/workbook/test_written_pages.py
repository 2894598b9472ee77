"""What is generated into written pages: minutes, lessons, plans, paths and concepts."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from quire.workbook.book.pages import concepts, inserts, lessons, minutes, paths, teaching
from quire.workbook.book.terms import read_entries
from quire.workbook.chapters import Chapter
from quire.workbook.entries import CLAIM_MIME
from quire.workbook.errors import UserError

from .test_book_pages import ENTRIES, entry

IDEA = """\
## The idea

An open loop sends whatever comes; a closed loop waits. $x$ is no word, and `open loop` neither.

$$
y = x
$$

| a | b |
|---|---|
| 1 | 2 |

````{admonition} Folded
:class: dropdown

Words and open loops that nobody counts.
````
"""


def question(number: int) -> list[object]:
    return [
        new_markdown_cell(f"```{{exercise}}\n:label: e{number}\n\nWhich?\n```"),
        new_code_cell("answer = None  # it\nworkbook.check_answer(answer, exercises.it)"),
        new_markdown_cell(f"```{{solution}} e{number}\n:class: dropdown\n\nThis.\n```"),
    ]


@pytest.fixture
def book() -> dict[str, object]:
    """A chapter with an opening, an idea, a claim, and two exercises."""
    claim = new_output("display_data", {CLAIM_MIME: {"id": "99.1"}, "text/html": "<p>held</p>"})
    shown = new_output(
        "display_data",
        {"text/html": "<p>three words here</p><details><p>folded</p></details><table></table>"},
    )
    return new_notebook(
        cells=[
            new_markdown_cell("# A chapter\n\n" + "word " * 180),
            new_markdown_cell(IDEA),
            new_markdown_cell(
                "## The model\n\nWords.\n\n## The claims, one by one\n\n### Is it so?"
            ),
            new_code_cell("look()", outputs=[claim, shown]),
            new_code_cell("set_up()", metadata={"tags": ["hide-input"]}),
            new_markdown_cell("## What we learned\n\nMuch about an open loop.\n\n## Exercises"),
            *question(1),
            *question(2),
        ],
        metadata={"quire": {"seconds": 30.0}},
    )


def test_minutes_count_what_a_reader_stops_at(book: dict[str, object]) -> None:
    found = {section.heading: section for section in minutes.sections(book)}
    assert list(found) == [
        "Opening", "The idea", "The model", "The claims, one by one", "Is it so?",
        "What we learned", "Exercises",
    ]  # fmt: skip
    assert found["Opening"].words == 182 and found["Opening"].minutes == pytest.approx(182 / 180)
    assert found["The idea"].stops == {
        "formula": 1,
        "chart": 0,
        "table": 1,
        "code": 0,
        "verdict": 0,
    }
    assert found["Is it so?"].above == "The claims, one by one"
    assert found["Is it so?"].claims == ["99.1"]
    assert found["Is it so?"].stops["code"] == 1 and found["Is it so?"].stops["verdict"] == 1
    assert found["Is it so?"].stops["table"] == 1 and found["Is it so?"].words == 3
    whole = minutes.minutes(book)
    assert whole == pytest.approx(sum(s.minutes for s in found.values() if s.above != "Exercises"))
    assert minutes.minutes(book, "The claims, one by one") == found["Is it so?"].minutes


def plan(**given: object) -> teaching.Plan:
    fields = {"first": "F", "astray": "A", "sections": ("Is it so?",), "exercises": (1, 2)}
    return teaching.Plan(**{**fields, **given})


def test_a_session_takes_ninety_minutes(book: dict[str, object]) -> None:
    steps = teaching.agenda(plan(), book)
    assert sum(time for _, _, time in steps) == teaching.SESSION
    assert steps[0][:2] == ("Show", "Opening") and steps[-1][1] == "What we learned"
    assert ("Work", "Exercises 1 and 2") in [step[:2] for step in steps]
    assert all(time >= 1 for _, _, time in steps)


@pytest.mark.parametrize(
    ("given", "words"),
    [({"sections": ("Nowhere",)}, "no 'Nowhere'"), ({"exercises": (3,)}, "no 3")],
)
def test_a_plan_for_what_is_not_there_is_refused(
    book: dict[str, object], given: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        teaching.agenda(plan(**given), book)


def test_a_plan_without_time_for_its_exercises_is_refused(book: dict[str, object]) -> None:
    book["cells"].insert(2, new_markdown_cell("word " * 180 * 27))
    with pytest.raises(UserError, match="leaves"):
        teaching.agenda(plan(), book)


LISTS = {
    "lessons.yml": """\
claims:
  - {title: First, says: It is so., ids: ["99.2", "99.0", "77.1"]}
findings:
  - {title: Second, says: It was so., ids: ["99.5"]}
""",
    "teach.yml": """\
weeks:
  - {week: 1, chapters: ["99", "77"], about: All, needs: nothing}
plans:
  "99": {first: Begin., astray: Beware., sections: [The idea], exercises: [1]}
""",
    "paths.yml": """\
hour:
  - {chapter: "99", sections: [The idea], why: Because.}
  - {chapter: "77", why: It is not there.}
weekend:
  - {chapter: "99", why: All of it.}
  - {page: nowhere, why: It is not there.}
""",
    "glossary.md": "# Glossary\n\n```{glossary}\nclaim\n  One.\n```\n\n"
    "```{glossary}\nopen loop\nopen arrival\n  Sends.\n\nknee\n  Bends.\n```\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "book").mkdir()
    for name, text in LISTS.items():
        (tmp_path / "book" / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_lessons_sort_what_failed_and_count_the_rest(root: Path, tiny: Chapter) -> None:
    changed = entry(0, id="99.c", changed="once")
    made = lessons.inserts(root, {tiny: (*ENTRIES, changed)})
    short = made["lessons, in short"]()
    assert "Of **6** claims of the papers, **2** were reproduced." in short
    assert "Of **1** expectations of our own about the papers, **1** failed" in short
    assert "Of all **9** lines, **1** say" in short
    kinds = made["lessons, kinds of claims"]()
    assert "4 lines, by why:" in kinds and "### First" in kinds and "The line\n" in kinds
    # 99.0 holds, and is left out although it is sorted; three more are sorted nowhere
    assert "99.0" not in kinds and "### Not sorted yet" in kinds and "The three lines" in kinds
    assert 'href="../notebooks/99_tiny.html#claim-99.2"' in kinds
    assert "<b>`x`" not in kinds and "Statement 2 &lt;b&gt;" in kinds
    assert "### Second" in made["lessons, kinds of findings"]()
    assert made["papers"]() == "one"
    spread = made["lessons, by spread"]()
    assert (
        "without an interval, 2 of 5 were reproduced; of those measured with one, 0 of 0" in spread
    )
    for name in ("by role", "by spread", "by source", "by kind", "changed"):
        assert "<table" in made[f"lessons, {name}"]()


def test_a_term_has_weeks_and_plans_of_the_chapters_there_are(
    root: Path, tiny: Chapter, book: dict[str, object]
) -> None:
    made = teaching.inserts(root, {tiny: book})
    syllabus = made["teach, syllabus"]()
    assert "99" in syllabus and "77" not in syllabus
    assert '<td class="quire-number">30</td><td class="quire-number">2</td>' in syllabus
    plans = made["teach, plans"]()
    assert "**Show first.** Begin." in plans and "has two exercises" in plans


def test_a_path_adds_up(root: Path, tiny: Chapter, book: dict[str, object]) -> None:
    made = paths.inserts(root, {tiny: book})
    assert "It is not there" not in made["paths, hour"]() + made["paths, weekend"]()
    assert '<td class="quire-number">24</td>' in made["paths, weekend"]()  # two exercises
    assert made["paths, whole"]().startswith("1 chapters take")


def test_concepts_are_found_in_prose_alone(
    root: Path, tiny: Chapter, book: dict[str, object]
) -> None:
    entries = read_entries(root / "book" / "glossary.md")
    assert entries == (("open loop", "open arrival"), ("knee",))  # no words of the workbook
    found = concepts.uses(entries, {tiny: book})
    assert found[entries[0]] == {tiny: {"The idea": 1, "What we learned": 1}}
    text = concepts.inserts(root, {tiny: book})["concepts"]()
    assert 'href="../notebooks/99_tiny.html#what-we-learned"' in text
    assert 'href="glossary.html#term-open-loop"' in text
    assert "under that name: knee." in text and ">open loop, open arrival<" in text


def test_a_place_is_filled_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Of <!-- quire: many --> things\n")
    inserts.fill(tmp_path, {"many": lambda: "three", "unasked": lambda: 1 / 0})
    assert page.read_text() == "# Of three things\n"
    page.write_text("<!-- quire: nothing -->")
    with pytest.raises(UserError, match=r"book/page\.md asks for 'nothing'"):
        inserts.fill(tmp_path, {"many": lambda: "three"})


def test_a_torn_list_is_one_line(root: Path) -> None:
    (root / "book" / "lessons.yml").write_text("claims:\n  - {title: A, says: B, ids: [1]}\n")
    with pytest.raises(UserError, match=r"lessons\.yml, line 2: claims\.0\.ids\.0"):
        lessons.read_kinds(root)
