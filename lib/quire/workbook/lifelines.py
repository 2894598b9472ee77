"""Processes that end when whoever started them ends, even by SIGKILL."""

from __future__ import annotations

import signal
import sys
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
