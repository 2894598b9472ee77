"""Files of a record, opened with care: a link, a pipe or a folder in the place of one is refused.

A record may come from somebody else. A link in it would lead reading, or worse recovering, to files
outside of it; a pipe would never end.
"""

import os
import stat
from pathlib import Path

from quire.provenance.schema.errors import Malformed

_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_document(file: Path, flags: int = os.O_RDONLY) -> int | None:
    """Return a descriptor of a regular file, None where there is none by that name.

    Parameters
    ----------
    file
        Neither a link nor, where it is opened to be written, a file of two names.
    flags
        As `os.open` has them.

    Raises
    ------
    Malformed
        For a link, a pipe, a device, a folder, or a file that may not be opened.
    """
    if file.is_symlink():
        raise Malformed(file.name, "is a link: a record holds its own files")
    try:
        found = os.open(file, flags | _CAREFUL, 0o600)
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise Malformed(file.name, f"cannot be opened: {fault.strerror}") from None
    about = os.fstat(found)
    why = None
    if not stat.S_ISREG(about.st_mode):
        why = "is no file: a folder, a pipe or a device"
    elif flags & (os.O_WRONLY | os.O_RDWR) and about.st_nlink > 1:
        why = "is a file of more than one name: what is written here would be written there"
    if why:
        os.close(found)
        raise Malformed(file.name, why)
    return found


def read_document(file: Path, most: int) -> bytes | None:
    """Return the bytes of a file, None where there is none.

    Raises
    ------
    Malformed
        When it holds more than so many bytes, or is none.
    """
    found = open_document(file)
    if found is None:
        return None
    with os.fdopen(found, "rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise Malformed(file.name, f"holds more than {most:,} bytes")
    return data


def write_new(file: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all, in the place of whatever bears its name."""
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        with draft.open("xb") as out:
            out.write(data)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
