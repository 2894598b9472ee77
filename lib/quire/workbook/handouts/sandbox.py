"""The sandbox of a returned notebook: what its process may take, read and write.

Limits of time, memory, files and processes hold on every POSIX system. On Linux with Landlock
(kernel 5.13, network from 6.7) the process can further write nowhere but in its own folder, read
nothing but Python, its packages and the system's libraries, and open no TCP connection, and
ends with the grader. A grader who is root gives its rights up before the notebook's code runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same on every architecture
_ASK_VERSION, _RULE_PATH = 1, 1
_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys", "/dev")
_WRITABLE = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_NOBODY = 65534
_KEEP_CAPABILITIES, _CAPABILITY_VERSION, _READ_ANYWHERE = 8, 0x20080522, 1 << 2


@dataclass(frozen=True)
class Limits:
    """What one notebook may take.

    Attributes
    ----------
    seconds
        Of the clock, from its start to its last answer.
    memory
        Bytes of address space.
    processes
        Processes and threads.
    disk
        Bytes of a file that it writes.
    """

    seconds: float = 120.0
    memory: int = 8 << 30
    processes: int = 256
    disk: int = 64 << 20


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64),
                ("scopes", ctypes.c_uint64))  # fmt: skip


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def is_confining() -> bool:
    """Return whether this system can keep a notebook out of other folders (Linux, Landlock)."""
    return _version() > 0


def enter(folder: Path, readable: Sequence[Path], limits: Limits) -> None:
    """Confine this process, for good: limits, rights of nobody, and Landlock where there is one.

    Parameters
    ----------
    folder
        The one folder that it may write.
    readable
        Folders that it may read besides the system's.
    limits
        What it may take.
    """
    import resource

    _limit(resource.RLIMIT_CPU, int(limits.seconds * 2) + 1)  # two cores, say
    _limit(resource.RLIMIT_AS, limits.memory)
    _limit(resource.RLIMIT_FSIZE, limits.disk)
    _limit(resource.RLIMIT_CORE, 0)
    if os.getuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        _become_nobody()
    _limit(resource.RLIMIT_NPROC, _running() + limits.processes)
    if sys.platform == "linux":  # only now: a change of the user would undo it
        _libc().prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if is_confining():
        _confine(folder, readable)


def _become_nobody() -> None:
    """Give up root's rights, but for reading where Landlock allows it.

    Root's own Python may lie in a folder that nobody else can read.

    Raises
    ------
    OSError
        When they could not be given up.
    """
    libc = _libc()
    libc.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)
    kept = _READ_ANYWHERE if is_confining() else 0
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)):
        raise OSError(ctypes.get_errno(), "root's rights could not be given up")


def _limit(what: int, most: int) -> None:
    import resource

    _, hard = resource.getrlimit(what)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (value, value))


def _running() -> int:
    """Return how many processes and threads this user has, since their limit counts them all."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError, ValueError, IndexError):
            text = status.read_text(encoding="utf-8", errors="replace")
            facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
            if int(facts["Uid"].split()[0]) == os.getuid():
                count += int(facts["Threads"])
    return count


def _version() -> int:
    if sys.platform != "linux":
        return 0
    found: int = _libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    return max(found, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _confine(folder: Path, readable: Iterable[Path]) -> None:
    libc, version = _libc(), _version()
    # What each version of Landlock knows: thirteen rights, then moving, truncating, devices.
    handled = (1 << 13 + (version >= 2) + (version >= 3)) - 1 | (1 << 15 if version >= 5 else 0)
    rules = _Ruleset(handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 * (1 + (version >= 4) + (version >= 6))
    ruleset = libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "no Landlock ruleset")

    def allow(path: Path | str, rights: int) -> None:
        with suppress(OSError):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            if not os.path.isdir(path):  # noqa: PTH112  a path that may be gone is no fault here
                rights &= _OF_FILES
            rule = _PathRule(rights & handled, place)
            libc.syscall(_ADD, ruleset, _RULE_PATH, ctypes.byref(rule), 0)
            os.close(place)

    for path in (*_SYSTEM, sys.prefix, sys.base_prefix, *map(str, readable)):
        allow(path, _READ)
    for path in _WRITABLE:
        allow(path, _READ_FILE | _WRITE_FILE)
    allow(folder, handled)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.syscall(_RESTRICT, ruleset, 0):
        raise OSError(ctypes.get_errno(), "Landlock refused")
    os.close(ruleset)
