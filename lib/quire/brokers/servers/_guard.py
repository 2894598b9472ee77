"""A process that runs servers and leaves none behind. Run by path; imports nothing of ours.

It reads one line of JSON from its standard input. When that input ends (whoever held it was closed,
killed, or crashed), on SIGTERM, or when a server exits, it ends all its descendants, removes the
folder and exits. It is the reaper of orphans, so daemons of a server are its children as well; the
servers ask the kernel to be killed should the guard itself be killed (PR_SET_PDEATHSIG).
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time

_PDEATHSIG, _SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True)


def _before_exec(spec: dict) -> None:
    _LIBC.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = spec["files"] if hard == resource.RLIM_INFINITY else min(spec["files"], hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(soft, hard)), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (spec["file_bytes"], spec["file_bytes"]))
    if spec["cpus"]:
        os.sched_setaffinity(0, spec["cpus"])


def _descendants() -> list[int]:
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [os.getpid()]
    while queue:
        for child in parents.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def _end_all(grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    for pid in _descendants():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
    while _descendants() and time.monotonic() < deadline:
        _reap()
        time.sleep(0.02)
    deadline = time.monotonic() + 5
    while _descendants() and time.monotonic() < deadline:
        for pid in _descendants():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(0.01)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _main() -> int:
    asked_to_end: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: asked_to_end.append(n))
    _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
    parent = os.getppid()
    line = sys.stdin.readline()
    if not line:
        return 0
    spec = json.loads(line)
    servers = []
    status = 0
    try:
        for command in spec["commands"]:
            with open(spec["log"], "ab") as log:  # noqa: PTH123
                servers.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        cwd=spec["folder"],
                        env=spec["environment"],
                        start_new_session=True,
                        preexec_fn=lambda: _before_exec(spec),
                    )
                )
        print(*(server.pid for server in servers), flush=True)
        while not asked_to_end:
            with contextlib.suppress(InterruptedError):
                ready, _, _ = select.select([0], [], [], 0.1)
                if ready and not os.read(0, 4096):
                    break
            if any(server.poll() is not None for server in servers):
                status = 1
                break
    except OSError as error:
        print(f"! {error}", flush=True)
        status = 2
    finally:
        _end_all(spec["grace_s"])
        if status != 1 or os.getppid() != parent:  # else our parent reads the log and removes it
            shutil.rmtree(spec["folder"], ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(_main())
