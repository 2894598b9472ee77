"""A run gives the whole notebook or one clear line, and never an orphan or half a file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from quire.workbook.chapters import Chapter
from quire.workbook.errors import ChapterFailed, UserError
from quire.workbook.execution import execute, run
from quire.workbook.ledger import faults, read_ledger

from .counted import heed_ctrl_c


def test_an_executed_notebook_carries_its_ledger_and_provenance(
    tiny: Chapter, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    output = tmp_path / "out" / "tiny.ipynb"
    run(tiny, output, {"size": 5}, on_progress=lambda done, total: seen.append((done, total)))
    notebook = nbformat.read(output, as_version=4)
    assert faults(tiny, notebook) == ()
    entries = {entry.id: entry for entry in read_ledger(tiny, notebook)}
    assert entries["99.1"].verdict == "reproduced"
    assert entries["99.2"].measured == 25
    assert entries["99.3"].verdict == "not run here"
    assert "no-such-program" in entries["99.3"].reason
    record = notebook.metadata["quire"]
    assert record["parameters"] == {"size": 5}
    assert record["packages"]["papermill"]
    assert record["peak_memory_mib"] > 10
    assert record["seconds"] > 0
    assert record["processor_seconds"] > 0
    assert record["datasets"] == {}
    assert seen[-1] == (7, 7)
    assert [p.name for p in output.parent.iterdir()] == ["tiny.ipynb"]


def test_two_runs_give_the_same_bytes_outside_the_record(tiny: Chapter) -> None:
    first, second = execute(tiny, {"size": 2}), execute(tiny, {"size": 2})
    first.metadata.pop("quire"), second.metadata.pop("quire")
    assert nbformat.writes(first) == nbformat.writes(second)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("raise", "cell 4 raised ValueError: broken on purpose"),
        ("die", "the kernel died in cell 4"),
        ("hang", "cell 4 was still running after 12 s"),
    ],
)
def test_a_broken_chapter_is_one_line_and_no_file(
    tiny: Chapter, tmp_path: Path, word: str, words: str
) -> None:
    output = tmp_path / "tiny.ipynb"
    with pytest.raises(ChapterFailed) as fault:
        run(tiny, output, {"word": word}, timeout=12 if word == "hang" else None)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)
    assert not output.exists()
    assert ("ValueError" in fault.value.traceback) == (word == "raise")
    assert not _children_after(5)


def test_no_kernel_is_started_for_bad_input(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(UserError):
        run(tiny, tmp_path / "x.ipynb", {"size": -1})
    with pytest.raises(UserError, match="is a folder"):
        run(tiny, tmp_path, {"size": 1})
    with pytest.raises(UserError, match="can not write into"):
        run(tiny, Path("/proc/nowhere/x.ipynb"), {"size": 1})


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_kernel_and_no_file(
    tiny: Chapter, tmp_path: Path, sign: signal.Signals
) -> None:
    output = tmp_path / "tiny.ipynb"
    driver = subprocess.Popen(
        [sys.executable, "-m", "quire", "run", "99", "-p", "word=hang", "--output", str(output)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"QUIRE_HOME": str(tiny.notebook.parents[1])},
        preexec_fn=heed_ctrl_c,
    )
    kernels = _wait_for_children(driver.pid)
    time.sleep(1.0)  # let the kernel reach the cell that hangs
    driver.send_signal(sign)
    _, stderr = driver.communicate(timeout=30)
    assert driver.returncode == 130
    assert stderr.strip().splitlines()[-1].startswith("quire: interrupted")
    assert not psutil.wait_procs(kernels, timeout=10)[1]
    assert list(tmp_path.glob("*.ipynb")) == []


def _children_after(seconds: float) -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    alive = psutil.wait_procs(children, timeout=seconds)[1]
    return [child for child in alive if "ipykernel" in " ".join(child.cmdline())]


def _wait_for_children(pid: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [
            child
            for child in psutil.Process(pid).children(recursive=True)
            if "ipykernel" in " ".join(child.cmdline())
        ]
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("no kernel was started")
