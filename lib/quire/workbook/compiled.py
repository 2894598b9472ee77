"""Compiled programs: what JAX compiles in one run of a chapter is there for the next.

They lie in the user's cache, in one folder for each kind of processor and setting, since machine
code for one need not run on another. JAX itself tells programs, versions and options apart. A rerun
gives the same bytes in less time; a cache that can not be read or written is no cache, and no more.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from quire.workbook.errors import UserError
from quire.workbook.home import cache_folder
from quire.workbook.machine import arithmetic

MOST_BYTES = 512 * 2**20
"""What the folder may hold before the older half of it is removed."""

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
    try:
        folder = cache_folder() / "compiled" / kind
        above = next(place for place in (folder, *folder.parents) if place.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            return {}
        trim(folder, MOST_BYTES)
    except (OSError, UserError, StopIteration):
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def trim(folder: Path, most: int) -> None:
    """Remove the older half of a folder's files when they hold more than ``most`` bytes."""
    if not folder.is_dir():
        return
    files = [
        (entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder)
    ]
    if sum(size for _, size, _ in files) > most:
        for _, _, path in sorted(files)[: (len(files) + 1) // 2]:
            with suppress(OSError):
                Path(path).unlink()
