"""The key ledger: no word of a one-time pad is used twice, not even after a crash.

A span of a pad is written down, and forced to the disk, *before* its first use. A process that
dies in between has burnt the span; none is ever available again. Several ledgers on one file, in
one process or in many, see each other's claims: each claim locks the file and reads what is new in
it first. The file names keys by the dealer's identifier and holds nothing of their values.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quire.checks import integer
from quire.secure_sums.errors import KeyReuseError, LedgerError

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)


class KeyLedger:
    """Which spans of which pads have been used.

    Parameters
    ----------
    path
        The ledger's file, created when missing; ``None`` keeps the ledger in memory, where it
        cannot survive the process.

    Raises
    ------
    ValueError
        When the path is no regular file, or holds a whole line that is no record or claims a word
        a second time.
    LedgerError
        When the file cannot be opened.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = None if path is None else Path(path)
        self._used: dict[str, list[tuple[int, int]]] = {}
        self._read_bytes = 0
        self._read_lines = 0
        self._busy = threading.Lock()
        if self._path is not None and self._path.exists():
            with self._locked(self._path) as file:
                self._catch_up(file)

    def claim(self, key: str, start: int, stop: int) -> None:
        """Record that words ``start`` to ``stop`` of a key are used now.

        Raises
        ------
        KeyReuseError
            When any of them was claimed before, by whomever; nothing is recorded then.
        LedgerError
            When the record does not reach the disk; the words must not be used then.
        ValueError
            When the span is empty or negative, the key's name has white space, or the file is
            damaged.
        """
        start, stop = (integer(n, v, 0) for n, v in (("start", start), ("stop", stop)))
        if start >= stop:
            raise ValueError(f"span {start}:{stop} of key {key} is empty or negative")
        if not key or key.split() != [key]:
            raise ValueError(f"key name {key!r} must be one word")
        with self._busy:
            if self._path is None:
                self._refuse_reuse(key, start, stop)
            else:
                with self._locked(self._path) as file:
                    self._catch_up(file)
                    self._refuse_reuse(key, start, stop)
                    self._append(file, f"{key} {start} {stop}\n".encode())
            self._used.setdefault(key, []).append((start, stop))

    def used(self, key: str) -> int:
        """Return how many words of a key have been used, as far as this ledger has read."""
        return sum(stop - start for start, stop in self._used.get(key, []))

    def _refuse_reuse(self, key: str, start: int, stop: int) -> None:
        for used_start, used_stop in self._used.get(key, []):
            if start < used_stop and used_start < stop:
                raise KeyReuseError(
                    f"words {max(start, used_start)}:{min(stop, used_stop)} of key {key} were used "
                    "before; ask the dealer for a fresh key"
                )

    @contextmanager
    def _locked(self, path: Path) -> Iterator[int]:
        """Open the file and hold its lock; name the ledger in whatever goes wrong on the disk.

        Yields
        ------
        file
            The descriptor.

        Raises
        ------
        LedgerError
            When the disk refuses.
        ValueError
            When the path is no regular file.
        """
        try:
            new = not path.exists()
            file = os.open(path, FLAGS, 0o600)
            try:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise ValueError(f"ledger {path} is no regular file; name one")
                _lock(file)
                if new:
                    _sync_folder(path.parent)
                yield file
            finally:
                os.close(file)  # and with it the lock
        except OSError as error:
            raise LedgerError(
                f"ledger {path} cannot be written ({error.strerror or error}); the pad is not used"
            ) from None

    def _catch_up(self, file: int) -> None:
        """Read the records that have been appended since the last look; the lock is held.

        Raises
        ------
        ValueError
            When one is no record, or claims a word a second time.
        """
        os.lseek(file, self._read_bytes, os.SEEK_SET)
        with os.fdopen(os.dup(file), "rb") as reader:
            data = reader.read()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:  # torn by a crash before the claim returned, so before any use
            os.ftruncate(file, self._read_bytes + len(whole))
        for line in whole.splitlines():
            self._read_lines += 1
            key, start, stop = self._record(line)
            try:
                self._refuse_reuse(key, start, stop)
            except KeyReuseError as reuse:
                raise ValueError(
                    f"line {self._read_lines} of {self._path} claims what another line claims "
                    f"({reuse}); the ledger is damaged"
                ) from None
            self._used.setdefault(key, []).append((start, stop))
        self._read_bytes += len(whole)

    def _record(self, line: bytes) -> tuple[str, int, int]:
        """Return the key and the span of a line.

        Raises
        ------
        ValueError
            When it is no record.
        """
        match line.decode(errors="replace").split():
            case [key, start, stop] if _is_number(start) and _is_number(stop):
                if int(start) < int(stop):
                    return key, int(start), int(stop)
        raise ValueError(
            f"line {self._read_lines} of {self._path} is no record; restore the ledger"
        )

    def _append(self, file: int, record: bytes) -> None:
        """Write a record whole, or leave the file as it was.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        try:
            if os.write(file, record) != len(record):
                raise OSError("the record was not written whole")
            os.fsync(file)
        except OSError:
            os.ftruncate(file, self._read_bytes)
            raise
        self._read_bytes += len(record)
        self._read_lines += 1


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _lock(file: int) -> None:
    """Wait for the exclusive lock of an open file; it is given back when the file is closed."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(file, fcntl.LOCK_EX)


def _sync_folder(folder: Path) -> None:
    """Force a new file's name to the disk, where the system lets a folder be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
