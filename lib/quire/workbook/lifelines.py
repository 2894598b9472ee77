"""Processes that end when whoever started them ends, even by SIGKILL."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

if sys.platform == "linux":
    import ctypes

    _PRCTL = ctypes.CDLL(None).prctl


def _die_with_parent() -> None:
    """Have the system end this process with its parent, even within a call that never returns.

    Runs between fork and exec. A watch over the parent that is written in Python needs its lock.
    """
    _PRCTL(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


ENDS_WITH_PARENT: dict[str, Any] = (
    {"preexec_fn": _die_with_parent} if sys.platform == "linux" else {}
)
"""Keywords of `subprocess.Popen`; none elsewhere than on Linux, which alone promises it."""

_TIED = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that the system ends with this process, even by SIGKILL; on Linux.

    The new process ties itself before it becomes the command. A function between fork and exec
    would do the same, but JAX, whose threads a fork leaves behind, warns the reader of each.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid()), *command]
