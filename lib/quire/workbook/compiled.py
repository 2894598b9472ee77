"""Compiled programs: what JAX and Python compile in one run of a chapter is there for the next.

JAX's programs lie in the user's cache, in one folder for each kind of processor and setting, since
machine code for one need not run on another. JAX itself tells programs, versions and options apart.
A rerun gives the same bytes in less time; a cache that can not be read or written is no cache, and
no more.

Python keeps its bytecode beside the sources. Where ``PYTHONDONTWRITEBYTECODE`` forbids that, as in
many containers, every kernel would compile all packages that it imports, for five seconds and
longer: there the bytecode lies in the user's cache, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from quire.workbook.errors import UserError
from quire.workbook.home import cache_folder
from quire.workbook.machine import arithmetic

MOST_BYTES = 512 * 2**20
"""What a folder may hold before the older half of it is removed."""

STARTUP = """\
import warnings
warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
"""
"""What a kernel does first, so that a damaged entry is compiled anew without a word."""

_OF_THE_USER = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")


def settings() -> dict[str, str]:
    """Return the variables that let a kernel's JAX keep what it compiles.

    Empty when the user has set such variables, and when there is no place to keep it.
    """
    if any(name in os.environ for name in _OF_THE_USER):
        return {}
    kind = hashlib.sha256(json.dumps(arithmetic(), sort_keys=True).encode()).hexdigest()[:16]
    folder = _writable("compiled", kind)
    if folder is None:
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def bytecode() -> dict[str, str]:
    """Return the variables that let a process keep the bytecode of what it imports.

    Empty where Python keeps it beside the sources, and when there is no place to keep it.
    """
    if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
        return {}
    folder = _writable("bytecode")
    if folder is None:
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder)}


def keep_bytecode() -> None:
    """Let this process, and those that it starts, keep the bytecode of what they import."""
    kept = bytecode()
    if kept:
        os.environ.update(kept)
        sys.pycache_prefix, sys.dont_write_bytecode = kept["PYTHONPYCACHEPREFIX"], False


def _writable(*names: str) -> Path | None:
    """Return a folder of the cache, trimmed, that is there or can be made; None without one."""
    try:
        folder = cache_folder().joinpath(*names)
        above = next(place for place in (folder, *folder.parents) if place.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            return None
        trim(folder, MOST_BYTES)
    except (OSError, UserError, StopIteration):
        return None
    return folder


def trim(folder: Path, most: int) -> None:
    """Remove the older half of a folder's files when they hold more than ``most`` bytes."""
    files = list(_files(str(folder)))
    if sum(size for _, size, _ in files) > most:
        for _, _, path in sorted(files)[: (len(files) + 1) // 2]:
            with suppress(OSError):
                Path(path).unlink()


def _files(folder: str) -> Iterator[tuple[float, int, str]]:
    """Yield time, bytes and path of all files below a folder, less those that go meanwhile."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)
                else:
                    told = entry.stat(follow_symlinks=False)
                    yield told.st_mtime, told.st_size, entry.path
