"""Interrupts: Ctrl-C and SIGTERM noted by a handler of ours, and acted on where it is safe.

An exception that a signal raises can be lost: raised inside a callback of the garbage collector,
or inside a destructor, Python prints and forgets it. A flag can not be lost. Whoever waits looks at
the flag; a second signal raises at once, for somebody who is out of patience.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_LOOK = 0.2  # seconds between two looks at the flag
_PATIENCE = 10.0  # seconds that a process may take to end on SIGTERM


class Interrupts:
    """Whether somebody asked to stop, and how many times."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal.

        Raises
        ------
        KeyboardInterrupt
            From the second signal on.
        """
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Look whether somebody asked to stop.

        Raises
        ------
        KeyboardInterrupt
            When somebody did.
        """
        if self.count:
            raise KeyboardInterrupt


@contextmanager
def noted() -> Iterator[Interrupts]:
    """Note interrupts while the block runs; outside the main thread, where none arrive, do nothing.

    A signal noted at the block's very end is raised there, and not forgotten.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    meant = [n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]  # as under nohup
    before = {number: signal.signal(number, interrupts.note) for number in meant}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            # None stands for a handler that Python did not set, and can not set again.
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    interrupts.check()


def read_to_end(process: subprocess.Popen[str], interrupts: Interrupts) -> str:
    """Return all that ``process`` writes on its standard output, looking out for interrupts.

    Raises
    ------
    KeyboardInterrupt
        When one is noted; the process has been stopped by then.
    """
    try:
        while True:
            try:
                written, _ = process.communicate(timeout=_LOOK)
                return written
            except subprocess.TimeoutExpired:
                interrupts.check()
    except BaseException:
        stop([process])
        raise


def stop(processes: Sequence[subprocess.Popen[str]]) -> None:
    """End processes: by SIGTERM, so that they close what they opened, and then by force."""
    for process in processes:
        process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
            continue
        process.kill()
        process.wait()
