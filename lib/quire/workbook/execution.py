"""One run: a notebook and its parameters in, the executed notebook with its provenance out."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from quire.workbook import compiled, deferred
from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter
from quire.workbook.errors import ChapterFailed, UserError, check_timeout, plain_line, plain_text
from quire.workbook.files import check_writable, work_folder, write_atomically
from quire.workbook.home import home
from quire.workbook.lifelines import ENDS_WITH_PARENT
from quire.workbook.machine import arithmetic
from quire.workbook.notebooks import dumps, is_injected, merge_streams, tags
from quire.workbook.parameters import injection, resolve
from quire.workbook.provenance import REPORT_MIME, git_commit, packages

# isort: split
import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

Progress = Callable[[int, int], None]
"""Called with (cells done, cells in all) whenever a cell ends."""

# A kernel named python3 in somebody's home must not replace the one of this environment.
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
logging.getLogger("papermill").setLevel(logging.CRITICAL)


def execute(
    chapter: Chapter,
    parameters: Mapping[str, Any] | None = None,
    profile: ProfileName = "default",
    timeout: float | None = None,
    on_progress: Progress | None = None,
) -> NotebookNode:
    """Run a chapter in a fresh kernel and return the executed notebook; nothing is written.

    The kernel works in the notebook's folder and sees nothing of this user's IPython profile. It
    ends with this process, and its own children end with it.

    Parameters
    ----------
    chapter
        The chapter to run.
    parameters
        Values that win over the profile's, by name.
    profile
        The card's set of parameter values to start from.
    timeout
        Seconds the whole run may take, the kernel's start included.
    on_progress
        Told after each cell.

    Raises
    ------
    UserError
        For bad parameters or a broken notebook, before a kernel is started.
    ChapterFailed
        When a cell raises or exits, the kernel does not start or dies, or the time is over; it
        carries ``traceback``.
    """
    check_timeout(timeout)
    chosen = resolve(chapter, parameters or {}, profile)
    notebook = _prepared(chapter, chosen)
    started = time.monotonic()
    state = _RunState(
        deadline=None if timeout is None else started + timeout,
        on_progress=on_progress or (lambda done, total: None),
    )
    with work_folder() as private, _own_loop():
        try:
            executed = papermill.execute_notebook(
                notebook,
                None,
                engine_name=_ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                chapter=chapter,
                state=state,
                private=private,
            )
        except Exception as fault:
            told = _told(chapter, state, fault, timeout, private)
            raise told from None
    _finish(executed)
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
    """Execute a chapter as `execute` does and write it to ``output``, whole or not at all.

    Raises
    ------
    UserError
        When the output's name does not end in ``.ipynb`` or can not be written, and as `execute`.
    """
    # As much room as the notebook takes now: a full disk is told of before the run, not after it.
    output = check_writable(output, room=max(chapter.notebook.stat().st_size, 1 << 16))
    if output.suffix != ".ipynb":
        raise UserError(f"{output} is no name for a notebook", "let it end in .ipynb")
    executed = execute(chapter, parameters, profile, timeout, on_progress)
    write_atomically(output, dumps(executed))
    return executed


class _RunState:
    """What the engine tells: which of the chapter's cells it is in, the kernel's last words."""

    def __init__(self, deadline: float | None, on_progress: Progress) -> None:
        self.deadline = deadline
        self.on_progress = on_progress
        self.cell = 0
        self.kernel: dict[str, Any] = {}

    def seconds_left(self, cell: Any = None) -> float | None:
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.1)


class _Client(PapermillNotebookClient):
    """Papermill's client, which also reports progress and asks the kernel for its report."""

    state: _RunState

    def execute(self, **popen: Any) -> NotebookNode:
        self.reset_execution_trackers()
        pid = None
        try:
            with self.setup_kernel(**popen):
                pid = getattr(self.km.provisioner, "pid", None)
                try:
                    for index, cell in enumerate(self.nb.cells):
                        self.execute_cell(cell, index)
                except BaseException:
                    self.shutdown_kernel = "immediate"  # it may not listen any more
                    raise
                # From here on the work is done: whatever the kernel still says is welcome.
                with suppress(Exception):
                    self._take_report()
                self.set_widgets_metadata()
        finally:
            _end_group(pid)
        return self.nb

    def _take_report(self) -> None:
        self.timeout = _SECONDS_FOR_THE_REPORT
        request = self.kc.execute(
            "", store_history=False, user_expressions={"report": _KERNEL_REPORT}
        )
        reply = self.wait_for_reply(request)["content"]
        told = reply["user_expressions"]["report"]
        if told["status"] == "ok":
            self.state.kernel = dict(told["data"][REPORT_MIME])
        about = self.wait_for_reply(self.kc.kernel_info())["content"]
        self.nb.metadata["language_info"] = about["language_info"]

    def execute_cell(self, cell: NotebookNode, cell_index: int, **keywords: Any) -> NotebookNode:
        self.state.cell += not is_injected(cell)
        done = super().execute_cell(cell, cell_index, **keywords)
        self.state.on_progress(cell_index + 1, len(self.nb.cells))
        return done


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        chapter: Chapter,
        state: _RunState,
        private: Path,
        **_: Any,
    ) -> NotebookNode:
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=math.ceil(
                min(state.seconds_left() or _SECONDS_TO_START, _SECONDS_TO_START)
            ),
            timeout_func=state.seconds_left,
            # the kernel's folder, not this process's, which other threads share
            resources={"metadata": {"path": str(chapter.notebook.parent)}},
            log=logging.getLogger("papermill"),
        )
        client.state = state
        manager = client.create_kernel_manager()
        manager.connection_file = str(private / "kernel.json")
        if os.name == "posix" and len(str(private)) < _LONGEST_SOCKET:
            # Sockets of our own folder: two runs that start at once can not take the same port.
            manager.transport, manager.ip = "ipc", str(private / "kernel")
        with (private / _KERNEL_LOG).open("wb") as log:
            return client.execute(
                env=_environment(chapter, private),
                stdout=log,  # what the kernel process itself prints, not its cells
                stderr=log,
                **ENDS_WITH_PARENT,
            )


_ENGINE = "quire"
_KERNEL_LOG = "kernel.log"
_KERNEL_REPORT = (
    "__import__('quire.workbook.provenance', fromlist=['kernel_report']).kernel_report()"
)
_SECONDS_TO_START = 60
_SECONDS_FOR_THE_REPORT = 20
_LONGEST_SOCKET = 90
_LEAKS = ("COLUMNS", "LINES", "PYTHONSTARTUP", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE")
"""Variables of somebody's terminal that would change what a cell prints."""

papermill_engines.register(_ENGINE, _Engine)


def _prepared(chapter: Chapter, chosen: Mapping[str, Any]) -> NotebookNode:
    """Return the notebook without outputs, with the cell that sets ``chosen``, and no older one."""
    notebook = chapter.read()
    notebook.cells = [cell for cell in notebook.cells if not is_injected(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    for key in ("quire", "widgets"):
        notebook.metadata.pop(key, None)
    if chosen:
        place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in tags(cell))
        source = injection(chapter, chosen)
        made = new_code_cell(source, metadata={"tags": ["injected-parameters"]})
        made["id"] = "injected-parameters"
        notebook.cells.insert(place + 1, made)
    return notebook


def _finish(notebook: NotebookNode) -> None:
    """Drop papermill's timings and join printed text: two runs must give the same bytes."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            merge_streams(cell)


def _environment(chapter: Chapter, private: Path) -> dict[str, str]:
    """Return the kernel's environment: this one, less what belongs to a terminal or a profile."""
    profile = private / "ipython" / "profile_default" / "startup"
    profile.mkdir(parents=True)
    (profile / "00-deferred.py").write_text(
        Path(deferred.__file__).read_text(encoding="utf-8"), encoding="utf-8"
    )
    (profile / "02-compiled.py").write_text(compiled.STARTUP, encoding="utf-8")
    log = str(private / _KERNEL_LOG)
    (profile / "01-faults.py").write_text(
        f"__import__('faulthandler').enable(open({log!r}, 'ab'))\n", encoding="utf-8"
    )
    environment = {name: value for name, value in os.environ.items() if name not in _LEAKS}
    environment |= {
        "IPYTHONDIR": str(private / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(private),
        "QUIRE_HOME": str(chapter.notebook.parents[1].absolute()),
    }
    environment.setdefault("PYTHONHASHSEED", "0")  # a set of words prints in one order
    # Idle threads of OpenBLAS sleep at once. By default they turn for 20 ms after every call: a
    # chapter of small matrices then takes three to ten times the processor time, and its rivals'
    # time, when they are measured next to each other. No result depends on it.
    environment.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    environment |= compiled.settings() | compiled.bytecode()
    for name in ("QUIRE_DATA_MIRROR", "QUIRE_CACHE"):
        if environment.get(name):
            environment[name] = os.path.abspath(os.path.expanduser(environment[name]))  # noqa: PTH100, PTH111
    if environment.get("PYTHONPATH"):
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, entries)))
    return environment


@contextmanager
def _own_loop() -> Iterator[None]:
    """Close the event loop that a run opens in a thread: nobody else would."""
    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            with suppress(RuntimeError), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                loop = asyncio.get_event_loop()
                if not loop.is_running():
                    loop.close()
                    asyncio.set_event_loop(None)


def _end_group(pid: int | None) -> None:
    """End whatever a kernel's cells started and left running; the kernel led their group."""
    if pid is not None and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _told(
    chapter: Chapter, state: _RunState, fault: Exception, timeout: float | None, private: Path
) -> Exception:
    """Return what is to be said of a run's end, or the fault itself when it is none of a run's."""
    slug, cell = chapter.slug, state.cell
    match fault:
        case CellExecutionError() | PapermillExecutionError():
            trace = fault.traceback
            text = trace if isinstance(trace, str) else "\n".join(trace)
            reason = _reason(str(fault.ename), str(fault.evalue), text)
            return ChapterFailed(f"{slug}: cell {cell} {reason}", _remedy(text), text)
        case CellTimeoutError():
            return ChapterFailed(
                f"{slug}: cell {cell} was still running after {timeout:g} s",
                "give more time with --timeout, or a smaller profile",
            )
        case DeadKernelError():
            return ChapterFailed(
                f"{slug}: the kernel died in cell {cell}{_last_words(private)}",
                "look for os._exit, a crash in native code, or too little memory",
            )
        case NoSuchKernel():
            return UserError(f"{slug}: {fault}", "pip install ipykernel")
        case UserError():
            return fault
        case RuntimeError() | TimeoutError() | OSError() if cell == 0:
            return ChapterFailed(
                f"{slug}: the kernel did not start ({plain_line(str(fault))})"
                f"{_last_words(private)}",
                f"try {sys.executable} -m ipykernel --version",
            )
    return fault


def _reason(name: str, message: str, trace: str) -> str:
    if name == "SystemExit":
        return f"stopped the run by sys.exit({message})"
    if name == "NoneType":  # what showing a result raises, the kernel tells in the traceback alone
        ends = re.findall(r"^([A-Za-z_][\w.]*): (.*)$", plain_text(trace), flags=re.MULTILINE)
        name, message = ends[-1] if ends else ("an error", "")
    first = message.strip().splitlines()[0] if message.strip() else ""
    if not first:
        # The line that raised says more than nothing: "----> 3 assert total == 4".
        arrows = re.findall(r"^-+> *\d+ +(\S.*)$", plain_text(trace), flags=re.MULTILINE)
        first = f"at '{arrows[-1].strip()}'" if arrows else "(no message)"
    return f"raised {name}: {first}"


def _remedy(trace: str) -> str:
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms not in ("", "cpu") and "jax" in trace:
        return f"JAX_PLATFORMS={platforms} asks for a device; unset it to use what is here"
    return "run it in JupyterLab to see the whole traceback"


def _last_words(private: Path) -> str:
    """Return what the kernel process said last, of itself: a fatal error, a failing import."""
    with suppress(OSError):
        text = (private / _KERNEL_LOG).read_bytes()[-20_000:].decode("utf-8", "replace")
        lines = [plain_line(line) for line in text.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith("Fatal Python error")]
        if lines:
            return f": {(fatal or lines)[0 if fatal else -1]}"
    return ""
