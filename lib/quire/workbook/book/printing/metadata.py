"""Metadata: what a library's catalogue asks of the book, from CITATION.cff."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from quire.workbook.errors import UserError


@dataclass(frozen=True)
class Metadata:
    """Title, authors and rights of the book.

    Attributes
    ----------
    title, subtitle
        What CITATION.cff has before and after its title's colon.
    authors
        Their names, in the order of the file.
    version, released, licence, keywords
        As the file has them; empty where it does not.
    made
        When this copy was made: now, or what SOURCE_DATE_EPOCH says.
    """

    title: str
    subtitle: str
    authors: tuple[str, ...]
    version: str
    released: str
    licence: str
    keywords: tuple[str, ...]
    made: datetime

    @property
    def full_title(self) -> str:
        """Title and subtitle in one line."""
        return f"{self.title}: {self.subtitle}" if self.subtitle else self.title

    @property
    def identifier(self) -> str:
        """A name of this version, the same whenever and wherever it is made."""
        known = "/".join((self.full_title, *self.authors, self.version))
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, known)}"


def read_metadata(root: Path, config: Mapping[str, Any]) -> Metadata:
    """Return the metadata of the workbook at ``root``.

    A workbook without CITATION.cff has the title and author of its ``_config.yml``.

    Raises
    ------
    UserError
        When CITATION.cff can not be read.
    """
    cited: Any = {"title": config.get("title", "Quire")}
    if config.get("author"):
        cited["authors"] = [{"name": config["author"]}]
    path = root / "CITATION.cff"
    if path.is_file():
        try:
            cited = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, yaml.YAMLError) as fault:
            raise UserError(f"CITATION.cff: {fault}", "restore it from git") from None
    if not isinstance(cited, Mapping) or not isinstance(cited.get("title"), str):
        raise UserError("CITATION.cff has no title", "restore it from git")
    title, _, subtitle = cited["title"].partition(": ")
    return Metadata(
        title,
        subtitle[:1].upper() + subtitle[1:],
        tuple(_name(each) for each in cited.get("authors", ())),
        str(cited.get("version", "")),
        str(cited.get("date-released", "")),
        str(cited.get("license", "")),
        tuple(map(str, cited.get("keywords", ()))),
        _now(),
    )


def _name(author: Mapping[str, Any]) -> str:
    """Return an author's name: of an entity, or given names and family name of a person."""
    parts = [author.get(key, "") for key in ("given-names", "name-particle", "family-names")]
    return str(author.get("name") or " ".join(filter(None, parts)))


def _now() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
