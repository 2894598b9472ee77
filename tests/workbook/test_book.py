"""Building a book: where it goes, what stops it, and what it leaves behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from quire.workbook.book import build_book, building, directives, figures, reference, staging
from quire.workbook.book.contents import with_chapters
from quire.workbook.chapters import Chapter, all_chapters
from quire.workbook.errors import ChapterFailed, UserError

from .conftest import WORK, write_chapter

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workbook(tiny: Chapter) -> Path:
    """The workbook of the tiny chapter with this project's prose."""
    root = tiny.notebook.parents[1]
    shutil.copytree(ROOT / "book", root / "book")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(ROOT / name, root / name)
    return root


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any start of a chapter or of a rendering fail the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("work was started")

    monkeypatch.setattr(building.subprocess, "Popen", refuse)


def test_a_file_in_the_way_is_told_before_any_work(tiny: Chapter, no_work: None) -> None:
    with pytest.raises(UserError, match="is a file: name a folder"):
        build_book(tiny.notebook)


def test_a_folder_of_something_else_is_never_replaced(
    tiny: Chapter, tmp_path: Path, no_work: None
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds something else than a book"):
        build_book(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_one_may_not_write_is_told_before_any_work(
    tiny: Chapter, tmp_path: Path, no_work: None
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(UserError, match="can not write into"):
        build_book(locked / "book")


def test_a_place_that_can_not_be_a_folder_is_told(tiny: Chapter, no_work: None) -> None:
    with pytest.raises(UserError, match="can not write into"):
        build_book(Path("/proc/no-such-folder/book"))


@pytest.mark.slow
def test_a_book_is_built_from_any_folder_and_a_failing_chapter_leaves_it(
    workbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps: list[tuple[int, int]] = []
    first = build_book(
        Path("pages"), profile="smoke", on_progress=lambda done, total: steps.append((done, total))
    )
    assert first == tmp_path / "pages" / "index.html"
    assert steps == [(0, 2), (1, 2), (2, 2)]
    scoreboard = (tmp_path / "pages" / "book" / "scoreboard.html").read_text()
    assert "Squares are not negative" in scoreboard
    assert "profile <code" in (tmp_path / "pages" / "notebooks" / "99_tiny.html").read_text()

    write_chapter(workbook, work=f"word = 'raise'\n{WORK}")
    with pytest.raises(ChapterFailed) as caught:
        build_book(Path("pages"), profile="smoke")
    assert re.match(r"99_tiny: cell \d+ raised ValueError: broken on purpose", str(caught.value))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 1
    assert (tmp_path / "pages" / "book" / "scoreboard.html").read_text() == scoreboard
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".pages")] == []


def test_sources_are_staged_from_a_read_only_checkout(workbook: Path, tmp_path: Path) -> None:
    for path in (workbook / "book").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    staging.stage_sources(workbook, tmp_path / "staged", {"title": "Quire"})
    assert (tmp_path / "staged" / "book" / "index.md").stat().st_mode & 0o200
    assert (tmp_path / "staged" / "_static" / "quire.css").is_file()


def test_a_figure_keeps_its_words_and_can_not_end_its_script() -> None:
    spec = {"title": 'A "b" & c', "description": "<d>", "mark": "point", "x": "</script>"}
    markup = figures.figure(spec, "one", png="AA==", code="cell-1")
    assert 'aria-label="&lt;d&gt;"' in markup
    assert "A &quot;b&quot; &amp; c" in markup
    assert markup.count("</script>") == 1
    assert '<a href="#cell-1">' in markup


def test_contents_hold_exactly_the_chapters_in_their_parts(workbook: Path) -> None:
    contents = {
        "root": "book/index",
        "parts": [
            {"caption": "Using this book", "chapters": [{"file": "book/read"}]},
            {"caption": "Machines", "chapters": [{"file": "notebooks/97_gone"}]},
            {"caption": "Reference", "chapters": [{"file": "book/library"}]},
        ],
    }
    made = with_chapters(contents, all_chapters(workbook))
    assert [part["caption"] for part in made["parts"]] == [
        "Using this book",
        "Machines",
        "Reference",
    ]
    assert made["parts"][1]["chapters"] == [{"file": "notebooks/99_tiny"}]
    assert with_chapters(made, all_chapters(workbook)) == made
    assert [p["caption"] for p in with_chapters(made, ())["parts"]] == [
        "Using this book",
        "Reference",
    ]
    assert with_chapters(with_chapters(made, ()), all_chapters(workbook)) == made


def test_a_chapter_that_is_not_listed_goes_before_the_next_number(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    chapter = write_chapter(tmp_path)
    earlier = Chapter(chapter.notebook.with_name("12_tiny.ipynb"))
    later = Chapter(chapter.notebook.with_name("11_tiny.ipynb"))
    shutil.copyfile(chapter.notebook.with_suffix(".yml"), earlier.notebook.with_suffix(".yml"))
    shutil.copyfile(chapter.notebook.with_suffix(".yml"), later.notebook.with_suffix(".yml"))
    listed = [{"file": f"notebooks/{each.slug}"} for each in (chapter, later)]
    contents = {"parts": [{"caption": "Machines", "chapters": listed}]}
    made = with_chapters(contents, (chapter, earlier, later))
    assert [entry["file"] for entry in made["parts"][0]["chapters"]] == [
        "notebooks/12_tiny",
        "notebooks/99_tiny",
        "notebooks/11_tiny",
    ]


def test_the_reference_documents_every_public_name() -> None:
    page = reference.page("quire.workbook")
    for name in ("begin", "study", "build_book", "UserError", "Chapter"):
        assert f":: quire.workbook.{name}\n" in page
    assert ".. autoexception:: quire.workbook.UserError" in page
    assert ":: quire.workbook.cards.Claim" in page


def test_a_written_opening_comes_before_the_generated_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "topics", lambda: ())
    opening = tmp_path / "book" / "library" / "workbook.md"
    opening.parent.mkdir(parents=True)
    opening.write_text("# The machinery\n\nWritten by hand.\n")
    reference.stage_reference(tmp_path)
    text = opening.read_text()
    assert text.startswith("# The machinery\n\nWritten by hand.\n\n")
    assert "automodule:: quire.workbook" in text


def test_a_table_of_rows_shows_fields_and_escapes_them() -> None:
    rows = [{"operand_kind": ("register", "<imm>"), "bits": 5}, {"operand_kind": None, "bits": 6}]
    markup = directives.table(rows, caption="Operands")
    assert '<th scope="col">operand kind</th>' in markup
    assert "<td>register, &lt;imm&gt;</td><td>5</td>" in markup
    assert "<td></td><td>6</td>" in markup
    assert "<caption>Operands</caption>" in markup


def test_the_committed_contents_are_what_jupyter_book_reads() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert contents["format"] == "jb-book"
    assert all(part["chapters"] for part in contents["parts"])


@pytest.mark.slow
def test_ctrl_c_stops_the_chapters_and_leaves_nothing(workbook: Path, tmp_path: Path) -> None:
    write_chapter(workbook, work="import time\ntime.sleep(600)")
    process = subprocess.Popen(
        [sys.executable, "-m", "quire", "book", "--output", str(tmp_path / "pages")],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        children = _until_a_kernel_runs(psutil.Process(process.pid))
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert complaint.strip().splitlines()[-1].startswith("quire: interrupted")
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert [path.name for path in tmp_path.iterdir()] == ["workbook"]


def _until_a_kernel_runs(driver: psutil.Process) -> list[psutil.Process]:
    """Wait for the kernel below ``driver`` and return all processes below it."""
    for _ in range(2400):  # on a busy machine
        children = driver.children(recursive=True)
        if any("ipykernel" in " ".join(_words(child)) for child in children):
            time.sleep(2)  # until it is in the cell that hangs
            return children
        time.sleep(0.1)
    raise AssertionError("no kernel was started")


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended in between
        return []
