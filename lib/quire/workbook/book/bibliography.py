"""The bibliography: checked before a build, because a torn one fails late and says little."""

from __future__ import annotations

from pathlib import Path

from pybtex.database import parse_string  # type: ignore[import-untyped]
from pybtex.exceptions import PybtexError  # type: ignore[import-untyped]

from quire.workbook.errors import UserError


def check_bibliography(path: Path) -> None:
    """Check that ``path`` can be read as BibTeX.

    Raises
    ------
    UserError
        When it is missing or not UTF-8, or an entry can not be read; names the line.
    """
    try:
        parse_string(path.read_text(encoding="utf-8"), bib_format="bibtex")
    except FileNotFoundError:
        raise UserError(f"book/{path.name} is missing", "restore it from git") from None
    except UnicodeDecodeError as fault:
        raise UserError(
            f"book/{path.name} is not UTF-8 (byte {fault.start})", "restore it from git"
        ) from None
    except PybtexError as fault:
        told = " ".join(str(fault).split())
        raise UserError(f"book/{path.name}: {told}", "mend the entry") from None
