"""What a chapter does to its run: it may lose itself, but no result and no clear word."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.errors import ChapterFailed
from quire.workbook.execution import execute, run
from quire.workbook.notebooks import dumps

from .counted import heed_ctrl_c, wait_for


def with_work(chapter: Chapter, work: str, parameters: str | None = None) -> Chapter:
    """Give the chapter another work cell, and drop what comes after it."""
    notebook = chapter.read()
    notebook.cells = notebook.cells[:4]
    notebook.cells[3].source = work
    if parameters is not None:
        notebook.cells[1].source = parameters
        card = chapter.notebook.with_suffix(".yml")
        text = card.read_text()
        card.write_text(text[: text.index("parameters:")] + text[text.index("claims:") :])
    chapter.notebook.write_text(dumps(notebook))
    return find_chapter("99")


LOSES_NOTHING = """\
import rich.pretty, sys, os
rich.pretty.install()
get_ipython().display_formatter.formatters["text/plain"].for_type(dict, lambda *_: 1 / 0)
from quire.workbook import datasets
datasets._used.update({f"99/{i}": "0" * 64 for i in range(1200)})
for i in range(300):
    print(i, end=" ", flush=True)
    if i % 7 == 0:
        print("e", end="", file=sys.stderr, flush=True)
print("\\udc80 lone")
display({"application/json": {"x": float("inf")}}, raw=True)
print(repr(text), sorted({"a", "b", "c", "d"}) and list({"alpha", "beta", "gamma"}))
print(os.getcwd(), "PYTHONSTARTUP" in os.environ, started)
"""


def test_a_hostile_chapter_keeps_its_results_its_report_and_its_bytes(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("started = True\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(startup / "00.py"))
    chapter = with_work(
        tiny,
        "started = globals().get('started', False)\n" + LOSES_NOTHING,
        'size: int = 3\ntext: str = """one\ntwo"""\n',
    )
    first = run(chapter, tmp_path / "a.ipynb", {"size": 4})
    # An older run's parameters lie in the chapter now, and must not come back.
    (tmp_path / "a.ipynb").replace(chapter.notebook)
    second = run(find_chapter("99"), tmp_path / "b.ipynb", {"size": 5})
    assert len(second.metadata["quire"]["datasets"]) == 1200
    assert [c.source for c in second.cells if c.id == "injected-parameters"] == [
        "# Parameters\nsize = 5"
    ]
    out = "".join(o.text for o in second.cells[4].outputs if o.get("name") == "stdout")
    assert "'one\\ntwo'" in out
    assert f"{chapter.notebook.parent} False False" in out
    assert [o.get("name") for o in second.cells[4].outputs][:3] == ["stdout", "stderr", None]
    assert first.cells[4].outputs == second.cells[4].outputs
    assert "Infinity" not in (tmp_path / "b.ipynb").read_text()


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("import sys; sys.exit(0)", "cell 4 stopped the run by sys.exit(0)"),
        ("%no_such_magic", "UsageError: Line magic function `%no_such_magic` not found"),
        ("assert size == 4", "raised AssertionError: at 'assert size == 4'"),
        (
            "class Chart:\n    def _repr_mimebundle_(self, **_):\n        raise ValueError('no')\n"
            "Chart()",
            "raised ValueError: no: run",
        ),
        ("raise ValueError('\\x1b]8;;http://x\\x07link\\x1b[31m')", "raised ValueError: link: run"),
        ("import ctypes; ctypes.string_at(0)", "died in cell 4: Fatal Python error: Segmentation"),
    ],
)
def test_the_reason_is_told(tiny: Chapter, work: str, words: str) -> None:
    with pytest.raises(ChapterFailed) as fault:
        execute(with_work(tiny, work))
    assert words in str(fault.value)
    assert "\x1b" not in str(fault.value)


def test_a_kernel_that_does_not_start_ends_by_the_timeout(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, code, words in (
        ("exits", "import os; os.write(2, b'no licence\\n'); os._exit(3)", "no licence"),
        ("sleeps", "import time; time.sleep(300)", "did not start"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        kernel = "import sys\nif 'ipykernel_launcher' in ' '.join(sys.orig_argv):\n    "
        (folder / "sitecustomize.py").write_text(kernel + code + "\n")
        monkeypatch.setenv("PYTHONPATH", str(folder))
        started = time.monotonic()
        with pytest.raises(ChapterFailed, match=words):
            execute(tiny, timeout=4)
        assert time.monotonic() - started < 30


def test_threads_leave_the_process_where_it_is(tiny: Chapter) -> None:
    chapter = with_work(tiny, "import os; print(os.getcwd())")
    before, faults = Path.cwd(), []

    def once() -> None:
        try:
            execute(chapter)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Path.cwd(), faults) == (before, [])


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_kernel_that_holds_the_lock_dies_with_a_killed_driver(
    tiny: Chapter, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    chapter = with_work(
        tiny, f"import os; open({str(pid)!r}, 'w').write(str(os.getpid()))\n7**60_000_000"
    )
    driver = subprocess.Popen(
        [sys.executable, "-m", "quire", "run", "99", "--output", str(tmp_path / "x.ipynb")],
        env=os.environ | {"QUIRE_HOME": str(chapter.notebook.parents[1])},
        preexec_fn=heed_ctrl_c,
    )
    try:
        wait_for(lambda: pid.exists() and pid.read_text(), 60, "the kernel's cell to start")
        time.sleep(1.0)
    finally:
        driver.kill()
        driver.wait()
    wait_for(lambda: not psutil.pid_exists(int(pid.read_text())), 10, "the kernel to die")
