"""Faults: what is killed, full, slow, hostile or wrong, and what the workbook makes of it.

Run as ``python benchmarks/faults.py [WORD...]`` (a few minutes; a word chooses lines). It builds a
workbook of one small chapter in a temporary folder, does to it what happens in the field, and
prints one table: the fault, what must hold afterwards, and whether it does. Limits of time are
those of a quiet machine, and longer by the load that others put on its cores. It ends with status 1
when a line does not hold.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from fault_field import (
    Broken,
    Field,
    gone,
    head,
    no_leftovers,
    one_line,
    patience,
    scheduler,
    served,
    wait,
)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    kind: str
    fault: str
    holds: str
    outcome: str
    seconds: float


LINES: list[tuple[str, str, str, Callable[[Field], None]]] = []


def fault(kind: str, name: str, holds: str) -> Callable[[Callable[..., None]], None]:
    """Put a check into the table."""

    def add(check: Callable[..., None]) -> None:
        LINES.append((kind, name, holds, check))

    return add


for _name in ("SIGINT", "SIGTERM", "SIGHUP"):

    @fault("kill", f"{_name} to a run", "one line, 130, no kernel, no file")
    def _(field: Field, name: str = _name) -> None:
        process = field.start("run", "99", "-p", "word=hang", "--output", "x.ipynb")
        wait(field.kernels, "the cell to start")
        process.send_signal(getattr(signal, name))
        one_line(field.end(process, 30), 130, "interrupted")
        wait(lambda: gone(field.kernels()), "the kernel to end", 10)
        if (field.root / "x.ipynb").exists():
            raise Broken("a file")
        no_leftovers(field.root)


for _word in ("hang", "lock"):

    @fault("kill", f"SIGKILL to a run whose cell does '{_word}'", "the kernel dies within 10 s")
    def _(field: Field, word: str = _word) -> None:
        process = field.start("run", "99", "-p", f"word={word}", "--output", "x.ipynb")
        wait(field.kernels, "the cell to start")
        process.kill()
        process.communicate()
        wait(lambda: gone(field.kernels()), "the kernel to end", 10)


@fault("kill", "SIGKILL to the kernel", "one line, status 1")
def _(field: Field) -> None:
    process = field.start("run", "99", "-p", "word=hang", "--output", "x.ipynb")
    wait(field.kernels, "the cell to start")
    os.kill(field.kernels()[0], signal.SIGKILL)
    one_line(field.end(process, 40), 1, "the kernel died in cell 4")


@fault("kill", "Ctrl-C to a study with a kernel in a C call", "all end within 20 s, points kept")
def _(field: Field) -> None:
    process = field.start(
        "study", "99", "-p", "word=plain,lock", "--output", field.table, "--workers", "2"
    )
    wait(lambda: len(field.kernels()) == 2 and field.points(), "one point and one hanging", 180)
    family = [p.pid for p in psutil.Process(process.pid).children(recursive=True)]
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    one_line(field.end(process, 60), 130, "interrupted")
    left = max(1.0, 20 - (time.monotonic() - started) / patience())
    wait(lambda: gone(family), "its processes to end", left)
    if len(field.points()) != 1:
        raise Broken(f"{len(field.points())} points")


@fault("kill", "SIGKILL to a study", "no process stays; the rerun keeps what was done")
def _(field: Field) -> None:
    words = ("study", "99", "-p", "size=1,2,3,4", "-p", "word=slow", "--output", field.table)
    process = field.start(*words, "--workers", "2")
    wait(field.points, "one point", 180)
    family = [p.pid for p in psutil.Process(process.pid).children(recursive=True)]
    process.kill()
    process.communicate()
    wait(lambda: gone(family), "its processes to end", 30)
    kept = len(field.points())
    code, out, err = field.quire(*words, "--workers", "2")
    if code or "4 points, 0 failed" not in out:
        raise Broken(f"the rerun: {out} {err}")
    if len(field.kernels("end")) > 4 + 2 or len(field.points()) != 4:
        raise Broken(f"{len(field.kernels('end'))} runs, {kept} kept, {len(field.points())} points")


@fault("kill", "two studies of one table at once", "the second says so in one line")
def _(field: Field) -> None:
    first = field.start("study", "99", "-p", "word=hang", "--output", field.table)
    wait(field.kernels, "the first to run", 180)
    one_line(
        field.quire("study", "99", "-p", "word=hang", "--output", field.table), 2, "another study"
    )
    os.killpg(first.pid, signal.SIGINT)
    field.end(first, 60)


@fault("kill", "SIGKILL to the driver of a scheduler's study", "its running point is not run twice")
def _(field: Field) -> None:
    with scheduler(field) as (address, _boss, _workers):
        words = ("study", "99", "-p", "size=1,2,3", "-p", "word=slow", "--output", field.table)
        process = field.start(*words, "--scheduler", address)
        wait(lambda: len(field.kernels()) >= 2, "a second point to run", 180)
        process.kill()
        process.communicate()
        code, out, err = field.quire(*words, "--scheduler", address)
        if code or "3 points, 0 failed" not in out:
            raise Broken(f"{out} {err}")
        if len(field.kernels("start")) != 3:
            raise Broken(f"{len(field.kernels('start'))} runs of 3 points")


@fault("kill", "SIGKILL to the scheduler", "one line, finished points kept")
def _(field: Field) -> None:
    with scheduler(field) as (address, boss, _workers):
        process = field.start(
            "study", "99", "-p", "size=1,2", "-p", "word=slow", "--output", field.table,
            "--scheduler", address,
        )  # fmt: skip
        wait(field.points, "one point", 180)
        boss.kill()
        one_line(field.end(process, 90), 2, "the scheduler")


@fault("kill", "SIGSTOP to the scheduler", "one line, half a minute later")
def _(field: Field) -> None:
    with scheduler(field) as (address, boss, _workers):
        process = field.start(
            "study", "99", "-p", "word=hang", "--output", field.table, "--scheduler", address
        )
        wait(field.kernels, "the point to run", 180)
        boss.send_signal(signal.SIGSTOP)
        one_line(field.end(process, 150), 2, "does not answer")


@fault("kill", "the last worker leaves", "one line, a minute later")
def _(field: Field) -> None:
    with scheduler(field) as (address, _boss, workers):
        process = field.start(
            "study", "99", "-p", "word=hang", "--output", field.table, "--scheduler", address
        )
        wait(field.kernels, "the point to run", 180)
        workers[0].send_signal(signal.SIGTERM)
        one_line(field.end(process, 180), 2, "no workers left")


@fault("disk", "a full disk at the start of a run", "one line before any kernel")
def _(field: Field) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [sys.executable, "-m", "quire", "run", "99", "--output", str(field.root / "x.ipynb")],
        env={**os.environ, "QUIRE_HOME": str(field.home)},
        capture_output=True,
        text=True,
        preexec_fn=small,
        check=False,
    )
    one_line((done.returncode, done.stdout, done.stderr), 2, "can not write into")
    if field.kernels():
        raise Broken("a kernel was started")


for _target, _words in (("/dev/null", "is a device"), ("pipe", "is a pipe"), ("old", "read-only")):

    @fault("disk", f"--output is {_words.split()[-1]} ({_target})", "one line, target untouched")
    def _(field: Field, target: str = _target, words: str = _words) -> None:
        os.mkfifo(field.root / "pipe")
        (field.root / "old").write_text("kept")
        (field.root / "old").chmod(0o444)
        before = Path("/dev/null").stat().st_mode
        one_line(field.quire("run", "99", "--output", target), 2, words)
        if Path("/dev/null").stat().st_mode != before or (field.root / "old").read_text() != "kept":
            raise Broken("the target was touched")


@fault("disk", "--output is a symbolic link, umask 077", "target written, link kept, mode 0600")
def _(field: Field) -> None:
    (field.root / "link.ipynb").symlink_to(field.root / "far.ipynb")
    before = os.umask(0o077)
    try:
        code, _, err = field.quire("run", "99", "--output", "link.ipynb")
    finally:
        os.umask(before)
    mode = (field.root / "far.ipynb").stat().st_mode & 0o777 if not code else 0
    if code or mode != 0o600 or not (field.root / "link.ipynb").is_symlink():
        raise Broken(f"status {code}, mode {mode:o} {err}")


@fault("disk", "what killed processes left behind", "is gone after the next run")
def _(field: Field) -> None:
    code = "from quire.workbook.files import temporary_name as n; print(n())"
    name = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    (field.root / name).mkdir()
    field.quire("run", "99", "--output", "x.ipynb")
    no_leftovers(field.root)


@fault("disk", "a point's file with other parameters", "is run again, not believed")
def _(field: Field) -> None:
    words = ("study", "99", "-p", "size=2", "--output", field.table)
    field.quire(*words)
    (point,) = field.points()
    point.write_text(point.read_text().replace('"size": 2', '"size": 999'))
    field.quire(*words)
    if len(field.kernels()) != 2 or "999" in field.points()[0].read_text():
        raise Broken("the file was believed")


@fault("load", "six runs at once", "all end well")
def _(field: Field) -> None:
    runs = [field.start("run", "99", "--output", f"{i}.ipynb") for i in range(6)]
    for process in runs:
        code, _, err = field.end(process, 150)
        if code:
            raise Broken(err.strip()[-120:])


@fault("wire", "a server that sends without end", "stopped at the registry's bytes, one line")
def _(field: Field) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(head())
        while True:
            connection.sendall(b"x" * 65536)

    one_line(served(field, endless, 4000, b"x"), 2, "more than the registry's 4,000 bytes")


@fault("wire", "a bomb that unpacks to a gigabyte", "stopped at the registry's bytes, one line")
def _(field: Field) -> None:
    import gzip

    bomb = gzip.compress(b"\0" * (1 << 28))

    def packed(connection: socket.socket) -> None:
        connection.sendall(head("Content-Encoding: gzip\r\n") + bomb)

    one_line(served(field, packed, 4000, b"x"), 2, "more than the registry's 4,000 bytes")


@fault("wire", "a circle of redirections", "one line that says so")
def _(field: Field) -> None:
    def circle(connection: socket.socket) -> None:
        connection.sendall(head("Location: /x\r\n", "302 Found"))

    one_line(served(field, circle, 4, b"x"), 2, "redirects in a circle")


@fault("wire", "a wrong number of bytes in the registry", "one line that says so")
def _(field: Field) -> None:
    def short(connection: socket.socket) -> None:
        connection.sendall(head() + b"abc")

    one_line(served(field, short, 9, b"abc"), 2, "has 3 bytes, the registry says 9")


for _words, _said in (
    (("run", "98"), "no chapter"),
    (("run", "99", "--timeout", "nan"), "timeout"),
    (("run", "99", "-p", "size=2024-13-45"), "not of type int"),
    (("run", "99", "-p", f"size={'9' * 5000}"), "size"),
    (("study", "99", "-p", "size=1:2"), "no range"),
    (("study", "99", "-p", "size=1,9223372036854775808"), "64 bits"),
    (("study", "99", "-p", "size=1", "--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler"),
    (("data", "fetch"), "registry.toml is missing"),
    (("peers", "run", "nobody"), "no peer"),
    (("new", "2601.00042", "class"), "Python's own"),
):

    @fault("input", " ".join(_words)[:60], "one line, status 2, no kernel")
    def _(field: Field, words: tuple[str, ...] = _words, said: str = _said) -> None:
        one_line(field.quire(*words), 2, said)
        if field.kernels():
            raise Broken("a kernel was started")


for _text in ("<<<<<<< ours\n", "{}", "[" * 99_999, ""):

    @fault("input", f"a notebook that holds {_text[:12]!r}", "one line under run and study")
    def _(field: Field, text: str = _text) -> None:
        field.notebook.write_text(text)
        for words in (("run", "99"), ("study", "99", "-p", "size=1")):
            one_line(field.quire(*words), 2, "is not a notebook")


def examine(kind: str, name: str, holds: str, check: Callable[[Field], None]) -> Line:
    """Do to a fresh workbook what one line of the table says."""
    root = Path(tempfile.mkdtemp(prefix="quire-faults-"))
    started = time.monotonic()
    try:
        check(Field(root))
        outcome = "holds"
    except Exception as broken:  # whatever it is: this line does not hold
        outcome = f"FAILS: {type(broken).__name__}: {broken}".replace("\n", " ")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return Line(kind, name, holds, outcome, time.monotonic() - started)


def main() -> int:
    """Print the table and return 1 when a line of it does not hold."""
    wanted = sys.argv[1:]
    chosen = [line for line in LINES if any(word in " ".join(line[:2]) for word in wanted or [""])]
    print("| kind | fault | what must hold | outcome | s |\n|---|---|---|---|---|", flush=True)
    lines = []
    for entry in chosen:
        line = examine(*entry)
        lines.append(line)
        cells = (line.kind, line.fault, line.holds, line.outcome, f"{line.seconds:.0f}")
        print("|", " | ".join(cells), "|", flush=True)
    failed = sum(line.outcome != "holds" for line in lines)
    took = sum(line.seconds for line in lines)
    print(f"\n{len(lines)} faults, {failed} do not hold, {took:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
