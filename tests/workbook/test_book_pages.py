"""Generated pages and the small corrections of rendered ones, without rendering a book."""

from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from quire.workbook.book import mending, numbering, terms
from quire.workbook.book.pages import glance, markup, overview, scoreboard, status
from quire.workbook.book.staging import stage_chapter
from quire.workbook.chapters import Chapter
from quire.workbook.entries import Entry

ROLES = ("claim", "claim", "claim", "claim", "claim", "finding", "check", "target")
OUTCOMES = ("held", "differs", "missed", "undecided", "not run", "missed", "held", "missed")
WORDS = (
    "reproduced", "differs", "not reproduced", "undecided", "not run here",
    "our expectation failed", "holds", "fails",
)  # fmt: skip


def entry(number: int, **given: object) -> Entry:
    """An entry of one role and outcome, of chapter 99."""
    role = ROLES[number]
    fields = {
        "chapter": "99_tiny",
        "id": f"99.{number}",
        "role": role,
        "says": f"Statement {number} <b>`x`</b>.",
        "where": "Section 2" if role == "claim" else "",
        "kind": "exact",
        "source": "seen" if role == "claim" else None,
        "expect": 1,
        "tolerance": {"abs": 0.0, "rel": 0.0},
        "fails_if": "",
        "changed": "",
        "fair": "",
        "needs": (),
        "unit": "",
        "measured": 1,
        "interval": None,
        "outcome": OUTCOMES[number],
        "verdict": WORDS[number],
        "reason": "",
    }
    return Entry(**{**fields, **given})


ENTRIES = tuple(entry(number) for number in range(8))


def test_the_headline_counts_the_papers_claims_alone_and_hides_nothing(tiny: Chapter) -> None:
    page = scoreboard.page({tiny: ENTRIES})
    assert "**Of 5 claims of the papers, 1 was reproduced.**" in page
    for words in ("1 differs", "1 was not reproduced", "1 was left undecided", "*not run here*"):
        assert words in page
    assert "5: 1 reproduced, 1 differs, 1 not reproduced, 1 undecided, 1 not run here." in page
    assert "1: 1 where our expectation failed." in page
    assert "99.6" not in page
    assert "99.7" not in page
    checks = scoreboard.checks_page({tiny: ENTRIES})
    assert "99.6" in checks
    assert "99.7" in checks
    assert "99.5" not in checks
    assert "<b>" not in page.replace("<b>expected", "")


def test_every_row_leads_to_its_measurement(tiny: Chapter) -> None:
    page = scoreboard.page({tiny: ENTRIES})
    for each in ENTRIES[:6]:
        assert f'href="../notebooks/99_tiny.html#claim-{each.id}"' in page


def test_a_row_folds_the_story_of_a_change_and_says_what_was_missing_alone(tiny: Chapter) -> None:
    undecided = entry(3, changed="The first line was lower.", reason="1 to 3 lies on both sides")
    missing = entry(4, reason="needs dataset 99/x.csv (quire data)")
    page = scoreboard.page({tiny: (undecided, missing)})
    story = page[page.index("<details>") : page.index("</details>")]
    assert "expectation changed after a result was seen</small></summary>" in story
    assert "The first line was lower." in story
    assert "lies on both sides" not in page
    assert "needs dataset 99/x.csv (quire data)" in page


def test_a_workbook_without_claims_has_a_scoreboard() -> None:
    assert "No chapter has a claim yet." in scoreboard.page({})
    assert "None yet." in scoreboard.checks_page({})


def test_the_chart_of_the_scoreboard_adds_up_claims_alone(tiny: Chapter) -> None:
    spec = scoreboard.chart({tiny: ENTRIES})
    rows = next(iter(spec["datasets"].values())) if "datasets" in spec else spec["data"]["values"]
    assert sum(row["claims"] for row in rows) == 5
    assert spec["title"] == "1 of the papers' 5 claims reproduced"


def test_a_glance_says_what_held_and_folds_what_is_too_many(tiny: Chapter) -> None:
    many = [entry(0, id=f"99.a{i}") for i in range(9)]
    text = glance.block(tiny, (*many, *ENTRIES[1:]), {"seconds": 3.5, "profile": "smoke"})
    assert text.startswith("## At a glance\n")
    assert "and 3 more: reproduced" in text
    assert text.count("<li>") == 9 + 4 + 1  # and the finding that failed; no check, no target
    assert 'href="#claim-99.a0"' in text
    assert "Last run: 3.5 s · profile smoke" in text
    assert "made without data" not in text


def test_a_glance_names_the_data_that_were_missing(tiny: Chapter) -> None:
    lacking = entry(4, needs=("dataset:99/x.csv",), reason="needs dataset 99/x.csv (quire data)")
    text = glance.block(tiny, (lacking,), {})
    assert "<code>99/x.csv</code>" in text
    assert "quire data fetch" in text
    assert "has not been run" in text
    other = entry(4, needs=("dataset:99/x.csv", "device:gpu"), reason="needs a GPU")
    assert "made without data" not in glance.block(tiny, (other,), {})


def test_the_status_tells_what_runs_share_and_what_they_do_not(tiny: Chapter) -> None:
    book = new_notebook()
    book.metadata["quire"] = {
        "seconds": 12.345,
        "processor_seconds": 23.456,
        "peak_memory_mib": 812.6,
        "profile": "default",
        "commit": "0123456789abcdef+",
        "arithmetic": {"processor": "A <processor>", "cores": 2},
        "packages": {"numpy": "2.1", "jax": "0.10"},
        "datasets": {"99/x.csv": "ab12"},
    }
    other = new_notebook()
    other.metadata["quire"] = {"packages": {"numpy": "2.2", "jax": "0.10"}}
    later = Chapter(tiny.notebook.with_name("98_other.ipynb"))
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Other")]), later.notebook)
    text = status.page({tiny: book, later: other})
    for words in (
        "12.3",
        "23.5",
        "813",
        "012345678+",
        "A &lt;processor&gt;, 2 cores",
        "ab12",
        '98<span class="quire-long"> · Other</span>',
    ):
        assert words in text
    assert "jax&nbsp;0.10" in text
    assert "Chapter 99 alone: numpy&nbsp;2.1" in text
    assert text.count("—") == 8  # all of the other's, and the device


def test_a_card_of_the_overview_tells_finding_and_verdicts(tiny: Chapter) -> None:
    book = tiny.read()
    text = overview.cards({tiny: book}, {tiny: ENTRIES})
    assert "### Machines" in text
    assert "99 · A tiny chapter" in text
    assert tiny.card.summary in text  # nothing better is told
    assert "1 reproduced, 1 differs, 1 not reproduced, 1 undecided, 1 not run here" in text
    book.cells.insert(2, new_markdown_cell("The square of a number *is* its square. More."))
    assert overview.finding(tiny, book) == "The square of a number is its square."
    book.cells[2].source = "The square of {glue:text}`a` number of ours is its square. More."
    assert overview.finding(tiny, book) == tiny.card.summary


def test_raw_html_can_not_end_its_block() -> None:
    block = markup.raw("a `````` b")
    fence = block.splitlines()[0].partition("{")[0]
    assert len(fence) == 7
    assert block.splitlines()[-1] == fence


def test_titles_have_their_number_once(tiny: Chapter) -> None:
    assert markup.numbered(tiny) == "99 · A tiny chapter"
    assert markup.bare("99 · A tiny chapter") == "A tiny chapter"
    assert markup.bare("3 servers are enough") == "3 servers are enough"


def test_a_staged_chapter_is_numbered_and_opens_with_its_glance(
    tiny: Chapter, tmp_path: Path
) -> None:
    book = tiny.read()
    hostile = new_output("stream", name="stdout", text="a\x00b\x1b[31mc")
    book.cells.append(new_code_cell("1", outputs=[hostile]))
    before = nbformat.writes(book)
    stage_chapter(tiny, book, ENTRIES, tmp_path / "99_tiny.ipynb")
    assert nbformat.writes(book) == before
    page = nbformat.read(tmp_path / "99_tiny.ipynb", as_version=4)
    assert page.cells[0].source == "# 99 · A tiny chapter"
    assert page.cells[1].source.startswith("## At a glance")
    assert page.cells[-1].outputs[0].text == "ab\x1b[31mc"


def test_each_chapter_counts_its_theorems_from_one() -> None:
    kinds = {"theorem": {"b": (3,), "a": (2,)}, "exercise": {"x": (7,)}}
    prose = {"theorem": {"c": (1,)}}
    env = SimpleNamespace(
        toc_fignumbers={"notebooks/15_sketching": kinds, "book/read": dict(prose)}
    )
    assert numbering.number_by_chapter(None, env) == []
    assert kinds == {"theorem": {"a": (15, 1), "b": (15, 2)}, "exercise": {"x": (15, 1)}}
    assert env.toc_fignumbers["book/read"] == prose


def test_a_glossary_is_read_block_by_block(tmp_path: Path) -> None:
    path = tmp_path / "glossary.md"
    path.write_text(
        "# Glossary\n\n```{glossary}\nclaim\n  What a *paper* states,\n  as [we](read.md) read.\n"
        "```\n\n```{glossary}\nall-reduce\nallreduce\n  A `sum` everywhere.\n```\n"
    )
    assert terms.read_glossary(path) == (
        ("claim",),
        ("all-reduce", "allreduce"),
    )
    assert terms.read_glossary(tmp_path / "none.md") == ()


@pytest.mark.parametrize(
    ("page", "mended"),
    [
        ("<th></th><th>a</th>", "<td></td><th>a</th>"),
        ('<div role="list" class="citation-list">', '<div class="citation-list">'),
        ('<div class="citation" role="doc-biblioentry">', '<div class="citation">'),
        (
            '<dt class="sig" id="f">f(<dl>\n<dd><em>a</em></dd>\n</dl>)</dt>\n<dd><dl></dl></dd>',
            '<dt class="sig" id="f">f(<span class="quire-signature">\n'
            '<span class="quire-parameter">'
            "<em>a</em></span>\n</span>)</dt>\n<dd><dl></dl></dd>",
        ),
        ("<summary>mine</summary>", "<summary>mine</summary>"),
    ],
)
def test_faults_of_the_themes_markup_are_mended(page: str, mended: str) -> None:
    assert mending.mend(page) == mended
    assert mending.mend(mended) == mended
