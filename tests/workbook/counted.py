"""A chapter that writes down every run of it, for the tests of studies."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell

from quire.workbook.chapters import Chapter

CELL = """\
import os, time

def note(word):
    file = os.open({log!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(file, f"{{word}} {{size}} {{os.getpid()}}\\n".encode())
    os.close(file)

note("start")
if word == "raise" and not os.path.exists({log!r} + ".mended"):
    raise ValueError("broken on purpose")
if word == "hang":
    time.sleep(600)
time.sleep({pause})
note("end")
"""


def count_runs(chapter: Chapter, log: Path, pause: float = 0.0, claims: bool = False) -> None:
    """Let every run of ``chapter`` append "start SIZE PID" and "end SIZE PID" to ``log``.

    Without ``claims`` the chapter measures nothing, and its kernel imports nothing of quire.
    """
    notebook = nbformat.read(chapter.notebook, as_version=4)
    note = new_code_cell(CELL.format(log=str(log), pause=pause), id="note")
    if claims:
        notebook.cells.insert(2, note)
        work = next(cell for cell in notebook.cells if cell.id == "work")
        work.source = 'claims.measure("99.1", True)'
    else:
        notebook.cells = [*notebook.cells[:2], note]
    nbformat.write(notebook, chapter.notebook)


def runs(log: Path, word: str = "end") -> list[int]:
    """Return the sizes whose runs started or ended, one entry per run."""
    return [int(line.split()[1]) for line in _lines(log) if line.split()[0] == word]


def kernels(log: Path) -> list[int]:
    """Return the process ids of all kernels that ever started."""
    return [int(line.split()[2]) for line in _lines(log) if line.startswith("start")]


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return as soon as ``condition`` holds; fail, saying what was awaited, if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(0.05)


def heed_ctrl_c() -> None:
    """Let a child take SIGINT, which a job in the background inherits as ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def gone(pids: list[int]) -> bool:
    """Return whether none of these processes runs any more."""
    return not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []
