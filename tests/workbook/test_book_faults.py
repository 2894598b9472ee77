"""Building a book under bad sources, signals, a full disk, and after a killed build."""

import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import requests

from quire.workbook.book import build_book, building, fetching, interrupts, links, rendering
from quire.workbook.book.bibliography import check_bibliography
from quire.workbook.book.contents import read_contents
from quire.workbook.book.workplace import workplace
from quire.workbook.chapters import Chapter
from quire.workbook.errors import ChapterFailed, UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "_toc.yml is missing"),
        ("", "it is empty"),
        ("- a\n- b\n", "it holds a list, not a mapping"),
        ("root: [", "_toc.yml, line 1"),
        ("root: book/index\nparts:\n- caption: [\n", "_toc.yml, line"),
        ("format: jb-book\nparts: []\n", "it names no root page"),
        ("root: book/index\n", "it has no list of parts"),
        ("root: book/index\nparts: 3\n", "it has no list of parts"),
        ("root: book/index\nparts:\n- caption: One\n", "part 1 has no list of chapters"),
        ("root: book/index\nparts:\n- 3\n", "part 1 has no list of chapters"),
        ("root: book/index\nparts:\n- chapters: [read]\n", "part 1 holds 'read'"),
        ("root: a\nparts:\n- {caption: 3, chapters: [{file: a}]}\n", "caption of part 1 is not"),
    ],
)
def test_torn_contents_are_told_in_one_line(tmp_path: Path, text: str | None, line: str) -> None:
    if text is not None:
        (tmp_path / "_toc.yml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_contents(tmp_path)
    assert line in str(caught.value)
    assert str(caught.value).endswith(": restore it from git")
    assert "\n" not in str(caught.value)


def test_contents_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    (tmp_path / "_toc.yml").write_bytes("root: é".encode("latin-1"))
    with pytest.raises(UserError, match=r"_toc.yml is not UTF-8 \(byte 6\)"):
        read_contents(tmp_path)


def test_a_part_may_be_without_caption(tmp_path: Path) -> None:
    (tmp_path / "_toc.yml").write_text("root: a\nparts:\n- chapters: [{file: b}]\n")
    assert read_contents(tmp_path)["parts"] == [{"chapters": [{"file": "b"}]}]


def test_a_torn_bibliography_is_told_with_its_line(tmp_path: Path) -> None:
    whole = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    check_bibliography(ROOT / "book" / "references.bib")
    torn = tmp_path / "references.bib"
    torn.write_text(whole[: whole.index("}") - 5])
    with pytest.raises(
        UserError, match=r"references.bib: syntax error in line \d+.*mend the entry"
    ):
        check_bibliography(torn)
    torn.write_bytes(b"\xff" + whole.encode())
    with pytest.raises(UserError, match="is not UTF-8"):
        check_bibliography(torn)
    with pytest.raises(UserError, match="is missing"):
        check_bibliography(tmp_path / "none.bib")


def test_links_out_exist_only_with_a_repository() -> None:
    config = {"html": {"use_repository_button": True}, "launch_buttons": {"thebe": True}}
    alone = links.with_repository(config, None)
    assert alone["html"]["use_repository_button"] is False
    assert alone["launch_buttons"] == {"thebe": False}
    assert "repository" not in alone
    given = links.with_repository(config, "https://github.com/owner/name/")
    assert given["repository"]["url"] == "https://github.com/owner/name"
    assert given["html"]["use_repository_button"] is True
    assert set(given["launch_buttons"]) >= {"binderhub_url", "colab_url"}
    elsewhere = links.with_repository({"repository": {"url": "https://codeberg.org/a/b"}}, None)
    assert elsewhere["repository"]["url"] == "https://codeberg.org/a/b"
    assert "colab_url" not in elsewhere["launch_buttons"]


def test_the_committed_configuration_names_no_repository() -> None:
    made = links.with_repository(links.read_config(ROOT), None)
    assert made["html"]["use_repository_button"] is False


@pytest.mark.parametrize(
    "url",
    [
        "",
        "github.com/a/b",
        "https://github.com",
        "file:///a/b",
        "https://github.com/a/b?c",
        "https://github.com/a/<b>",
    ],
)
def test_what_is_no_repository_is_told(url: str) -> None:
    with pytest.raises(UserError, match="not the address of a repository"):
        links.checked(url)


def test_a_signal_in_a_callback_of_the_collector_is_not_lost() -> None:
    def callback(phase: str, _: object) -> None:
        if phase == "start":
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupts.noted() as noted:
        gc.callbacks.append(callback)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(callback)
        assert noted.count == 1  # nothing was raised, nothing was lost
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_raises_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.noted():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        raise AssertionError("the second signal was lost")


def test_the_driver_of_a_build_imports_no_jax() -> None:
    code = "import sys, quire.workbook.book.building; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_leftovers_of_killed_builds_are_swept_and_running_ones_are_not(tmp_path: Path) -> None:
    output = tmp_path / "html"
    code = f"""
    import time
    from pathlib import Path
    from quire.workbook.book.workplace import workplace
    with workplace(Path({str(output)!r})) as folder:
        print(folder, flush=True)
        time.sleep(60)
    """
    killed = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    left = Path(killed.stdout.readline().strip())
    with workplace(output) as mine:
        assert left.is_dir()
        assert mine.is_dir()
    killed.kill()
    killed.communicate()  # closes the pipe as well
    (tmp_path / ".html.build-somebody").mkdir()  # without a lock it is not ours
    with workplace(output):
        assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".html.build-somebody"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Running Sphinx\nsphinx.errors.ExtensionError: no module x\n"
            "RuntimeError:\nThere was an error in building your book. Look above.\n=====",
            "ExtensionError: no module x",
        ),
        (
            "WARNING: a\nbook/read.md:3: CRITICAL: no such\n====",
            "book/read.md:3: CRITICAL: no such",
        ),
        ("one\n=====\n", "one"),
        ("", "it said nothing"),
    ],
)
def test_the_reason_of_a_failed_rendering_is_found(said: str, told: str) -> None:
    assert rendering.reason(said.splitlines()) == told


def test_a_full_disk_while_rendering_is_told_as_such() -> None:
    lines = ["Traceback", "OSError: [Errno 28] No space left on device", "====="]
    fault = rendering._failure(lines)
    assert str(fault).startswith("the disk is full")
    assert isinstance(rendering._failure(["x"]), ChapterFailed)


def test_fetching_goes_on_without_a_network(tiny: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def head(url: str, **given: object) -> None:
        asked.append(url)
        assert given["timeout"] == fetching.SECONDS_TO_ANSWER
        raise requests.ConnectTimeout

    data = tiny.notebook.parents[1] / "data"
    data.mkdir()
    shutil.copyfile(ROOT / "data" / "registry.toml", data / "registry.toml")
    monkeypatch.setenv("QUIRE_DATA_MIRROR", str(tiny.notebook.parent))
    monkeypatch.setattr(fetching.requests, "head", head)
    told: list[str] = []
    fetching.fetch_what_can_be_had(told.append)
    assert told
    assert all("does not answer: going on without" in line for line in told)
    assert len(asked) == len(told)  # each host is asked once
    assert max(map(len, told)) < 250  # hundreds of names are no line that somebody reads


def test_one_dataset_that_fails_does_not_keep_the_others_away(
    tiny: Chapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        fetching.datasets.Holding(n, "missing", "", 1, "", "", "", f"https://a.org/{n}")
        for n in ("01/a", "01/b")
    ]

    def fetch(name: str) -> None:
        if name == "01/a":
            raise UserError("dataset 01/a: https://a.org/01/a answered 404", "try later")

    monkeypatch.setattr(fetching.datasets, "listing", lambda: rows)
    monkeypatch.setattr(fetching.datasets, "fetch", fetch)
    monkeypatch.setattr(fetching.requests, "head", lambda *_, **__: None)
    told: list[str] = []
    fetching.fetch_what_can_be_had(told.append)
    assert told == [
        "going on without 01/a: dataset 01/a: https://a.org/01/a answered 404",
        "fetched 01/b",
    ]


def test_bad_sources_are_told_before_any_work(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tiny.notebook.parents[1]
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copyfile(ROOT / "_config.yml", root / "_config.yml")
    monkeypatch.setattr(building.subprocess, "Popen", None)
    (root / "_toc.yml").write_text("")
    with pytest.raises(UserError, match=r"_toc\.yml: it is empty"):
        build_book(tmp_path / "pages")
    shutil.copyfile(ROOT / "_toc.yml", root / "_toc.yml")
    (root / "_config.yml").write_text("a: [")
    with pytest.raises(UserError, match=r"_config\.yml: .*restore it from git"):
        build_book(tmp_path / "pages")
    (root / "book" / "references.bib").write_text("@article{a, title = {")
    with pytest.raises(UserError, match=r"references.bib: .*mend the entry"):
        build_book(tmp_path / "pages")
    assert logging.getLogger("quire.book").handlers == []
