"""JupyterLab starts over the workbook's notebooks, with MyST, and ends when told to."""

import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from quire.ports import free_port
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.lab import open_lab


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def test_lab_is_not_started_where_jupyter_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.execv", lambda *_: pytest.fail("started"))
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "file" / "runtime"))
    with pytest.raises(UserError, match=r"can not write into .*: set HOME or JUPYTER_RUNTIME_DIR"):
        open_lab(free_port(), browser=False)


@pytest.mark.slow
def test_lab_serves_the_notebooks_with_myst_and_ends_when_told(
    tiny: Chapter, tmp_path: Path
) -> None:
    log, command = tmp_path / "log", [sys.executable, "-m", "quire", "lab", "--no-browser"]
    with (
        log.open("w") as words,
        subprocess.Popen([*command, f"--port={free_port()}"], stderr=words, stdout=words) as lab,
    ):
        try:
            deadline = time.monotonic() + 120
            while not (said := re.search(r"http://127\S+?token=\w+", log.read_text())):
                assert lab.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            page = said[0]
            assert "jupyterlab-myst" in read(page)
            server, token = re.fullmatch(r"(http://[^/]+/).*(token=\w+)", page).groups()
            assert tiny.notebook.name in read(f"{server}api/contents/notebooks?{token}")
        finally:
            lab.send_signal(signal.SIGTERM)
        assert lab.wait(60) is not None
