"""What can go wrong by the user's hand or by a chapter's, each told in one line with its remedy."""

from __future__ import annotations

import re
from typing import Any

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: links, window titles
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # device strings
    r"|[\x1b]\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MOST_LETTERS = 2000


def plain_text(text: str) -> str:
    """Return ``text`` without what steers a terminal; lines and tabs stay, and it is valid UTF-8.

    An exception's message is somebody else's text: a link, a cursor movement or a lone surrogate in
    it must reach neither a terminal nor a table.
    """
    visible = _CONTROLS.sub("", _ESCAPES.sub("", text).replace("\r\n", "\n"))
    return visible.encode("utf-8", "replace").decode()


def plain_line(text: str) -> str:
    """Return ``text`` as one line of at most 2,000 letters that no terminal obeys."""
    line = " ".join(plain_text(text).split())
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]} …"


def quoted(value: Any, most: int = 80) -> str:
    """Return ``value`` as Python writes it, cut to ``most`` letters; never raises."""
    try:
        text = repr(value)
    except Exception:  # thousands of digits, or a repr of somebody's own
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[:most]}…"


def first_complaint(fault: Any) -> str:
    """Return the first thing that a pydantic ``ValidationError`` complains of: where, and what."""
    first = fault.errors()[0]
    return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"


class UserError(Exception):
    """Bad input: names the thing and the remedy; the command line exits with status 2.

    Parameters
    ----------
    what
        What is wrong, naming the thing ("no chapter '99_nothing'").
    remedy
        What to do about it ("run 'quire chapters' to see them").
    """

    exit_status = 2

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{plain_line(self.what)}: {plain_line(self.remedy)}"  # a long one loses no remedy


class ChapterFailed(UserError):
    """A chapter that started did not reach its end; the command line exits with status 1.

    Attributes
    ----------
    traceback
        The kernel's own traceback, empty when no cell raised.
    """

    exit_status = 1

    def __init__(self, what: str, remedy: str, traceback: str = "") -> None:
        super().__init__(what, remedy)
        self.traceback = traceback

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.remedy, self.traceback)


def check_timeout(seconds: float | None) -> float | None:
    """Return ``seconds``, which may be None.

    Raises
    ------
    UserError
        When it is neither None nor a positive finite number.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise UserError(f"timeout = {seconds}", "give a positive, finite number of seconds")
    return seconds
