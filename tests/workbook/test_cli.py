"""Every command: what it prints, its exit status, and its one line for bad input."""

import json
import socket
from pathlib import Path

import pytest

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
    ],
)
def test_bad_input_is_one_line_and_status_two(
    tiny: Chapter,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("started"))
    status, out, err = quire(capsys, *words)
    assert status == 2
    assert out == ""
    assert err.startswith("quire: ")
    assert err.count("\n") == 1
    assert told in err


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
