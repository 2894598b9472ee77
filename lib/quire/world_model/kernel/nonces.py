"""What a device remembers of the tokens that it has obeyed, so that none is obeyed twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, MutableSet
from pathlib import Path


class UsedNonces(MutableSet[str]):
    """Nonces of used tokens, with the time since when none has been forgotten.

    `tokens.verify` refuses a token that was issued before ``since``: a device that restarts without
    a file has forgotten what it obeyed, and must not obey it again. With a file nothing is
    forgotten: a nonce is on the disk before the token is accepted.

    Parameters
    ----------
    file
        Where nonces are kept, one a line; made where it is not there. Without one they are
        forgotten with the object.

    Raises
    ------
    OSError
        When the file cannot be read or written: a device that cannot remember must not act.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.since = time.time()
        self._known: set[str] = set()
        self._file = file
        if file is not None and file.exists():
            text = file.read_text(encoding="ascii")
            head, whole, rest = text.partition("\n")
            if head.startswith("since ") and whole:
                self.since = float(head.removeprefix("since "))
                self._known = set(rest.splitlines())
                if not text.endswith("\n"):  # a line that a crash has torn was never accepted
                    self._write("\n", os.O_APPEND)
                return
        if file is not None:
            self._write(f"since {self.since!r}\n", os.O_CREAT | os.O_TRUNC)

    def __contains__(self, nonce: object) -> bool:
        return nonce in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, value: str) -> None:
        """Remember a nonce, on the disk first."""
        if self._file is not None:
            self._write(value + "\n", os.O_APPEND)
        self._known.add(value)

    def discard(self, value: str) -> None:
        """Forget nothing: a used token stays used."""

    def _write(self, text: str, flags: int) -> None:
        assert self._file is not None
        descriptor = os.open(self._file, os.O_WRONLY | flags, 0o600)
        try:
            os.write(descriptor, text.encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
