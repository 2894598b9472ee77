"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from quire.workbook.errors import UserError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, whole.

    Raises
    ------
    UserError
        When the folder can not be written or the disk is full; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    path = check_writable(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as fault:
        raise UserError(
            f"could not write {path} ({fault.strerror})", "free some space or choose another place"
        ) from None
    finally:
        Path(name).unlink(missing_ok=True)


def check_writable(path: Path) -> Path:
    """Return ``path`` made absolute, its folder made and writable; `UserError` otherwise."""
    path = path.expanduser().absolute()
    if path.is_dir():
        raise UserError(f"{path} is a folder", "name a file")
    make_folder(path.parent)
    return path


def make_folder(folder: Path) -> Path:
    """Make ``folder`` and check by a trial file that it can be written; `UserError` otherwise."""
    folder = folder.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        raise UserError(
            f"can not write into {folder} ({fault.strerror})", "choose a folder you may write to"
        ) from None
    return folder
