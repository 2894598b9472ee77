"""Start a server on loopback, wait until it accepts calls, and stop it whatever happens."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quire.brokers.measuring.processes import Usage, is_loopback, listening, usage
from quire.checks import integer, positive
from quire.ports import is_free

GUARD = Path(__file__).with_name("_guard.py")


class BrokerUnavailable(RuntimeError):
    """A broker that cannot be started here, with what is missing."""


class BrokerFailed(RuntimeError):
    """A server that was started and exited or never accepted calls, with the end of its log."""


class PortBusy(BrokerFailed):
    """A port that was asked for and is taken by somebody else."""


@dataclass(frozen=True)
class Launch:
    """How a server is started.

    Attributes
    ----------
    commands
        One argument list for each process; the first is the broker, others serve it.
    port
        Where it accepts calls, on 127.0.0.1.
    environment
        Variables beside PATH and HOME.
    start_s
        How long it may take to accept calls.
    """

    commands: tuple[tuple[str, ...], ...]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    start_s: float = 10.0


@dataclass
class Server:
    """A running server: where it listens, its process and its guard's."""

    name: str
    port: int
    pid: int
    guard: Any  # subprocess.Popen
    folder: Path

    def usage(self) -> Usage:
        """Return processor seconds and memory of the server's process tree."""
        return usage(self.pid)

    def listening(self) -> list[str]:
        """Return the addresses on which the server accepts calls."""
        return listening(self.pid)

    def log(self) -> str:
        """Return the end of what the server wrote."""
        return _log_of(self.folder)


def check_port(port: int) -> None:
    """Make sure that a port of 127.0.0.1 can be taken.

    Raises
    ------
    PortBusy
        When it cannot.
    """
    if not is_free(integer("port", port, 1, 65_535)):
        raise PortBusy(f"port = {port}: taken on 127.0.0.1, choose another")


@contextlib.contextmanager
def running(
    name: str,
    launch: Launch,
    folder: Path,
    *,
    cpus: Sequence[int] = (),
    files: int = 65_536,
    grace_s: float = 2.0,
) -> Iterator[Server]:
    """Run a server within a ``with`` block.

    Parameters
    ----------
    name
        What to call it in errors.
    launch
        How it is started.
    folder
        A folder of its own, which is removed with it.
    cpus
        Processors that it may use; all when empty.
    files
        How many files it may open, up to the hard limit.
    grace_s
        How long it may take to end by itself before it is killed.

    Raises
    ------
    BrokerUnavailable
        On another system than Linux.
    PortBusy
        Before anything is started, when its port is taken.
    BrokerFailed
        When it exits or does not accept calls in time, or accepts them from other hosts.
    """
    try:
        if sys.platform != "linux":
            raise BrokerUnavailable("servers are started on Linux only: their guard asks for prctl")
        check_port(launch.port)
        positive("grace_s", grace_s)
        integer("files", files)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    log = folder / "server.log"
    known = {k: os.environ[k] for k in ("PATH", "LANG", "TZ") if k in os.environ}
    spec = {
        "commands": [list(command) for command in launch.commands],
        "folder": str(folder),
        "log": str(log),
        "environment": {"HOME": str(folder), **known, **launch.environment},
        "cpus": list(cpus),
        "files": int(files),
        "file_bytes": 512 * 1024 * 1024,
        "grace_s": grace_s,
    }
    guard = subprocess.Popen(
        [sys.executable, "-I", str(GUARD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    stdin, stdout = _pipes(guard)
    try:
        stdin.write(json.dumps(spec) + "\n")
        stdin.flush()
        told = stdout.readline()
        if not told or told.startswith("!"):
            raise BrokerFailed(f"{name}: could not be started {told[1:].strip()}")
        server = Server(name, launch.port, int(told.split()[0]), guard, folder)
        _wait_until_it_accepts(server, launch.start_s)
        yield server
    finally:
        with contextlib.suppress(OSError):
            stdin.close()
        try:
            guard.wait(grace_s + 8)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()
        stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


def new_folder(name: str) -> Path:
    """Return a fresh temporary folder for a server."""
    return Path(tempfile.mkdtemp(prefix=f"quire-{name}-"))


def _pipes(guard: Any) -> tuple[Any, Any]:
    assert guard.stdin is not None
    assert guard.stdout is not None
    return guard.stdin, guard.stdout


def _wait_until_it_accepts(server: Server, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        if server.guard.poll() is not None:
            raise BrokerFailed(f"{server.name}: exited before it accepted calls. {server.log()}")
        try:
            socket.create_connection(("127.0.0.1", server.port), 0.5).close()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise BrokerFailed(
                    f"{server.name}: did not accept calls within {seconds:g} s. {server.log()}"
                ) from None
            time.sleep(0.05)
    # a JVM may open a port for a moment to make itself a unique name: what stays open counts
    for _ in range(10):
        open_to_others = [a for a in server.listening() if not is_loopback(a)]
        if not open_to_others:
            break
        time.sleep(0.2)
    if open_to_others:
        raise BrokerFailed(
            f"{server.name}: listens on {', '.join(open_to_others)}, not on loopback"
        )


def _log_of(folder: Path) -> str:
    try:
        text = (folder / "server.log").read_text(errors="replace")
    except OSError:
        return "It wrote no log."
    lines = [line for line in text.splitlines() if line.strip()][-6:]
    return "Its log ends: " + " | ".join(lines) if lines else "Its log is empty."
