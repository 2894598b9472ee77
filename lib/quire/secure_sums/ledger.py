"""The key ledger: no word of a one-time pad is used twice, not even after a crash.

A span of a pad is written down, and forced to the disk, *before* its first use. A process that
dies in between has burnt the span; none is ever available again. The file names keys by the
dealer's identifier and holds nothing of their values.
"""

from __future__ import annotations

import os
from pathlib import Path

from quire.secure_sums.errors import KeyReuseError


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
        When the file holds a whole line that is no record.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._used: dict[str, list[tuple[int, int]]] = {}
        if path is not None and path.exists():
            self._read(path)

    def claim(self, key: str, start: int, stop: int) -> None:
        """Record that words ``start`` to ``stop`` of a key are used now.

        Raises
        ------
        KeyReuseError
            When any of them was claimed before; nothing is recorded then.
        ValueError
            When the span is empty or negative, or the key's name has white space.
        """
        if not 0 <= start < stop:
            raise ValueError(f"span {start}:{stop} of key {key} is empty or negative")
        if not key or key.split() != [key]:
            raise ValueError(f"key name {key!r} must be one word")
        for used_start, used_stop in self._used.get(key, []):
            if start < used_stop and used_start < stop:
                raise KeyReuseError(
                    f"words {max(start, used_start)}:{min(stop, used_stop)} of key {key} were used "
                    "before; ask the dealer for a fresh key"
                )
        if self._path is not None:
            _append(self._path, f"{key} {start} {stop}\n")
        self._used.setdefault(key, []).append((start, stop))

    def words(self, key: str) -> int:
        """Return how many words of a key have been used."""
        return sum(stop - start for start, stop in self._used.get(key, []))

    def _read(self, path: Path) -> None:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:  # torn by a crash before the claim returned, so before any use
            with path.open("r+b") as file:
                file.truncate(len(whole))
        for number, line in enumerate(whole.decode().splitlines(), start=1):
            match line.split():
                case [key, start, stop] if start.isdigit() and stop.isdigit():
                    self._used.setdefault(key, []).append((int(start), int(stop)))
                case _:
                    raise ValueError(f"line {number} of {path} is no record; restore the ledger")


def _append(path: Path, record: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, record.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
