"""A process that has imported the generator and forks it: each run starts within milliseconds.

Run as ``python -m quire.brokers.load._fork_server FD`` with a socket of whoever asks. A message
with three files asks for a generator that has them as standard input, output and error, and is
answered by its process; a message with a process asks for its end. It ends when the socket does.
"""

import contextlib
import gc
import os
import signal
import socket
import sys

from quire.brokers.load import _child

with contextlib.suppress(ImportError):
    import uvloop  # noqa: F401  # imported once, for all that are forked


def _serve(control: socket.socket) -> int:
    alive: set[int] = set()
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    while True:
        asked, files, _, _ = socket.recv_fds(control, 64, 3)
        if not asked:
            return 0
        if files:
            pid = os.fork()
            if pid == 0:
                control.close()
                _become(files)
            for file in files:
                os.close(file)
            alive.add(pid)
            control.send(str(pid).encode())
            continue
        pid = int(asked)
        if pid in alive:
            alive.discard(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        control.send(b"ended")


def _become(files: list[int]) -> None:
    status = 1
    try:
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
        status = _child.run()
    except BaseException as error:  # told to whoever asked, who reads standard error
        with contextlib.suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
