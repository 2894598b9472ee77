"""A chapter run with several seeds: how often each claim held, and that the scoreboard says so."""

from pathlib import Path

import pytest

from quire.workbook import repeats
from quire.workbook.book.pages import scoreboard
from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.cli import main
from quire.workbook.errors import ChapterFailed, UserError
from quire.workbook.ledger import read_ledger
from quire.workbook.notebooks import read

from .conftest import CARD, write_chapter


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chapter:
    """A chapter whose first claim fails with seed 4 and whose run fails with seed 5."""
    monkeypatch.setenv("QUIRE_HOME", str(tmp_path / "workbook"))
    chapter = write_chapter(
        tmp_path / "workbook",
        'if seed == 5:\n    raise ValueError("seed 5")\nclaims.measure("99.1", seed != 4)\n',
        CARD.replace("size: {at_least: 0, at_most: 1000}", "seed: {at_least: 0, at_most: 8}")
        .replace("{size: 1}", "{seed: 1}")
        .replace("{size: 100}", "{seed: 2}"),
    )
    text = chapter.notebook.read_text().replace("size", "seed")
    chapter.notebook.write_text(text)
    return find_chapter("99")


def test_each_claim_is_judged_by_all_seeds(drawn: Chapter) -> None:
    notebook, found = repeats.repeat(drawn, 3)
    assert [(each.id, each.verdicts) for each in found] == [
        ("99.1", ("reproduced", "not reproduced", "run failed")),
        ("99.2", ("reproduced", "reproduced", "run failed")),
        ("99.3", ("not run here", "not run here", "run failed")),
    ]
    assert (found[1].low, found[1].middle, found[1].high) == (9.0, 12.5, 16.0)
    assert notebook.metadata.quire["parameters"] == {}
    unsteady = {entry.id: entry.repeats for entry in read_ledger(drawn, notebook)}
    assert unsteady["99.1"] == "reproduced 1, not reproduced 1, run failed 1"
    page = scoreboard.page({drawn: read_ledger(drawn, notebook)})
    assert "its verdict changed with the seed: reproduced 1, not reproduced 1" in page


@pytest.mark.parametrize(
    ("verdicts", "steadiness"),
    [
        (["reproduced", "reproduced"], "always"),
        (["not reproduced", "not reproduced"], "never"),
        (["holds", "undecided"], "changed"),
        (["not run here", "not run here"], "not run"),
    ],
)
def test_how_steady_a_claim_is(verdicts: list[str], steadiness: str) -> None:
    runs = [{"99.1": {"verdict": word, "measured": None, "role": "claim"}} for word in verdicts]
    (found,) = repeats.judge_runs(runs)
    assert found.steadiness == steadiness
    assert found.middle is None


def test_the_command_writes_the_first_run(
    drawn: Chapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "first.ipynb"
    with pytest.raises(SystemExit) as end:
        main(["run", "99", "--repeat", "2", "--output", str(target)])
    assert not end.value.code
    assert "changed" in capsys.readouterr().out
    stored = read(target).metadata["quire"]["repeats"]
    assert stored["seeds"] == [3, 4]
    assert stored["verdicts"]["99.1"] == ["reproduced", "not reproduced"]


def test_bad_repeats_are_one_line(drawn: Chapter, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="repeat = 1"):
        repeats.seeds_of(drawn, {}, "default", 1)
    with pytest.raises(UserError, match="seed = 9"):
        repeats.seeds_of(drawn, {}, "default", 7)
    with pytest.raises(UserError, match="no parameter 'seed'"):
        repeats.seeds_of(write_chapter(tmp_path / "other"), {}, "default", 2)


def test_a_first_run_that_fails_is_no_answer(drawn: Chapter) -> None:
    with pytest.raises(ChapterFailed, match="seed 5"):
        repeats.repeat(drawn, 2, {"seed": 5})
