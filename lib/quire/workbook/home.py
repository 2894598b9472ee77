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
        When ``QUIRE_HOME`` names no folder with ``notebooks/`` and ``_toc.yml``, or nothing is
        found.
    """
    given = os.environ.get("QUIRE_HOME")
    if given:
        try:
            root = Path(given).expanduser().resolve()
            lacking = [name for name in ("notebooks", "_toc.yml") if not (root / name).exists()]
        except (OSError, ValueError, RuntimeError) as fault:  # no such user, a loop of links
            raise UserError(f"QUIRE_HOME={given} ({fault})", "point it at a checkout") from None
        if lacking:
            raise UserError(f"QUIRE_HOME={given} holds no {lacking[0]}", "point it at a checkout")
        return root
    for root in (PACKAGE.parents[1], PACKAGE / "_checkout"):
        if _is_workbook(root):
            return root
    raise UserError("no workbook found", "set QUIRE_HOME to a checkout of Quire")


def check_user() -> None:
    """Check that this user has a home folder, without which Jupyter does nothing.

    Raises
    ------
    UserError
        When there is none.
    """
    try:
        Path.home()
    except RuntimeError:
        raise UserError(
            "this user has no home folder", "set HOME to a folder that you may write to"
        ) from None


def cache_folder() -> Path:
    """Return the user's folder for what can be made again: fetched data, environments of peers.

    ``QUIRE_CACHE`` wins; it is not made.

    Raises
    ------
    UserError
        When this user has no home folder.
    """
    import pooch

    try:
        given = os.environ.get("QUIRE_CACHE")
        folder = Path(given or pooch.os_cache("quire")).expanduser()
    except (OSError, RuntimeError):
        folder = Path("~")
    if str(folder).startswith("~") or not folder.is_absolute():
        raise UserError(
            "this user has no home folder for a cache", "set QUIRE_CACHE to a folder of yours"
        )
    return folder


def _is_workbook(root: Path) -> bool:
    return (root / "notebooks").is_dir() and (root / "_toc.yml").is_file()
