"""Files are written whole or not at all, and only where a file belongs.

A symbolic link is followed and its target replaced; a new file gets the mode that the umask asks
for, an old one keeps its own. Devices, pipes, sockets and read-only files are refused. Everything
temporary carries its host and process in its name, so that a later run can sweep away what a killed
one left behind.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from quire.workbook.errors import UserError, plain_line

_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
_TEMPORARY = re.compile(r"\.quire-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}(\..*)?")
_TRIAL_BYTES = 1 << 16
_SYNC_DATA = getattr(os, "fdatasync", os.fsync)
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk, or of a share of one, that is full."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, whole.

    Raises
    ------
    UserError
        When ``path`` is no place for a file, can not be written, or the disk is full; nothing is
        left behind.
    """
    # Text that is no UTF-8 (a lone surrogate from a file name) is escaped: no result is lost to it.
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a new binary file that takes the place of ``path`` when the block ends without a fault.

    Raises
    ------
    UserError
        As `write_atomically` does.
    OSError
        What the block itself raises passes through.
    """
    path = check_writable(path, room=0)
    temporary = path.with_name(temporary_name())
    inside = False
    try:
        # 0o666 less the umask, as every other program's file
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        with os.fdopen(handle, "wb") as file:
            inside = True
            yield file
            inside = False
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            _keep_mode(path, temporary)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as fault:
        if inside and fault.errno not in FULL:
            raise
        _refuse(f"could not write {path}", fault)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_writable(path: Path, room: int = _TRIAL_BYTES) -> Path:
    """Return where ``path`` leads, made absolute, its folder made and writable.

    Parameters
    ----------
    path
        A file that is to be written; a symbolic link stands for its target.
    room
        Bytes that must be free, tried out by writing them; 0 to try nothing.

    Raises
    ------
    UserError
        For a folder, a device, a pipe, a socket, a read-only file, a name that the system does not
        take, a folder that can not be written, or a full disk.
    """
    try:
        path = path.expanduser().absolute()
        mode = path.stat().st_mode  # follows links, those of /proc and /dev too
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError, RuntimeError) as fault:  # a loop of links, a NUL, no such user
        reason = getattr(fault, "strerror", None) or str(fault)
        raise UserError(f"can not write {path} ({reason})", "name another file") from None
    if mode is not None:
        for is_kind, words in _KINDS:
            if is_kind(mode):
                raise UserError(f"{path} is {words}", "name a file")
        if not mode & 0o222 or not os.access(path, os.W_OK):
            raise UserError(f"{path} is read-only", "choose another file, or chmod u+w this one")
    path = path.resolve()
    if room:
        make_folder(path.parent, room)
    else:
        _make(path.parent)
    return path


def make_folder(folder: Path, room: int = _TRIAL_BYTES) -> Path:
    """Make ``folder`` and check by a trial file of ``room`` bytes that it can be written.

    Raises
    ------
    UserError
        When it can not be made or written, or its disk is full.
    """
    folder = _make(folder)
    sweep(folder)
    trial = folder / temporary_name()
    try:
        handle = os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(b"\0" * room)
            file.flush()
            _SYNC_DATA(file.fileno())
    except OSError as fault:
        _refuse(f"can not write into {folder}", fault)
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)
    return folder


@contextmanager
def work_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield a private folder below ``parent`` (the system's own by default), removed at the end.

    Those of processes that were killed are swept away first.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    sweep(parent)
    folder = parent / temporary_name()
    try:
        folder.mkdir(mode=0o700)
    except OSError as fault:
        _refuse(f"can not write into {parent}", fault)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def holding(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file for the time of a block; the system lets go of what a dead process held.

    Parameters
    ----------
    path
        The file that is locked; it is removed at the end.
    busy
        What is to be said when another process holds it.

    Raises
    ------
    UserError
        When it is held, naming the process, or can not be written.
    """
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as fault:
        _refuse(f"can not write {path}", fault)
    with file:
        if lock(file.fileno()) is False:  # without locks: better a study than none
            file.seek(0)
            holder = plain_line(file.read()) or "it did not say which"
            raise UserError(f"{busy} ({holder})", "wait until it is done")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def temporary_name() -> str:
    """Return a hidden name that says which process of which host it belongs to."""
    return f".quire-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"


def sweep(folder: Path) -> None:
    """Remove what killed processes of this host left in ``folder`` under a `temporary_name`."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            match = _TEMPORARY.fullmatch(entry.name)
            if match is None or match[1] != _HOST or is_alive(int(match[2])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with suppress(OSError):
                    Path(entry.path).unlink()


def is_alive(pid: int) -> bool:
    """Return whether a process of this number runs on this host, as far as one may know."""
    if pid == os.getpid():
        return True
    if os.name == "nt":  # os.kill(pid, 0) would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _make(folder: Path) -> Path:
    try:
        folder = folder.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError, RuntimeError) as fault:
        _refuse(f"can not write into {folder}", fault)
    return folder


def _keep_mode(old: Path, new: Path) -> None:
    known = old.stat()
    new.chmod(stat.S_IMODE(known.st_mode))
    if hasattr(os, "chown"):
        with suppress(OSError):  # only root may give a file away
            os.chown(new, known.st_uid, known.st_gid)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems, and Windows, do not know this
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refuse(what: str, fault: Exception) -> NoReturn:
    full = getattr(fault, "errno", None) in FULL
    reason = getattr(fault, "strerror", None) or str(fault)
    raise UserError(
        f"{what} ({reason})", "free some space" if full else "choose a place you may write to"
    ) from None


def lock(handle: int) -> bool | None:
    """Lock an open file for this process, without waiting; the system unlocks what dies.

    Returns
    -------
    bool or None
        Whether it was free; None on a file system that knows no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
