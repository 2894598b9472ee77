"""Every command: what it prints, its exit status, and its one line for bad input."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from quire import __version__
from quire.workbook.chapters import Chapter
from quire.workbook.cli import main


def quire(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_chapters_as_json(tiny: Chapter, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = quire(capsys, "chapters", "--json")
    assert status == 0
    assert json.loads(out) == [
        {
            "number": "99",
            "slug": "99_tiny",
            "title": "A tiny chapter",
            "arxiv": "2601.00001",
            "topic": "tiny",
            "part": "Machines",
            "profiles": {"smoke": {"size": 1}, "default": {}, "full": {"size": 100}},
        }
    ]


def test_run_then_claims(tiny: Chapter, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, _ = quire(capsys, "run", "99", "--profile", "smoke", "--output", tiny.notebook)
    assert (status, out.count("claims: 2 reproduced; checks: 1 not run here")) == (0, 1)
    status, out, _ = quire(capsys, "claims", "--json")
    rows = json.loads(out)
    assert [row["verdict"] for row in rows] == ["reproduced", "reproduced", "not run here"]
    wanted = "chapter id says kind source expect tolerance needs measured verdict reason"
    assert set(wanted.split()) <= set(rows[0])
    assert quire(capsys, "claims", "99_tiny")[0] == 0


def test_a_chapter_that_fails_is_status_one(
    tiny: Chapter, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "x.ipynb"
    status, _, err = quire(capsys, "run", "99", "-p", "word=raise", "--output", output)
    assert status == 1
    assert err.startswith("quire: 99_tiny: cell 4 raised ValueError: broken on purpose")
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "98"], "no chapter '98': use one of: 99_tiny"),
        (["run", "nothing"], "no chapter 'nothing'"),
        (["run", "99", "-p", "sise=1"], "no parameter 'sise'"),
        (["run", "99", "-p", "size=many"], "not of type int"),
        (["run", "99", "-p", "size=-1"], "out of range"),
        (["run", "99", "-p", "size"], "has no value"),
        (["run", "99", "-p", "size=1", "-p", "size=2"], "given twice"),
        (["run", "99", "--profile", "huge"], "no profile 'huge'"),
        (["run", "99", "--timeout", "0"], "--timeout"),
        (["run", "99", "--output", "/proc/nowhere/x.ipynb"], "can not write into"),
        (["run"], "CHAPTER"),
        (["walk"], "walk"),
        (["claims", "98"], "no chapter '98'"),
        (["study", "99"], "nothing to sweep"),
        (["study", "99", "-p", "size="], "size"),
        (["study", "99", "-p", "sise=1,2"], "no parameter 'sise'"),
        (["study", "99", "-p", "size=1,many"], "not of type int"),
        (["study", "99", "-p", "size=1,2", "-p", "size=3"], "given twice"),
        (["study", "99", "-p", "size=1", "--scheduler", "tcp://127.0.0.1:1"], "127.0.0.1:1"),
        (["book", "--output", "/proc/nowhere"], "can not write into /proc"),
        (["data", "fetch", "99/none"], "registry.toml is missing"),
        (["new", "not-an-id", "slug"], "not-an-id"),
        (["new", "2601.00002", "Bad Slug"], "Bad Slug"),
        (["run", "99", "--timeout", "nan"], "timeout = nan"),
        (["run", "99", "--timeout", "inf"], "timeout = inf"),
        (["run", "99", "-p", "size=2024-13-45"], "not of type int"),
        (["run", "99", "-p", f"size={'9' * 5000}"], "size = "),
        (["run", "99", "-p", "size=1:2"], "not of type int"),
        (["run", "99", "-p", "size=010"], "not of type int"),
        (["run", "99", "--output", "/dev/null"], "is a device"),
        (["run", "99", "--output", "x.txt"], "let it end in .ipynb"),
        (["study", "99", "-p", "size=1,9223372036854775808"], "more than 64 bits"),
        (["study", "99", "-p", "size=1:2"], "is no range"),
        (["study", "99", "-p", "size=1", "--timeout", "nan"], "timeout = nan"),
        (["peers", "install", "nobody"], "no peer 'nobody'"),
        (["new", "２６０１.00042", "fine"], "not an arXiv id"),
        (["new", "2601.00042", "class"], "Python's own"),
        (["claims", ""], "no chapter ''"),
        (["study", "99", "-p", "size=0:1:10000000000"], "sweep at most"),
        (["run", "99", "--profil", "smoke"], "see 'quire run --help'"),
        (["bundle", "/etc/passwd"], "/etc/passwd can not be bundled: name a chapter"),
        (["verify", "."], ". is a folder: name a bundle"),
        (["compare", "a.zip", "b.zip"], "a.zip: no such file"),
        (["compare", "workbook", "workbook"], "workbook: is a folder"),
    ],
)
def test_bad_input_is_one_line_and_status_two(
    tiny: Chapter,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("started"))
    status, out, err = quire(capsys, *words)
    assert status == 2
    assert out == ""
    assert err.startswith("quire: ")
    assert err.count("\n") == 1
    assert told in err
    assert [path.name for path in tmp_path.iterdir()] == ["workbook"]


@pytest.mark.parametrize("words", [[], ["peers"], ["data"]])
def test_half_a_command_shows_its_help_and_is_told(
    tiny: Chapter, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    status, out, err = quire(capsys, *words)
    command = " ".join(["quire", *words])
    assert (status, err) == (2, f"quire: {command} what: see '{command} --help'\n")
    assert f"Usage: {command}" in out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert quire(capsys, "--version") == (0, f"quire {__version__}\n", "")


def test_the_version_is_told_where_only_the_library_is_installed() -> None:
    lacking = "import sys; sys.modules['pydantic'] = sys.modules['typer'] = None; import runpy; "
    start = f"{lacking}sys.argv = ['quire', '--version']; runpy.run_module('quire.__main__', "
    done = subprocess.run(
        [sys.executable, "-c", f"{start}run_name='__main__')"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"quire {__version__}\n")


@pytest.mark.parametrize("home", ["~nosuchuser/x", "/nowhere", "\x01"])
def test_a_home_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: str
) -> None:
    monkeypatch.setenv("QUIRE_HOME", home)
    status, out, err = quire(capsys, "chapters")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("quire: QUIRE_HOME=")


def test_a_user_without_a_home_is_told(
    tiny: Chapter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no HOME, an unknown uid
    for words in (["run", "99"], ["study", "99", "-p", "size=1"], ["peers", "list"]):
        status, _, err = quire(capsys, *words)
        if words[0] != "peers":
            assert (status, err) == (
                2,
                "quire: this user has no home folder: set HOME to a folder that you may write to\n",
            )
        assert "Traceback" not in err


@pytest.mark.parametrize("text", ["<<<<<<< ours\n", "{}", "[" * 99_999])
def test_a_broken_notebook_is_one_line(
    tiny: Chapter, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    tiny.notebook.write_text(text)
    for words in (["run", "99"], ["study", "99", "-p", "size=1"], ["chapters"], ["claims"]):
        status, _, err = quire(capsys, *words)
        assert (status, err.count("\n")) == (2, 1)
        assert "99_tiny.ipynb is not a notebook" in err


def test_an_unknown_fault_is_one_line_with_a_saved_traceback(
    tiny: Chapter,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def surprise() -> None:
        raise KeyError("\x1b]8;;http://x\x07out of\nthe blue")

    monkeypatch.setattr("quire.workbook.cli.all_chapters", surprise)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, _, err = quire(capsys, "chapters")
    assert status == 3
    assert err.startswith("quire: a fault of the workbook, KeyError: ")
    assert err.count("\n") == 1
    assert "\x1b" not in err
    (saved,) = tmp_path.glob("quire-fault-*.txt")
    assert str(saved) in err
    assert "in surprise" in saved.read_text()


def test_a_full_disk_below_a_command_is_one_line(
    tiny: Chapter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    tree = shutil.Error([("a.py", "b.py", str(OSError(errno.ENOSPC, "No space", "a.py")))] * 300)
    for fault in (full, tree, OSError(errno.EFBIG, "File too large", "x")):
        monkeypatch.setattr("quire.workbook.cli.all_chapters", partial(_raise, fault))
        status, _, err = quire(capsys, "chapters")
        assert (status, err.count("\n")) == (2, 1)
        assert err.endswith("free some space; temporary files go where TMPDIR says\n")
        assert len(err) < 160


def test_no_half_traceback_is_left_on_a_full_disk(
    tiny: Chapter,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("quire.workbook.cli.all_chapters", partial(_raise, KeyError("x" * 99_999)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    resource = pytest.importorskip("resource")  # not on Windows
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        status, _, err = quire(capsys, "chapters")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert (status, err.count("\n")) == (3, 1)
    assert err.endswith("please report it\n")
    assert not [*tmp_path.glob("quire-fault-*")]


def _raise(fault: Exception) -> None:
    raise fault


def test_a_missing_extra_and_a_narrow_terminal(
    tiny: Chapter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    status, out, _ = quire(capsys, "chapters")
    assert status == 0
    assert out.splitlines()[:3] == ["number: 99", "slug: 99_tiny", "title: A tiny chapter"]

    def missing() -> None:
        raise ModuleNotFoundError("No module named 'pooch'", name="pooch")

    monkeypatch.setattr("quire.workbook.cli.all_chapters", missing)
    status, _, err = quire(capsys, "chapters")
    assert status == 2
    assert err == "quire: pooch is not installed: pip install 'quire-workbook[workbook]'\n"


def test_a_reader_that_closes_the_pipe_and_a_poor_encoding_are_no_fault(tiny: Chapter) -> None:
    tiny.notebook.write_text(tiny.notebook.read_text().replace("A tiny chapter", "Ω 漢字"))
    environment = os.environ | {
        "QUIRE_HOME": str(tiny.notebook.parents[1]),
        "PYTHONIOENCODING": "latin-1",
    }
    command = [sys.executable, "-m", "quire", "chapters", "--json"]
    for line in ("{} | head -c 1", "{} > /dev/full", "{}"):
        done = subprocess.run(
            ["bash", "-c", line.format(" ".join(command))],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") <= 1
    assert done.returncode == 0
    assert "\\u03a9" in done.stdout


def test_a_port_in_use_is_told(tiny: Chapter, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, err = quire(capsys, "lab", "--port", port, "--no-browser")
    assert status == 2
    assert err == f"quire: port {port} is in use: choose another with --port\n"


def test_a_card_with_a_typo_names_its_line(
    tiny: Chapter, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tiny.notebook.with_suffix(".yml")
    card.write_text(card.read_text().replace("kind: exact", "kind: exakt"))
    status, _, err = quire(capsys, "chapters")
    assert status == 2
    assert "99_tiny.yml, line 21: claims.0.kind" in err
