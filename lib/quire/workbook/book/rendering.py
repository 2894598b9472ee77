"""Rendering: jupyter-book over the staged sources, in a process of its own.

That process alone imports the topics, for the library reference. When it fails, this module finds
the reason in what it said: its own last line seldom is one.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from quire.workbook.book.interrupts import Interrupts, read_to_end
from quire.workbook.errors import ChapterFailed, UserError

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FAULT = re.compile(r"^\s*(?:\w+\.)*(\w*(?:Error|Exception|Interrupt|Exit))\b:?\s*(.*)")
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_log = logging.getLogger("quire.book")


def render(source: Path, folder: Path, interrupts: Interrupts) -> Path:
    """Render ``source`` into ``folder``, log the warnings, and return the folder of the pages.

    Raises
    ------
    UserError
        When the disk is full.
    ChapterFailed
        When the pages can not be rendered; says why.
    """
    command = [sys.executable, "-m", "quire.workbook.book.rendering", str(source), str(folder)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said = read_to_end(process, interrupts)
    lines = [line.replace(f"{source}/", "") for line in _COLOUR.sub("", said).splitlines()]
    for line in lines:
        if "WARNING" in line or "ERROR" in line:
            _log.warning(line)
    pages = folder / "_build" / "html"
    if process.returncode != 0 or not (pages / "index.html").is_file():
        failure = _failure(lines)
        raise failure
    return pages


def reason(lines: Sequence[str]) -> str:
    """Return the one line of a failed rendering's words that says why it failed."""
    told = [found for line in lines if (found := _FAULT.match(line))]
    for found in reversed(told):
        name, words = found.groups()
        if name not in ("RuntimeError", "SystemExit", "CalledProcessError") or not _wraps(words):
            return f"{name}: {words}".strip().removesuffix(":")
    marked = [line.strip() for line in lines if re.search(r"\b(ERROR|CRITICAL)\b", line)]
    if marked:
        return marked[-1]
    plain = [line.strip() for line in lines if re.search(r"\w", line)]
    return plain[-1] if plain else "it said nothing"


def _failure(lines: Sequence[str]) -> UserError:
    if any(_FULL.search(line) for line in lines):
        return UserError(
            "the disk is full: the pages could not be written",
            "free some space and run it again; the old book is as it was",
        )
    return ChapterFailed(
        f"jupyter-book could not render the pages ({reason(lines)})", "mend the source"
    )


def _wraps(words: str) -> bool:
    """Tell whether jupyter-book only says that Sphinx failed, and not why."""
    return not words or "There was an error in building your book" in words


def _main(arguments: Sequence[str]) -> None:
    from jupyter_book.cli.main import main

    from quire.workbook.book.reference import stage_reference

    source, folder = arguments
    stage_reference(Path(source))
    main(["build", source, "--path-output", folder, "--quiet"])


if __name__ == "__main__":
    _main(sys.argv[1:])
