"""A timer that an event loop wakes for on time: Linux' timerfd, to the microsecond.

An event loop sleeps in whole milliseconds, which would be the largest part of a latency of a fifth
of one. And a process that sleeps wakes late, by some 0.1 ms: to be on time it must be awake before.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

_MONOTONIC, _ABSOLUTE, _TIMER_SLACK = 1, 1, 29
_NEVER = sys.maxsize


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Timer:
    """Calls a function when the monotonic clock reaches a time.

    For the last ``awake_ns`` before, the loop does not sleep: it looks at its sockets and at the
    clock in turns.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, call: Callable[[], None], awake_ns: int = 0
    ) -> None:
        self._loop, self._call, self._awake_ns = loop, call, awake_ns
        self._due = _NEVER
        self._fd = -1
        self._handle: asyncio.Handle | None = None
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(_TIMER_SLACK, 1, 0, 0, 0)
            self._fd = libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            self._spec = _Spec()
            self._set: Any = libc.timerfd_settime
            self._arguments = (self._fd, _ABSOLUTE, ctypes.byref(self._spec), None)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._look)

    def at(self, ns: int) -> None:
        """Fire at that time of the monotonic clock, at once if it is past."""
        self._due = ns
        if self._fd < 0:
            wait = max(0.0, (ns - self._awake_ns) / 1e9 - self._loop.time())
            self._handle = self._loop.call_later(wait, self._look)
        else:
            self._wake(max(1, ns - self._awake_ns))

    def close(self) -> None:
        """Fire no more."""
        if self._handle is not None:
            self._handle.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _wake(self, ns: int) -> None:
        self._spec.value_s, self._spec.value_ns = divmod(ns, 1_000_000_000)
        self._set(*self._arguments)

    def _look(self) -> None:
        # the descriptor is not read: it stays readable, so that the loop comes back at once,
        # until the timer is set anew
        if monotonic_ns() >= self._due:
            self._due = _NEVER
            self._call()
            if self._due == _NEVER and self._fd >= 0:
                self._wake(0)
        elif self._fd < 0:
            self._handle = self._loop.call_soon(self._look)
