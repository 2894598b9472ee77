"""Where the workbook lives: the checkout that holds ``notebooks/``, ``book/`` and ``data/``."""

from __future__ import annotations

import os
from pathlib import Path

from quire.workbook.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the ``quire`` package itself."""


def home() -> Path:
    """Return the root of the workbook.

    In this order: the folder named by ``QUIRE_HOME``; the checkout that this package is installed
    from in editable form; the copy of the workbook that an installed wheel carries.

    Raises
    ------
    UserError
        When ``QUIRE_HOME`` names a folder without ``notebooks/``, or nothing is found.
    """
    given = os.environ.get("QUIRE_HOME")
    if given:
        root = Path(given).expanduser().resolve()
        if not _is_workbook(root):
            raise UserError(f"QUIRE_HOME={given} holds no notebooks/", "point it at a checkout")
        return root
    for root in (PACKAGE.parents[1], PACKAGE / "_checkout"):
        if _is_workbook(root):
            return root
    raise UserError("no workbook found", "set QUIRE_HOME to a checkout of Quire")


def _is_workbook(root: Path) -> bool:
    return (root / "notebooks").is_dir() and (root / "_toc.yml").is_file()
