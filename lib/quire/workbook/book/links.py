"""Links out of the book: to a repository and to launchers, only where one is given."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from quire.workbook.errors import UserError


def read_config(root: Path) -> dict[str, Any]:
    """Return jupyter-book's configuration.

    Raises
    ------
    UserError
        When ``_config.yml`` is missing or can not be read.
    """
    try:
        config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("_config.yml is missing", "restore it from git") from None
    except (UnicodeDecodeError, yaml.YAMLError) as fault:
        told = " ".join(str(fault).split())
        raise UserError(f"_config.yml: {told}", "restore it from git") from None
    if not isinstance(config, dict):
        raise UserError("_config.yml holds no settings", "restore it from git")
    return config


def with_repository(config: Mapping[str, Any], given: str | None) -> dict[str, Any]:
    """Return jupyter-book's configuration with exactly the links that a repository makes true.

    Parameters
    ----------
    config
        The content of ``_config.yml``; it may name a repository itself (``repository: url:``).
    given
        The repository's address; it wins over the configuration's.

    Raises
    ------
    UserError
        When the address is none of a repository.
    """
    made = copy.deepcopy(dict(config))
    own = made.pop("repository", None) or {}
    url = given if given is not None else own.get("url", "")
    html = made.setdefault("html", {})
    html["use_repository_button"] = bool(url)
    launch = made.pop("launch_buttons", None) or {}
    if not url:
        made["launch_buttons"] = {"thebe": False}
        return made
    made["repository"] = {"branch": "main", **own, "url": checked(url)}
    made["launch_buttons"] = {
        "notebook_interface": "jupyterlab",
        "binderhub_url": "https://mybinder.org",
        **launch,
        "thebe": False,  # its script would come from a network
    }
    if urlsplit(url).netloc == "github.com":  # Colab opens notebooks of GitHub alone
        made["launch_buttons"].setdefault("colab_url", "https://colab.research.google.com")
    return made


def checked(url: str) -> str:
    """Return a repository's address without a slash at its end.

    Raises
    ------
    UserError
        When it is none.
    """
    parts = urlsplit(url)
    place = [step for step in parts.path.split("/") if step]
    bad = parts.query or parts.fragment or any(c.isspace() or c in "\"'<>`" for c in url)
    if parts.scheme not in ("http", "https") or not parts.netloc or len(place) < 2 or bad:
        raise UserError(
            f"repository = {url!r}: not the address of a repository",
            "give one such as https://github.com/OWNER/NAME",
        )
    return url.rstrip("/")
