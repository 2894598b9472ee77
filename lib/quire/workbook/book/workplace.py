"""The workplace of a build: a folder beside the output, locked while its driver lives.

A driver that is killed leaves its folder behind. The next build into the same place finds the lock
free and removes it; the folder of a build that still runs is let alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quire.workbook.files import lock

_LOCK = ".lock"


@contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """Give a new folder beside ``output``, after removing what killed builds left there."""
    for old in output.parent.glob(f".{output.name}.build-*"):
        _remove_if_left(old)
    folder, handle = _made(output)
    try:
        yield folder
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def _made(output: Path) -> tuple[Path, int]:
    """Return a new folder and the open file that locks it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.build-", dir=output.parent))
        handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        # Another build may have looked between the two lines and taken it for a leftover.
        if lock(handle) is not False and (folder / _LOCK).exists():
            return folder, handle
        os.close(handle)


def _remove_if_left(folder: Path) -> None:
    """Remove a workplace whose lock nobody holds; of a running build, nothing."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:  # no lock yet, or somebody else's folder
        return
    try:
        free = lock(handle) is True
    finally:
        os.close(handle)
    if free:
        shutil.rmtree(folder, ignore_errors=True)
