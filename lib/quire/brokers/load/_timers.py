"""A timer that an event loop wakes for on time: Linux' timerfd, to the microsecond.

An event loop sleeps in whole milliseconds, which would be the largest part of a latency of a fifth
of one.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable

_MONOTONIC, _ABSOLUTE, _TIMER_SLACK = 1, 1, 29


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Timer:
    """Calls a function when the monotonic clock reaches a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self._loop, self._call = loop, call
        self._fd = -1
        self._handle: asyncio.TimerHandle | None = None
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._libc.prctl(_TIMER_SLACK, 1, 0, 0, 0)
            self._fd = self._libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._fired)

    def at(self, ns: int) -> None:
        """Fire at that time of the monotonic clock, at once if it is past."""
        if self._fd < 0:
            wait = max(0.0, ns / 1e9 - self._loop.time())
            self._handle = self._loop.call_later(wait, self._call)
            return
        seconds, rest = divmod(max(ns, 1), 1_000_000_000)
        spec = _Spec(0, 0, seconds, rest)
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(spec), None)

    def close(self) -> None:
        """Fire no more."""
        if self._handle is not None:
            self._handle.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _fired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        self._call()
