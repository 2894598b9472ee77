"""One run: a notebook and its parameters in, the executed notebook with its provenance out."""

from __future__ import annotations

import ast
import logging
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter
from quire.workbook.errors import ChapterFailed
from quire.workbook.files import check_writable, write_atomically
from quire.workbook.home import home
from quire.workbook.machine import arithmetic
from quire.workbook.parameters import resolve
from quire.workbook.provenance import git_commit, packages

Progress = Callable[[int, int], None]
"""Called with (cells done, cells in all) whenever a cell ends."""

# A kernel named python3 in somebody's home must not replace the one of this environment.
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
logging.getLogger("papermill").setLevel(logging.ERROR)


def execute(
    chapter: Chapter,
    parameters: Mapping[str, Any] | None = None,
    profile: ProfileName = "default",
    timeout: float | None = None,
    on_progress: Progress | None = None,
) -> NotebookNode:
    """Run a chapter in a fresh kernel and return the executed notebook; nothing is written.

    Parameters
    ----------
    chapter
        The chapter to run.
    parameters
        Values that win over the profile's, by name.
    profile
        The card's set of parameter values to start from.
    timeout
        Seconds the whole run may take.
    on_progress
        Told after each cell.

    Raises
    ------
    UserError
        For bad parameters, before a kernel is started.
    ChapterFailed
        When a cell raises, the kernel dies, or the time is over; it carries ``traceback``.
    """
    chosen = resolve(chapter, parameters or {}, profile)
    notebook = chapter.read()
    _clear(notebook)
    started = time.monotonic()
    state = _RunState(
        deadline=None if timeout is None else started + timeout,
        on_progress=on_progress or (lambda done, total: None),
    )
    try:
        executed = papermill.execute_notebook(
            notebook,
            None,
            parameters=chosen,
            engine_name=_ENGINE,
            kernel_name="python3",
            progress_bar=False,
            cwd=str(chapter.notebook.parent),
            state=state,
        )
    except PapermillExecutionError as fault:
        raise ChapterFailed(
            f"{chapter.slug}: cell {state.cell} raised {fault.ename}: {_first_line(fault.evalue)}",
            "run it in JupyterLab to see the whole traceback",
            "\n".join(fault.traceback),
        ) from None
    except CellTimeoutError:
        raise ChapterFailed(
            f"{chapter.slug}: cell {state.cell} was still running after {timeout:g} s",
            "give more time with --timeout, or a smaller profile",
        ) from None
    except DeadKernelError:
        raise ChapterFailed(
            f"{chapter.slug}: the kernel died in cell {state.cell}",
            "look for os._exit, a crash in native code, or too little memory",
        ) from None
    _strip_papermill(executed)
    executed.metadata["quire"] = {
        "chapter": chapter.slug,
        "profile": profile,
        "parameters": chosen,
        "commit": git_commit(home()),
        "packages": packages(),
        "arithmetic": arithmetic(),
        **state.kernel,
        "seconds": round(time.monotonic() - started, 1),
    }
    return executed


def run(
    chapter: Chapter,
    output: Path,
    parameters: Mapping[str, Any] | None = None,
    profile: ProfileName = "default",
    timeout: float | None = None,
    on_progress: Progress | None = None,
) -> NotebookNode:
    """Execute a chapter as `execute` does and write it to ``output``, whole or not at all."""
    output = check_writable(output)
    executed = execute(chapter, parameters, profile, timeout, on_progress)
    write_atomically(output, nbformat.writes(executed) + "\n")
    return executed


class _RunState:
    """What the engine tells: which of the chapter's cells it is in, the kernel's last words."""

    def __init__(self, deadline: float | None, on_progress: Progress) -> None:
        self.deadline = deadline
        self.on_progress = on_progress
        self.cell = 0
        self.kernel: dict[str, Any] = {}

    def seconds_left(self, cell: Any) -> float | None:
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.1)


class _Client(PapermillNotebookClient):
    """Papermill's client, which also reports progress and asks the kernel for its report."""

    state: _RunState

    def papermill_execute_cells(self) -> None:
        super().papermill_execute_cells()
        request = self.kc.execute(
            "", store_history=False, user_expressions={"report": _KERNEL_REPORT}
        )
        reply = self.wait_for_reply(request)["content"]
        report = reply.get("user_expressions", {}).get("report", {})
        if report.get("status") == "ok":
            self.state.kernel = ast.literal_eval(report["data"]["text/plain"])

    def execute_cell(self, cell: NotebookNode, cell_index: int, **keywords: Any) -> NotebookNode:
        self.state.cell += not _injected(cell)
        done = super().execute_cell(cell, cell_index, **keywords)
        self.state.on_progress(cell_index + 1, len(self.nb.cells))
        return done


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, state: _RunState, start_timeout: int = 60, **_: Any
    ) -> NotebookNode:
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout_func=state.seconds_left,
        )
        client.state = state
        # What the kernel process itself prints (not its cells) is about its plumbing.
        return client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


_ENGINE = "quire"
_KERNEL_REPORT = (
    "__import__('quire.workbook.provenance', fromlist=['kernel_report']).kernel_report()"
)
papermill_engines.register(_ENGINE, _Engine)


def _clear(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    notebook.metadata.pop("quire", None)


def _strip_papermill(notebook: NotebookNode) -> None:
    """Drop papermill's timings and random cell id: two runs must give the same bytes."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if _injected(cell):
            cell["id"] = "injected-parameters"


def _injected(cell: NotebookNode) -> bool:
    """Tell whether papermill put this cell in: it is none of the chapter's own."""
    return "injected-parameters" in cell.metadata.get("tags", [])


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "(no message)"
