"""The generator's processes as their owner sees them: asked for, talked to in JSON, ended."""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import IO, Any

_LONGEST_START_S = 60.0


class GeneratorFailed(RuntimeError):
    """The generator could not connect, lost its connections, or was ended."""


class Child:
    """One process of the generator, forked from the server that all runs of this process share."""

    def __init__(self) -> None:
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        try:
            self.pid = _SERVER.fork(theirs)
        except BaseException:
            for pair in pipes:
                os.close(pair[0])
                os.close(pair[1])
            raise
        for file in theirs:
            os.close(file)
        self._in: IO[str] = os.fdopen(pipes[0][1], "w", encoding="utf-8")
        self._out: IO[str] = os.fdopen(pipes[1][0], encoding="utf-8")
        self._error: IO[str] = os.fdopen(pipes[2][0], encoding="utf-8", errors="replace")

    def write(self, what: dict[str, Any]) -> None:
        """Tell it something, in one line."""
        try:
            self._in.write(json.dumps(what) + "\n")
            self._in.flush()
        except BrokenPipeError:
            self._failed()

    def read(self) -> dict[str, Any]:
        """Wait for what it says next.

        Raises
        ------
        GeneratorFailed
            When it says that it failed, or ends without a word.
        """
        line = self._out.readline()
        if not line:
            self._failed()
        told: dict[str, Any] = json.loads(line)
        if "failed" in told:
            raise GeneratorFailed(told["failed"])
        return told

    def end(self) -> None:
        """Kill it, whatever it does, and close what led to it."""
        _SERVER.end(self.pid)
        for stream in (self._in, self._out, self._error):
            with contextlib.suppress(OSError):
                stream.close()

    def _failed(self) -> None:
        _SERVER.end(self.pid)
        lines = self._error.read().strip().splitlines()
        raise GeneratorFailed(f"the generator ended early: {lines[-1] if lines else 'no word'}")


class _Server:
    """The fork server of this process: started at the first fork, ended with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def fork(self, files: list[int]) -> int:
        """Return the process of a new generator with these as its standard files.

        Raises
        ------
        GeneratorFailed
            When no server can be started.
        """
        with self._lock:
            for again in (True, False):  # one that was killed meanwhile is started anew
                control = self._started()
                try:
                    socket.send_fds(control, [b"fork"], files)
                    told = control.recv(64)
                except OSError:
                    told = b""
                if told:
                    return int(told)
                self._close()
                if not again:
                    break
        raise GeneratorFailed("the generator ended early: its fork server was ended")

    def end(self, pid: int) -> None:
        """Kill a generator and reap it; nothing where it is gone."""
        with self._lock:
            if self._control is None or self._owner != os.getpid():
                return
            try:
                self._control.send(str(pid).encode())
                told = self._control.recv(64)
            except OSError:
                told = b""
            if not told:  # with the server its children lost their reaper, not their lives
                self._close()
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _started(self) -> socket.socket:
        if self._control is not None and self._owner == os.getpid():
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "quire.brokers.load._fork_server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        self._process, self._control, self._owner = process, ours, os.getpid()
        ours.settimeout(_LONGEST_START_S)
        try:
            ready = ours.recv(64)
        except OSError:
            ready = b""
        if not ready:
            process.kill()
            assert process.stderr is not None
            lines = process.stderr.read().decode(errors="replace").strip().splitlines()
            self._close()
            why = lines[-1] if lines else "no word"
            raise GeneratorFailed(f"the generator could not be started: {why}")
        return ours

    def _close(self) -> None:
        control, process = self._control, self._process
        self._control = self._process = None
        if control is not None:
            control.close()
        if process is None or self._owner != os.getpid():
            return
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


_SERVER = _Server()
atexit.register(_SERVER._close)
