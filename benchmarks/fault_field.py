"""A workbook of one small chapter, and what is needed to do to it what happens in the field."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

Process = subprocess.Popen

CARD = """\
paper: {title: A tiny paper, authors: [A. Author], arxiv: "2601.00001", cite: author2026tiny}
topic: tiny
part: Machines
summary: A chapter of three cells that squares a number.
profiles: {smoke: {size: 1}, default: {}, full: {size: 9}}
claims:
  - id: "99.1"
    role: check
    says: The square of size is its square.
    kind: exact
    expect: true
    fails_if: The two differ.
"""
PARAMETERS = 'size: int = 3  # items, how many\nword: str = "plain"  # what the work cell does\n'
WORK = """\
import os, time
def note(what):
    with open(LOG, "a") as file:
        file.write(f"{what} {size} {os.getpid()}\\n")
note("start")
if word == "hang":
    time.sleep(600)
if word == "lock":
    7**60_000_000
if word == "slow":
    time.sleep(1.0)
claims.measure("99.1", size * size == size**2)
note("end")
"""


class Broken(AssertionError):
    """What must hold does not."""


class Field:
    """A workbook of one chapter in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "log"
        self.home = root / "workbook"
        (self.home / "notebooks").mkdir(parents=True)
        (self.home / "_toc.yml").write_text("format: jb-book\nroot: index\nparts: []\n")
        (self.home / "notebooks" / "99_tiny.yml").write_text(CARD)
        begin = "from quire import workbook\nclaims = workbook.begin('99_tiny', globals())"
        cells = [
            new_markdown_cell("# A tiny chapter", id="title"),
            new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}),
            new_code_cell(begin, id="begin"),
            new_code_cell(f"LOG = {str(self.log)!r}\n{WORK}", id="work"),
        ]
        self.notebook = self.home / "notebooks" / "99_tiny.ipynb"
        nbformat.write(new_notebook(cells=cells), self.notebook)
        self.table = root / "table.parquet"

    def start(self, *words: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "quire", *map(str, words)],
            cwd=self.root,
            env={**os.environ, "QUIRE_HOME": str(self.home), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def end(self, process: subprocess.Popen[str], seconds: float = 200) -> tuple[int, str, str]:
        started = time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                out, err = process.communicate(timeout=1)
                return process.returncode, out, err
            if time.monotonic() - started > seconds * patience():
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise Broken(f"still running after {time.monotonic() - started:.0f} s")

    def quire(self, *words: object, **environment: str) -> tuple[int, str, str]:
        return self.end(self.start(*words, **environment))

    def kernels(self, what: str = "start") -> list[int]:
        text = self.log.read_text() if self.log.exists() else ""
        return [int(line.split()[2]) for line in text.splitlines() if line.startswith(what)]

    def points(self) -> list[Path]:
        return sorted(self.table.with_name("table.parquet.points").glob("*.json"))


def one_line(result: tuple[int, str, str], status: int, *words: str) -> None:
    """Fail unless the command ended with ``status`` and one line that holds ``words``."""
    code, _, err = result
    if code != status:
        raise Broken(f"status {code}, not {status}: {err.strip()[-120:]}")
    if err.strip().count("\n"):
        raise Broken(f"{err.count(chr(10))} lines: {err.strip()[-120:]}")
    for word in words:
        if word not in err:
            raise Broken(f"{word!r} is not said: {err.strip()[-120:]}")


def wait(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds * patience():
            raise Broken(f"in vain for {time.monotonic() - started:.0f} s: {what}")
        time.sleep(0.05)


def patience() -> float:
    """Return by how much longer things may take than on a quiet machine: the load of a core."""
    return max(1.0, os.getloadavg()[0] / len(psutil.Process().cpu_affinity()))


def gone(pids: list[int]) -> bool:
    def runs(pid: int) -> bool:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return False

    return not any(map(runs, pids))


def no_leftovers(folder: Path) -> None:
    left = [p.name for p in folder.iterdir() if p.name.startswith((".quire", "dask-scratch"))]
    if left:
        raise Broken(f"left behind: {', '.join(left)}")


@contextmanager
def scheduler(field: Field, count: int = 1) -> Iterator[tuple[str, Process, list[Process]]]:
    """Yield a scheduler's address and process, and those of its ``count`` workers."""
    file = field.root / "scheduler.json"
    python = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": field.root}
    words = ["--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    boss = subprocess.Popen([*python, "scheduler", *words], **quiet)  # type: ignore[call-overload]
    workers: list[Process] = []
    try:
        wait(lambda: file.exists() and file.read_text().strip().endswith("}"), "a scheduler")
        address = json.loads(file.read_text())["address"]
        command = [*python, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        command += ["--local-directory", str(field.root / "scratch")]
        environment = {**os.environ, "QUIRE_HOME": str(field.home)}
        for _ in range(count):
            worker = subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload]
            workers.append(worker)
        yield address, boss, workers
    finally:
        for process in (*workers, boss):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def served(
    field: Field, handler: Callable[[socket.socket], None], size: int, body: bytes
) -> tuple[int, str, str]:
    """Fetch a dataset from a server that does what ``handler`` does with a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        handler(connection)

        threading.Thread(target=serve, daemon=True).start()
        entry = {
            "url": f"http://127.0.0.1:{port}/x",
            "sha256": hashlib.sha256(body).hexdigest(),
            "path": "99-tiny/x",
            "licence": "CC0-1.0",
            "citation": "Somebody, Something, 2026",
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
        (field.home / "data").mkdir(exist_ok=True)
        (field.home / "data" / "registry.toml").write_text(
            "\n".join(['["99/x"]', *lines, f"bytes = {size}", ""])
        )
        return field.quire(
            "data", "fetch", NO_PROXY="127.0.0.1", QUIRE_DATA_MIRROR=str(field.root / "none")
        )


def head(extra: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n{extra}Connection: close\r\n\r\n".encode()
